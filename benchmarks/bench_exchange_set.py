"""An exchange set over made-up telemetry: rows a second from dataset to Merkle root, and the most memory it took.

Prediction before the first run: 60,000 rows/s on two idle cores, because every row is hashed a dozen times in DuckDB
for its commitments and once in Python; memory the same at every size. Seen: 27,000 rows in a second of processor time
at a million rows, at most 317 MB; 215 MB at 100,000. RETORT_BENCH_ROWS sets the sizes.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from detection.records import Window
from detection.simulate import START, Scale, simulate
from detection.telemetry import adapters, exchange_set
from detection.telemetry.exchange_set import Selection
from spine.growing import Growing

SIZES = [int(size) for size in os.environ.get("RETORT_BENCH_ROWS", "100000,1000000").split(",")]
DAYS = 45


def main() -> None:
    """Measure each size in a process of its own and print."""
    for size in SIZES:
        with tempfile.TemporaryDirectory(prefix="retort-bench-") as folder:
            place, apart = Path(folder), multiprocessing.get_context("spawn")
            with apart.Pool(1) as pool:
                sha256, accounts = pool.apply(make, (place, size))
            with apart.Pool(1) as pool:
                rows, seconds, memory = pool.apply(measure, (place, sha256, accounts))
        print(f"exchange_set_rate {rows / seconds:.0f} rows/s {rows}", flush=True)
        print(f"exchange_set_peak_memory {memory / 1e6:.0f} MB {rows}", flush=True)


def make(place: Path, size: int) -> tuple[str, list[str]]:
    """Telemetry of this many exchanges in a dataset; its file's digest, and all account ids."""
    made = simulate(Scale(accounts=max(1_500, size // 50), exchanges=size, days=DAYS), place / "made")
    sha256 = adapters.file_sha256(made.telemetry)
    adapters.add_telemetry(made.telemetry, place / "root", sha256=sha256)
    return sha256, [json.loads(line)["account_id"] for line in made.accounts.read_text().splitlines()]


def measure(place: Path, sha256: str, accounts: list[str]) -> tuple[int, float, int]:
    """One pass over all of it: rows, seconds, and the largest resident set in bytes."""
    window = Window(START, START + timedelta(days=DAYS + 1))
    selection = Selection(window, dict.fromkeys(accounts, ""), bytes(32))
    tree, begun = Growing(), time.perf_counter()
    with (place / "leaves").open("wb") as leaves:
        for batch in exchange_set.ordered(exchange_set.parts_of(place / "root", [sha256], window), selection):
            tree.add(batch.leaves)
            leaves.write(batch.records.tobytes())
    tree.root()
    return tree.size, time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
