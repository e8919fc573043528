"""Who may know of a case: restricting, members, breaking the glass; twice, at once, and what each leaves behind."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from cases import access, actions, notices
from cases.models import Case, CaseMember, MembershipChange, Notice
from people.models import User
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from spine.principal import acting_as
from tests.cases.pages import client_of
from tests.factories import Cast, make_case, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


def restrict(case: Case, actor: User, *people: User) -> Case:
    with acting_as(actor.principal):
        return actions.restrict_case(case, actor=actor, reason="Few need to know", people=people)


def knowing(cast: Cast, case: Case) -> set[str]:
    return {person.username for person in cast.all() if access.may_know(person, case)}


def last_entry() -> LogEntry:
    entry = LogEntry.objects.order_by("-at", "-id").first()
    assert entry is not None
    return entry


def test_restricted_case_is_known_to_actor_assignee_and_named_people_alone(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead, cast.counsel)
    assert knowing(cast, case) == {"lead", "analyst", "counsel"}
    assert [person.username for person in access.readers_of(Case.objects.get())] == ["analyst", "counsel", "lead"]
    changes = MembershipChange.objects.order_by("place")
    assert [(one.person.username, one.kind, one.reason) for one in changes] == [
        ("analyst", "added", "Few need to know"),
        ("counsel", "added", "Few need to know"),
        ("lead", "added", "Few need to know"),
    ]
    assert (last_entry().action, last_entry().data["members"]) == ("case.restricted", "analyst, counsel, lead")


def test_restricting_twice_is_a_conflict_that_names_who_did(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with pytest.raises(Conflict, match="restricted already \\(by lead"):
        restrict(case, cast.analyst)
    assert MembershipChange.objects.count() == 2


def test_somebody_who_may_not_read_cases_is_no_member(cast: Cast, case: Case) -> None:
    with pytest.raises(Refused, match="admin may not read cases"):
        restrict(case, cast.lead, cast.admin)
    assert not Case.objects.get().restricted


def test_reader_may_restrict_nothing(cast: Cast, case: Case) -> None:
    with pytest.raises(PermissionDenied):
        restrict(case, cast.reader)


def test_opened_up_case_is_known_to_all_again_and_keeps_no_member(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with acting_as("user:lead"):
        actions.open_case_up(case, actor=cast.lead, reason="Public by now")
    assert knowing(cast, case) == {"lead", "analyst", "counsel", "reader"}
    assert not CaseMember.objects.exists()
    with pytest.raises(Conflict, match="is not restricted"):
        actions.open_case_up(case, actor=cast.lead, reason="Again")


def test_added_member_knows_the_case_and_is_told(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with acting_as("user:lead"):
        actions.add_member(case, actor=cast.lead, person=cast.reader, reason="Reads along")
    assert access.may_know(cast.reader, case)
    with acting_as("user:reader"):
        assert [one.text for one in notices.unseen(cast.reader)] == [f"lead added you to {case.ref}: Reads along"]
    with pytest.raises(Conflict, match=r"reader is a member .* already \(by lead"):
        actions.add_member(case, actor=cast.lead, person=cast.reader, reason="Again")


def test_removed_member_knows_nothing_any_more_and_notices_are_gone(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    actions.add_member(case, actor=cast.lead, person=cast.reader, reason="Reads along")
    with acting_as("user:lead"):
        actions.remove_member(case, actor=cast.lead, person=cast.reader, reason="Done")
    assert not access.may_know(cast.reader, case)
    assert not Notice.objects.filter(recipient=cast.reader).exists()
    with pytest.raises(Conflict, match="reader is no member"):
        actions.remove_member(case, actor=cast.lead, person=cast.reader, reason="Again")


def test_member_who_leaves_writes_the_entry_before_the_case_is_gone_for_them(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with acting_as("user:lead"):
        actions.remove_member(case, actor=cast.lead, person=cast.lead, reason="A conflict of interest")
        assert not Case.objects.exists()
    assert (last_entry().action, last_entry().actor) == ("member.removed", "user:lead")


def test_last_member_who_may_work_on_it_stays(cast: Cast, case: Case) -> None:
    actions.assign_case(case, actor=cast.lead, to=None, expected=cast.analyst)
    restrict(case, cast.lead, cast.reader)
    with pytest.raises(Refused, match="last member who may work on"):
        actions.remove_member(case, actor=cast.lead, person=cast.lead, reason="Leaving")


def test_assignee_stays_while_it_is_assigned_to_them(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with pytest.raises(Refused, match="is assigned to analyst"):
        actions.remove_member(case, actor=cast.lead, person=cast.analyst, reason="Leaving")


def test_case_is_not_assigned_to_somebody_who_does_not_know_of_it(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    with pytest.raises(Refused, match="counsel is no member"):
        actions.assign_case(case, actor=cast.lead, to=cast.counsel, expected=cast.analyst)


def test_broken_glass_opens_for_some_hours_and_every_member_is_told(cast: Cast, case: Case, settings: Any) -> None:
    settings.BREAK_GLASS_HOURS = 2
    restrict(case, cast.lead)
    with acting_as("user:counsel"):
        actions.break_glass(case.ref, actor=cast.counsel, reason="A court order came")
        assert Case.objects.filter(pk=case.pk).exists()
    member = CaseMember.objects.get(person=cast.counsel)
    assert member.until is not None
    assert timedelta(hours=1, minutes=59) < member.until - timezone.now() < timedelta(hours=2, minutes=1)
    told = Notice.objects.values_list("recipient__username", "text")
    assert {name for name, _ in told} == {"lead", "analyst"}
    assert {text for _, text in told} == {
        f"counsel broke the glass of {case.ref} until {member.until:%d %b %Y %H:%M} UTC: A court order came"
    }
    assert MembershipChange.objects.get(kind="broke_glass").by == cast.counsel
    CaseMember.objects.filter(pk=member.pk).update(until=timezone.now())
    assert not access.may_know(cast.counsel, case)


def test_glass_is_not_broken_twice_nor_for_nothing(cast: Cast, case: Case) -> None:
    with pytest.raises(Refused, match="may read this case already"):
        actions.break_glass(case.ref, actor=cast.counsel, reason="Why not")
    restrict(case, cast.lead)
    actions.break_glass(case.ref, actor=cast.counsel, reason="A court order came")
    with pytest.raises(Refused, match="may read this case already"):
        actions.break_glass(case.ref, actor=cast.counsel, reason="Again")
    with pytest.raises(Refused, match="There is no such case"):
        actions.break_glass("RT-2026-00000", actor=cast.counsel, reason="Guessing")


@pytest.mark.parametrize("username", ["analyst", "reader", "admin"])
def test_glass_is_not_for_every_role(cast: Cast, case: Case, username: str) -> None:
    restrict(case, cast.lead)
    with pytest.raises(PermissionDenied):
        actions.break_glass(case.ref, actor=User.objects.get(username=username), reason="Curious")


def test_who_broke_the_glass_decides_nothing_about_who_reads(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    actions.break_glass(case.ref, actor=cast.counsel, reason="A court order came")
    acts = [
        lambda: actions.add_member(case, actor=cast.counsel, person=cast.counsel, reason="To stay"),
        lambda: actions.add_member(case, actor=cast.counsel, person=cast.reader, reason="A friend"),
        lambda: actions.remove_member(case, actor=cast.counsel, person=cast.lead, reason="In the way"),
        lambda: actions.open_case_up(case, actor=cast.counsel, reason="Everybody should know"),
    ]
    for act in acts:
        with pytest.raises(Refused, match="decided by its members"):
            act()
    page = client_of(cast.counsel).get(f"/cases/{case.ref}/access/")
    assert page.status_code == 200
    assert "/access/members/" not in page.content.decode()
    actions.remove_member(case, actor=cast.counsel, person=cast.counsel, reason="Done reading")
    assert not access.may_know(cast.counsel, case)


def test_member_added_after_breaking_the_glass_stays(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    actions.break_glass(case.ref, actor=cast.counsel, reason="A court order came")
    actions.add_member(case, actor=cast.lead, person=cast.counsel, reason="Stays with it")
    member = CaseMember.objects.get(person=cast.counsel)
    assert (member.via, member.until) == ("invited", None)


def test_notice_is_seen_once_and_by_its_recipient_alone(cast: Cast, case: Case) -> None:
    restrict(case, cast.lead)
    actions.add_member(case, actor=cast.lead, person=cast.reader, reason="Reads along")
    notice = Notice.objects.get()
    assert not notices.see(cast.lead, notice.pk)
    assert notices.see(cast.reader, notice.pk)
    assert not notices.see(cast.reader, notice.pk)


@pytest.mark.django_db(transaction=True)
def test_two_who_restrict_at_once_leave_one_list_of_members(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    outcomes: list[str] = []

    def attempt(actor: User, guest: User) -> None:
        try:
            restrict(case, actor, guest)
            outcomes.append("done")
        except Conflict:
            outcomes.append("conflict")
        finally:
            connection.close()

    pairs = [(committed_cast.lead, committed_cast.counsel), (committed_cast.analyst, committed_cast.reader)]
    threads = [threading.Thread(target=attempt, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    # The loser of the race may not know of the case by then: as if it were missing, or a conflict.
    assert outcomes.count("done") == 1
    entry = LogEntry.objects.get(action="case.restricted")
    members = {member.person.username for member in CaseMember.objects.select_related("person")}
    assert ", ".join(sorted(members)) == entry.data["members"]


@pytest.mark.django_db(transaction=True)
def test_two_who_leave_at_once_do_not_leave_it_without_a_member(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    other = make_person("other", "case_lead")
    actions.assign_case(case, actor=committed_cast.lead, to=None, expected=committed_cast.analyst)
    restrict(case, committed_cast.lead, other)
    refused: list[str] = []

    def leave(person: User) -> None:
        try:
            actions.remove_member(case, actor=person, person=person, reason="Leaving")
        except Refused as refusal:
            refused.append(refusal.message)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[person]) for person in (committed_cast.lead, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(refused) == 1
    assert CaseMember.objects.count() == 1
