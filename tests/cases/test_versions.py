"""Newer versions of what cases hold, and leads that meet earlier cases: told, answered, and to nobody outside."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone

from cases import leads, matching, notices, versions
from cases.actions.versions import answer_version
from cases.models import Case, CaseMember, Lead, LeadMatch, NewerVersion
from cases.notice_kinds import Kind
from detection.models import Attribute, ExcludedValue, Run
from people.models import User
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, make_person, make_run, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]


def finish(*groups: Sequence[str]) -> Run:
    """A run, and what follows from it."""
    run = make_run(*groups)
    leads.on_run_finished({"run": str(run.pk)})
    return run


def told(person: User, kind: str) -> list[str]:
    return list(notices.of(person).filter(kind=kind).values_list("text", flat=True))


def restrict(case: Case, *people: User) -> None:
    for person in people:
        CaseMember.objects.create(case=case, person=person)
    Case.objects.filter(pk=case.pk).update(restricted=True)


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast, accounts=provider_ids(6))


def test_a_case_is_told_of_a_newer_version_once_and_nothing_changes_by_itself(cast: Cast, case: Case) -> None:
    run = finish(provider_ids(7, start=1))  # one account gone, two new
    found = NewerVersion.objects.get()
    assert (found.case, found.joined, found.left) == (case, 2, 1)
    assert (case.accounts.count(), case.clusters.count()) == (6, 1)
    assert LogEntry.objects.filter(action="version.seen", scope=case.pk, row_count=1).count() == 1
    assert len(told(cast.analyst, Kind.NEWER)) == 1
    assert told(cast.reader, Kind.NEWER) == []

    leads.on_run_finished({"run": str(run.pk)})
    finish(provider_ids(7, start=1))  # the same accounts again
    assert NewerVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("group", "versions_told"),
    [
        (provider_ids(6), 0),  # the same accounts
        ([*provider_ids(2), *provider_ids(9, "other")], 0),  # neither half of the case nor of the cluster
        ([*provider_ids(2), *provider_ids(2, "other")], 1),  # half of the cluster
        ([*provider_ids(3), *provider_ids(40, "other")], 1),  # half of the case
    ],
)
def test_half_of_either_side_makes_a_newer_version(case: Case, group: list[str], versions_told: int) -> None:
    finish(group)
    assert NewerVersion.objects.count() == versions_told


def test_a_closed_case_and_an_earlier_run_are_told_nothing(cast: Cast, case: Case) -> None:
    late = make_run(provider_ids(8), finished_at=timezone.now() - timedelta(days=4000))
    leads.on_run_finished({"run": str(late.pk)})
    Case.objects.update(status="closed", closing_reason="benign")
    finish(provider_ids(9))
    assert NewerVersion.objects.count() == 0


def test_taking_a_version_in_adds_accounts_and_takes_none_out(cast: Cast, case: Case) -> None:
    finish(provider_ids(7, start=1))
    version = NewerVersion.objects.get()
    answer_version(version, actor=cast.analyst, kind="taken")
    assert (case.accounts.count(), case.clusters.count()) == (8, 2)
    entry = LogEntry.objects.get(action="version.taken")
    assert (entry.data["accounts"], entry.row_count, entry.scope) == (2, 2, case.pk)
    assert notices.unseen(cast.analyst).filter(kind=Kind.NEWER).count() == 0
    with pytest.raises(Conflict, match="What follows is said: taken into the case"):
        answer_version(version, actor=cast.analyst, kind="stays", words="No")


def test_only_the_newest_version_of_a_source_waits_for_an_answer(cast: Cast, case: Case) -> None:
    finish(provider_ids(7))
    finish(provider_ids(8))
    older, newer = NewerVersion.objects.order_by("id")
    assert list(versions.standing(case)) == [newer]
    assert notices.unseen(cast.analyst).filter(kind=Kind.NEWER).count() == 1
    with pytest.raises(Conflict, match="newer run"):
        answer_version(older, actor=cast.analyst, kind="taken")
    with pytest.raises(Refused, match="is missing"):
        answer_version(newer, actor=cast.analyst, kind="stays")
    answer_version(newer, actor=cast.analyst, kind="stays", words="They are customers of a reseller.")
    assert not versions.standing(case).exists()
    assert case.accounts.count() == 6


def test_page_and_api_say_it_and_take_the_answer(cast: Cast, case: Case) -> None:
    finish(provider_ids(8))
    version = NewerVersion.objects.get()
    address = f"/cases/{case.ref}/newer/{version.pk}/answer/"
    page = client_of(cast.analyst).get(f"/cases/{case.ref}/")
    assert "sees 2 accounts more and 0 fewer than this case" in text_of(page)
    assert address in forms_of(page)
    assert address not in forms_of(client_of(cast.reader).get(f"/cases/{case.ref}/"))
    assert "Decide what follows" in text_of(client_of(cast.reader).get(f"/cases/{case.ref}/accounts/"))

    api, place = token_of(cast.analyst), f"/api/v1/cases/{case.ref}/newer-versions/"
    listed = api.get(place).json()["results"]
    assert [(one["joined"], one["left"], one["stands"], one["answer"]) for one in listed] == [(2, 0, True, None)]
    answered = api.post(f"{place}{version.pk}/answer/", {"kind": "stays", "words": "A class."}, format="json")
    assert (answered.status_code, answered.json()["answer"], answered.json()["stands"]) == (201, "stays", False)
    assert client_of(cast.analyst).post(address, {"do": "take"}).status_code == 302  # too late
    assert case.accounts.count() == 6

    finish(provider_ids(9))
    latest = NewerVersion.objects.latest("id")
    client_of(cast.analyst).post(f"/cases/{case.ref}/newer/{latest.pk}/answer/", {"do": "take"})
    assert case.accounts.count() == 9


def test_a_restricted_case_is_named_to_its_members_alone(cast: Cast, case: Case) -> None:
    outside = make_person("outside", "analyst")
    restrict(case, cast.analyst, cast.lead)
    finish(provider_ids(8))
    version = NewerVersion.objects.get()
    assert (len(told(cast.lead, Kind.NEWER)), told(outside, Kind.NEWER)) == (1, [])
    assert token_of(outside).get(f"/api/v1/cases/{case.ref}/newer-versions/").status_code == 404
    assert client_of(outside).post(f"/cases/{case.ref}/newer/{version.pk}/answer/", {"do": "take"}).status_code == 404


def quiet(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(updated_at=timezone.now() - timedelta(days=15))


def test_a_lead_that_shares_accounts_with_a_quiet_case_says_so(cast: Cast, case: Case) -> None:
    finish([*provider_ids(1), *provider_ids(8, "fresh")])
    assert LeadMatch.objects.count() == 0  # the case is at work
    quiet(case)
    finish([*provider_ids(2), *provider_ids(9, "more")])
    match = LeadMatch.objects.get()
    assert (match.case, match.accounts, match.values) == (case, 2, {})
    assert told(cast.analyst, Kind.MATCH) == [f"A lead shares 2 accounts with {case.ref}, which has been quiet."]
    page = client_of(cast.reader).get(f"/leads/{match.lead_id}/")
    assert "Shares 2 accounts with" in text_of(page)
    finish([*provider_ids(2), *provider_ids(9, "more")])  # no more than before
    assert LeadMatch.objects.count() == 1


@pytest.mark.parametrize("excluded", [False, True])
def test_a_rare_value_meets_a_closed_case_unless_it_is_excluded(cast: Cast, excluded: bool) -> None:
    case = make_case(cast, stage="closed", accounts=provider_ids(4))
    shared = Attribute.objects.get(links__cluster__cases__case=case, links__account__provider_id="acct-0000")
    if excluded:
        ExcludedValue.objects.create(type=shared.type, value=shared.value, reason="A reseller's card")
    run = make_run(provider_ids(5, "fresh"), value=shared)
    leads.on_run_finished({"run": str(run.pk)})
    found = [(one.case, one.accounts, one.values) for one in LeadMatch.objects.all()]
    assert found == ([] if excluded else [(case, 0, {"payment_fingerprint": 1})])
    assert LogEntry.objects.filter(action="lead.matched", scope=case.pk).count() == len(found)


def test_a_match_with_a_restricted_case_is_shown_to_its_members_alone(cast: Cast, case: Case) -> None:
    outside = make_person("outside", "analyst")
    restrict(case, cast.analyst)
    quiet(case)
    finish([*provider_ids(2), *provider_ids(9, "more")])
    lead = Lead.objects.get(matches__case=case)
    assert [one.case for one in matching.matches_of(lead, cast.analyst)] == [case]
    assert list(matching.matches_of(lead, outside)) == []
    assert told(outside, Kind.MATCH) == []
    assert case.ref not in text_of(client_of(outside).get(f"/leads/{lead.pk}/"))
    assert token_of(outside).get(f"/api/v1/leads/{lead.pk}/").json()["matched_cases"] == []
    mine = token_of(cast.analyst).get(f"/api/v1/leads/{lead.pk}/").json()["matched_cases"]
    assert [(one["case"], one["accounts"], one["shared"]) for one in mine] == [(case.ref, 2, {})]
    assert not LogEntry.objects.filter(action="lead.matched", scope=None).exists()
