"""Preservation is asked for with what is gone already, answered with receipts, and drives what escalation needs."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.utils import timezone

from cases import actions, lifecycle, preservation
from cases.actions.preservation import letter
from cases.models import Case, PreservationAnswer
from detection.models import SourceRetention, TelemetrySource
from detection.retention import set_retention
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.factories import DAYS, START, Cast, make_case, preserve_all


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def source(case: Case) -> TelemetrySource:
    return TelemetrySource.objects.get()


def state(source: TelemetrySource, days: int | None, **fields: Any) -> SourceRetention:
    return set_retention(source, actor="user:admin", data_class="request_logs", days=days, **fields)


def ask(case: Case, cast: Cast, source: TelemetrySource, **fields: Any) -> Any:
    given = {"data_classes": ["request_logs"], "scope": "All of it", "custodian": "Gateway", "authority": "The case"}
    return actions.request_preservation(case, actor=cast.analyst, source=source, **{**given, **fields})[0]


def answer(asked: Any, cast: Cast, **fields: Any) -> PreservationAnswer:
    given = {"kind": "receipt", "number": "P-7", "answered_by": "Gateway", "answered_at": START, "what": "All of it"}
    return actions.answer_preservation(asked, actor=cast.analyst, **{**given, **fields})


def days_ago_of_start() -> int:
    return (timezone.now() - START).days


def test_request_names_the_window_of_the_case_and_what_was_gone(
    case: Case, cast: Cast, source: TelemetrySource
) -> None:
    state(source, days_ago_of_start() - 2)
    asked = ask(case, cast, source)
    entry = LogEntry.objects.get(action="preservation.requested")

    assert (asked.window_start, asked.account_count) == (START, 4)
    assert START + timedelta(days=1) < asked.gone_before < START + timedelta(days=4)
    assert entry.data["gone_before"] == f"{asked.gone_before:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert "has expired already" in letter(asked)


def test_what_is_all_gone_is_gone_up_to_the_end_of_the_window(case: Case, cast: Cast, source: TelemetrySource) -> None:
    state(source, 7)
    asked = ask(case, cast, source)

    assert asked.gone_before == asked.window_end


def test_same_request_again_while_nobody_answered_is_a_conflict(
    case: Case, cast: Cast, source: TelemetrySource
) -> None:
    ask(case, cast, source)
    with pytest.raises(Conflict, match="analyst asked api-logs"):
        ask(case, cast, source)


def test_only_sources_of_the_case_are_asked_and_readers_ask_nobody(case: Case, cast: Cast) -> None:
    other = TelemetrySource.objects.create(name="other")
    with pytest.raises(Refused, match="No account"):
        ask(case, cast, other)
    with pytest.raises(PermissionDenied):
        actions.explain_absence(case, actor=cast.reader, source=other, reason="No")


def test_receipt_stops_the_clock_and_a_correction_stands_over_it(
    case: Case, cast: Cast, source: TelemetrySource
) -> None:
    state(source, days_ago_of_start() + 5)
    before = preservation.clocks(case)[0]
    asked = ask(case, cast, source)
    first = answer(asked, cast, keeps_until=timezone.now() + timedelta(days=90))
    preserved = preservation.clocks(case)[0]
    with pytest.raises(Conflict):
        answer(asked, cast, number="P-8")
    answer(asked, cast, kind="refused", number="", what="Not kept after all", supersedes=first.pk)
    after = preservation.clocks(case)[0]

    assert [one.clock.state for one in (before, preserved, after)] == ["held", "preserved", "held"]
    assert before.sentence in {"request logs expire in 4 d", "request logs expire in 5 d"}
    assert (preserved.asked, after.asked) == ("receipt P-7 of 1 May 2026", "refused on 1 May 2026")


def test_a_receipt_needs_its_number(case: Case, cast: Cast, source: TelemetrySource) -> None:
    asked = ask(case, cast, source)
    with pytest.raises(Refused) as refused:
        answer(asked, cast, number=" ")

    assert refused.value.field == "number"


def test_escalation_needs_a_request_or_an_explanation(case: Case, cast: Cast, source: TelemetrySource) -> None:
    needed = "a request to preserve what api-logs keeps, or why none is made"

    def missing() -> list[str]:
        return [one.text for one in lifecycle.missing_for_escalation(case) if one.tab == "preservation"]

    assert missing() == [needed]
    actions.explain_absence(case, actor=cast.analyst, source=source, reason="Everything is exported already.")
    assert missing() == []


def test_headline_is_the_next_loss_and_says_whether_anybody_was_asked(
    case: Case, cast: Cast, source: TelemetrySource
) -> None:
    state(source, days_ago_of_start() + 5)
    unasked = preservation.headline(preservation.clocks(case))
    preserve_all(case, cast.analyst)
    asked = preservation.headline(preservation.clocks(case))

    assert unasked is not None and unasked.soon and unasked.text.endswith("(not asked to keep it)")
    assert asked is not None and "no answer yet" in asked.text


def test_clocks_of_several_cases_take_five_queries(cast: Cast, django_assert_num_queries: Any) -> None:
    cases = [make_case(cast, accounts=[f"a-{n}", f"b-{n}"]) for n in range(3)]
    for one in cases:
        preserve_all(one, cast.analyst)
    with django_assert_num_queries(5):
        found = preservation.clocks_of(cases)

    assert [len(found[one.pk]) for one in cases] == [1, 1, 1]


def test_retention_stated_twice_at_once_is_a_conflict_and_history_stays(source: TelemetrySource) -> None:
    first = state(source, 30)
    with pytest.raises(Conflict):
        state(source, 7)
    state(source, 7, supersedes=first.pk)

    assert [row.days for row in SourceRetention.objects.order_by("at")] == [30, 7]


@pytest.mark.parametrize("days", [-1, 36_501])
def test_retention_has_days_that_can_be(source: TelemetrySource, days: int) -> None:
    with pytest.raises(Refused):
        state(source, days)


def test_command_asks_in_somebodys_name_and_prints_the_letter(case: Case, cast: Cast, source: TelemetrySource) -> None:
    out = StringIO()
    words = ["--scope", "All of it", "--custodian", "Gateway", "--authority", "The case", "--actor", "analyst"]
    call_command("preserve", case.ref, "--source", source.name, "--data", "request_logs", *words, stdout=out)

    assert out.getvalue().startswith(f"Request to preserve, {case.ref}")
    assert case.preservation_requests.get().requested_by == cast.analyst


def test_window_of_a_case_covers_all_its_clusters(case: Case, source: TelemetrySource) -> None:
    window = preservation.windows([case])[case.pk][source.pk]

    assert (window.start, window.end) == (START, START + timedelta(days=DAYS - 1, microseconds=1))
