"""Deciding about leads: what each verb leaves behind, and whom and what it refuses."""

import re

import pytest
from django.core.exceptions import PermissionDenied

from cases import actions, leads
from cases.models import CaseAccount, LeadDecision
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.factories import Cast, make_case, make_lead, make_run, provider_ids

pytestmark = pytest.mark.django_db
REFERENCE = r"^RT-20\d\d-[0-9A-HJKMNP-TV-Z]{5}$"


def test_opened_case_holds_cluster_accounts_and_one_entry(cast: Cast) -> None:
    lead = make_lead(3)
    case = actions.open_case(
        lead, actor=cast.analyst, title=" Pay alike ", summary="Suspected.", cluster=lead.cluster_id
    )
    entry = LogEntry.objects.get(scope=case.id)
    lead.refresh_from_db()

    assert (case.title, case.status, case.assignee, lead.state) == ("Pay alike", "open", cast.analyst, "in_case")
    assert [(row.value, row.exchanges) for row in case.accounts.all()] == [("", 100)] * 3
    assert (entry.action, entry.row_count, entry.data["accounts"]) == ("case.opened", 2, 3)


def test_reference_has_year_and_five_crockford_characters(cast: Cast) -> None:
    assert re.fullmatch(REFERENCE, make_case(cast).ref)


def test_case_goes_to_who_has_the_lead(cast: Cast) -> None:
    lead = actions.assign_lead(make_lead(), actor=cast.analyst, to=cast.lead, expected=None)

    assert actions.open_case(lead, actor=cast.analyst, title="Pay alike").assignee == cast.lead


def test_version_nobody_saw_is_not_decided_about(cast: Cast) -> None:
    lead = make_lead(provider_ids(4))
    seen = lead.cluster_id
    leads.on_run_finished({"run": str(make_run(provider_ids(5)).id)})
    with pytest.raises(Conflict, match="has 5 accounts now"):
        actions.reject_lead(lead, actor=cast.analyst, reason="evaluation", cluster=seen)


def test_joined_lead_adds_only_accounts_the_case_lacks(cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(4))
    lead = make_lead([*provider_ids(1), *provider_ids(3, prefix="other")])
    actions.join_case(lead, case, actor=cast.analyst)

    assert (case.accounts.count(), case.clusters.count()) == (7, 2)
    assert LogEntry.objects.get(action="case.joined").data["accounts"] == 3


def test_account_in_two_held_clusters_counts_with_its_newest_run(cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(4))
    lead = make_lead([*provider_ids(1), *provider_ids(3, prefix="other")])
    actions.join_case(lead, case, actor=cast.analyst)
    shared = CaseAccount.objects.get(case=case, account__provider_id="acct-0000")

    assert shared.member.cluster == lead.cluster


def test_closed_case_takes_no_lead(cast: Cast) -> None:
    case = make_case(cast, stage="closed")
    with pytest.raises(Refused, match=r"is closed: reopen it first \(by lead"):
        actions.join_case(make_lead(provider_ids(3, prefix="other")), case, actor=cast.analyst)


def test_rejection_keeps_reason_note_and_version(cast: Cast) -> None:
    lead = actions.reject_lead(make_lead(), actor=cast.analyst, reason="other", note="known customer")
    decision = LeadDecision.objects.get(lead=lead)

    assert (decision.kind, decision.reason, decision.note) == ("rejected", "other", "known customer")
    assert (decision.cluster, decision.decided_by) == (lead.cluster, cast.analyst)


@pytest.mark.parametrize(("reason", "field"), [("other", "note"), ("boredom", "reason"), ("", "reason")])
def test_rejection_needs_a_known_reason_and_words_for_another(cast: Cast, reason: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        actions.reject_lead(make_lead(), actor=cast.analyst, reason=reason)

    assert refused.value.field == field


def test_lead_with_a_later_one_is_not_reopened(cast: Cast) -> None:
    lead = actions.reject_lead(make_lead(provider_ids(4)), actor=cast.analyst, reason="evaluation")
    leads.on_run_finished({"run": str(make_run(provider_ids(9)).id)})
    with pytest.raises(Refused, match="later lead"):
        actions.reopen_lead(lead, actor=cast.analyst)


def test_reader_is_not_given_a_lead(cast: Cast) -> None:
    with pytest.raises(Refused, match="reader may not do this work"):
        actions.assign_lead(make_lead(), actor=cast.lead, to=cast.reader, expected=None)


@pytest.mark.parametrize("role", ["admin", "counsel", "reader"])
def test_roles_without_the_right_decide_nothing(cast: Cast, role: str) -> None:
    lead, actor = make_lead(), getattr(cast, role)
    before = LogEntry.objects.count()
    with pytest.raises(PermissionDenied):
        actions.open_case(lead, actor=actor, title="Pay alike")
    with pytest.raises(PermissionDenied):
        actions.reject_lead(lead, actor=actor, reason="evaluation")
    with pytest.raises(PermissionDenied):
        actions.assign_lead(lead, actor=actor, to=cast.lead, expected=None)

    assert LogEntry.objects.count() == before


def test_person_switched_off_decides_nothing(cast: Cast) -> None:
    cast.analyst.is_active = False
    with pytest.raises(PermissionDenied):
        actions.reject_lead(make_lead(), actor=cast.analyst, reason="evaluation")


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "a\x00b", "Criminals at work"])
def test_title_that_cannot_stand_is_refused(cast: Cast, title: str) -> None:
    with pytest.raises(Refused) as refused:
        actions.open_case(make_lead(), actor=cast.analyst, title=title)

    assert refused.value.field == "title"
