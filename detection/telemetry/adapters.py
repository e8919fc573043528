"""The table of telemetry formats and the two doors: add a file of exchanges, add a side table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from detection.records import BadLine, Ingested
from detection.telemetry.columns import EXCHANGES, REQUIRED, SIDE_TABLES, schema
from detection.telemetry.ndjson import NdjsonReader
from detection.telemetry.writer import Tally, moment, write_rows

OnBad = Callable[[BadLine], None]
OnProgress = Callable[[int, int, int], None]


class Reader(Protocol):
    """What an adapter gives: an iterable of fitted rows that counts what it left out (see `NdjsonReader`)."""

    bytes_total: int
    bytes_done: int
    bad: int
    unknown: dict[str, int]
    truncated: str | None

    def __iter__(self) -> Iterator[dict[str, Any]]: ...


Adapter = Callable[[Path, Mapping[str, pa.DataType], Sequence[str], OnBad], Reader]

ADAPTERS: Mapping[str, Adapter] = {
    "ndjson": NdjsonReader,
}


def add_telemetry(
    path: Path,
    root: Path,
    *,
    sha256: str,
    adapter: str = "ndjson",
    on_bad: OnBad = lambda line: None,
    on_progress: OnProgress = lambda done, total, rows: None,
) -> Ingested:
    """Add one file of exchanges to the dataset under `root`; the same file again leaves the dataset as it was.

    `sha256` is the file's digest (`file_sha256`) and names its parts. `on_progress` is told (bytes read, bytes in all,
    rows read) and may raise to stop, in which case nothing is added. A request id already stored on the same UTC day,
    or seen before in the file, is dropped and counted as repeated. Raises `OSError` when the file cannot be read.
    """
    reader = ADAPTERS[adapter](path, EXCHANGES, REQUIRED, on_bad)
    tally = write_rows(reader, root, sha256, lambda rows: on_progress(reader.bytes_done, reader.bytes_total, rows))
    on_progress(reader.bytes_total, reader.bytes_total, tally.read)
    return _ingested(reader, tally)


def _ingested(reader: Reader, tally: Tally) -> Ingested:
    return Ingested(
        rows=tally.rows,
        bad=reader.bad,
        repeated=tally.repeated,
        first_ts=None if tally.first_us is None else moment(tally.first_us),
        last_ts=None if tally.last_us is None else moment(tally.last_us),
        columns_present=tuple(name for name in EXCHANGES if name in tally.present),
        columns_absent=tuple(name for name in EXCHANGES if name not in tally.present),
        unknown_columns=dict(sorted(reader.unknown.items())),
        rows_per_day=tally.rows_per_day,
        models=tuple(sorted(tally.models)),
        parts=tuple(tally.parts),
        truncated=reader.truncated,
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
