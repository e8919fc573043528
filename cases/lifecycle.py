"""The steps of a case: which moves there are, what each means, who may make it, and what escalation needs first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from cases import history, preservation, recalls
from cases.models import AlternativeAnswer, Case, CaseAccount, EvidenceItem, Judgement
from cases.models.case import CaseStatus
from cases.vocabulary import ALTERNATIVES, REQUIRED_CLAIMS, Claim, Side, VerdictValue
from detection.models import VersionRecall

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


@dataclass(frozen=True)
class Facts:
    """What is there already of what escalation needs: claims by letter, innocent explanations by slug.

    `unpreserved` names the sources of which nothing was asked and nobody said why, `recalled` the detector versions
    whose recall nobody has answered.
    """

    unpreserved: tuple[str, ...]
    recalled: tuple[str, ...]
    summary: bool
    assigned: bool
    exhibit: bool
    verdicts: bool
    judged: frozenset[str]
    cited: frozenset[str]
    contrary: frozenset[str]
    answered: frozenset[str]


def missing_for_escalation(case: Case) -> list[Missing]:
    """What has to be there before the case can be escalated and is not; empty when nothing is missing."""
    return missing_by_case([case])[case.id]


def missing_by_case(
    found: Sequence[Case], recalled: Mapping[UUID, Sequence[VersionRecall]] | None = None
) -> dict[UUID, list[Missing]]:
    """The same for several cases by their ids; nine queries for any number of them.

    `recalled`, what `recalls.unanswered` says of these cases, is not asked again where somebody has it.
    """
    facts = _facts(found, recalls.unanswered(found) if recalled is None else recalled)
    return {case.id: [missing for need in ESCALATION_NEEDS for missing in need(facts[case.id])] for case in found}


def _facts(found: Sequence[Case], recalled: Mapping[UUID, Sequence[VersionRecall]]) -> dict[UUID, Facts]:
    ids = [case.id for case in found]
    judgements = history.newest(Judgement.objects.filter(case__in=ids), None)
    citations = history.citations_of(judgements).select_related(None).order_by()
    answers = history.newest(AlternativeAnswer.objects.filter(case__in=ids), None)
    judged = _by_case(judgements.values_list("case_id", "claim"))
    cited = _by_case(citations.values_list("judgement__case_id", "judgement__claim", "side", "note"))
    answered = _by_case(answers.values_list("case_id", "alternative"))
    held, unpreserved = _held(ids), preservation.unanswered(found)
    return {
        case.id: Facts(
            unpreserved=tuple(unpreserved[case.id]),
            recalled=tuple(str(one.detector_version) for one in recalled[case.id]),
            summary=bool(case.summary.strip()),
            assigned=case.assignee_id is not None,
            exhibit=held[case.id][0],
            verdicts=held[case.id][1],
            judged=frozenset(letter for letter, *_ in judged.get(case.id, ())),
            cited=frozenset(letter for letter, *_ in cited.get(case.id, ())),
            contrary=frozenset(one for one, side, note in cited.get(case.id, ()) if side == Side.AGAINST and not note),
            answered=frozenset(slug for slug, *_ in answered.get(case.id, ())),
        )
        for case in found
    }


def _by_case(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, set[tuple[str, ...]]]:
    """Rows by their first column, a case."""
    rows_of: dict[UUID, set[tuple[str, ...]]] = {}
    for case_id, *rest in rows:
        rows_of.setdefault(case_id, set()).add(tuple(rest))
    return rows_of


def _held(ids: Sequence[UUID]) -> dict[UUID, tuple[bool, bool]]:
    """Of each case whether it has an exhibit, and whether its verdicts suffice."""
    accounts = CaseAccount.objects.filter(case=OuterRef("pk"))
    rows = Case.objects.filter(id__in=ids).values_list(
        "id",
        Exists(EvidenceItem.objects.filter(case=OuterRef("pk"))),
        Exists(accounts.filter(value=VerdictValue.ACTOR_CONTROLLED)),
        ~Exists(accounts.filter(value="")),
    )
    return {case_id: (exhibit, controlled or all_judged) for case_id, exhibit, controlled, all_judged in rows}


def _preservation(facts: Facts) -> list[Missing]:
    return [
        Missing(f"a request to preserve what {name} keeps, or why none is made", "preservation")
        for name in facts.unpreserved
    ]


def _recalls(facts: Facts) -> list[Missing]:
    return [Missing(f"an answer to the recall of {name}", "findings", "recalls") for name in facts.recalled]


def _summary(facts: Facts) -> list[Missing]:
    return [] if facts.summary else [Missing("the allegation in two sentences (summary)", "summary")]


def _assignee(facts: Facts) -> list[Missing]:
    return [] if facts.assigned else [Missing("somebody the case is assigned to", "summary")]


def _claims(facts: Facts) -> list[Missing]:
    found = []
    for letter in REQUIRED_CLAIMS:
        if letter not in facts.judged:
            found.append(Missing(f"a judgement on claim {Claim(letter).label}", "claims", f"claim-{letter}"))
        elif letter not in facts.cited:
            found.append(Missing(f"a citation for claim {Claim(letter).label}", "claims", f"claim-{letter}"))
    return found


def _contrary(facts: Facts) -> list[Missing]:
    letters = sorted(facts.contrary)
    return [Missing(f"an answer to contrary evidence on claim ({one})", "claims", f"claim-{one}") for one in letters]


def _alternatives(facts: Facts) -> list[Missing]:
    return [
        Missing(f"an answer to the innocent explanation: {name}", "claims", f"alternative-{slug}")
        for slug, name in ALTERNATIVES.items()
        if slug not in facts.answered
    ]


def _verdicts(facts: Facts) -> list[Missing]:
    if facts.verdicts:
        return []
    return [Missing("a verdict: one account assessed as actor-controlled, or a verdict on every account", "accounts")]


def _evidence(facts: Facts) -> list[Missing]:
    return [] if facts.exhibit else [Missing("at least one exhibit", "evidence")]


# What escalation needs, in the order in which the page lists it.
ESCALATION_NEEDS: tuple[Callable[[Facts], list[Missing]], ...] = (
    _preservation,
    _recalls,
    _summary,
    _assignee,
    _claims,
    _contrary,
    _alternatives,
    _verdicts,
    _evidence,
)
