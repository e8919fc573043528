"""Verbs on redactions: propose, decide as a second person, and what the worker makes of an approved one."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from cases import redaction
from cases.actions import base, evidence
from cases.actions.custody import note as custody_note
from cases.media import is_text
from cases.models import Case, EvidenceItem, Redacted, RedactionDecision, RedactionProposal
from cases.redaction import Mark
from cases.vocabulary import CustodyAction
from people.models import User
from spine import jobs, log, vault
from spine.errors import Conflict, Refused

REDACT = "evidence.redact"
METHOD = "marked text taken out of the data and replaced by one constant; offsets of the proposal"


def content_of(item: EvidenceItem) -> str:
    """The text of an exhibit, checked against its digest. Raises Refused for what is no text or is damaged."""
    if not is_text(item.media_type):
        raise Refused(f"{item.exhibit} is {item.media_type}; only text is redacted here. Add a redacted copy instead.")
    if item.size > redaction.MOST_BYTES:
        raise Refused(f"Text of more than {redaction.MOST_BYTES:,} bytes is not redacted here: make an extract first.")
    try:
        return redaction.text_of(vault.read(item.sha256))
    except vault.Missing as missing:
        raise Refused(f"{item.exhibit} cannot be read: {missing}.") from None


def propose_redaction(
    item: EvidenceItem,
    *,
    actor: User,
    marks: Iterable[Mark] = (),
    texts: Iterable[str] = (),
    code: str = "",
    note: str = "",
) -> RedactionProposal:
    """Propose what to take out: stretches, and texts to be taken out wherever they stand (for the reason `code`).

    A marked text of four or more characters is taken out everywhere, also where nobody marked it. Side effects: the
    proposal; one log entry with counts, never with text. Raises Refused for marks that cannot be carried out.
    """
    base.require(actor, "cases.write")
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    text = content_of(item)
    wanted = [*marks]
    needles = [needle for needle in texts if needle]
    if needles:
        code = base.one_of(code, redaction.REASONS, field="code", label="The reason")
        seen = redaction.found(text, needles, code)
        taken = [mark for mark in seen if not any(mark.start < one.end and one.start < mark.end for one in wanted)]
        if not seen:
            raise Refused("None of these texts stands in the exhibit.", field="texts")
        wanted += taken
    found = redaction.marks_for(text, wanted, item.media_type)
    return _propose(item, actor, found, note)


@transaction.atomic
def _propose(item: EvidenceItem, actor: User, marks: list[Mark], note: str) -> RedactionProposal:
    row = base.locked_case(item.case)
    proposal = RedactionProposal(
        item=item,
        sha256=item.sha256,
        marks=[[mark.start, mark.end, mark.code] for mark in marks],
        proposer=actor,
        note=note,
        at=timezone.now(),
    )
    data = {"ref": row.ref, "number": item.number, "marks": len(marks)}
    log.record(actor=actor.principal, action="redaction.proposed", about=item, scope=row.id, data=data, rows=[proposal])
    base.touch(row)
    return proposal


@transaction.atomic
def decide_redaction(proposal: RedactionProposal, *, actor: User, approve: bool, note: str = "") -> RedactionDecision:
    """Approve or decline a proposal, as somebody else than who made it.

    Side effects: the decision; one log entry; when approved, a job that makes the derivative. Raises Refused to the
    proposer, Conflict when it was decided already. The database refuses the proposer too.
    """
    base.require(actor, "cases.write")
    note = base.clean(note, field="note", label="The note", limit=500, required=not approve)
    item = proposal.item
    row = base.locked_case(item.case)
    if actor.pk == proposal.proposer_id:
        raise Refused("Who proposed a redaction cannot decide it: a second person has to.")
    standing = RedactionDecision.objects.filter(proposal=proposal).select_related("decider").first()
    if standing is not None:
        was = "approved" if standing.approved else "declined"
        raise Conflict(f"This redaction was {was} by {standing.decider} on {standing.at:%d %b %Y %H:%M} UTC already.")
    decision = RedactionDecision(
        proposal=proposal,
        proposer_id=proposal.proposer_id,
        decider=actor,
        approved=approve,
        note=note,
        at=timezone.now(),
    )
    data = {"ref": row.ref, "number": item.number, "marks": len(proposal.marks)}
    told: dict[str, Any] = {"about": item, "scope": row.id, "data": data, "rows": [decision]}
    base.touch(row)
    if approve:
        log.record(actor=actor.principal, action="redaction.approved", **told)
        args = {"decision": str(decision.id)}
        jobs.enqueue(REDACT, actor=actor.principal, key=str(decision.id), args=args, scope=row.id)
    else:
        log.record(actor=actor.principal, action="redaction.declined", **told)
    return decision


def make(job: jobs.Running) -> dict[str, Any]:
    """The worker's part: the derivative, as the case's next exhibit. Safe to run twice.

    Raises Refused when the original is no longer what was marked, or another exhibit has the result's bytes.
    """
    decision = RedactionDecision.objects.select_related("proposal__item__case", "proposal__proposer").get(
        pk=job.args["decision"]
    )
    done = Redacted.objects.select_related("item").filter(decision=decision).first()
    if done is None:
        job.progress(0, 1, "taking out what is marked")
        try:
            done = _made(decision, job)
        except IntegrityError:  # another attempt was faster
            done = Redacted.objects.select_related("item").get(decision=decision)
    job.progress(1, 1, f"made {done.item.exhibit}")
    return {"number": done.item.number, "sha256": done.item.sha256}


def _made(decision: RedactionDecision, job: jobs.Running) -> Redacted:
    proposal = decision.proposal
    original = proposal.item
    if original.sha256 != proposal.sha256:
        raise Refused("The proposal is of other bytes than the exhibit has.")
    marks = [Mark(*mark) for mark in proposal.marks]
    content = redaction.redacted(content_of(original), marks).encode()
    blob = vault.put_bytes(content)
    reasons = ", ".join(sorted({redaction.REASONS[mark.code] for mark in marks}))
    item = EvidenceItem(
        case=original.case,
        title=f"{original.exhibit}, redacted"[:200],
        source=f"made from {original.exhibit}",
        file_name=evidence.safe_name(f"redacted-{original.number:03d}.{_ending(original.media_type)}"),
        media_type=original.media_type,
        size=blob.size,
        sha256=blob.sha256,
        acquired_at=timezone.now(),
        added_by=proposal.proposer,
        kind="derivative",
        derived_from=original,
        derivation="redaction",
        tool="Retort",
        tool_version=settings.VERSION,
        method=METHOD,
        reason=reasons[:500],
    )
    with transaction.atomic():
        job.confirm()
        row = Case.objects.select_for_update(no_key=True).get(pk=original.case_id)
        evidence.demand_new(row, item.sha256)
        item.number = evidence.next_number(row)
        why = f"redaction approved by {decision.decider}"
        how = f"{METHOD}; {len(marks)} marks"
        events = [
            *evidence.custody_of_new(item, actor=proposal.proposer, why=why, how=f"made from {original.exhibit}"),
            custody_note(original, action=CustodyAction.REDACTED, actor=proposal.proposer, why=why, how=how),
        ]
        made = Redacted(decision=decision, item=item)
        data = {"ref": row.ref, "number": original.number, "made": item.number, "sha256": item.sha256}
        log.record(
            actor=job.actor,
            action="evidence.redacted",
            about=original,
            scope=row.id,
            data=data,
            rows=[item, *events, made],
        )
        base.touch(row)
    return made


def _ending(media_type: str) -> str:
    endings = {"text/csv": "csv", "application/json": "json", "application/x-ndjson": "ndjson", "text/html": "html.txt"}
    return endings.get(media_type, "txt")
