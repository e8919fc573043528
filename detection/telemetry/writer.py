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
import pyarrow as pa
import pyarrow.parquet as pq

from detection.telemetry import cues, sketch
from detection.telemetry.columns import EXCHANGES, schema

BATCH_ROWS = 10_000
OPEN_WRITERS = 64
DAY_US = 86_400_000_000
STORED = schema({**EXCHANGES, **sketch.COLUMNS, **cues.COLUMNS})

Row = dict[str, Any]


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


def write_rows(
    rows: Iterable[Row], root: Path, source_sha256: str, on_batch: Callable[[int], None], memory: str = "1GB"
) -> Tally:
    """Stage, deduplicate and publish the rows of one source file; gives what came of it.

    `on_batch` is told the number of rows read after every batch and may raise to stop: nothing is published then.
    """
    staging = root / "incoming" / source_sha256[:16]
    shutil.rmtree(staging, ignore_errors=True)
    tally = Tally()
    try:
        days = _stage(rows, staging, tally, on_batch)
        _publish(days, staging, root, source_sha256[:16], tally, memory)
        tally.repeated = tally.read - tally.rows
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return tally


def _stage(rows: Iterable[Row], staging: Path, tally: Tally, on_batch: Callable[[int], None]) -> list[str]:
    """Sort rows into one staged Parquet file (or a few) a day; gives the days."""
    writers: dict[str, pq.ParquetWriter] = {}
    opened: dict[str, int] = {}
    read = 0
    try:
        for batch in _batches(rows):
            read += len(batch)
            for day, part in _by_day(batch).items():
                writer = writers.pop(day, None) or _open(staging, day, opened)
                writers[day] = writer  # last used, last closed
                writer.write_batch(_arrow(part, tally))
                if len(writers) > OPEN_WRITERS:
                    writers.pop(next(iter(writers))).close()
            on_batch(read)
            tally.read = read
    finally:
        for writer in writers.values():
            writer.close()
    return sorted(opened)


def _open(staging: Path, day: str, opened: dict[str, int]) -> pq.ParquetWriter:
    folder = staging / f"day={day}"
    folder.mkdir(parents=True, exist_ok=True)
    opened[day] = opened.get(day, -1) + 1
    return pq.ParquetWriter(folder / f"{opened[day]:05d}.parquet", STORED, compression="zstd")


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _by_day(batch: list[Row]) -> dict[str, list[Row]]:
    numbers: dict[int, list[Row]] = {}
    for row in batch:
        numbers.setdefault(row["ts"] // DAY_US, []).append(row)
    return {moment(number * DAY_US).date().isoformat(): part for number, part in numbers.items()}


def _arrow(rows: list[Row], tally: Tally) -> pa.RecordBatch:
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in EXCHANGES.items()]
    tally.present.update(name for name, array in zip(EXCHANGES, arrays, strict=True) if array.null_count < len(array))
    prompts = arrays[list(EXCHANGES).index("prompt")]
    arrays += sketch.sketch_batch(prompts) + cues.cue_batch(prompts)
    return pa.RecordBatch.from_arrays(arrays, schema=STORED)


def _publish(days: list[str], staging: Path, root: Path, name: str, tally: Tally, memory: str) -> None:
    """Drop repeated request ids day by day, then move every part into place and remove older parts of the same file."""
    moves: list[tuple[Path, Path]] = []
    with duckdb.connect(
        config={"memory_limit": memory, "threads": 2, "temp_directory": str(staging / "spill")}
    ) as base:
        for day in days:
            folder = root / "exchanges" / f"day={day}"
            staged = sorted((staging / f"day={day}").glob("*.parquet"))
            _keep_new(base, staged, [p for p in sorted(folder.glob("*.parquet")) if not p.name.startswith(f"{name}-")])
            _count(base, day, tally)
            kept = [part for number, part in enumerate(staged) if _filter(base, part, number)]
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


def _keep_new(base: duckdb.DuckDBPyConnection, staged: list[Path], stored: list[Path]) -> None:
    """Fill table `keep` with the place (file, row) of the first row of every request id that is not stored yet."""
    anti, values = "", {"staged": [str(path) for path in staged]}
    if stored:
        anti = "ANTI JOIN (SELECT request_id FROM read_parquet($stored)) USING (request_id)"
        values["stored"] = [str(path) for path in stored]
    base.execute(
        f"""CREATE OR REPLACE TEMP TABLE keep AS
            SELECT file_index AS part, file_row_number AS place, ts, model
            FROM (SELECT *, list_position($staged, filename) - 1 AS file_index
                  FROM read_parquet($staged, filename = true, file_row_number = true)) {anti}
            QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY file_index, file_row_number) = 1""",  # noqa: S608 - no value in the text
        values,
    )


def _count(base: duckdb.DuckDBPyConnection, day: str, tally: Tally) -> None:
    rows, first, last, models = base.execute(
        "SELECT count(*), min(epoch_us(ts)), max(epoch_us(ts)), list(DISTINCT model) FROM keep"
    ).fetchall()[0]
    if not rows:
        return
    tally.rows += rows
    tally.rows_per_day[day] = rows
    tally.models.update(models)
    tally.first_us = first if tally.first_us is None else min(tally.first_us, first)
    tally.last_us = last if tally.last_us is None else max(tally.last_us, last)


def _filter(base: duckdb.DuckDBPyConnection, part: Path, number: int) -> bool:
    """Rewrite a staged part to the rows in `keep`; true when any is left. An untouched part is not rewritten."""
    found = base.execute("SELECT place FROM keep WHERE part = ? ORDER BY place", [number]).fetchnumpy()["place"]
    with pq.ParquetFile(part) as source:
        if len(found) == source.metadata.num_rows:
            return True
        rewritten = part.with_suffix(".kept")
        with pq.ParquetWriter(rewritten, STORED, compression="zstd") as writer:
            start = 0
            for batch in source.iter_batches(BATCH_ROWS):
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
