"""Detectors of pools: what a pool does as one is found, a group drawn at random is left alone, and doubt is said."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from detection import naming
from detection.clustering import cluster_accounts
from detection.detectors import DETECTORS, POOL_DETECTORS
from detection.detectors.base import Detector
from detection.detectors.capability_sweep import CapabilitySweep
from detection.detectors.distribution_shift import DistributionShift
from detection.detectors.load_balancing import LoadBalancing
from detection.detectors.pool import Comparison, Group, PoolDetector, matched
from detection.detectors.release_pivot import ReleasePivot
from detection.detectors.replacement_after_ban import ReplacementAfterBan
from detection.examining import extended, groups_of, population_of
from detection.facts import account_facts
from detection.population import Population
from detection.records import Label, Outcome, Status, Unit, Window, finding_document, rfc3339
from detection.simulation import texts
from detection.telemetry.dataset import Dataset
from tests.detection.telemetry.rows import START, dataset_of, row
from tests.detection.worlds import crowd, pool, scattered

DAYS, RELEASE_DAY = 12, 6
WINDOW = Window(START, START + timedelta(days=DAYS))
POOL = [f"pool_{n:02d}" for n in range(16)]
OTHERS = [f"acct_{n:03d}" for n in range(150)]
QUIET = [f"calm_{n:02d}" for n in range(6)]
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
def test_groups_examined_in_turn_are_told_as_each_alone_and_counted_together(
    dataset: Dataset, detector: PoolDetector
) -> None:
    population = population_of(account_facts(dataset, WINDOW))
    one, other, small = (
        [Group(f"g{n}", places(population, names)) for n, names in enumerate(groups)]
        for groups in ([POOL, RANDOM[0]], [RANDOM[1]], [POOL[:4]])
    )
    alone = [detector.examine(dataset, WINDOW, population, groups) for groups in (one, other, small)]
    assert list(detector.examine_in_turn(dataset, WINDOW, population, [one, other, small])) == alone
    tally = naming.of_groups(dataset, WINDOW, population, detector, [one, other, small])
    compared = sum(outcome.counts.get("pools_compared", 0) for outcome in alone)
    assert (tally.unit, tally.named, tally.of, tally.untold) == (Unit.GROUPS, 1, compared, "")
    assert tally.rate == 1 / compared


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


def test_sweep_where_no_request_in_the_window_has_a_prompt_says_that(tmp_path: Path) -> None:
    bare = [{**one, "prompt": None} for one in ROWS[1:]]
    with dataset_of(tmp_path, [ROWS[0], *bare]) as made:
        late = Window(WINDOW.start + timedelta(days=1), WINDOW.end)
        reason = CapabilitySweep().unsuited(made, late)
    assert reason == "No request in the window has a prompt."


def test_replacement_without_registrations_and_bans_cannot_tell(tmp_path: Path) -> None:
    with dataset_of(tmp_path, ROWS) as made:
        outcome = ask(made, ReplacementAfterBan(), POOL)
    assert outcome.status is Status.COULD_NOT_TELL
    assert outcome.reason == "The accounts are known neither by when they were registered nor by when they were banned."


def quiet_rows(accounts: list[str] = QUIET) -> Iterator[dict[str, Any]]:
    """Accounts that send two exchanges each, on the last day."""
    r = Random(26)
    for n, account in enumerate(accounts):
        for part in range(2):
            yield row(50_000 + 2 * n + part, account, 24 * (DAYS - 1) + n / 8 + part, prompt=texts.question(r))


FEWER = {
    "load-balancing": "fewer than 100 exchanges, or fewer than three days between first and last",
    "release-pivot": "fewer than 20 exchanges in the 48 hours after a release",
    "replacement-after-ban": "fewer than 3 accounts that stopped in the window, in time to be followed",
    "capability-sweep": "fewer than 100 prompts with a label",
    "distribution-shift": "fewer than 300 prompts",
}


@pytest.mark.parametrize("detector", POOL_DETECTORS, ids=lambda d: d.name)
def test_pool_that_does_too_little_to_be_compared_cannot_be_told(tmp_path: Path, detector: PoolDetector) -> None:
    untold = f"1 of {{}} could not be compared: {FEWER[detector.name]}."
    with dataset_of(tmp_path, [*ROWS, *quiet_rows()], accounts=registered(), models=MODELS) as made:
        alone, beside = ask(made, detector, QUIET), ask(made, detector, QUIET, RANDOM[0])
        found = ask(made, detector, QUIET, POOL)
    assert (alone.status, alone.reason, alone.findings) == (Status.COULD_NOT_TELL, untold.format("1 pool"), ())
    nothing = f"No pool differs from groups drawn at random. {untold.format('2 pools')}"
    assert (beside.status, beside.reason, beside.counts["pools_compared"]) == (Status.NOTHING_FOUND, nothing, 1)
    assert (found.status, found.counts["pools_compared"]) == (Status.FOUND, 1)


def test_group_that_is_unlike_others_by_one_account_alone_is_no_pool(tmp_path: Path) -> None:
    """Among ordinary accounts one that sends much takes to the new model at once, and makes nearly all of the share."""
    eager = [
        row(70_000 + n, "acct_eager", 24 * RELEASE_DAY + n / 4, model="birch-2", prompt="Translate this.")
        for n in range(180)
    ]
    with dataset_of(tmp_path, [*ROWS, *eager], accounts=registered(), models=MODELS) as made:
        outcome = ask(made, ReleasePivot(), [*RANDOM[0], "acct_eager"])
        without = ask(made, ReleasePivot(), RANDOM[0])
    assert (outcome.status, outcome.counts["pools_unlike_others_by_one_account"]) == (Status.NOTHING_FOUND, 1)
    assert (without.status, without.counts["pools_unlike_others_by_one_account"]) == (Status.NOTHING_FOUND, 0)


def test_chance_counts_those_drawn_groups_alone_that_can_be_compared(dataset: Dataset) -> None:
    (finding,) = ask(dataset, ReplacementAfterBan(), POOL).findings
    compared = finding.support["groups_drawn"]
    assert finding.support["chance"] == round(1 / (1 + compared), 4)  # type: ignore[operator]
    assert f"Of {compared} groups drawn at random from accounts used alike 0 come as far." in finding.summary


def test_pool_among_accounts_that_send_next_to_nothing_cannot_be_told(tmp_path: Path) -> None:
    with dataset_of(tmp_path, [*pool_rows(), *quiet_rows(OTHERS)]) as made:
        outcome = ask(made, LoadBalancing(), POOL)
    assert (outcome.status, outcome.counts["pools_compared"]) == (Status.COULD_NOT_TELL, 0)
    assert outcome.reason == (
        "1 of 1 pool could not be compared: of the groups drawn at random too many have fewer than 100 "
        "exchanges, or fewer than three days between first and last."
    )


def test_distribution_shift_prints_the_window_and_the_power_at_a_tenth_and_a_quarter(dataset: Dataset) -> None:
    (finding,) = ask(dataset, DistributionShift(), POOL).findings
    window, tenth, quarter = (finding.support[name] for name in ("window", "power_10", "power_25"))
    assert 800 < window <= 960  # type: ignore[operator]  # up to sixty of each account
    assert 0 <= tenth <= quarter <= 1  # type: ignore[operator]
    assert f"A window of {window} of the pool's prompts" in finding.summary
    assert (
        f"With prompts like the pool's for 10% of their own {tenth:.0%} of these would have been found, for 25% "
        f"{quarter:.0%}."
    ) in finding.summary


@pytest.mark.parametrize(("apart", "tenth", "quarter"), [(0.0, 0.0, 0.0), (0.5, 45 / 99, 1.0), (2.0, 1.0, 1.0)])
def test_power_is_the_share_of_drawn_groups_that_some_of_the_pools_prompts_take_past_all_of_them(
    apart: float, tenth: float, quarter: float
) -> None:
    """Groups of one account each lie evenly up to a tenth from everybody's prompts; the pool lies `apart`."""
    means = np.array([*(n / 990 for n in range(99)), *[apart] * 5])
    measures = (means[:, None] * 10, np.full(len(means), 10.0), np.zeros(1))
    groups = [np.array([n]) for n in range(99)]
    members = np.arange(99, 104)
    comparison = Comparison(apart**2, tuple(float(means[n] ** 2) for n in range(99)), 0.01, groups)
    powers = [DistributionShift().power(measures, members, comparison, share) for share in (0.1, 0.25)]
    assert powers == pytest.approx([tenth, quarter])


@pytest.mark.parametrize("detector", [*DETECTORS, *POOL_DETECTORS], ids=lambda d: d.name)
def test_detector_reads_every_column_that_it_states(detector: Detector) -> None:
    elsewhere = {
        "ts": "first last",
        "created_at": "created",
        "prompt": "sketch_text sketch_head cue_capability",
    }  # read on the way in
    read = set[str]()
    for kind in type(detector).__mro__:
        if kind.__module__.startswith("detection.detectors."):
            read |= read_in(ast.parse(inspect.getsource(inspect.getmodule(kind) or kind)))
    stated = {*detector.requires, *detector.uses}
    assert {one for one in stated if not read & {one, *elsewhere.get(one, "").split()}} == set()


def read_in(module: ast.Module) -> set[str]:
    """Give the attributes and texts of a module, without those by which a detector states its columns."""
    for kind in ast.walk(module):
        if isinstance(kind, ast.ClassDef):
            kind.body = [
                one
                for one in kind.body
                if not (isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) in ("requires", "uses"))
            ]
    nodes = list(ast.walk(module))
    texts_ = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return texts_ | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_release_pivot_without_a_release_in_the_window_cannot_tell(tmp_path: Path) -> None:
    with dataset_of(tmp_path, ROWS) as made:
        assert ask(made, ReleasePivot(), POOL).status is Status.COULD_NOT_TELL


def test_replacement_says_that_last_activity_stands_for_the_end(dataset: Dataset) -> None:
    (finding,) = ask(dataset, ReplacementAfterBan(), POOL).findings
    assert finding.support["ban_times_known"] == 0
    assert "last activity stands in" in finding.summary
    assert "groups drawn at random from accounts used alike" in finding.summary


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
