"""Writes normalised rows to the Parquet dataset, one folder a UTC day; a killed or repeated write leaves one copy.

Rows are staged under `incoming/`, request ids already stored are dropped, and parts are published under names derived
from the source file's SHA-256. One writer a dataset at a time; the caller holds the lease.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detection.telemetry.columns import EXCHANGES
from detection.telemetry.made import STORED

GROUP_ROWS = 65_536
MOST_WAITING = 256 * 1024 * 1024  # bytes of rows that wait to be written, over all days
OPEN_WRITERS = 64
DAY_US = 86_400_000_000
OF_ITS_OWN = {"request_id", "ts", "prompt", "response", "prompt_sha256", "response_sha256", "sketch_text"}
FEW_VALUES = [one.name for one in STORED if one.name not in OF_ITS_OWN and not pa.types.is_nested(one.type)]

OnBatch = Callable[[int], None]


@dataclass
class Tally:
    """What the writer has seen so far; only the writer changes it."""

    read: int = 0
    rows: int = 0
    repeated: int = 0
    first_us: int | None = None
    last_us: int | None = None
    present: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    rows_per_day: dict[str, int] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)


def write_batches(
    batches: Iterable[pa.RecordBatch], root: Path, source_sha256: str, on_batch: OnBatch, memory: str = "1GB"
) -> Tally:
    """Stage, deduplicate and publish the rows of one source file; gives what came of it.

    Batches have the columns of `STORED`. `on_batch` is told the number of rows read after every batch and may raise to
    stop: nothing is published then.
    """
    staging = root / "incoming" / source_sha256[:16]
    shutil.rmtree(staging, ignore_errors=True)
    tally = Tally()
    try:
        days = _stage(batches, _Stage(staging), tally, on_batch)
        _publish(days, staging, root, source_sha256[:16], tally, memory)
        tally.repeated = tally.read - tally.rows
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return tally


def _stage(batches: Iterable[pa.RecordBatch], stage: _Stage, tally: Tally, on_batch: OnBatch) -> list[str]:
    """Sort rows into one staged Parquet file (or a few) a day; gives the days."""
    try:
        for batch in batches:
            tally.present.update(name for name in EXCHANGES if batch[name].null_count < len(batch))
            for day, part in by_day(batch):
                stage.put(day, part)
            tally.read += len(batch)
            on_batch(tally.read)
        stage.flush()
    finally:
        stage.close()
    return sorted(stage.opened)


def by_day(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Give the rows of each UTC day, in their order."""
    if not len(batch):
        return
    numbers = batch["ts"].cast(pa.int64()).to_numpy() // DAY_US
    found = np.unique(numbers)
    for number in found.tolist():
        part = batch if len(found) == 1 else batch.filter(pa.array(numbers == number))
        yield moment(number * DAY_US).date().isoformat(), part


class _Stage:
    """Staged files by day, and rows that wait to become a row group of one; a bounded number of both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: dict[str, int] = {}
        self.writers: dict[str, pq.ParquetWriter] = {}
        self.waiting: dict[str, list[pa.RecordBatch]] = {}
        self.rows: dict[str, int] = {}
        self.size = 0

    def put(self, day: str, part: pa.RecordBatch) -> None:
        self.waiting.setdefault(day, []).append(part)
        self.rows[day] = self.rows.get(day, 0) + len(part)
        self.size += part.nbytes
        if self.rows[day] >= GROUP_ROWS:
            self._write(day)
        while self.size > MOST_WAITING:
            self._write(max(self.rows, key=lambda day: self.rows[day]))

    def flush(self) -> None:
        for day in sorted(self.waiting):
            self._write(day)

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()

    def _write(self, day: str) -> None:
        parts = self.waiting.pop(day)
        del self.rows[day]
        self.size -= sum(part.nbytes for part in parts)
        writer = self.writers.pop(day, None) or self._open(day)
        self.writers[day] = writer  # last used, last closed
        writer.write_table(pa.Table.from_batches(parts, STORED))
        if len(self.writers) > OPEN_WRITERS:
            self.writers.pop(next(iter(self.writers))).close()

    def _open(self, day: str) -> pq.ParquetWriter:
        folder = self.folder / f"day={day}"
        folder.mkdir(parents=True, exist_ok=True)
        self.opened[day] = self.opened.get(day, -1) + 1
        return _writer(folder / f"{self.opened[day]:05d}.parquet")


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, STORED, compression="zstd", use_dictionary=FEW_VALUES)


def _publish(days: list[str], staging: Path, root: Path, name: str, tally: Tally, memory: str) -> None:
    """Drop repeated request ids day by day, then move every part into place and remove older parts of the same file."""
    moves: list[tuple[Path, Path]] = []
    with duckdb.connect(
        config={"memory_limit": memory, "threads": 2, "temp_directory": str(staging / "spill")}
    ) as base:
        for day in days:
            folder = root / "exchanges" / f"day={day}"
            staged = sorted((staging / f"day={day}").glob("*.parquet"))
            stored = [p for p in sorted(folder.glob("*.parquet")) if not p.name.startswith(f"{name}-")]
            kept = _new_only(base, day, staged, stored, tally)
            moves += [(part, folder / f"{name}-{number}.parquet") for number, part in enumerate(kept)]
    wanted = {target for _, target in moves}
    for stale in (root / "exchanges").glob(f"day=*/{name}-*.parquet"):
        if stale not in wanted:
            stale.unlink()
    for part, target in moves:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    tally.parts = [str(target.relative_to(root)) for _, target in moves]


def _new_only(
    base: duckdb.DuckDBPyConnection, day: str, staged: list[Path], stored: list[Path], tally: Tally
) -> list[Path]:
    """Count a day's new rows, and leave only those in its staged parts; gives the parts that hold any."""
    if not _any_repeated(base, staged, stored):
        _count(base, day, tally, "read_parquet($staged)", {"staged": _texts(staged)})
        return staged
    _keep_new(base, staged, stored)
    _count(base, day, tally, "keep", {})
    return [part for number, part in enumerate(staged) if _filter(base, part, number)]


def _any_repeated(base: duckdb.DuckDBPyConnection, staged: list[Path], stored: list[Path]) -> bool:
    """Whether a request id may stand twice, by 64-bit hashes of that column alone: a yes may be false, a no is not.

    Memory follows the rows that are new; what is stored streams by.
    """
    base.execute(
        "CREATE OR REPLACE TEMP TABLE ids AS SELECT hash(request_id) AS id FROM read_parquet($staged)",
        {"staged": _texts(staged)},
    )
    if base.execute("SELECT count(*) > count(DISTINCT id) FROM ids").fetchall()[0][0]:
        return True
    return bool(
        stored
        and base.execute(
            "SELECT count(*) > 0 FROM read_parquet($stored) WHERE hash(request_id) IN (SELECT id FROM ids)",
            {"stored": _texts(stored)},
        ).fetchall()[0][0]
    )


def _keep_new(base: duckdb.DuckDBPyConnection, staged: list[Path], stored: list[Path]) -> None:
    """Fill table `keep` with the place (file, row) of the first row of every request id that is not stored yet."""
    there, values = "", {"staged": _texts(staged)}
    if stored:
        there = """ANTI JOIN (SELECT DISTINCT request_id FROM read_parquet($stored)
            WHERE hash(request_id) IN (SELECT id FROM ids)) USING (request_id)"""
        values["stored"] = _texts(stored)
    base.execute(
        f"""CREATE OR REPLACE TEMP TABLE keep AS
            SELECT file_index AS part, file_row_number AS place, ts, model
            FROM (SELECT *, list_position($staged, filename) - 1 AS file_index
                  FROM read_parquet($staged, filename = true, file_row_number = true)) {there}
            QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY file_index, file_row_number) = 1""",  # noqa: S608 - no value in the text
        values,
    )


def _count(base: duckdb.DuckDBPyConnection, day: str, tally: Tally, table: str, values: dict[str, Any]) -> None:
    rows, first, last, models = base.execute(
        f"SELECT count(*), min(epoch_us(ts)), max(epoch_us(ts)), list(DISTINCT model) FROM {table}",  # noqa: S608 - our own words
        values,
    ).fetchall()[0]
    if not rows:
        return
    tally.rows += rows
    tally.rows_per_day[day] = rows
    tally.models.update(models)
    tally.first_us = first if tally.first_us is None else min(tally.first_us, first)
    tally.last_us = last if tally.last_us is None else max(tally.last_us, last)


def _texts(paths: list[Path]) -> list[str]:
    return [str(path) for path in paths]


def _filter(base: duckdb.DuckDBPyConnection, part: Path, number: int) -> bool:
    """Rewrite a staged part to the rows in `keep`; true when any is left. An untouched part is not rewritten."""
    found = base.execute("SELECT place FROM keep WHERE part = ? ORDER BY place", [number]).fetchnumpy()["place"]
    with pq.ParquetFile(part) as source:
        if len(found) == source.metadata.num_rows:
            return True
        rewritten = part.with_suffix(".kept")
        with _writer(rewritten) as writer:
            start = 0
            for batch in source.iter_batches(GROUP_ROWS):
                inside = found[(found >= start) & (found < start + len(batch))] - start
                start += len(batch)
                if len(inside):
                    writer.write_batch(batch.take(pa.array(inside)).cast(STORED))
    rewritten.replace(part)
    return len(found) > 0


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def moment(microseconds: int) -> datetime:
    """Give an aware UTC time from microseconds since 1970, without rounding through floating point."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
