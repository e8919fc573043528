"""How much each detector names in a dataset: accounts, and those of pools groups of accounts drawn at random.

Detectors of pools look at groups, and where nobody is suspected there is none. So they are handed groups that are no
pool. Groups drawn at random are not look-alikes: what is named of them says nothing of classes, harnesses, gateways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from detection import examining
from detection.detectors.base import Detector
from detection.detectors.pool import Group, PoolDetector
from detection.intervals import wilson
from detection.population import Population
from detection.records import AccountFacts, Outcome, Status, Unit, Window
from detection.telemetry.dataset import Dataset

LEVEL = 95
SEED, DRAWS, GROUPS, MEMBERS = 500, 5, 40, 10
OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Tally:
    """What a detector named, so many `of` so many; nothing was counted where `untold` says why it could not tell."""

    detector: str
    version: str
    config_sha256: str
    unit: Unit
    named: int = 0
    of: int = 0
    untold: str = ""

    @property
    def rate(self) -> float:
        return self.named / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval at 95 %. It takes groups for independent, and those of two draws may share accounts."""
        return wilson(self.rate, self.of, LEVEL)


def tallies(
    dataset: Dataset,
    window: Window,
    accounts: Mapping[str, AccountFacts],
    running: Sequence[Detector],
    of_pools: Sequence[PoolDetector],
    on_progress: OnProgress = lambda done, total, note: None,
) -> Iterator[Tally]:
    """Give what every detector names, in their order; `on_progress` is told before each, and before each draw."""
    population = examining.population_of(accounts)
    times = drawn(population)
    steps = len(running) + len(of_pools) * len(times)
    for step, detector in enumerate(running):
        on_progress(step, steps, detector.title)
        yield _of_accounts(detector.detect(dataset, window), len(accounts))
    for step, pool_detector in zip(range(len(running), steps, len(times)), of_pools, strict=True):
        told = partial(_tell_draw, on_progress, step, steps, pool_detector.title)
        yield of_groups(dataset, window, population, pool_detector, times, told)


def drawn(population: Population) -> list[list[Group]]:
    """Draw groups of accounts at random, some times over: the same whenever it is asked of the same accounts.

    Groups of one draw share no account and take half of the accounts at most, since they are compared with the others;
    those of two draws may share some. Of fewer than 20 accounts each draw is one group, with too few others.
    """
    chance = np.random.default_rng(SEED)
    groups = max(1, min(GROUPS, population.size // (2 * MEMBERS)))
    shape = groups, min(MEMBERS, population.size)
    return [
        [
            Group(f"drawn-{number}", np.sort(members))
            for number, members in enumerate(chance.choice(population.size, shape, replace=False))
        ]
        for _ in range(DRAWS)
    ]


def of_groups(
    dataset: Dataset,
    window: Window,
    population: Population,
    detector: PoolDetector,
    times: Sequence[Sequence[Group]],
    on_draw: Callable[[int], None] = lambda draw: None,
) -> Tally:
    """Count the groups that a detector of pools makes a finding of, of those it could compare, all times together."""
    answers = detector.examine_in_turn(dataset, window, population, times)
    outcomes: list[Outcome] = []
    for draw in range(len(times)):
        on_draw(draw)
        outcomes.append(next(answers))
    compared = sum(outcome.counts.get("pools_compared", 0) for outcome in outcomes)
    tally = partial(Tally, detector.name, detector.version, detector.config_sha256, Unit.GROUPS)
    if not compared:
        return tally(untold=_untold(outcomes))
    return tally(sum(_groups_named(outcome) for outcome in outcomes), compared)


def _tell_draw(on_progress: OnProgress, step: int, steps: int, title: str, draw: int) -> None:
    on_progress(step + draw, steps, f"{title}, draw {draw + 1} of {DRAWS}")


def _of_accounts(outcome: Outcome, active: int) -> Tally:
    tally = partial(Tally, outcome.detector, outcome.version, outcome.config_sha256, Unit.ACCOUNTS)
    if outcome.status is Status.COULD_NOT_TELL:
        return tally(untold=outcome.reason)
    return tally(len({account.account_id for finding in outcome.findings for account in finding.accounts}), active)


def _groups_named(outcome: Outcome) -> int:
    return len({finding.support["cluster"] for finding in outcome.findings})


def _untold(outcomes: Sequence[Outcome]) -> str:
    """Say why nothing could be compared: what the telemetry lacks, or what stood in the way of the first draw."""
    first = outcomes[0]
    if not first.counts:
        return first.reason
    return f"No group of {len(outcomes)} draws could be compared. Of the first draw, taken as pools: {first.reason}"
