"""D5: how many accounts of corpora without a campaign each detector names, with Wilson's interval at 95 %.

The accounts are all innocent; some are look-alikes (evaluation harnesses, judges, classes, gateways), and a detector of
behaviour names those who behave so. What could not tell is a line on stderr. The seconds are those of the detector.
Detectors of pools look at groups, and where nobody is suspected there is none. So they are handed groups that are no
pool: accounts drawn at random, ten together, as `measure_detectors` draws them, and those that the labels name,
look-alikes all. Their rate is of groups. Predicted: of groups drawn at random one in a hundred each, as tested for;
more of the look-alikes.
"""

import sys
import time

import numpy as np

from benchmarks.corpora import Truth, folders, opened
from detection import examining, naming
from detection.detectors import DETECTORS, POOL_DETECTORS
from detection.detectors.pool import Group
from detection.facts import account_facts
from detection.naming import Tally
from detection.population import Population
from detection.records import Unit

FEWEST = 5


def main() -> None:
    """Measure and print, corpus by corpus."""
    for folder in folders():
        with opened(folder) as (dataset, truth):
            window = dataset.span()
            if truth.campaigns or window is None:
                continue
            accounts = account_facts(dataset, window)
            begun = time.perf_counter()
            for tally in naming.tallies(dataset, window, accounts, DETECTORS, POOL_DETECTORS):
                took, begun = time.perf_counter() - begun, time.perf_counter()
                if tally.unit is Unit.GROUPS:
                    print_groups(tally, "drawn", folder.name)
                elif print_accounts(tally, folder.name):
                    print(f"seconds_{_name(tally)} {took:.2f} s {folder.name}")
            population = examining.population_of(accounts)
            groups = [labelled(population, truth)]
            for detector in POOL_DETECTORS:
                tally = naming.of_groups(dataset, window, population, detector, groups)
                print_groups(tally, "look_alikes", folder.name)


def labelled(population: Population, truth: Truth) -> list[Group]:
    """Give the innocent groups of the labels that have five active accounts or more."""
    found = []
    for number, group in enumerate(truth.innocent_groups):
        places = np.array(sorted(population.place[a] for a in group["accounts"] if a in population.place), dtype=int)
        if len(places) >= FEWEST:
            found.append(Group(f"{group['kind']}-{number}", places))
    return found


def print_accounts(tally: Tally, corpus: str) -> bool:
    """Print of how many accounts a detector made a finding; tells whether it could tell."""
    name = _name(tally)
    if tally.untold:
        sys.stderr.write(f"{name}: could not tell; {tally.untold}\n")
        return False
    low, high = tally.interval
    print(f"false_positive_rate_{name} {tally.rate:.4f} ratio {corpus}")
    print(f"false_positive_low_{name} {low:.4f} ratio {corpus}")
    print(f"false_positive_high_{name} {high:.4f} ratio {corpus}")
    print(f"accounts_named_{name} {tally.named} accounts {corpus}")
    return True


def print_groups(tally: Tally, kind: str, corpus: str) -> None:
    """Print of how many groups that could be compared a detector of pools made a finding."""
    name = _name(tally)
    if tally.untold:
        sys.stderr.write(f"{name}: could not tell of {kind}; {tally.untold}\n")
        return
    low, high = tally.interval
    print(f"{kind}_groups_named_{name} {tally.named} groups {tally.of} compared, {corpus}")
    print(f"{kind}_group_rate_{name} {tally.rate:.4f} ratio {corpus}")
    print(f"{kind}_group_low_{name} {low:.4f} ratio {corpus}")
    print(f"{kind}_group_high_{name} {high:.4f} ratio {corpus}")


def _name(tally: Tally) -> str:
    return tally.detector.replace("-", "_")


if __name__ == "__main__":
    main()
