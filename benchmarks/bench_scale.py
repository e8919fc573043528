"""P2: from raw files to clusters at the size of the largest alleged campaign, or at a part of it.

RETORT_BENCH_PARTS names the parts as divisors: "100,10" by default; 1 is 57.6 million exchanges of 275,000 accounts,
half of them one campaign's from 25,000 accounts, which needs about 10 GB of disk and an idle machine. Data is simulated
with short prompts, which is not counted; reading, sketching, detectors, facts and clustering are, storing is not.
Prediction: reading 40,000 rows/s on two processors, the rest a third of that; tenfold rows, eleven times the time.
Seen on a busy machine, in processor time: 576,000 rows 24 s to read and 11 s for the rest; 5.74 million rows 257 s to
read and some 200 s for the rest, at most 2.6 GB.
The whole, 57,585,857 rows, in processor time beside other work: 1,776 s to read (1,233 s of wall, at most 0.9 GB a
process), 1,000 s for detectors and facts (755 s of wall, 6.6 GB with 4 GB for DuckDB, 20 GB put aside on disk). With
2 GB it ended for want of memory before texts and their bands were put aside as plain numbers. Clustering was stopped
after a quarter of an hour: a try of the search weighed all 268,000 accounts; it weighs those now that can belong.
By the product's own commands, storing too: a tenth 604 s to read and 258 s for the rest, 3.3 GB, recall and precision
1.00 (docs/limits.md). Reading the frames of templates there sorted every finding's bytes once for each account, nine
minutes and more, until it was asked finding by finding. The whole 3,945 s to read beside other work and 2,604 s for the
rest, 6.9 GB, eight minutes of them storing by INSERT. With large runs stored by COPY, on a machine twice as fast: parts
of a hundredth, a tenth and the whole 23, 129 and 1,063 s to read and 14, 87 and 1,246 s for the rest, 6.7 GB.
"""

import json
import os
import resource
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.corpora import Truth, accused, members, seen, share
from detection.simulate import Scale, simulate
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import open_dataset

ACCOUNTS, EXCHANGES, CAMPAIGN = 275_000, 57_600_000, 25_000
# What reports say of such pools: proxies, payments in groups, accounts made in batches, hidden in ordinary use.
LINKAGE = (("payment", "groups"), ("network", "vpn"), ("registration", "bursts"), ("cover_share", "0.4"))


def main() -> None:
    """Measure and print, the smallest part first."""
    parts = sorted((int(part) for part in os.environ.get("RETORT_BENCH_PARTS", "100,10").split(",")), reverse=True)
    times = []
    for part in parts:
        with TemporaryDirectory() as made:
            times.append((part, measured(Path(made), part)))
    for (small, before), (large, after) in pairwise(times):
        print(f"scale_time_growth {after / before:.2f} ratio {small // large}x")


def measured(folder: Path, part: int) -> float:
    """Take one part from its files to clusters; gives the seconds it took."""
    scale = Scale(
        accounts=ACCOUNTS // part,
        exchanges=EXCHANGES // part,
        campaigns=1,
        seed=7,
        days=45,
        campaign_accounts=CAMPAIGN // part,
        campaign_exchanges=0.5,
        kinds=("hydra",),
        linkage=LINKAGE,
        prompt_length="short",
        format="parquet",
        files="day",
    )
    made = simulate(scale, folder / "raw", processes=2)
    root, processor = folder / "set", _processor()
    begun = time.perf_counter()
    rows = 0
    for path in sorted(made.telemetry.iterdir()):
        rows += add_telemetry(path, root, sha256=file_sha256(path), adapter="parquet").rows
    for kind, path in (("accounts", made.accounts), ("networks", made.networks), ("models", made.models)):
        add_side_table(kind, path, root)
    read = time.perf_counter()
    with open_dataset(root, "4GB") as dataset:
        found = seen(dataset).clustered()
    ended = time.perf_counter()
    truth = Truth(json.loads(made.truth.read_text()))
    named, guilty = members(accused(found)), set().union(*truth.active.values())
    print(f"scale_read {rows / (read - begun):.0f} rows/s {rows}")
    print(f"scale_detect {rows / (ended - read):.0f} rows/s {rows}")
    print(f"scale_seconds {ended - begun:.1f} s {rows}")
    print(f"scale_processor_seconds {_processor() - processor:.1f} s {rows}")
    print(f"scale_peak_memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB {rows}")
    print(f"scale_recall {share(len(named & guilty), len(guilty)):.4f} ratio {rows}")
    print(f"scale_precision {share(len(named & guilty), len(named)):.4f} ratio {rows}")
    return ended - begun


def _processor() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
