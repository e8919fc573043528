"""Telemetry from raw files to the sketched dataset: rows a second as a share of the limit, and the most memory it took.

The limit is what one process needs to unpack the NDJSON and parse it with the standard library's `json`, in the same
run: nothing that looks at every row in Python can be quicker. Each format holds the same rows. RETORT_BENCH_ROWS sets
the sizes. Prediction before the first run, for two idle cores: 0.3 of the limit a core, 45,000 rows/s over both, the
same for each format because sketches and cues are three quarters of the work; memory the same at every size.
"""

import csv
import gzip
import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from detection.simulate import Scale, simulate
from detection.telemetry.adapters import add_telemetry, file_sha256
from detection.telemetry.helpers import useful

SIZES = [int(size) for size in os.environ.get("RETORT_BENCH_ROWS", "100000,400000").split(",")]


def main() -> None:
    """Measure each size and format in a process of its own and print."""
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="retort-bench-") as folder:
            place = Path(folder)
            made = apart(make, place, size)
            rows, seconds, _, _ = apart(limit, made["ndjson"])
            best = rows / seconds
            print(f"telemetry_limit {best:.0f} rows/s {rows}", flush=True)
            for name, path in made.items():
                rows, seconds, spent, memory = apart(add, path, place / f"{name}-set")
                print(f"telemetry_{name}_rate {rows / seconds:.0f} rows/s {rows}", flush=True)
                print(f"telemetry_{name}_share_of_limit {rows / seconds / best:.3f} ratio {rows}", flush=True)
                print(f"telemetry_{name}_rows_a_cpu_second {rows / spent:.0f} rows/s {rows}", flush=True)
                print(f"telemetry_{name}_peak_memory {memory / 1e6:.0f} MB {rows}", flush=True)


def apart(work: Any, *given: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, (work, given))


def run(work: Any, given: tuple[Any, ...]) -> Any:
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    return work(*given)


def make(place: Path, size: int) -> dict[str, Path]:
    """The same exchanges in each format."""
    made = simulate(Scale(accounts=max(1_500, size // 50), exchanges=size, days=24), place / "made")
    table, sheet = place / "made" / "telemetry.parquet", place / "made" / "telemetry.csv.gz"
    with gzip.open(made.telemetry, "rt", encoding="utf-8") as lines:
        first = json.loads(next(lines))
    names, writer = list(first), None
    with (
        gzip.open(made.telemetry, "rt", encoding="utf-8") as lines,
        gzip.open(sheet, "wt", 6, encoding="utf-8", newline="") as text,
    ):
        cells = csv.DictWriter(text, names, extrasaction="ignore")
        cells.writeheader()
        while rows := [json.loads(line) for _, line in zip(range(50_000), lines, strict=False)]:
            cells.writerows(rows)
            batch = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
            writer = writer or pq.ParquetWriter(table, batch.schema, compression="zstd")
            writer.write_table(batch.cast(writer.schema))
    assert writer is not None
    writer.close()
    return {"ndjson": made.telemetry, "csv": sheet, "parquet": table}


def limit(path: Path) -> tuple[int, float, float, int]:
    """Unpack and parse, no more."""
    begun, rows = time.perf_counter(), 0
    with gzip.open(path, "rb") as lines:
        for line in lines:
            json.loads(line)
            rows += 1
    return rows, time.perf_counter() - begun, 0.0, 0


def add(path: Path, root: Path) -> tuple[int, float, float, int]:
    """Rows, seconds, processor seconds over all processes, and an upper bound of their resident sets together."""
    begun, sha256 = time.perf_counter(), file_sha256(path)
    done = add_telemetry(path, root, sha256=sha256)
    seconds = time.perf_counter() - begun
    own, helpers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = own.ru_utime + own.ru_stime + helpers.ru_utime + helpers.ru_stime
    return done.rows, seconds, spent, 1024 * (own.ru_maxrss + useful() * helpers.ru_maxrss)


if __name__ == "__main__":
    main()
