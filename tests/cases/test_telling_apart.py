"""Snoozes, recalls and what is taken out of a case are told: to people who may know of it, and by webhooks alike."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cases import actions, leads, notices
from cases.models import Lead, WebhookEvent
from detection import detector_verbs
from people.models import User
from tests.cases.deconflicting import restrict
from tests.cases.recalling import flagged
from tests.cases.webhooks import NOWHERE, allow_too, make_webhook, relay
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    allow_too(settings, NOWHERE)


def told(person: User) -> list[tuple[str, str]]:
    """(kind, text) of what somebody was told and has not seen, oldest first."""
    return [(one.kind, one.text) for one in notices.unseen(person).order_by("at", "id")]


def events(*kinds: str) -> list[tuple[str, dict[str, str]]]:
    """What webhooks are told of these kinds, in order."""
    return list(WebhookEvent.objects.filter(type__in=kinds).order_by("at", "pk").values_list("type", "data"))


def test_snooze_and_its_end_are_told_to_whose_lead_it_is_and_who_put_it_off(committed_cast: Cast) -> None:
    cast = committed_cast
    make_webhook(cast.admin, f"{NOWHERE}/hook")
    lead = make_lead()
    actions.assign_lead(lead, actor=cast.analyst, to=cast.analyst, expected=None)
    until = timezone.now() + WEEK
    actions.snooze_lead(lead, actor=cast.lead, until=until)
    relay()
    text = f"lead snoozed a lead that was given to you, until {until:%d %B %Y}."
    assert told(cast.analyst) == [("snoozed", text)]
    assert told(cast.lead) == []
    Lead.objects.update(snoozed_until=timezone.now())
    leads.wake_due()
    relay()
    for person in (cast.analyst, cast.lead):
        assert told(person)[-1] == ("snoozed", "A snoozed lead of yours waits again.")
    said = {"lead": str(lead.pk)}
    assert events("lead.snoozed", "lead.woken") == [("lead.snoozed", said), ("lead.woken", said)]


def test_what_leaves_a_case_is_told_to_whose_case_it_is(committed_cast: Cast) -> None:
    cast = committed_cast
    make_webhook(cast.admin, f"{NOWHERE}/hook")
    case = make_case(cast)
    gone = actions.detach_cluster(case, case.clusters.get().cluster, actor=cast.lead, reason="Another operation")
    actions.attach_again(gone, actor=cast.lead)
    relay()
    assert told(cast.analyst) == [
        ("moved", f"lead took a cluster out of {case.ref}: 4 accounts left."),
        ("moved", f"lead put a cluster back into {case.ref}."),
    ]
    said = {"case": case.ref}
    assert events("case.detached", "case.attached_again") == [("case.detached", said), ("case.attached_again", said)]


def test_of_a_restricted_case_and_of_the_lead_that_left_it_strangers_are_told_nothing(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast)
    lead = Lead.objects.get()
    restrict(case, cast.lead)
    relay()
    make_webhook(cast.admin, f"{NOWHERE}/hook")
    before = WebhookEvent.objects.count()
    actions.detach_cluster(case, case.clusters.get().cluster, actor=cast.lead, reason="Another operation")
    Lead.objects.update(assignee=cast.analyst)  # who had it before the case was restricted
    actions.snooze_lead(lead, actor=cast.lead, until=timezone.now() + WEEK)
    Lead.objects.update(snoozed_until=timezone.now())
    leads.wake_due()
    other = actions.open_case(lead, actor=cast.lead, title="Accounts alike")
    relay()
    assert WebhookEvent.objects.count() == before
    assert [kind for kind, _ in told(cast.analyst) if kind != "assigned"] == []
    assert told(cast.lead)[-1] == ("snoozed", "A snoozed lead of yours waits again.")
    assert other.ref != case.ref


def test_recall_and_its_end_are_told_to_whose_case_rests_on_the_version(committed_cast: Cast) -> None:
    cast = committed_cast
    make_webhook(cast.admin, f"{NOWHERE}/hook")
    case = make_case(cast, accounts=provider_ids(3, "rec"))
    flag = flagged(case)
    relay()
    version = flag.recall.detector_version
    assert [kind for kind, _ in told(cast.analyst)] == ["recall"]
    detector_verbs.reinstate_version(flag.recall, actor="user:admin", reason="The retries were not there")
    relay()
    name = f"{version.detector.name} {version.version}"
    assert told(cast.analyst) == [("recall", f"{name}, on which {case.ref} rests, may be relied on again.")]
    detector, said = {"detector": str(version.detector_id)}, {"case": case.ref}
    assert events("version.recalled", "recall.flagged", "version.reinstated") == [
        ("version.recalled", detector),
        ("recall.flagged", said),
        ("version.reinstated", detector),
    ]
