"""The table of telemetry formats and the two doors: add a file of exchanges, add a side table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from detection.records import BadLine, Ingested
from detection.telemetry import bedrock, delimited, otel, parquet
from detection.telemetry.blocks import Block, Packed
from detection.telemetry.columns import EXCHANGES, REQUIRED, SIDE_TABLES, schema
from detection.telemetry.helpers import made_by, useful
from detection.telemetry.made import make
from detection.telemetry.ndjson import NdjsonReader, Rows, count_unknown, read_block
from detection.telemetry.recognise import format_of
from detection.telemetry.writer import Tally, moment, write_batches

OnBad = Callable[[BadLine], None]
OnProgress = Callable[[int, int, int], None]
SMALL = 4 * 1024 * 1024  # bytes up to which a file is read without helpers


class Pieces(Protocol):
    """A file as an iterable of pieces that can be read one by one, each small enough to hold (see `blocks.Packed`)."""

    bytes_total: int
    bytes_done: int
    truncated: str | None

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Adapter:
    """How files of one format are cut into pieces of one type, and how a piece is read; `read` runs in any process."""

    title: str
    piece: type[Any]
    cut: Callable[[Path], Pieces]
    read: Callable[[Any], Rows]


def _ndjson(block: Block) -> Rows:
    return read_block(block, EXCHANGES, REQUIRED)


ADAPTERS: Mapping[str, Adapter] = {
    "ndjson": Adapter("NDJSON of the normalised columns", Block, Packed, _ndjson),
    "csv": Adapter("CSV of the normalised columns", delimited.Table, delimited.CsvPieces, delimited.read),
    "parquet": Adapter("Parquet of the normalised columns", parquet.Slice, parquet.ParquetPieces, parquet.read),
    "otel": Adapter("OpenTelemetry spans of model calls, OTLP/JSON or one a line", Block, otel.cut, otel.read),
    "bedrock": Adapter("Amazon Bedrock model invocation logs", Block, bedrock.cut, bedrock.read),
}


def add_telemetry(
    path: Path,
    root: Path,
    *,
    sha256: str,
    adapter: str | None = None,
    on_bad: OnBad = lambda line: None,
    on_progress: OnProgress = lambda done, total, rows: None,
    helpers: int | None = None,
) -> Ingested:
    """Add one file of exchanges to the dataset under `root`; the same file again leaves the dataset as it was.

    `sha256` is the file's digest (`file_sha256`) and names its parts. Without `adapter` the format is recognised.
    `on_bad` is told of bad lines, of very many the first. `on_progress` is told (bytes read, bytes in all, rows read)
    and may raise to stop, in which case nothing is added. A request id already stored on the same UTC day, or seen
    before in the file, is dropped and counted as repeated. `helpers` are processes that read beside this one. Raises
    `OSError` when the file cannot be read.
    """
    adapter = adapter or format_of(path)
    pieces = ADAPTERS[adapter].cut(path)
    count = useful() if helpers is None else helpers
    reading = _Reading(on_bad)
    batches = reading.batches(adapter, pieces, count if pieces.bytes_total > SMALL or helpers else 0)
    with closing(batches):
        told = lambda rows: on_progress(pieces.bytes_done, pieces.bytes_total, rows)  # noqa: E731
        tally = write_batches(batches, root, sha256, told)
    on_progress(pieces.bytes_total, pieces.bytes_total, tally.read)
    return _ingested(pieces, reading, tally)


class _Reading:
    """Counts what is left out while the pieces of a file are made into batches."""

    def __init__(self, on_bad: OnBad) -> None:
        self.bad = 0
        self.unknown: dict[str, int] = {}
        self._on_bad = on_bad

    def batches(self, adapter: str, pieces: Pieces, helpers: int) -> Generator[pa.RecordBatch]:
        read = ADAPTERS[adapter].read
        made = made_by(adapter, pieces, helpers) if helpers else (make(read, piece) for piece in pieces)
        for one in made:
            self.bad += one.bad
            for line in one.first_bad:
                self._on_bad(line)
            count_unknown(self.unknown, one.unknown)
            yield one.batch()


def _ingested(pieces: Pieces, reading: _Reading, tally: Tally) -> Ingested:
    return Ingested(
        rows=tally.rows,
        bad=reading.bad,
        repeated=tally.repeated,
        first_ts=None if tally.first_us is None else moment(tally.first_us),
        last_ts=None if tally.last_us is None else moment(tally.last_us),
        columns_present=tuple(name for name in EXCHANGES if name in tally.present),
        columns_absent=tuple(name for name in EXCHANGES if name not in tally.present),
        unknown_columns=dict(sorted(reading.unknown.items())),
        rows_per_day=tally.rows_per_day,
        models=tuple(sorted(tally.models)),
        parts=tuple(tally.parts),
        truncated=pieces.truncated,
    )


def add_side_table(kind: str, path: Path, root: Path, *, on_bad: OnBad = lambda line: None) -> int:
    """Merge an NDJSON side table (`accounts`, `networks`, `models`) into `<root>/<kind>.parquet`; gives its rows.

    Rows are merged by key; of two with one key the later wins. These tables fit in memory (250,000 accounts: 100 MB).
    """
    key, columns, required = SIDE_TABLES[kind]
    target = root / f"{kind}.parquet"
    merged: dict[Any, dict[str, Any]] = {}
    if target.exists():
        stored = pq.read_table(target, schema=schema(columns))
        plain = stored.cast(
            pa.schema([(f.name, pa.int64() if pa.types.is_timestamp(f.type) else f.type) for f in stored.schema])
        )
        merged = {row[key]: row for row in plain.to_pylist()}
    reader = NdjsonReader(path, columns, required, on_bad)
    for row in reader:
        merged[row[key]] = row
    if reader.truncated:
        raise OSError(f"{path.name}: {reader.truncated}")
    rows = [merged[value] for value in sorted(merged)]
    table = pa.table([pa.array([row.get(n) for row in rows], t) for n, t in columns.items()], schema=schema(columns))
    root.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    pq.write_table(table, temporary, compression="zstd")
    temporary.replace(target)
    return len(rows)


def file_sha256(path: Path) -> str:
    """Hash a file as it lies on disk (packed when it is packed)."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
