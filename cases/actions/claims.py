"""Verbs on the six claims and the innocent explanations."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from cases import history, language
from cases.actions import base
from cases.models import AlternativeAnswer, Case, Citation, Judgement
from cases.vocabulary import ALTERNATIVES, AlternativeState, Claim, Confidence, Likelihood, Side
from people.models import User
from spine import log
from spine.errors import Refused

MOST_CITED = 200


@dataclass(frozen=True)
class Cited:
    """An item a judgement rests on: `kind` is one of cases.models.claims.CITABLE, `id` that item's."""

    side: str
    kind: str
    id: UUID
    note: str = ""


@transaction.atomic
def judge(
    case: Case,
    *,
    actor: User,
    claim: str,
    likelihood: str,
    confidence: str,
    rationale: str,
    alternatives: str,
    citations: Sequence[Cited] = (),
    supersedes: UUID | None = None,
) -> Judgement:
    """Judge one claim; `supersedes` is the judgement its author saw, None when there was none.

    Side effects: the judgement; one citation an item; one log entry. Raises Conflict when somebody judged the claim in
    between, Refused for words off the ladder, words that accuse, and items that are not in the case.
    """
    base.require(actor, "cases.write")
    base.one_of(claim, Claim.values, field="claim", label="The claim")
    base.one_of(likelihood, Likelihood.values, field="likelihood", label="The likelihood")
    base.one_of(confidence, Confidence.values, field="confidence", label="The confidence")
    rationale = _worded(rationale, field="rationale", label="The rationale", limit=8000)
    alternatives = _worded(alternatives, field="alternatives", label="What else would explain it", limit=8000)
    row = base.locked_case(case)
    newest = row.judgements.filter(claim=claim, superseded_by__isnull=True).select_related("entry").first()
    if (newest.id if newest else None) != supersedes:
        now = newest.get_likelihood_display() if newest else "not judged"
        raise base.lost(f"Claim ({claim}) is now: {now}", newest.entry if newest else None)
    judgement = Judgement(
        case=row,
        claim=claim,
        likelihood=likelihood,
        confidence=confidence,
        rationale=rationale,
        alternatives=alternatives,
        author=actor,
        supersedes=newest,
    )
    cited = _citations(row, judgement, citations)
    data = {
        "claim": claim,
        "old": newest.likelihood if newest else "",
        "likelihood": likelihood,
        "confidence": confidence,
        "citations": len(cited),
    }
    rows = [judgement, *cited]
    log.record(actor=actor.principal, action="judgement.made", about=judgement, scope=row.id, data=data, rows=rows)
    base.touch(row)
    return judgement


@transaction.atomic
def answer_alternative(
    case: Case, *, actor: User, alternative: str, state: str, reason: str, supersedes: UUID | None = None
) -> AlternativeAnswer:
    """Say how an innocent explanation stands; `supersedes` is the answer its author saw, None when there was none.

    Side effects: the answer; one log entry. Raises Conflict when somebody answered in between.
    """
    base.require(actor, "cases.write")
    base.one_of(alternative, ALTERNATIVES, field="alternative", label="The explanation")
    base.one_of(state, AlternativeState.values, field="state", label="The state")
    reason = _worded(reason, field="reason", label="The reason", limit=4000)
    row = base.locked_case(case)
    given = row.alternative_answers.filter(alternative=alternative, superseded_by__isnull=True)
    newest = given.select_related("entry").first()
    if (newest.id if newest else None) != supersedes:
        now = newest.get_state_display() if newest else "not answered"
        raise base.lost(f"{ALTERNATIVES[alternative].capitalize()} is now: {now}", newest.entry if newest else None)
    answer = AlternativeAnswer(
        case=row, alternative=alternative, state=state, reason=reason, author=actor, supersedes=newest
    )
    data = {"alternative": alternative, "old": newest.state if newest else "", "state": state}
    log.record(
        actor=actor.principal, action="alternative.answered", about=answer, scope=row.id, data=data, rows=[answer]
    )
    base.touch(row)
    return answer


def _worded(value: str, *, field: str, label: str, limit: int) -> str:
    text = base.clean(value, field=field, label=label, limit=limit)
    language.check(text, field=field)
    return text


def _citations(case: Case, judgement: Judgement, cited: Sequence[Cited]) -> list[Citation]:
    if len(cited) > MOST_CITED:
        raise Refused(f"At most {MOST_CITED} items are cited for one judgement.", field="citations")
    if len({(one.kind, one.id) for one in cited}) != len(cited):
        raise Refused("An item is cited once, for or against.", field="citations")
    items = {kind: _in_case(case, kind, [one.id for one in cited if one.kind == kind]) for kind in _CITABLE}
    return [_citation(judgement, one, items) for one in cited]


def _citation(judgement: Judgement, one: Cited, items: dict[str, dict[UUID, Model]]) -> Citation:
    base.one_of(one.side, Side.values, field="citations", label="The side")
    base.one_of(one.kind, _CITABLE, field="citations", label="The kind of item")
    item = items[one.kind].get(one.id)
    if item is None:
        raise Refused("A cited item is not in this case.", field="citations")
    note = base.clean(one.note, field="citations", label="A note", limit=2000, required=False)
    language.check(note, field="citations")
    return Citation(judgement=judgement, side=one.side, note=note, **{one.kind: item})


# Where each kind of item is looked up; what is not found there is not in the case.
_CITABLE = {
    "finding": history.findings_at,
    "evidence": history.evidence_at,
    "cluster": history.clusters_at,
    "timeline_note": history.notes_at,
}


def _in_case(case: Case, kind: str, ids: list[UUID]) -> dict[UUID, Model]:
    return {item.pk: item for item in _CITABLE[kind](case).filter(id__in=ids)} if ids else {}
