"""D2: who is accused where no campaign is: simulated corpora full of look-alikes, each with words and links of its own.

Prints how many accounts of each kind were named in a cluster assessed as coordinated extraction, over
RETORT_BENCH_SEEDS corpora of 3,000 accounts from the seed RETORT_BENCH_FIRST_SEED on: four from 500, those of
docs/limits.md, unless told otherwise.
Predicted: none. Seen before accounts of one event were left out, in other corpora: 19 people of a contest, and before
one hand was asked for, people of courses and customers of tools. Seen since: none of 12,000 accounts in four corpora
(seeds 500 to 503).
"""

import os
from collections import Counter

from benchmarks.corpora import Truth, accused, members, seen, simulated
from detection.simulate import Scale

SEEDS = int(os.environ.get("RETORT_BENCH_SEEDS", "4"))
FIRST = int(os.environ.get("RETORT_BENCH_FIRST_SEED", "500"))
ACCOUNTS, EXCHANGES = 3_000, 90_000


def main() -> None:
    """Measure and print."""
    wrongly, there, groups = Counter[str](), Counter[str](), Counter[str]()
    for seed in range(FIRST, FIRST + SEEDS):
        named, truth = one(seed)
        wrongly.update(truth.kind_of[account] for account in named)
        there.update(truth.kind_of.values())
        groups.update(group["kind"] for group in truth.innocent_groups if named & set(group["accounts"]))
        if named:
            print(f"accused_in_corpus {len(named)} accounts seed {seed}", flush=True)
    for kind in sorted(there):
        print(
            f"accused_{kind} {wrongly[kind]} accounts {there[kind]} accounts in {SEEDS} corpora, {groups[kind]} groups"
        )
    print(f"accused_in_all {wrongly.total()} accounts {there.total()} accounts in {SEEDS} corpora")


def one(seed: int) -> tuple[set[str], Truth]:
    """Give the accounts that were accused in one corpus, and its labels."""
    scale = Scale(accounts=ACCOUNTS, exchanges=EXCHANGES, campaigns=0, seed=seed, days=28, kinds=("all",))
    with simulated(scale) as (dataset, truth):
        return members(accused(seen(dataset).clustered())), truth


if __name__ == "__main__":
    main()
