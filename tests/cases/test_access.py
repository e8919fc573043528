"""The one door: strangers find nothing, readers may not write."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from cases import access, actions
from cases.access import Person
from spine.ids import new_id
from spine.models import Job
from tests.factories import START, Cast, add_exhibit, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db
# Role: what reading and writing a case come to, then reading and writing a lead.
EXPECTED = {
    "admin": ("404", "404", "404", "404"),
    "lead": ("found", "found", "found", "found"),
    "analyst": ("found", "found", "found", "found"),
    "counsel": ("found", "found", "found", "403"),
    "reader": ("found", "403", "found", "403"),
    "nobody": ("404", "404", "404", "404"),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Http404:
        return "404"
    except PermissionDenied:
        return "403"
    return "found"


@pytest.mark.parametrize("role", EXPECTED)
def test_door_answers_by_role(cast: Cast, role: str) -> None:
    user: Person = AnonymousUser() if role == "nobody" else getattr(cast, role)
    ref = make_case(cast).ref
    lead = make_lead(provider_ids(2, prefix="other")).id

    assert (
        outcome(lambda: access.case_for(user, ref)),
        outcome(lambda: access.case_for(user, ref, write=True)),
        outcome(lambda: access.lead_for(user, lead)),
        outcome(lambda: access.lead_for(user, lead, write=True)),
    ) == EXPECTED[role]


def test_person_switched_off_is_a_stranger(cast: Cast) -> None:
    ref = make_case(cast).ref
    cast.lead.is_active = False

    assert outcome(lambda: access.case_for(cast.lead, ref)) == "404"


@pytest.mark.parametrize("ref", ["RT-2026-00000", "", "a\x00b", "x" * 5000])
def test_missing_case_is_not_found(cast: Cast, ref: str) -> None:
    assert outcome(lambda: access.case_for(cast.lead, ref)) == "404"


def test_things_of_another_case_are_not_found(cast: Cast) -> None:
    case, other = make_case(cast), make_case(cast, accounts=provider_ids(2, prefix="other"))
    add_exhibit(case, cast.lead)
    note = actions.add_timeline_note(
        case, actor=cast.lead, lane="decisions", starts_at=START, text="x", source="y", confidence="low"
    )
    job = Job.objects.create(kind="verdicts.set", key="k", actor="user:lead", scope=case.id)
    found = [
        (
            outcome(lambda ref=ref: access.evidence_for(cast.reader, ref, 1)),
            outcome(lambda ref=ref: access.note_for(cast.lead, ref, note.id, write=True)),
            outcome(lambda ref=ref: access.job_for(cast.reader, ref, job.id)),
        )
        for ref in (case.ref, other.ref)
    ]

    assert found == [("found",) * 3, ("404",) * 3]
    assert outcome(lambda: access.evidence_for(cast.reader, case.ref, 2)) == "404"
    assert outcome(lambda: access.lead_for(cast.reader, new_id())) == "404"
