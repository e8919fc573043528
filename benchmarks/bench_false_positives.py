"""D5: how many accounts of corpora without a campaign each detector names, with Wilson's interval at 95 %.

The accounts are all innocent; some are look-alikes (evaluation harnesses, judges, classes, gateways), and a detector of
behaviour names those who behave so. What could not tell is a line on stderr. The seconds are those of the detector.
"""

import sys
import time

from benchmarks.corpora import folders, opened
from detection import naming
from detection.detectors import DETECTORS, POOL_DETECTORS
from detection.facts import account_facts
from detection.records import Status


def main() -> None:
    """Measure and print, corpus by corpus."""
    for folder in folders():
        with opened(folder) as (dataset, truth):
            window = dataset.span()
            if truth.campaigns or window is None:
                continue
            accounts = account_facts(dataset, window)
            begun = time.perf_counter()
            for outcome in naming.outcomes(dataset, window, accounts, DETECTORS, POOL_DETECTORS):
                took, begun = time.perf_counter() - begun, time.perf_counter()
                name = outcome.detector.replace("-", "_")
                if outcome.status is Status.COULD_NOT_TELL:
                    sys.stderr.write(f"{name}: could not tell; {outcome.reason}\n")
                    continue
                names = naming.named(outcome)
                low, high = naming.interval(names, len(accounts))
                print(f"false_positive_rate_{name} {names / len(accounts):.4f} ratio {folder.name}")
                print(f"false_positive_low_{name} {low:.4f} ratio {folder.name}")
                print(f"false_positive_high_{name} {high:.4f} ratio {folder.name}")
                print(f"accounts_named_{name} {names} accounts {folder.name}")
                print(f"seconds_{name} {took:.2f} s {folder.name}")


if __name__ == "__main__":
    main()
