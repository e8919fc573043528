"""Runs raise leads, recognise earlier ones, and keep to what was decided."""

from collections.abc import Sequence

import pytest

from cases import actions, leads
from cases.models import Lead, LeadSighting
from detection.models import Run
from spine import outbox
from spine.models import LogEntry
from tests.factories import Cast, make_case, make_lead, make_person, make_run, provider_ids

pytestmark = pytest.mark.django_db


def handle(run: Run) -> None:
    leads.on_run_finished({"run": str(run.id)})


def run_again(group: Sequence[str]) -> Run:
    run = make_run(group)
    handle(run)
    return run


def test_every_cluster_worth_a_look_is_raised_once() -> None:
    run = make_run(provider_ids(4), provider_ids(3, prefix="other"))
    handle(run)

    assert sorted(lead.cluster.account_count for lead in Lead.objects.all()) == [3, 4]
    assert LogEntry.objects.filter(action="lead.raised", actor="system:leads", row_count=1).count() == 2


def test_cluster_not_worth_a_look_raises_nothing() -> None:
    handle(make_run(provider_ids(4), worth_a_look=False))

    assert not Lead.objects.exists()


def test_same_run_handled_twice_adds_nothing() -> None:
    run = make_run(provider_ids(4))
    handle(run)
    before = LogEntry.objects.count()
    handle(run)

    assert (Lead.objects.count(), LogEntry.objects.count()) == (1, before)


def test_outbox_delivers_a_finished_run(no_broker: None) -> None:
    run = make_run(provider_ids(4))
    outbox.put("run.finished", {"run": str(run.id)})

    outbox.relay_all()
    assert Lead.objects.count() == 1


def test_waiting_lead_seen_again_moves_to_the_newer_version() -> None:
    lead = make_lead(provider_ids(4))
    run = run_again(provider_ids(5))
    lead.refresh_from_db()

    assert lead.cluster == run.clusters.get()
    assert lead.why_now.endswith("5 accounts, 4 before")
    assert [round(one.overlap, 2) for one in lead.sightings.order_by("id")] == [1.0, 0.8]


def test_older_run_handled_late_does_not_move_a_lead_back() -> None:
    older = make_run(provider_ids(5))
    lead = make_lead(provider_ids(4))
    newest = lead.cluster
    handle(older)
    lead.refresh_from_db()

    assert (lead.cluster, lead.sightings.count()) == (newest, 2)


@pytest.mark.parametrize(("kept", "new", "raised"), [(3, 3, 2), (4, 2, 1)])
def test_overlap_of_half_decides_whether_it_is_the_same_lead(kept: int, new: int, raised: int) -> None:
    make_lead(provider_ids(6))
    run_again([*provider_ids(kept), *provider_ids(new, prefix="new")])

    assert Lead.objects.count() == raised


def test_rejected_lead_seen_again_stays_rejected_and_remembers(cast: Cast) -> None:
    lead = actions.reject_lead(make_lead(provider_ids(4)), actor=cast.analyst, reason="evaluation")
    before = lead.cluster
    run_again(provider_ids(7))
    lead.refresh_from_db()

    assert (Lead.objects.count(), lead.state, lead.cluster, lead.sightings.count()) == (1, "rejected", before, 2)


@pytest.mark.parametrize("size", [8, 30])
def test_rejected_lead_that_doubled_is_raised_anew_and_names_the_rejection(cast: Cast, size: int) -> None:
    earlier = actions.reject_lead(make_lead(provider_ids(4)), actor=cast.analyst, reason="evaluation")
    run_again(provider_ids(size))
    lead = Lead.objects.get(state="waiting")

    assert lead.earlier == earlier
    assert f"(evaluation or benchmark harness): 4 accounts then, {size} now" in lead.why_now


def test_outgrown_rejection_is_raised_anew_once(cast: Cast) -> None:
    actions.reject_lead(make_lead(provider_ids(4)), actor=cast.analyst, reason="evaluation")
    run_again(provider_ids(8))
    run_again(provider_ids(9))

    assert (Lead.objects.count(), LeadSighting.objects.count()) == (2, 3)


def test_lead_in_a_case_seen_again_changes_nothing_in_the_case(cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(4))
    run_again(provider_ids(5))

    assert (case.accounts.count(), case.clusters.count(), Lead.objects.count()) == (4, 1, 1)
    assert not LogEntry.objects.filter(action="lead.seen_again", scope=case.id).exists()


def test_halves_of_one_lead_in_one_run_are_two_leads() -> None:
    make_lead(provider_ids(4))
    handle(make_run(provider_ids(2), provider_ids(2, start=2)))

    assert Lead.objects.count() == 2


def test_reopened_lead_stands_for_its_newest_sighting(cast: Cast) -> None:
    lead = actions.reject_lead(make_lead(provider_ids(4)), actor=cast.analyst, reason="evaluation")
    run = run_again(provider_ids(6))
    lead = actions.reopen_lead(lead, actor=make_person("second", "analyst"), note="look again")

    assert (lead.state, lead.cluster) == ("waiting", run.clusters.get())
