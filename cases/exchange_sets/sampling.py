"""Drawing a sample: the rows of each stratum with the lowest scores (docs/formats/exchange-set.md, section 6)."""

from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from spine.canonical import canonical_json

MOST_STRATA = 2_000
MOST_ROWS = 5_000


class TooMuch(Exception):  # noqa: N818 - what was asked is
    """A plan that would draw more rows, or make more strata, than people can review."""


@dataclass(frozen=True)
class Drawn:
    """One row of a sample: its stratum, its index in the set, and the request id it goes by."""

    stratum: str
    index: int
    request_id: str


def score(seed: str, index: int) -> bytes:
    """What decides whether a row is drawn; lower is sooner. Its 64 hexadecimal digits are the score of the format."""
    return sha256(f"retort-sample/1:{seed}:{index}".encode()).digest()


class Draw:
    """Takes a set's rows in order, each with its stratum, and keeps the lowest scores of each stratum, never more."""

    def __init__(self, seed: str, per_stratum: int) -> None:
        self.per_stratum = per_stratum
        self.rows: Counter[str] = Counter()
        self._start = f"retort-sample/1:{seed}:".encode()
        self._lowest: dict[str, list[tuple[bytes, int, str]]] = {}
        self._next = 0

    def add(self, strata: Sequence[str], request_ids: Sequence[str]) -> None:
        """Take the rows that come next. Raises TooMuch."""
        start, lowest = self._start, self._lowest
        for place, stratum in enumerate(strata):
            index = self._next + place
            kept = lowest.get(stratum)
            if kept is None:
                kept = lowest[stratum] = []
                if len(lowest) > MOST_STRATA:
                    raise TooMuch(f"more than {MOST_STRATA:,} strata")
            found = sha256(start + b"%d" % index).digest()
            if len(kept) < self.per_stratum:
                insort(kept, (found, index, request_ids[place]))
            elif found < kept[-1][0]:
                insort(kept, (found, index, request_ids[place]))
                kept.pop()
        self.rows.update(strata)
        self._next += len(strata)

    def drawn(self) -> list[Drawn]:
        """The sample, by stratum and then by score. Raises TooMuch."""
        if sum(len(kept) for kept in self._lowest.values()) > MOST_ROWS:
            raise TooMuch(f"more than {MOST_ROWS:,} rows")
        return [Drawn(name, *row[1:]) for name in sorted(self._lowest) for row in self._lowest[name]]

    def strata(self) -> list[dict[str, Any]]:
        """`[{name, rows, sampled}]`, by name."""
        return [
            {"name": name, "rows": self.rows[name], "sampled": len(self._lowest[name])} for name in sorted(self._lowest)
        ]


def plan_bytes(
    *, statement_sha256: str, root: str, seed: str, by: str, per_stratum: int, level: int, draw: Draw
) -> bytes:
    """The plan as canonical JSON."""
    return canonical_json(
        {
            "v": 1,
            "format": "retort-sampling-plan",
            "set": statement_sha256,
            "root": root,
            "seed": seed,
            "strata": {"by": by, "rows": draw.strata()},
            "per_stratum": per_stratum,
            "confidence_level": level,
            "sample": [{"stratum": one.stratum, "index": one.index} for one in draw.drawn()],
        }
    )
