"""Editing, assigning and moving a case: old and new values in the log, and a closed case that stands still."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.core.exceptions import PermissionDenied

from cases import actions
from cases.models import Case
from people.models import User
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.factories import Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db


def test_edit_keeps_old_and_new_values(cast: Cast) -> None:
    case = make_case(cast)
    changes = {"title": (case.title, "Better"), "marking": ("TLP:AMBER", "TLP:RED"), "summary": ("", "")}
    actions.edit_case(case, actor=cast.lead, changes=changes)
    entry = LogEntry.objects.get(action="case.edited")

    assert entry.data["changes"] == {"title": [case.title, "Better"], "marking": ["TLP:AMBER", "TLP:RED"]}
    assert (entry.data["fields"], entry.actor) == ("title and marking", "user:lead")


def test_edit_of_something_else_by_two_people_keeps_both(cast: Cast) -> None:
    case = make_case(cast)
    actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, "Better")})
    actions.edit_case(case, actor=cast.analyst, changes={"summary": ("", "Suspected.")})
    case.refresh_from_db()

    assert (case.title, case.summary) == ("Better", "Suspected.")


def test_edit_over_a_newer_value_names_who_and_what(cast: Cast) -> None:
    case = make_case(cast)
    actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, "Better")})
    with pytest.raises(Conflict, match=r"The title of RT-\S+ is now: Better \(by lead, "):
        actions.edit_case(case, actor=cast.analyst, changes={"title": (case.title, "Best")})


@pytest.mark.parametrize(("field", "old", "new"), [("marking", "TLP:AMBER", "TLP:PINK"), ("summary", "", "Probably.")])
def test_edit_to_a_value_that_cannot_stand_is_refused(cast: Cast, field: str, old: str, new: str) -> None:
    with pytest.raises(Refused) as refused:
        actions.edit_case(make_case(cast), actor=cast.lead, changes={field: (old, new)})

    assert refused.value.field == field


def test_moves_are_logged_with_reason_and_note(cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    given = {"to": "closed", "expected_from": "investigating", "closing_reason": "benign", "note": "a harness"}
    case = actions.move_case(case, actor=cast.lead, **given)
    entry = LogEntry.objects.filter(action="case.moved").latest("at")

    assert (case.status, case.closing_reason, entry.data["note"]) == ("closed", "benign", "a harness")
    assert entry.data["changes"] == {"status": ["investigating", "closed"], "closing_reason": ["", "benign"]}


def test_reopened_case_has_no_closing_reason(cast: Cast) -> None:
    case = actions.move_case(
        make_case(cast, stage="closed"), actor=cast.lead, to="investigating", expected_from="closed"
    )

    assert (case.status, case.closing_reason) == ("investigating", "")


@pytest.mark.parametrize(("to", "source"), [("escalated", "open"), ("open", "open"), ("nowhere", "open")])
def test_move_that_is_not_in_the_table_is_refused(cast: Cast, to: str, source: str) -> None:
    with pytest.raises(Refused, match="There is no move"):
        actions.move_case(make_case(cast), actor=cast.lead, to=to, expected_from=source)


def judge(case: Case, actor: User) -> None:
    words = {"rationale": "It is in the log.", "alternatives": "–"}
    actions.judge(case, actor=actor, claim="d", likelihood="likely", confidence="low", **words)


def answer(case: Case, actor: User) -> None:
    actions.answer_alternative(case, actor=actor, alternative="gateway", state="ruled_out", reason="None is known.")


def note(case: Case, actor: User) -> None:
    when = datetime(2026, 5, 3, tzinfo=UTC)
    actions.add_timeline_note(
        case, actor=actor, lane="decisions", starts_at=when, text="x", source="y", confidence="low"
    )


def verdict(case: Case, actor: User) -> None:
    held = case.accounts.all()[0]
    actions.set_verdict(case, held.account, actor=actor, value="benign", reason="known", expected=held.verdict_id)


def edit(case: Case, actor: User) -> None:
    actions.edit_case(case, actor=actor, changes={"title": (case.title, "Another")})


def exhibit(case: Case, actor: User) -> None:
    add_exhibit(case, actor, b"other bytes")


def assign(case: Case, actor: User) -> None:
    actions.assign_case(case, actor=actor, to=None, expected=case.assignee)


WORK = [judge, answer, note, verdict, edit, exhibit, assign]


@pytest.mark.parametrize("work", WORK)
def test_closed_case_stands_still(cast: Cast, work: Callable[[Case, User], None]) -> None:
    case = make_case(cast, stage="closed")
    before = LogEntry.objects.count()
    with pytest.raises(Refused, match="is closed"):
        work(case, cast.lead)

    assert LogEntry.objects.count() == before


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("role", ["admin", "reader"])
def test_readers_and_administrators_change_nothing(cast: Cast, work: Callable[[Case, User], None], role: str) -> None:
    case = make_case(cast)
    with pytest.raises(PermissionDenied):
        work(case, getattr(cast, role))


@pytest.mark.parametrize("work", WORK)
def test_counsel_works_on_a_case(cast: Cast, work: Callable[[Case, User], None]) -> None:
    case = make_case(cast)
    before = LogEntry.objects.filter(scope=case.id).count()
    work(case, cast.counsel)

    assert LogEntry.objects.filter(scope=case.id).count() == before + 1
