"""The timeline: three lanes from five sources, in order, in pages that neither repeat nor leave out."""

from datetime import timedelta
from typing import Any

import pytest

from cases import actions, timeline
from cases.models import Case
from cases.timeline import Entry
from tests.factories import DAYS, START, Cast, add_exhibit, make_case, make_release

pytestmark = pytest.mark.django_db


def note(case: Case, cast: Cast, **given: Any) -> None:
    fields = {"lane": "decisions", "starts_at": START, "text": "x", "source": "mail", "confidence": "high", **given}
    actions.add_timeline_note(case, actor=cast.lead, **fields)


def walk(case: Case, size: int, lane: str = "") -> tuple[list[Entry], list[Entry]]:
    """All pages forwards, then all pages back from the last one."""
    page = timeline.page(case, size=size, lane=lane)
    forwards = list(page.entries)
    while page.next:
        page = timeline.page(case, size=size, lane=lane, cursor=page.next)
        forwards += page.entries
    backwards = list(page.entries)
    while page.previous:
        page = timeline.page(case, size=size, lane=lane, cursor=page.previous)
        backwards = page.entries + backwards
    return forwards, backwards


def test_lanes_tell_what_accounts_did_detectors_said_and_we_decided(cast: Cast) -> None:
    make_release("aster-2", day=4.5)
    make_release("aster-9", day=DAYS + 50)
    case = make_case(cast, accounts=3)
    note(case, cast, starts_at=START - timedelta(days=1), text="Terms changed", ends_at=START)

    assert [(entry.lane, entry.kind, entry.text, entry.accounts) for entry in timeline.entries(case)] == [
        ("decisions", "note", "Terms changed", None),
        ("accounts", "activity", "3 accounts first seen", 3),
        ("accounts", "release", "aster-2 released", None),
        ("accounts", "activity", "3 accounts last seen", 3),
        ("detectors", "findings", "1 finding about 01 May – 11 May 2026", None),
        ("decisions", "decision", f"opened {case.ref} from a lead with 3 accounts", None),
        ("decisions", "decision", "added a timeline entry", None),
    ]


def test_note_keeps_source_confidence_and_span(cast: Cast) -> None:
    case = make_case(cast)
    note(case, cast, ends_at=START + timedelta(hours=1), confidence="low")
    entry = next(entry for entry in timeline.entries(case) if entry.kind == "note")

    assert (entry.at, entry.until) == (START, START + timedelta(hours=1))
    assert (entry.source, entry.confidence) == ("mail (added by lead)", "low")


def test_views_of_exhibits_are_no_decisions(cast: Cast) -> None:
    case = make_case(cast)
    actions.record_view(add_exhibit(case, cast.lead), actor=cast.reader)

    assert [entry.text for entry in timeline.entries(case, lane="decisions")][1:] == ["added exhibit 1"]


@pytest.mark.parametrize("lane", ["", "decisions", "accounts"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_cover_everything_once_in_order(cast: Cast, lane: str, size: int) -> None:
    make_release()
    case = make_case(cast, stage="investigating")
    for hours in (0, 0, 5):
        lane_of = "accounts" if hours else "decisions"
        note(
            case,
            cast,
            starts_at=START + timedelta(hours=hours),
            text=f"{hours} {case.timeline_notes.count()}",
            lane=lane_of,
        )
    everything = list(timeline.entries(case, lane=lane))
    forwards, backwards = walk(case, size, lane)

    assert forwards == everything == sorted(everything, key=lambda entry: entry.place)
    assert backwards == everything


def test_counts_agree_with_the_lanes(cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    note(case, cast, lane="detectors")

    assert timeline.counts(case) == {
        lane: len(list(timeline.entries(case, lane=lane))) for lane in ("accounts", "detectors", "decisions")
    }


@pytest.mark.parametrize("cursor", ["", "nonsense", "a~2026-05-01~x", "b~", "a~2026-05-01T00:00:00~x"])
def test_unreadable_cursor_is_the_first_page(cast: Cast, cursor: str) -> None:
    case = make_case(cast)

    assert timeline.page(case, cursor=cursor) == timeline.page(case)


def test_page_takes_the_same_few_queries_for_any_number_of_acts(cast: Cast, django_assert_num_queries: Any) -> None:
    case = make_case(cast)
    for number in range(12):
        actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, f"title {number}")})
        case.refresh_from_db()
    with django_assert_num_queries(7):
        assert len(timeline.page(case, size=5).entries) == 5
