"""The table of moves, and what escalation is refused for."""

from itertools import product

import pytest

from cases import actions, lifecycle
from cases.actions import Cited
from cases.models import Case
from cases.models.case import CaseStatus
from cases.vocabulary import ALTERNATIVES
from spine.errors import Refused
from tests.factories import Cast, make_case

MOVES = {
    ("open", "investigating"),
    ("investigating", "escalated"),
    ("escalated", "investigating"),
    ("open", "closed"),
    ("investigating", "closed"),
    ("escalated", "closed"),
    ("closed", "investigating"),
}


def test_table_has_exactly_these_moves() -> None:
    found = {pair for pair in product(CaseStatus.values, repeat=2) if lifecycle.find(*pair)}

    assert found == MOVES


def test_every_move_says_in_one_sentence_what_it_means() -> None:
    assert [move.code for move in lifecycle.TRANSITIONS if not move.meaning.endswith(".") or not move.label] == []


def test_every_closing_reason_is_used_and_has_words() -> None:
    used = {reason for move in lifecycle.TRANSITIONS for reason in move.closing_reasons}

    assert used == set(lifecycle.CLOSING_REASONS)


def test_fresh_case_lacks_everything_but_an_assignee(cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    missing = [one.text for one in lifecycle.missing_for_escalation(case)]

    assert missing == [
        "a request to preserve what api-logs keeps, or why none is made",
        "the allegation in two sentences (summary)",
        "a judgement on claim (a) the activity happened",
        "a judgement on claim (b) the accounts are run together",
        "a judgement on claim (c) terms or technical barriers were broken",
        *(f"an answer to the innocent explanation: {name}" for name in ALTERNATIVES.values()),
        "a verdict: one account assessed as actor-controlled, or a verdict on every account",
        "at least one exhibit",
    ]


def test_escalation_is_refused_with_the_list_of_what_is_missing(cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    expected = tuple(one.text for one in lifecycle.missing_for_escalation(case))
    with pytest.raises(Refused) as refused:
        actions.move_case(case, actor=cast.analyst, to="escalated", expected_from="investigating")

    assert refused.value.missing == expected
    assert Case.objects.get(pk=case.pk).status == "investigating"


def test_judged_case_lacks_nothing_and_escalates(cast: Cast) -> None:
    assert make_case(cast, stage="escalated").status == "escalated"


def judge_again(case: Case, cast: Cast, citations: list[Cited]) -> None:
    newest = case.judgements.get(claim="a", superseded_by=None)
    actions.judge(
        case,
        actor=cast.analyst,
        claim="a",
        likelihood="very_likely",
        confidence="high",
        rationale="The exchanges are in the log.",
        alternatives="None is known.",
        citations=citations,
        supersedes=newest.id,
    )


def test_judgement_without_citation_is_missing_one(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    judge_again(case, cast, [])

    assert lifecycle.missing_for_escalation(case) == [
        lifecycle.Missing("a citation for claim (a) the activity happened", "claims", "claim-a")
    ]


def test_contrary_evidence_without_answer_is_missing_it(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    exhibit = case.evidence.get()
    judge_again(case, cast, [Cited("against", "evidence", exhibit.id)])

    assert lifecycle.missing_for_escalation(case) == [
        lifecycle.Missing("an answer to contrary evidence on claim (a)", "claims", "claim-a")
    ]


def test_case_nobody_has_is_missing_somebody(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    case = actions.assign_case(case, actor=cast.lead, to=None, expected=cast.analyst)

    assert [one.text for one in lifecycle.missing_for_escalation(case)] == ["somebody the case is assigned to"]


def test_verdict_on_every_account_does_without_an_actor_controlled_one(cast: Cast) -> None:
    case = make_case(cast, stage="judged", accounts=2)
    picks = dict(case.accounts.values_list("id", "verdict_id"))
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="benign", reason="ordinary customers")

    assert lifecycle.missing_for_escalation(case) == []


@pytest.mark.parametrize("reason", ["", "nonsense", "handed_over"])
def test_closing_an_open_case_needs_a_reason_of_that_move(cast: Cast, reason: str) -> None:
    case = make_case(cast)
    with pytest.raises(Refused) as refused:
        actions.move_case(case, actor=cast.lead, to="closed", expected_from="open", closing_reason=reason)

    assert refused.value.field == "closing_reason"
