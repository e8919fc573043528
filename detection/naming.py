"""Whom each detector names in a dataset, those of pools among the clusters that the findings of the others make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from detection import clustering, examining
from detection.detectors.base import Detector
from detection.detectors.pool import PoolDetector
from detection.intervals import wilson
from detection.records import AccountFacts, Outcome, Window
from detection.telemetry.dataset import Dataset

LEVEL = 95


def outcomes(
    dataset: Dataset,
    window: Window,
    accounts: Mapping[str, AccountFacts],
    running: Sequence[Detector],
    of_pools: Sequence[PoolDetector],
    on_progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> Iterator[Outcome]:
    """Give every detector's answer, in their order."""
    steps = len(running) + len(of_pools) + 1
    found: list[Outcome] = []
    for step, detector in enumerate(running):
        on_progress(step, steps, detector.title)
        found.append(detector.detect(dataset, window))
        yield found[-1]
    on_progress(len(running), steps, f"clustering {len(accounts):,} accounts")
    edges = clustering.edges_from(finding for outcome in found for finding in outcome.findings)
    made = clustering.cluster_accounts(edges, accounts, [hub for outcome in found for hub in outcome.hubs])
    population = examining.population_of(accounts)
    groups = examining.groups_of(made, population)
    for step, pool_detector in enumerate(of_pools, start=len(running) + 1):
        on_progress(step, steps, pool_detector.title)
        yield pool_detector.examine(dataset, window, population, groups)


def named(outcome: Outcome) -> int:
    """Count the accounts that an outcome's findings name."""
    return len({account.account_id for finding in outcome.findings for account in finding.accounts})


def interval(names: int, active: int) -> tuple[float, float]:
    """Give Wilson's interval at 95 % of the share of active accounts that are named."""
    return wilson(names / active, active, LEVEL)
