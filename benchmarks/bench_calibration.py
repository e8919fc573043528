"""Calibration of a suspicion's score: how often a candidate of some evidence is a pool, on the corpora that are there.

A candidate is a pool when at least 70 of 100 accounts are a campaign's, and none when at most 20 are; those between are
left out. Prints the share of pools by evidence, the logistic curve fitted to it (`INTERCEPT` and `SLOPE` of
detection/assessment.py), and the mean difference between the two on corpora the curve was not fitted to.
Predicted: from 12 powers of ten on nearly all are pools. Seen: 2 in 100 below two, 23 between two and four, all but one
in 40 from six on; held out corpus by corpus the curve is 0.04 to 0.06 off.
"""

from collections.abc import Sequence

import numpy as np

from benchmarks.corpora import Truth, folders, opened, seen
from detection.candidates import Limits, candidates, evidence, explained, strata, test
from detection.population import Population

PURE, MIXED = 0.7, 0.2
WIDTH = 2
Pairs = list[tuple[float, bool]]


def main() -> None:
    """Measure and print."""
    of_corpus: dict[str, Pairs] = {}
    for folder in folders():
        with opened(folder) as (dataset, truth):
            whole = seen(dataset)
        of_corpus[folder.name] = judged(Population(whole.edges, whole.facts), truth)
    everything = [pair for pairs in of_corpus.values() for pair in pairs]
    if not everything:
        return
    for low in range(0, 24, WIDTH):
        inside = [pool for value, pool in everything if low <= value < low + WIDTH]
        if inside:
            print(f"share_of_pools_evidence_{low}_to_{low + WIDTH} {np.mean(inside):.3f} ratio {len(inside)}")
    intercept, slope = fitted(everything)
    print(f"intercept {intercept:.3f} log-odds {len(everything)}")
    print(f"slope {slope:.3f} log-odds_per_power {len(everything)}")
    for name, pairs in of_corpus.items():
        others = [pair for other, listed in of_corpus.items() if other != name for pair in listed]
        if others and pairs:
            print(f"held_out_difference {difference(fitted(others), pairs):.4f} ratio {name}")


def judged(population: Population, truth: Truth) -> Pairs:
    """Give each candidate's evidence and whether it is a pool; mixed ones and openly explained ones are left out."""
    limits = Limits()
    guilty = set().union(*truth.active.values()) if truth.active else set()
    mine = np.array([fact.account_id in guilty for fact in population.facts])
    parts = {part.name: part for part in strata(population, np.ones(population.size, bool), limits)}
    found = []
    for candidate in candidates(population, list(parts.values()), limits):
        pure = float(mine[candidate.members].mean())
        if (PURE > pure > MIXED) or explained(population, candidate.members, limits):
            continue
        answers = test(population, parts[candidate.stratum], candidate.members, candidate.combination)
        found.append((evidence(answers, limits), pure >= PURE))
    return found


def fitted(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Fit a logistic curve by Newton's method, with a little ridge so that separable pairs stay finite."""
    x = np.column_stack([np.ones(len(pairs)), [value for value, _ in pairs]])
    y = np.array([pool for _, pool in pairs], float)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (y - p) - 0.01 * weights
        weights += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 0.01 * np.eye(2), gradient)
    return float(weights[0]), float(weights[1])


def difference(curve: tuple[float, float], pairs: Sequence[tuple[float, bool]]) -> float:
    """Give the mean difference between the curve and what was seen, over bins of evidence, weighted by their size."""
    total = 0.0
    for low in range(0, 100, WIDTH):
        inside = [(value, pool) for value, pool in pairs if low <= value < low + WIDTH]
        if inside:
            said = np.mean([1 / (1 + np.exp(-(curve[0] + curve[1] * value))) for value, _ in inside])
            total += len(inside) * abs(float(said) - float(np.mean([pool for _, pool in inside])))
    return total / len(pairs)


if __name__ == "__main__":
    main()
