"""Manual timeline entries: added, corrected, taken back, with the history kept."""

from datetime import timedelta
from typing import Any

import pytest

from cases import actions, history
from cases.models import Case, TimelineNote
from spine.errors import Conflict, Refused
from tests.factories import START, Cast, make_case, provider_ids

pytestmark = pytest.mark.django_db


def add(case: Case, cast: Cast, **given: Any) -> TimelineNote:
    fields = {"lane": "decisions", "starts_at": START, "text": "Keys rotated", "source": "mail", "confidence": "high"}
    return actions.add_timeline_note(case, actor=cast.analyst, **{**fields, **given})


def test_corrected_entry_stands_in_for_the_earlier_one(cast: Cast) -> None:
    case = make_case(cast)
    later = add(case, cast, supersedes=add(case, cast), text="Keys revoked")

    assert (list(history.notes_at(case)), TimelineNote.objects.count()) == ([later], 2)


def test_withdrawn_entry_is_gone_from_the_timeline_and_kept(cast: Cast) -> None:
    case = make_case(cast)
    taken_back = actions.withdraw_timeline_note(add(case, cast), actor=cast.lead, reason="another incident")

    assert (list(history.notes_at(case)), TimelineNote.objects.count()) == ([], 2)
    assert (taken_back.text, taken_back.entry.data["reason_given"]) == ("Keys rotated", "another incident")


def test_withdrawn_entry_can_be_added_anew(cast: Cast) -> None:
    case = make_case(cast)
    actions.withdraw_timeline_note(add(case, cast), actor=cast.lead)
    add(case, cast)

    assert history.notes_at(case).count() == 1


def test_corrected_entry_is_not_withdrawn_unseen(cast: Cast) -> None:
    case = make_case(cast)
    note = add(case, cast)
    add(case, cast, supersedes=note, text="Keys revoked")
    with pytest.raises(Conflict, match=r"was corrected \(by analyst, "):
        actions.withdraw_timeline_note(note, actor=cast.lead)


def test_entry_of_another_case_is_not_corrected(cast: Cast) -> None:
    other = make_case(cast, accounts=provider_ids(2, prefix="other"))
    with pytest.raises(Refused, match="no such entry"):
        add(make_case(cast), cast, supersedes=add(other, cast))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lane", "elsewhere"),
        ("confidence", "some"),
        ("text", " "),
        ("text", "The culprit stopped"),
        ("source", ""),
        ("ends_at", START - timedelta(hours=1)),
        ("starts_at", START.replace(tzinfo=None)),
    ],
)
def test_entry_that_lacks_something_is_refused(cast: Cast, field: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        add(make_case(cast), cast, **{field: value})

    assert refused.value.field == field
