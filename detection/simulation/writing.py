"""Writes the mixture's exchanges day by day, in as many processes as asked; the bytes do not depend on how many."""

from __future__ import annotations

import gzip
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detection.simulation.choices import Ints
from detection.simulation.ensemble import Ensemble, make_ensemble
from detection.simulation.plan import Plan
from detection.simulation.rows import Texts, tables
from detection.simulation.scale import START, Scale

ENDINGS = {("ndjson", "gzip"): "jsonl.gz", ("ndjson", "zstd"): "jsonl.zst"}
GZIP_LEVEL = 3
PLAIN = ("request_id", "prompt")  # columns of which nearly every value is new
FOLDER = "telemetry"
WORTH_HELPERS = 500_000  # exchanges from which starting processes pays


def ending(scale: Scale) -> str:
    return ENDINGS.get((scale.format, scale.packing), "parquet")


def write_exchanges(
    scale: Scale, cast: Ensemble, out: Path, on_progress: Callable[[int, int], None], processes: int
) -> tuple[Path, Ints]:
    """Write every exchange; gives the file or folder, and how many exchanges each account has sent."""
    folder = out / FOLDER
    names = [f"{START + timedelta(days=day):%Y-%m-%d}.{ending(scale)}" for day in range(scale.days)]
    _refuse_others(folder, names)
    folder.mkdir(exist_ok=True)
    sent = np.zeros(len(cast), dtype=np.int64)
    for day, counts in _days(scale, cast, [folder / name for name in names], processes):
        sent += counts
        on_progress(int(sent.sum()), scale.exchanges if day + 1 < scale.days else int(sent.sum()))
    if scale.files == "day":
        return folder, sent
    whole = out / f"{FOLDER}.{ending(scale)}"
    join(scale, [folder / name for name in names], whole)
    shutil.rmtree(folder)
    return whole, sent


def _refuse_others(folder: Path, names: Sequence[str]) -> None:
    """Raise `ValueError` when the folder holds what a reader would take for a part of this corpus."""
    others = [path.name for path in folder.glob("*") if path.name not in names]
    if others:
        raise ValueError(f"{folder} holds {sorted(others)[0]}, which is no part of what is made; choose another folder")


def _days(scale: Scale, cast: Ensemble, paths: Sequence[Path], processes: int) -> Iterator[tuple[int, Ints]]:
    """Write each day; gives the day and the exchanges of each account, as days are finished, in their order."""
    if processes <= 1 or scale.exchanges < WORTH_HELPERS:
        worker = DayWriter(scale, cast)
        for day, path in enumerate(paths):
            yield day, worker.write(day, path)
        return
    # Started anew rather than forked: forking would copy the threads' locks of this process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (scale,)) as pool:
        yield from enumerate(pool.map(_write_day, range(len(paths)), paths))


class DayWriter:
    """What a process needs to write days: the cast, the plan and the ready texts, made once from the scale."""

    def __init__(self, scale: Scale, cast: Ensemble | None = None) -> None:
        self.scale = scale
        self.cast = cast or make_ensemble(scale)
        self.plan = Plan(self.cast)
        self.texts = Texts(self.cast, escaped=scale.format == "ndjson")

    def write(self, number: int, path: Path) -> Ints:
        """Write one day's file, whole or not at all; gives the exchanges of each account.

        A day without an exchange has no Parquet file: nothing is known of its columns.
        """
        day = self.plan.day(number)
        unfinished = path.with_name(path.name + ".part")
        with WRITERS[ending(self.scale)](unfinished) as write:
            for table in tables(self.cast, self.texts, day):
                write(table)
        if unfinished.exists():
            unfinished.replace(path)
        return np.bincount(day.place, minlength=len(self.cast))


_writers: list[DayWriter] = []  # of this process, when it was started to write days


def _begin(scale: Scale) -> None:
    pa.set_cpu_count(1)
    _writers.append(DayWriter(scale))


def _write_day(number: int, path: Path) -> Ints:
    return _writers[0].write(number, path)


Write = Callable[[pa.Table], Any]


@contextmanager
def _gzip(path: Path) -> Iterator[Write]:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:
        yield lambda table: packed.write(json_lines(table))


@contextmanager
def _zstd(path: Path) -> Iterator[Write]:
    with pa.CompressedOutputStream(str(path), "zstd") as packed:
        yield lambda table: packed.write(json_lines(table))


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    writers: list[pq.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not writers:
            writers.append(_parquet_writer(path, table.schema))
        writers[0].write_table(table)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()


def _parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    repeated = [name for name in schema.names if name not in PLAIN]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated, write_statistics=["ts"])


WRITERS: Mapping[str, Callable[[Path], AbstractContextManager[Write]]] = {
    "jsonl.gz": _gzip,
    "jsonl.zst": _zstd,
    "parquet": _parquet,
}


def join(scale: Scale, parts: Sequence[Path], whole: Path) -> None:
    """Make one file of the days' files: packed streams one after the other, or row groups."""
    unfinished = whole.with_name(whole.name + ".part")
    if scale.format == "parquet":
        with _parquet(unfinished) as write:
            for part in filter(Path.exists, parts):
                with pq.ParquetFile(part) as file:
                    for group in range(file.num_row_groups):
                        write(file.read_row_group(group))
    else:
        with unfinished.open("wb") as out:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out, 1 << 20)
    unfinished.replace(whole)


def json_lines(table: pa.Table) -> bytes | memoryview:
    """Write a table as NDJSON; texts must stand in it as they do inside a JSON string."""
    parts: list[Any] = []
    for number, name in enumerate(table.schema.names):
        column = table[name].combine_chunks()
        parts += [f'{"," if number else "{"}"{name}":', _as_json(column)]
    lines = pc.binary_join_element_wise(*parts, "}\n", "")
    return _bytes_of(lines)


def _bytes_of(lines: pa.Array) -> memoryview:
    """Give the texts one after the other, as they lie in memory."""
    offsets = np.frombuffer(lines.buffers()[1], dtype=np.int32)
    first, last = int(offsets[lines.offset]), int(offsets[lines.offset + len(lines)])
    return memoryview(lines.buffers()[2])[first:last]


def _as_json(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_json(column.dictionary).take(column.indices)
    if pa.types.is_string(kind):
        return pc.fill_null(pc.binary_join_element_wise('"', column, '"', ""), "null")
    if pa.types.is_list(kind):
        return pc.fill_null(pc.binary_join_element_wise('["', pc.binary_join(column, '","'), '"]', ""), "null")
    if pa.types.is_timestamp(kind):
        shown = pc.replace_substring(column.cast(pa.timestamp("us")).cast(pa.string()), " ", "T")
        return pc.binary_join_element_wise('"', shown, 'Z"', "")
    return pc.fill_null(column.cast(pa.string()), "null")
