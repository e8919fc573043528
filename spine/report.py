"""What a verification of the log read and what it found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spine.keyring import PublicKey

MOST_SHOWN = 200
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Problem:
    """One thing that disagrees: which table, which row, and what is wrong with it."""

    table: str
    row: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.what}"


@dataclass
class Report:
    """What was read, and every disagreement found."""

    tables: dict[str, int] = field(default_factory=dict)
    entries: int = 0
    waiting: int = 0
    nodes: int = 0
    checkpoints: int = 0
    tokens: int = 0
    tiles: int = 0
    root: bytes = b""
    keys: list[PublicKey] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many protected rows were read."""
        return sum(self.tables.values())

    def add(self, table: str, row: object, what: str) -> None:
        """Note a disagreement."""
        self.problems.append(Problem(table, str(row), what))

    def plain(self) -> dict[str, Any]:
        """The same as JSON, with the first problems; `problem_count` is of all.

        Tables by name alone: how many rows each has would tell of cases that the reader may not know of.
        """
        return {
            "rows": self.rows,
            "tables": sorted(self.tables),
            "entries": self.entries,
            "waiting": self.waiting,
            "nodes": self.nodes,
            "checkpoints": self.checkpoints,
            "tokens": self.tokens,
            "tiles": self.tiles,
            "root": self.root.hex(),
            "problem_count": len(self.problems),
            "problems": [{"table": one.table, "row": one.row, "what": one.what} for one in self.problems[:MOST_SHOWN]],
        }
