"""The steps of a case: which moves there are, what each means, who may make it, and what escalation needs first."""

from collections.abc import Callable
from dataclasses import dataclass

from cases import history
from cases.models import Case, CaseAccount, EvidenceItem
from cases.models.case import CaseStatus
from cases.vocabulary import ALTERNATIVES, REQUIRED_CLAIMS, Claim, Side, VerdictValue

OPEN, INVESTIGATING = CaseStatus.OPEN.value, CaseStatus.INVESTIGATING.value
ESCALATED, CLOSED = CaseStatus.ESCALATED.value, CaseStatus.CLOSED.value


@dataclass(frozen=True)
class Move:
    """One line of the table: a move between two steps, in words for its button and one sentence on what it means."""

    code: str
    label: str
    source: str
    to: str
    meaning: str
    right: str = "cases.write"
    closing_reasons: tuple[str, ...] = ()


CLOSING_REASONS = {
    "handed_over": "handed over: a dossier went to those who decide",
    "benign": "an innocent explanation is supported by the evidence",
    "insufficient": "the evidence does not carry the claims",
    "duplicate": "the accounts are looked at in another case",
    "no_action": "assessed, and no action is taken",
}
_UNDECIDED = ("benign", "insufficient", "duplicate", "no_action")
_CLOSE = "Work ends, with a reason; nothing is deleted and the case can be reopened."

TRANSITIONS = (
    Move("start", "Start investigating", OPEN, INVESTIGATING, "Somebody looks into it now."),
    Move("escalate", "Escalate", INVESTIGATING, ESCALATED, "The case goes to those who decide what to do about it."),
    Move("take_back", "Take back", ESCALATED, INVESTIGATING, "Something has to be found out before it can be decided."),
    Move("close", "Close", OPEN, CLOSED, _CLOSE, closing_reasons=_UNDECIDED),
    Move("close", "Close", INVESTIGATING, CLOSED, _CLOSE, closing_reasons=_UNDECIDED),
    Move("close", "Close", ESCALATED, CLOSED, _CLOSE, closing_reasons=("handed_over", *_UNDECIDED)),
    Move("reopen", "Reopen", CLOSED, INVESTIGATING, "New evidence or a mistake: the work goes on where it stopped."),
)


def moves_from(status: str) -> list[Move]:
    """The moves that lead on from a step, in the order of the table."""
    return [move for move in TRANSITIONS if move.source == status]


def find(source: str, to: str) -> Move | None:
    """The move between two steps, None when there is none."""
    return next((move for move in TRANSITIONS if (move.source, move.to) == (source, to)), None)


@dataclass(frozen=True)
class Missing:
    """Something escalation still needs: in words, the tab of the case page where it is mended, and the place on it."""

    text: str
    tab: str
    anchor: str = ""


def missing_for_escalation(case: Case) -> list[Missing]:
    """What has to be there before the case can be escalated and is not; empty when nothing is missing."""
    return [missing for need in ESCALATION_NEEDS for missing in need(case)]


def _summary(case: Case) -> list[Missing]:
    return [] if case.summary.strip() else [Missing("the allegation in two sentences (summary)", "summary")]


def _assignee(case: Case) -> list[Missing]:
    return [] if case.assignee_id else [Missing("somebody the case is assigned to", "summary")]


def _claims(case: Case) -> list[Missing]:
    judgements = history.judgements_at(case)
    judged = set(judgements.values_list("claim", flat=True))
    cited = set(history.citations_of(judgements).order_by().values_list("judgement__claim", flat=True))
    found = []
    for letter in REQUIRED_CLAIMS:
        if letter not in judged:
            found.append(Missing(f"a judgement on claim {Claim(letter).label}", "claims", f"claim-{letter}"))
        elif letter not in cited:
            found.append(Missing(f"a citation for claim {Claim(letter).label}", "claims", f"claim-{letter}"))
    return found


def _contrary(case: Case) -> list[Missing]:
    citations = history.citations_of(history.judgements_at(case)).filter(side=Side.AGAINST, note="")
    letters = sorted(set(citations.order_by().values_list("judgement__claim", flat=True)))
    return [Missing(f"an answer to contrary evidence on claim ({one})", "claims", f"claim-{one}") for one in letters]


def _alternatives(case: Case) -> list[Missing]:
    answered = set(history.answers_at(case).values_list("alternative", flat=True))
    open_ones = [(slug, name) for slug, name in ALTERNATIVES.items() if slug not in answered]
    return [
        Missing(f"an answer to the innocent explanation: {name}", "claims", f"alternative-{slug}")
        for slug, name in open_ones
    ]


def _verdicts(case: Case) -> list[Missing]:
    accounts = CaseAccount.objects.filter(case=case)
    if accounts.filter(value=VerdictValue.ACTOR_CONTROLLED).exists() or not accounts.filter(value="").exists():
        return []
    return [Missing("a verdict: one account assessed as actor-controlled, or a verdict on every account", "accounts")]


def _evidence(case: Case) -> list[Missing]:
    if EvidenceItem.objects.filter(case=case).exists():
        return []
    return [Missing("at least one exhibit", "evidence")]


# What escalation needs, in the order in which the page lists it.
ESCALATION_NEEDS: tuple[Callable[[Case], list[Missing]], ...] = (
    _summary,
    _assignee,
    _claims,
    _contrary,
    _alternatives,
    _verdicts,
    _evidence,
)
