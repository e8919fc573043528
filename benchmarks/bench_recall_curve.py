"""How recall depends on a pool's size and on how much each of its accounts does, openly linked and well hidden.

One campaign at a time among 1,500 others' accounts over 28 days. "Drawn" has its linkage from the seed; "hidden" has
everything a careful operator can have: own cards, home addresses, mail at large providers, registrations spread out,
any client, and half of what is sent is cover. RETORT_BENCH_SEEDS sets how many corpora each figure is the mean of.
Predicted: nothing below eight accounts, since fewer are never accused; hidden pools from fifty accounts on, and only
where each does enough to show the campaign's templates often. "Led" is the share of the pool that
stands in leads, whatever they say: what a person gets to see of it.
"""

import os

from benchmarks.corpora import accused, led, members, seen, share, simulated
from detection.simulate import Scale

SIZES = (6, 12, 25, 50, 100)
ACTIVITIES = (10, 40, 160)
SEEDS = int(os.environ.get("RETORT_BENCH_SEEDS", "2"))
OTHERS, OTHER_EXCHANGES = 1_500, 45_000
HIDDEN = (
    ("payment", "unique"),
    ("registration", "trickle"),
    ("network", "residential_static"),
    ("email", "mainstream"),
    ("user_agents", "any"),
    ("cover_share", "0.5"),
)
LINKAGE = {"drawn": (), "hidden": HIDDEN}


def main() -> None:
    """Measure and print, the smallest pool first."""
    for name, linkage in LINKAGE.items():
        for size in SIZES:
            for activity in ACTIVITIES:
                found = [one(size, activity, linkage, 200 + seed) for seed in range(SEEDS)]
                recall, shown = (sum(parts) / SEEDS for parts in list(zip(*found, strict=True))[:2])
                print(f"recall_{name} {recall:.2f} ratio {size} accounts of {activity}", flush=True)
                print(f"led_{name} {shown:.2f} ratio {size} accounts of {activity}", flush=True)
                if wrongly := sum(wrong for *_, wrong in found):
                    print(f"accused_wrongly_{name} {wrongly} accounts {size} accounts of {activity}", flush=True)


def one(size: int, activity: int, linkage: tuple[tuple[str, str], ...], seed: int) -> tuple[float, float, int]:
    """Give the recall over the pool of one corpus, its share in leads, and how many others' accounts were accused."""
    sent = size * activity
    scale = Scale(
        accounts=OTHERS + size,
        exchanges=OTHER_EXCHANGES + sent,
        campaigns=1,
        seed=seed,
        days=28,
        campaign_accounts=size,
        campaign_exchanges=sent / (OTHER_EXCHANGES + sent),
        kinds=("hydra",),
        linkage=linkage,
    )
    with simulated(scale) as (dataset, truth):
        made = seen(dataset).clustered()
    guilty, named = set().union(*truth.active.values()), members(accused(made))
    shown = members(led(made)) & guilty
    return share(len(named & guilty), len(guilty)), share(len(shown), len(guilty)), len(named - guilty)


if __name__ == "__main__":
    main()
