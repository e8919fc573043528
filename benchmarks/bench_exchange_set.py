"""An exchange set over made-up telemetry: rows a second from dataset to Merkle root, and the most memory it took.

Prediction before the first run: 60,000 rows/s on two idle cores, because every row is hashed a dozen times in DuckDB
for its commitments and once in Python; memory the same at every size. Seen: 27,000 rows in a second of processor time
at a million rows, at most 317 MB; 215 MB at 100,000. RETORT_BENCH_ROWS sets the sizes. Above two million the dataset is
written by DuckDB with rows of the same columns and lengths: `simulate` and the adapters would take an hour before.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from detection.records import Window
from detection.simulate import START, Scale, simulate
from detection.telemetry import adapters, exchange_set
from detection.telemetry.exchange_set import Selection
from detection.telemetry.writer import STORED
from spine.growing import Growing

SIZES = [int(size) for size in os.environ.get("RETORT_BENCH_ROWS", "100000,1000000").split(",")]
DAYS = 45
SIMULATED = 2_000_000


def main() -> None:
    """Measure each size in a process of its own and print."""
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="retort-bench-") as folder:
            place, apart = Path(folder), multiprocessing.get_context("spawn")
            with apart.Pool(1) as pool:
                sha256, accounts = pool.apply(make, (place, size))
            with apart.Pool(1) as pool:
                rows, seconds, spent, memory = pool.apply(measure, (place, sha256, accounts))
        print(f"exchange_set_rate {rows / seconds:.0f} rows/s {rows}", flush=True)
        print(f"exchange_set_rows_a_cpu_second {rows / spent:.0f} rows/s {rows}", flush=True)
        print(f"exchange_set_peak_memory {memory / 1e6:.0f} MB {rows}", flush=True)


def make(place: Path, size: int) -> tuple[str, list[str]]:
    """Telemetry of this many exchanges in a dataset; its file's digest, and all account ids."""
    if size > SIMULATED:
        return written(place, size)
    made = simulate(Scale(accounts=max(1_500, size // 50), exchanges=size, days=DAYS), place / "made")
    sha256 = adapters.file_sha256(made.telemetry)
    adapters.add_telemetry(made.telemetry, place / "root", sha256=sha256)
    return sha256, [json.loads(line)["account_id"] for line in made.accounts.read_text().splitlines()]


# What a column holds in row `i`; the others are NULL.
VALUES = {
    "request_id": "'req_' || substr(md5(i::text), 1, 24)",
    "ts": "make_timestamptz((epoch_us(TIMESTAMPTZ '{day}') + (hash(i) % 86400000000)::bigint))",
    "account_id": "'acct_' || lpad((hash(i + 1) % {accounts})::text, 7, '0')",
    "model": "'model-' || (hash(i + 2) % 4)",
    "org_id": "'org_' || (hash(i + 3) % 1000)",
    "api_key_id": "'key_' || (hash(i + 4) % 50000)",
    "ip": "'203.0.113.' || (hash(i + 5) % 256)",
    "asn": "64496 + (hash(i + 6) % 16)::bigint",
    "country": "'ZZ'",
    "ja4": "substr(md5((hash(i + 7) % 500)::text), 1, 24)",
    "user_agent": "'client/1.' || (hash(i + 8) % 20)",
    "payment_fingerprint": "'pf_' || (hash(i + 9) % 9000)",
    "input_tokens": "(hash(i + 10) % 2000)::bigint",
    "output_tokens": "(hash(i + 11) % 4000)::bigint",
    "status": "200",
    "prompt": "repeat('Explain step by step, case ' || i || '. ', 3)",
    "response": "repeat('An answer to case ' || i || '. ', 4)",
}
SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "timestamp[us, tz=UTC]": "TIMESTAMPTZ"}
SQL_TYPES |= {"int8": "TINYINT", "int32": "INTEGER"}


def written(place: Path, size: int) -> tuple[str, list[str]]:
    """The same, written by DuckDB day by day."""
    sha256, accounts = "ab" * 32, size // 1_000
    with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as base:
        base.execute("SET TimeZone = 'UTC'")
        for number in range(DAYS):
            day = (START + timedelta(days=number)).date().isoformat()
            first, last = size * number // DAYS, size * (number + 1) // DAYS
            target = place / "root" / "exchanges" / f"day={day}" / f"{sha256[:16]}-0.parquet"
            target.parent.mkdir(parents=True)
            columns = ", ".join(_column(field, day, accounts) for field in STORED)
            query = f"SELECT {columns} FROM range({first}, {last}) AS rows (i)"
            base.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return sha256, [f"acct_{number:07d}" for number in range(accounts)]


def _column(field: Any, day: str, accounts: int) -> str:
    kind = SQL_TYPES.get(str(field.type)) or str(field.type)
    if "list" in kind:
        kind = "VARCHAR[]" if "string" in kind else "BIGINT[]"
    text = VALUES.get(field.name, "NULL").format(day=day, accounts=accounts)
    return f"CAST({text} AS {kind}) AS {field.name}"


def measure(place: Path, sha256: str, accounts: list[str]) -> tuple[int, float, float, int]:
    """One pass over all of it: rows, seconds, processor seconds, and the largest resident set in bytes."""
    window = Window(START, START + timedelta(days=DAYS + 1))
    selection = Selection(window, dict.fromkeys(accounts, ""), bytes(32))
    tree, begun = Growing(), time.perf_counter()
    with (place / "leaves").open("wb") as leaves:
        for batch in exchange_set.ordered(exchange_set.parts_of(place / "root", [sha256], window), selection):
            tree.add(batch.leaves)
            leaves.write(batch.records.tobytes())
    tree.root()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return tree.size, time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


if __name__ == "__main__":
    main()
