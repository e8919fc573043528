"""The pass over a source's rows: root, leaves and nodes in constant memory, and the statement of what was found."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
from django.conf import settings
from django.db.models import QuerySet

from detection import sources
from detection.models import Account, FileKind, TelemetryFile, TelemetrySource
from detection.records import Window
from detection.telemetry import exchange_rows, exchange_set
from detection.telemetry.exchange_set import Batch, Selection
from spine import vault
from spine.canonical import canonical_json, timestamp
from spine.errors import Refused
from spine.growing import Growing
from spine.vault import Blob

Report = Callable[[int, int, str], None]
MEMORY = "1GB"


@dataclass(frozen=True)
class Question:
    """What is asked of a source: its files and parts as they are now, and the selection."""

    source: TelemetrySource
    selection: Selection
    files: tuple[TelemetryFile, ...]
    parts: tuple[Path, ...]

    def rows(self) -> int:
        """How many rows answer."""
        with reading():
            return exchange_set.count_rows(self.parts, self.selection)


@dataclass
class Tally:
    """What went by in a pass."""

    tree: Growing = field(default_factory=Growing)
    first: int | None = None
    last: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0

    def through(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Count the batches while they go through."""
        for batch in batches:
            self.tree.add(batch.leaves)
            self.first = int(batch.records["ts"][0]) if self.first is None else self.first
            self.last = int(batch.records["ts"][-1])
            self.input_tokens += batch.input_tokens
            self.output_tokens += batch.output_tokens
            yield batch

    @property
    def root(self) -> str:
        """The root in hexadecimal."""
        return self.tree.root().hex()


@dataclass(frozen=True)
class Found:
    """The answer: the tally, and the two files in the vault."""

    tally: Tally
    leaves: Blob
    nodes: Blob


def ask(source: TelemetrySource, window: Window, labels: dict[str, str], key: bytes) -> Question:
    """The question over the files that are recorded now. `labels` maps the provider's ids to a label for strata."""
    files = tuple(files_of(source, window))
    parts = exchange_set.parts_of(sources.root_of(source), [file.sha256 for file in files], window)
    return Question(source, Selection(window, labels, key), files, tuple(parts))


def files_of(source: TelemetrySource, window: Window) -> QuerySet[TelemetryFile]:
    """The files of exchanges read into the source that can have rows of the window, in the order they were read."""
    files = TelemetryFile.objects.filter(source=source, kind=FileKind.EXCHANGES)
    return files.filter(first_ts__lt=window.end, last_ts__gte=window.start).order_by("added_at", "id")


def batches(question: Question, report: Report, *, strata: str = "", total: int | None = None) -> Iterator[Batch]:
    """The rows in order. Raises Refused when a part of the source cannot be read."""
    expected = question.rows() if total is None else total
    report(0, expected, "reading the source")

    def hashed(rows: int) -> None:
        report(min(rows, expected), expected, f"{rows:,} exchanges hashed")

    with reading():
        yield from exchange_set.ordered(
            question.parts, question.selection, strata=strata, on_rows=hashed, memory=MEMORY
        )


@contextmanager
def reading() -> Iterator[None]:
    """Say in a sentence that a source could not be read; what DuckDB says may repeat what it read."""
    try:
        yield
    except (FileNotFoundError, duckdb.Error) as error:
        raise Refused(f"The source could not be read to its end ({type(error).__name__}). Try again.") from None


def take(question: Question, report: Report) -> Found:
    """One pass: the leaves go to the vault as they come."""
    tally = Tally()
    leaves = vault.put(batch.records.tobytes() for batch in tally.through(batches(question, report)))
    return Found(tally, leaves, vault.put_bytes(bytes(tally.tree.nodes)))


def accounts_digest(key: bytes, provider_ids: Iterable[str]) -> str:
    """The digest over the keyed names of the chosen accounts."""
    names = sorted(exchange_rows.account_name(key, one) for one in provider_ids)
    return sha256("".join(f"{name}\n" for name in names).encode()).hexdigest()


def statement(
    *,
    set_id: UUID,
    ref: str,
    question: Question,
    found: Found,
    chosen: str,
    expire_at: datetime | None,
    made_at: datetime,
    made_by: str,
) -> bytes:
    """The statement: canonical JSON, and the exhibit's bytes."""
    tally, window, source = found.tally, question.selection.window, question.source
    return canonical_json(
        {
            "v": 1,
            "format": "retort-exchange-set",
            "id": str(set_id),
            "case": ref,
            "source": {"id": str(source.id), "name": source.name, "namespace": source.namespace},
            "window": {"start": timestamp(window.start), "end": timestamp(window.end)},
            "accounts": {
                "chosen": chosen,
                "count": len(question.selection.accounts),
                "sha256": accounts_digest(question.selection.key, question.selection.accounts),
            },
            "query": exchange_set.QUERY,
            "rows": {
                "count": tally.tree.size,
                "root": tally.root,
                "first": _time(tally.first),
                "last": _time(tally.last),
                "input_tokens": tally.input_tokens,
                "output_tokens": tally.output_tokens,
            },
            "key_sha256": sha256(question.selection.key).hexdigest(),
            "leaves": _blob(found.leaves),
            "nodes": _blob(found.nodes),
            "files": [{"name": file.name, "sha256": file.sha256, "rows": file.rows} for file in question.files],
            "originals": {
                "where": f"telemetry source {source.name} of this installation, as read from the files named here",
                "expire_at": None if expire_at is None else timestamp(expire_at),
            },
            "program": {
                "release": f"Retort {settings.VERSION}",
                "sha256": exchange_set.program_sha256(),
                "duckdb": duckdb.__version__,
            },
            "made": {"at": timestamp(made_at), "by": made_by},
        }
    )


def accounts_blob(accounts: Iterable[Account]) -> Blob:
    """The list of chosen accounts by our ids, one a line, in order; kept in the vault."""
    return vault.put_bytes("".join(f"{one}\n" for one in sorted(str(account.id) for account in accounts)).encode())


def accounts_of(sha: str) -> list[Account]:
    """The accounts of such a list. Raises vault.Missing."""
    ids = vault.read(sha).decode().split()
    found: list[Account] = []
    for start in range(0, len(ids), 10_000):
        found += Account.objects.filter(id__in=ids[start : start + 10_000])
    return found


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else exchange_rows.moment(microseconds)


def _blob(blob: Blob) -> dict[str, Any]:
    return {"sha256": blob.sha256, "size": blob.size}
