"""A lead is snoozed: out of the queue until its day or its growth, and back with the reason."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cases import actions, leads
from cases.models import Lead
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_lead, provider_ids

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


@pytest.fixture
def lead() -> Lead:
    return make_lead(provider_ids(4, "snz"))


def snooze(lead: Lead, cast: Cast, **given: Any) -> Lead:
    return actions.snooze_lead(lead, actor=cast.analyst, **{"until": timezone.now() + WEEK, **given})


def again(count: int) -> None:
    """A newer run finds so many of the same accounts."""
    make_lead(provider_ids(count, "snz"))


def test_snoozed_lead_leaves_the_queue_and_comes_back_on_its_day(lead: Lead, cast: Cast) -> None:
    snooze(lead, cast, note="Wait for the audit")
    assert lead.cluster.title not in text_of(client_of(cast.analyst).get("/"))
    assert lead.cluster.title in text_of(client_of(cast.analyst).get("/?state=snoozed"))
    assert leads.wake_due() == 0
    Lead.objects.filter(pk=lead.pk).update(snoozed_until=timezone.now())
    assert leads.wake_due() == 1
    lead.refresh_from_db()
    assert (lead.state, lead.why_now, lead.snoozed_until) == ("waiting", "snoozed until now: the day has come", None)
    assert LogEntry.objects.filter(action="lead.woken").count() == 1


def test_snoozed_until_it_doubles_comes_back_when_it_has_and_not_before(lead: Lead, cast: Cast) -> None:
    snooze(lead, cast, factor=2.0)
    again(7)
    lead.refresh_from_db()
    assert (lead.state, lead.cluster.account_count, lead.wakes_at) == ("snoozed", 7, 8)
    again(8)
    lead.refresh_from_db()
    assert lead.state == "waiting"
    assert lead.why_now == "snoozed until now: it has grown to 8 accounts, 8 were waited for"
    assert Lead.objects.count() == 1


def test_snoozed_until_it_doubles_comes_back_when_it_grows_to_far_more_at_once(lead: Lead, cast: Cast) -> None:
    snooze(lead, cast, factor=2.0)
    again(11)
    lead.refresh_from_db()
    assert (lead.state, lead.cluster.account_count) == ("waiting", 11)
    assert lead.why_now == "snoozed until now: it has grown to 11 accounts, 8 were waited for"
    assert Lead.objects.count() == 1


def test_snoozed_until_a_day_lets_something_far_larger_be_a_lead_of_its_own(lead: Lead, cast: Cast) -> None:
    snooze(lead, cast)
    again(11)
    lead.refresh_from_db()
    assert (lead.state, Lead.objects.count()) == ("snoozed", 2)


def test_snoozed_lead_is_put_back_by_a_person(lead: Lead, cast: Cast) -> None:
    snooze(lead, cast)
    back = actions.reopen_lead(Lead.objects.get(pk=lead.pk), actor=cast.lead)
    assert (back.state, back.why_now) == ("waiting", "put back in the queue by lead")


def test_snooze_of_a_lead_that_was_decided_is_told(lead: Lead, cast: Cast) -> None:
    actions.reject_lead(lead, actor=cast.analyst, reason="too_little")
    with pytest.raises(Conflict, match="rejected"):
        snooze(lead, cast)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"until": timezone.now() - WEEK}, "until"),
        ({"until": timezone.now() + timedelta(days=400)}, "until"),
        ({"factor": 1.0}, "factor"),
        ({"factor": float("inf")}, "factor"),
        ({"factor": float("nan")}, "factor"),
    ],
)
def test_snooze_without_an_end_is_refused(lead: Lead, cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        snooze(lead, cast, **given)
    assert refused.value.field == field


def test_page_and_api_snooze(lead: Lead, cast: Cast) -> None:
    browser = client_of(cast.analyst)
    sent = {"days": 7, "factor": 2, "note": "Later", "cluster": str(lead.cluster_id)}
    page = text_of(browser.post(f"/leads/{lead.pk}/snooze/", sent, follow=True))
    assert "<strong>Snoozed</strong> until" in page
    assert "or until it has 8 accounts" in page
    browser.post(f"/leads/{lead.pk}/reopen/", {})
    body = {"until": (timezone.now() + WEEK).isoformat(), "factor": 2}
    answer = api_of(cast.analyst).post(f"/api/v1/leads/{lead.pk}/snooze/", body, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "snoozed")
