"""Detectors of pools: what a pool does as one is found, a group drawn at random is left alone, and doubt is said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from detection.clustering import cluster_accounts
from detection.detectors import POOL_DETECTORS
from detection.detectors.capability_sweep import CapabilitySweep
from detection.detectors.distribution_shift import DistributionShift
from detection.detectors.load_balancing import LoadBalancing
from detection.detectors.pool import Group, PoolDetector, matched
from detection.detectors.release_pivot import ReleasePivot
from detection.detectors.replacement_after_ban import ReplacementAfterBan
from detection.examining import extended, groups_of, population_of
from detection.facts import account_facts
from detection.population import Population
from detection.records import Label, Outcome, Status, Window, finding_document, rfc3339
from detection.simulation import texts
from detection.telemetry.dataset import Dataset
from tests.detection.telemetry.rows import START, dataset_of, row
from tests.detection.worlds import crowd, pool, scattered

DAYS, RELEASE_DAY = 12, 6
WINDOW = Window(START, START + timedelta(days=DAYS))
POOL = [f"pool_{n:02d}" for n in range(16)]
OTHERS = [f"acct_{n:03d}" for n in range(150)]
MODELS = [{"model": "birch-2", "released_at": rfc3339(START + timedelta(days=RELEASE_DAY))}]


def pool_rows() -> Iterator[dict[str, Any]]:
    """Sixteen accounts share out one queue day and night, ask for proofs, and move to birch-2 when it is there.

    Every account is used for three days and followed by the next.
    """
    r = Random(21)
    for hour in range(24 * DAYS):
        for part in range(4):
            turn = hour * (len(POOL) - 3) // (24 * DAYS)
            account = POOL[turn + r.randrange(4)]
            new = hour >= 24 * RELEASE_DAY and r.random() < 0.7
            prompt = f"Prove the following step by step and show all of your reasoning: {texts.puzzle(r)}"
            yield row(hour * 4 + part, account, hour + part / 4, model="birch-2" if new else "birch-1", prompt=prompt)


def other_rows() -> Iterator[dict[str, Any]]:
    """A hundred and fifty customers, each with its own days, hours and matter, some with much more than others."""
    r = Random(22)
    number = 10_000
    for n, account in enumerate(OTHERS):
        days = r.sample(range(DAYS), r.randrange(2, 8))
        write = (texts.question, texts.chat, texts.code, texts.complete)[n % 4]
        for day in days:
            for _ in range(1 + int(r.lognormvariate(1.0, 0.9))):
                number += 1
                late = day >= RELEASE_DAY and r.random() < 0.1
                at = 24 * day + min(23.9, max(0.0, r.gauss(9 + n % 9, 2)))
                yield row(number, account, at, model="birch-2" if late else "birch-1", prompt=write(r))


ROWS = [*pool_rows(), *other_rows()]


def registered() -> Iterator[dict[str, Any]]:
    for n, account in enumerate(POOL):
        yield {"account_id": account, "created_at": rfc3339(START + timedelta(days=max(0, n - 4), hours=2))}
    for n, account in enumerate(OTHERS):
        yield {"account_id": account, "created_at": rfc3339(START - timedelta(days=20 + n))}


def places(population: Population, names: list[str]) -> Any:
    return np.array(sorted(population.place[name] for name in names if name in population.place), np.int64)


def ask(dataset: Dataset, detector: PoolDetector, *groups: list[str]) -> Outcome:
    population = population_of(account_facts(dataset, WINDOW))
    return detector.examine(
        dataset, WINDOW, population, [Group(f"g{n}", places(population, names)) for n, names in enumerate(groups)]
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dataset]:
    with dataset_of(tmp_path_factory.mktemp("pools"), ROWS, accounts=registered(), models=MODELS) as made:
        yield made


RANDOM = [Random(23).sample(OTHERS, 16), Random(24).sample(OTHERS, 16)]


@pytest.mark.parametrize("detector", POOL_DETECTORS, ids=lambda d: d.name)
def test_pool_is_found_and_groups_drawn_at_random_are_not(dataset: Dataset, detector: PoolDetector) -> None:
    outcome = ask(dataset, detector, POOL, *RANDOM)
    assert (outcome.status, [f.support["cluster"] for f in outcome.findings]) == (Status.FOUND, ["g0"]), outcome.reason
    (finding,) = outcome.findings
    assert sorted(a.account_id for a in finding.accounts) == POOL
    assert 0 < finding.support["chance"] <= 0.01  # type: ignore[operator]
    assert finding_document(finding)["signal"] == detector.signal


@pytest.mark.parametrize("detector", POOL_DETECTORS, ids=lambda d: d.name)
def test_asked_of_accounts_one_by_one_it_cannot_tell(dataset: Dataset, detector: PoolDetector) -> None:
    assert detector.detect(dataset, WINDOW).status is Status.COULD_NOT_TELL
    assert detector.signal == detector.name.replace("-", "_")


@pytest.mark.parametrize("detector", POOL_DETECTORS, ids=lambda d: d.name)
def test_pool_of_four_accounts_is_too_small_to_tell(dataset: Dataset, detector: PoolDetector) -> None:
    outcome = ask(dataset, detector, POOL[:4])
    assert (outcome.status, outcome.reason) == (Status.COULD_NOT_TELL, "No pool has 5 accounts.")


@pytest.mark.parametrize("detector", POOL_DETECTORS, ids=lambda d: d.name)
def test_shuffled_rows_give_the_same_findings(tmp_path: Path, dataset: Dataset, detector: PoolDetector) -> None:
    mixed = Random(25).sample(ROWS, len(ROWS))
    with dataset_of(tmp_path, mixed, accounts=registered(), models=MODELS) as other:
        assert ask(other, detector, POOL) == ask(dataset, detector, POOL)


@pytest.mark.parametrize("detector", [CapabilitySweep(), DistributionShift()], ids=lambda d: d.name)
def test_without_prompts_it_cannot_tell(tmp_path: Path, detector: PoolDetector) -> None:
    bare = [{name: value for name, value in one.items() if name != "prompt"} for one in ROWS]
    with dataset_of(tmp_path, bare) as made:
        outcome = ask(made, detector, POOL)
    assert (outcome.status, outcome.reason) == (
        Status.COULD_NOT_TELL,
        "The telemetry has no prompt, which this detector needs.",
    )


def test_release_pivot_without_a_release_in_the_window_cannot_tell(tmp_path: Path) -> None:
    with dataset_of(tmp_path, ROWS) as made:
        assert ask(made, ReleasePivot(), POOL).status is Status.COULD_NOT_TELL


def test_replacement_says_whether_ban_times_or_last_activity_stand_for_the_end(
    tmp_path: Path, dataset: Dataset
) -> None:
    (finding,) = ask(dataset, ReplacementAfterBan(), POOL).findings
    assert (finding.support["ban_times_known"], "last activity stands in" in finding.summary) == (0, True)
    banned = [
        one | {"banned_at": rfc3339(START + timedelta(days=1 + n))} if n < 12 else one
        for n, one in enumerate(registered())
    ]
    with dataset_of(tmp_path, ROWS, accounts=banned) as made:
        outcome = ask(made, ReplacementAfterBan(), POOL)
    assert outcome.status in (Status.NOTHING_FOUND, Status.FOUND)  # the others have no ban to be compared by
    assert [f.support["ban_times_known"] for f in outcome.findings] in ([], [1])


def test_release_pivot_prints_the_share_on_the_new_model_and_the_usual_one(dataset: Dataset) -> None:
    (finding,) = ask(dataset, ReleasePivot(), POOL).findings
    assert finding.support["hours"] == 48
    assert finding.support["statistic"] == pytest.approx(0.7, abs=0.08)
    assert finding.support["usual"] == pytest.approx(0.1, abs=0.05)


def test_load_balancing_prints_a_scatter_near_that_of_independent_arrivals(dataset: Dataset) -> None:
    (finding,) = ask(dataset, LoadBalancing(), POOL).findings
    assert -1.5 < float(finding.support["statistic"]) <= 0  # type: ignore[arg-type]


def test_matched_draws_accounts_used_alike_that_send_about_as_much(dataset: Dataset) -> None:
    population = population_of(account_facts(dataset, WINDOW))
    members = places(population, POOL)
    others = places(population, OTHERS)
    drawn = matched(population, members, others, 50)
    assert drawn.shape == (50, 16)
    assert not set(drawn.ravel().tolist()) & set(members.tolist())
    assert (drawn == matched(population, members, others, 50)).all()


def test_extended_clusters_carry_the_signal_and_the_reason(dataset: Dataset) -> None:
    facts = crowd()
    found = cluster_accounts(pool(facts) + scattered(facts), facts)
    (group,) = groups_of(found, population_of(facts))
    (finding,) = ask(dataset, LoadBalancing(), POOL).findings
    ours = replace(finding, support={**finding.support, "cluster": group.key})
    outcome = replace(ask(dataset, LoadBalancing(), POOL), findings=(ours,))
    (cluster,) = [c for c in extended(found, outcome).clusters if c.key == group.key]
    assert "load_balancing" in cluster.signals
    assert finding.uid in cluster.findings
    assert [r.text for r in cluster.assessment.reasons_for if r.feature == "pool.load_balancing"] == [finding.summary]


@pytest.mark.parametrize("label", [Label.RESELLER_POOL, Label.BENIGN_AUTOMATION, Label.SHARED_EGRESS])
def test_what_a_pool_does_speaks_against_an_open_explanation(label: Label, dataset: Dataset) -> None:
    facts = crowd()
    found = cluster_accounts(pool(facts) + scattered(facts), facts)
    (group,) = groups_of(found, population_of(facts))
    opened = tuple(replace(one, assessment=replace(one.assessment, label=label)) for one in found.clusters)
    outcome = ask(dataset, LoadBalancing(), POOL)
    ours = replace(outcome.findings[0], support={**outcome.findings[0].support, "cluster": group.key})
    extended_ones = extended(replace(found, clusters=opened), replace(outcome, findings=(ours,))).clusters
    (cluster,) = [c for c in extended_ones if c.key == group.key]
    assert "pool.load_balancing" in [reason.feature for reason in cluster.assessment.reasons_against]
    assert "pool.load_balancing" not in [reason.feature for reason in cluster.assessment.reasons_for]
