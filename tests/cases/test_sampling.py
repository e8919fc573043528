"""Samples of exchange sets: the same plan draws the same rows, results are each one's own, intervals as printed."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from scipy import stats

from cases import actions
from cases.actions import sampling as verbs
from cases.exchange_sets import results
from cases.exchange_sets.intervals import Stratum, estimate, wilson
from cases.exchange_sets.sampling import Draw, TooMuch, score
from cases.models import Case, CaseAccount, CustodyEvent, SampledExchange, SamplingPlan
from detection import sources
from detection.telemetry import exchange_rows
from spine import vault
from spine.errors import Conflict, Refused
from spine.models import JobState, LogEntry
from tests.cases.exchanges import PROMPT, exchange, make_plan, make_set, read_in
from tests.factories import Cast, make_case, run_job


@pytest.fixture
def case(cast: Cast, tmp_path: Path, settings: Any, no_broker: None, checkpoints_apart: Path) -> Case:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    made = make_case(cast)
    read_in(tmp_path, [exchange(number) for number in range(300)])
    return made


# The printed figure, and what an interval is


def test_fifty_eight_of_sixty_is_the_printed_interval() -> None:
    found = estimate([Stratum(24_975, 60, 58)], 95)
    assert found is not None
    assert [f"{100 * part:.1f}" for part in (found.share, found.low, found.high)] == ["96.7", "88.6", "99.1"]


def test_wilson_is_that_of_scipy() -> None:
    for found, size, level in [(0, 10, 95), (10, 10, 95), (58, 60, 95), (3, 7, 90), (500, 1000, 99)]:
        known = stats.binomtest(found, size).proportion_ci(level / 100, method="wilson")
        assert wilson(found / size, size, level) == pytest.approx((known.low, known.high), abs=1e-9)


def test_strata_weigh_by_their_rows_and_a_stratum_without_results_gives_no_estimate() -> None:
    found = estimate([Stratum(900, 10, 10), Stratum(100, 10, 0)], 95)
    assert found is not None
    assert (round(found.share, 6), found.low < 0.9 < found.high) == (0.9, True)
    assert estimate([Stratum(900, 10, 10), Stratum(100, 0, 0)], 95) is None
    assert estimate([], 95) is None


def test_a_frame_that_was_judged_whole_is_known() -> None:
    found = estimate([Stratum(4, 4, 1), Stratum(6, 6, 6)], 95)
    assert found is not None
    assert (found.share, found.low, found.high) == (0.7, 0.7, 0.7)


def test_stratified_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    chance = random.Random(11)
    for truth in [[(9000, 0.97), (1000, 0.4)], [(5000, 0.5), (5000, 1.0)], [(300, 0.1), (9000, 0.02), (700, 0.6)]]:
        total = sum(rows for rows, _ in truth)
        share, covered = sum(rows * p for rows, p in truth) / total, 0
        for _ in range(400):
            seen = [Stratum(rows, 60, sum(chance.random() < p for _ in range(60))) for rows, p in truth]
            found = estimate(seen, 95)
            covered += found is not None and found.low <= share <= found.high
        assert covered >= 0.93 * 400


# Drawing


def test_a_draw_is_the_lowest_scores_of_each_stratum_whatever_the_pieces() -> None:
    strata = [("a", "b", "c")[n * n % 3] for n in range(5000)]
    ids = [f"r{n}" for n in range(5000)]
    whole, pieces = Draw("seed", 20), Draw("seed", 20)
    whole.add(strata, ids)
    for start in range(0, 5000, 37):
        pieces.add(strata[start : start + 37], ids[start : start + 37])
    naive = [
        (name, index)
        for name in sorted(set(strata))
        for index in sorted((n for n in range(5000) if strata[n] == name), key=lambda n: score("seed", n))[:20]
    ]
    assert [(one.stratum, one.index) for one in whole.drawn()] == naive
    assert [(one.index, one.request_id) for one in pieces.drawn()] == [(index, f"r{index}") for _, index in naive]
    assert whole.strata() == [{"name": name, "rows": strata.count(name), "sampled": 20} for name in sorted(set(strata))]


def test_a_draw_keeps_to_what_people_can_review() -> None:
    with pytest.raises(TooMuch, match="strata"):
        Draw("s", 1).add([str(n) for n in range(2001)], [""] * 2001)
    many = Draw("s", 1000)
    many.add([str(n % 6) for n in range(6000)], [""] * 6000)
    with pytest.raises(TooMuch, match="rows"):
        many.drawn()


pytestmark = pytest.mark.django_db


def test_a_plan_keeps_its_rows_and_the_same_plan_draws_them_again(case: Case, cast: Cast) -> None:
    held = make_set(case, cast.analyst)
    plan, again, other = (make_plan(held, cast.analyst, seed=seed) for seed in ("7", "7", "8"))
    drawn = [list(one.sample.order_by("ordinal").values_list("index", flat=True)) for one in (plan, again, other)]
    assert drawn[0] == drawn[1] == sorted(range(200), key=lambda index: score("7", index))[:10]
    assert drawn[0] != drawn[2]
    assert (plan.number, again.number, plan.plan_sha256) == (1, 2, again.plan_sha256)
    written = json.loads(vault.read(plan.plan_sha256))
    assert [row["index"] for row in written["sample"]] == drawn[0]
    assert (written["set"], written["root"], written["seed"]) == (held.item.sha256, held.root, "7")
    for row in plan.sample.all():
        assert exchange_rows.leaf_hash(row.canonical.encode()).hex() == row.leaf_sha256
        assert json.loads(row.canonical)["request_id"] == row.request_id
    assert PROMPT not in "".join(plan.sample.values_list("canonical", flat=True))


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("", [""]),
        ("day", ["2026-05-01", "2026-05-02"]),
        ("model", ["aster-1", "aster-2"]),
        ("verdict", ["benign", "no verdict"]),
        ("signal", ["shared_attribute"]),
    ],
)
def test_strata_are_what_the_plan_says(case: Case, cast: Cast, by: str, names: list[str]) -> None:
    picks = dict(CaseAccount.objects.filter(account__provider_id="acct-0001").values_list("id", "verdict_id"))
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="benign", reason="looked at")
    plan = make_plan(make_set(case, cast.analyst), cast.analyst, strata_by=by, per_stratum=3)
    assert [row["name"] for row in plan.strata] == names
    assert (sum(row["rows"] for row in plan.strata), plan.sample.count()) == (200, 3 * len(names))
    assert set(plan.sample.values_list("stratum", flat=True)) == set(names)


def test_strata_by_account_take_small_ones_whole(case: Case, cast: Cast) -> None:
    plan = make_plan(make_set(case, cast.analyst), cast.analyst, strata_by="account", per_stratum=999)
    assert [(row["rows"], row["sampled"]) for row in plan.strata] == [(50, 50)] * 4
    assert all(row.stratum == row.account.pseudonym for row in plan.sample.select_related("account"))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"per_stratum": 0}, "per_stratum"),
        ({"per_stratum": 1001}, "per_stratum"),
        ({"seed": " "}, "seed"),
        ({"strata_by": "colour"}, "strata_by"),
        ({"confidence_level": 80}, "confidence_level"),
        ({"question": ""}, "question"),
    ],
)
def test_what_no_plan_can_have_is_refused(case: Case, cast: Cast, given: dict[str, Any], field: str) -> None:
    held = make_set(case, cast.analyst)
    with pytest.raises(Refused) as refused:
        verbs.request_sample(held, actor=cast.analyst, **{"question": "q", "seed": "1", "per_stratum": 1, **given})
    assert refused.value.field == field


def test_a_sample_of_another_source_than_the_sets_is_refused(case: Case, cast: Cast, tmp_path: Path) -> None:
    held = make_set(case, cast.analyst)
    read_in(tmp_path, [exchange(900, account="acct-0000", ts="2026-05-01T01:00:00Z")], "late.jsonl")
    job = run_job(verbs.request_sample(held, actor=cast.analyst, question="q", seed="1", per_stratum=5))
    assert (job.state, SamplingPlan.objects.count()) == (JobState.FAILED, 0)
    assert "other rows now" in job.error


# Results


def sampled(plan: SamplingPlan, ordinal: int) -> SampledExchange:
    found = plan.sample.get(ordinal=ordinal)
    found.plan = plan
    return found


def test_results_give_the_interval_and_corrections_are_new_rows(case: Case, cast: Cast) -> None:
    plan = make_plan(make_set(case, cast.analyst), cast.analyst)
    for ordinal in range(1, 11):
        value = "benign" if ordinal == 10 else "actor_controlled"
        verbs.judge_sampled(sampled(plan, ordinal), actor=cast.analyst, value=value)
    first = sampled(plan, 10).results.get()
    verbs.judge_sampled(
        sampled(plan, 10), actor=cast.analyst, value="actor_controlled", note="read again", supersedes=first
    )
    found = results.of_plan(plan)
    assert (found.judged, found.total, found.settled["actor_controlled"]) == (10, 10, 10)
    line = found.lines[0]
    assert (line.label, line.found, line.in_words) == (
        "actor-controlled",
        10,
        "10 of 10 actor-controlled: 72.2–100.0 %",
    )
    assert sampled(plan, 10).results.count() == 2
    assert LogEntry.objects.filter(action="sampling.judged").count() == 11


def test_reviewers_have_results_of_their_own_and_where_they_differ_it_is_unknown(case: Case, cast: Cast) -> None:
    plan = make_plan(make_set(case, cast.analyst), cast.analyst, per_stratum=2)
    for ordinal in (1, 2):
        verbs.judge_sampled(sampled(plan, ordinal), actor=cast.analyst, value="actor_controlled")
    verbs.judge_sampled(sampled(plan, 1), actor=cast.lead, value="actor_controlled")
    verbs.judge_sampled(sampled(plan, 2), actor=cast.lead, value="benign")
    found = results.of_plan(plan)
    assert (found.differing, found.settled) == (1, {"actor_controlled": 1, "unknown": 1})
    assert found.reviewers == ["analyst", "lead"]


def test_two_windows_of_one_reviewer_do_not_overwrite_each_other(case: Case, cast: Cast) -> None:
    row = sampled(make_plan(make_set(case, cast.analyst), cast.analyst), 1)
    verbs.judge_sampled(row, actor=cast.analyst, value="benign")
    with pytest.raises(Conflict, match="benign now"):
        verbs.judge_sampled(row, actor=cast.analyst, value="victim")
    with pytest.raises(Refused):
        verbs.judge_sampled(row, actor=cast.analyst, value="guilty", supersedes=row.results.get())
    with pytest.raises(PermissionDenied):
        verbs.judge_sampled(row, actor=cast.reader, value="benign")


def test_reading_a_drawn_exchange_is_a_custody_event_first(case: Case, cast: Cast) -> None:
    row = sampled(make_plan(make_set(case, cast.analyst), cast.analyst), 3)
    shown = verbs.read_sampled(row, actor=cast.analyst)
    assert (shown["request_id"], PROMPT in shown["prompt"]) == (row.request_id, True)
    event = CustodyEvent.objects.get(action="viewed")
    assert (event.sha256, event.why) == (row.leaf_sha256, "review of plan 1")
    with pytest.raises(PermissionDenied):
        verbs.read_sampled(row, actor=cast.reader)


def test_an_exchange_the_source_let_go_can_be_proven_but_not_read(case: Case, cast: Cast) -> None:
    from cases.exchange_sets import proving
    from spine import merkle, sequencer

    held = make_set(case, cast.analyst)
    row = sampled(make_plan(held, cast.analyst), 1)
    shutil.rmtree(sources.root_of(held.source))
    with pytest.raises(Refused, match="no longer has this exchange"):
        verbs.read_sampled(row, actor=cast.analyst)
    assert not CustodyEvent.objects.filter(action="viewed").exists()
    sequencer.sequence()
    proof = json.loads(proving.proof_of_sampled(row))
    path = [bytes.fromhex(step) for step in proof["row"]["path"]]
    assert merkle.is_included(bytes.fromhex(row.leaf_sha256), row.index, 200, path, bytes.fromhex(held.root))
