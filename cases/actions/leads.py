"""Verbs on leads: open a case from one, join it to a case, reject it, put it back, assign it."""

import math
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from cases import language
from cases.actions import base, holding
from cases.models import Case, CaseCluster, Lead, LeadDecision, LeadSnooze
from cases.models.lead import LeadState
from cases.vocabulary import RejectReason
from people.models import User
from people.rights import may
from spine import log
from spine.errors import Conflict, Refused
from spine.models import LogEntry

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MOST_SNOOZE = timedelta(days=365)
LEAST_FACTOR, MOST_FACTOR = 1.1, 100.0
DECIDED = ("case.opened", "case.joined", "lead.rejected", "lead.reopened")


@transaction.atomic
def open_case(lead: Lead, *, actor: User, title: str, summary: str = "", cluster: UUID | None = None) -> Case:
    """Open a case from a waiting lead.

    Side effects: the case, assigned to the lead's assignee or else to the actor; the held cluster; one account row a
    member; the lead is in the case; one log entry. `cluster` is the version its reader saw, when the page says so.
    Raises Conflict when somebody decided about the lead before, or a newer run changed it.
    """
    base.require(actor, "leads.write", "cases.write")
    row = _waiting(lead, cluster)
    title = base.clean(title, field="title", label="The title", limit=200)
    summary = base.clean(summary, field="summary", label="The summary", limit=4000, required=False)
    for field, text in (("title", title), ("summary", summary)):
        language.check(text, field=field, ladder=field == "summary")
    case = _insert(Case(title=title, summary=summary, assignee=row.assignee or actor))
    accounts = holding.take_in(case, row.cluster)
    decision = decision_on(row, actor, LeadDecision.Kind.OPENED, case=case)
    move_lead(row, LeadState.IN_CASE)
    log.record(
        actor=actor.principal,
        action="case.opened",
        about=case,
        scope=case.id,
        data={
            "ref": case.ref,
            "title": title,
            "accounts": accounts,
            "lead": str(row.id),
            "assignee": (row.assignee or actor).username,
        },
        rows=[CaseCluster(case=case, cluster=row.cluster), decision],
    )
    return case


@transaction.atomic
def join_case(lead: Lead, case: Case, *, actor: User, cluster: UUID | None = None) -> Case:
    """Join a waiting lead to a case that is not closed.

    Side effects: the held cluster, or, where it was detached from this very case, its reattachment; one account row for
    each member the case did not have, but for accounts that were detached by themselves; the lead is in the case; one
    log entry. Raises Conflict as `open_case` does, Refused when the case is closed.
    """
    base.require(actor, "leads.write", "cases.write")
    row = _waiting(lead, cluster)
    held = base.locked_case(case)
    place = holding.place_of(held, row.cluster, actor)
    accounts = holding.take_in(held, row.cluster)
    decision = decision_on(row, actor, LeadDecision.Kind.JOINED, case=held)
    move_lead(row, LeadState.IN_CASE)
    base.touch(held)
    log.record(
        actor=actor.principal,
        action="case.joined",
        about=held,
        scope=held.id,
        data={"ref": held.ref, "accounts": accounts, "lead": str(row.id), "cluster": row.cluster.title},
        rows=[place, decision],
    )
    return held


@transaction.atomic
def reject_lead(lead: Lead, *, actor: User, reason: str, note: str = "", cluster: UUID | None = None) -> Lead:
    """Reject a waiting lead; later runs that find mostly the same accounts do not raise it again.

    Side effects: the decision; the lead is rejected; one log entry. The reason `other` needs a note.
    """
    base.require(actor, "leads.write")
    base.one_of(reason, RejectReason.values, field="reason", label="The reason")
    needed = reason == RejectReason.OTHER
    note = base.clean(note, field="note", label="A note on the reason", limit=2000, required=needed)
    row = _waiting(lead, cluster)
    decision = decision_on(row, actor, LeadDecision.Kind.REJECTED, reason=reason, note=note)
    move_lead(row, LeadState.REJECTED)
    data = {"reason": reason, "note": note, "title": row.cluster.title, "accounts": row.cluster.account_count}
    log.record(actor=actor.principal, action="lead.rejected", about=row, data=data, rows=[decision])
    return row


@transaction.atomic
def snooze_lead(
    lead: Lead,
    *,
    actor: User,
    until: datetime,
    factor: float | None = None,
    note: str = "",
    cluster: UUID | None = None,
) -> Lead:
    """Take a waiting lead out of the queue until a moment, or until it has `factor` times the accounts it has now.

    Side effects: one row; the lead is snoozed; one log entry. It comes back by itself, with the reason.
    """
    base.require(actor, "leads.write")
    note = base.clean(note, field="note", label="The note", limit=2000, required=False)
    now = timezone.now()
    if not now < until <= now + MOST_SNOOZE:
        raise Refused(f"A lead is snoozed until a moment within {MOST_SNOOZE.days} days from now.", field="until")
    if factor is not None and not LEAST_FACTOR <= factor <= MOST_FACTOR:
        raise Refused(f"It comes back at {LEAST_FACTOR:g} to {MOST_FACTOR:g} times its accounts.", field="factor")
    row = _waiting(lead, cluster)
    row.snoozed_until = until
    row.wakes_at = None if factor is None else math.ceil(row.cluster.account_count * factor)
    row.save(update_fields=["snoozed_until", "wakes_at"])
    move_lead(row, LeadState.SNOOZED)
    snooze = LeadSnooze(lead=row, cluster=row.cluster, until=until, factor=factor, note=note, by=actor)
    data = {"title": row.cluster.title, "until": until.isoformat(), "accounts": row.wakes_at or "–", "note": note}
    log.record(actor=actor.principal, action="lead.snoozed", about=row, data=data, rows=[snooze])
    return row


@transaction.atomic
def reopen_lead(lead: Lead, *, actor: User, note: str = "") -> Lead:
    """Put a rejected or snoozed lead back in the queue, as the newest run sees it.

    Side effects: the decision; the lead waits and stands for its newest sighting; one log entry. Raises Conflict when
    it is neither any more, Refused when a later lead already stands in for it.
    """
    base.require(actor, "leads.write")
    note = base.clean(note, field="note", label="The note", limit=2000, required=False)
    row = base.locked_lead(lead)
    if row.state not in (LeadState.REJECTED, LeadState.SNOOZED):
        raise base.lost(f"This lead is {row.get_state_display()}", _decided(row))
    if row.later.exists():
        raise Refused("A later lead of more accounts stands in for this one: decide about that one.")
    newest = row.sightings.select_related("cluster").order_by("cluster__run__finished_at", "id").last()
    if newest is not None:
        row.cluster = newest.cluster
    decision = decision_on(row, actor, LeadDecision.Kind.REOPENED, note=note)
    row.why_now = f"put back in the queue by {actor.username}"
    row.save(update_fields=["cluster", "why_now"])
    move_lead(row, LeadState.WAITING)
    data = {"note": note, "title": row.cluster.title}
    log.record(actor=actor.principal, action="lead.reopened", about=row, data=data, rows=[decision])
    return row


@transaction.atomic
def assign_lead(lead: Lead, *, actor: User, to: User | None, expected: User | None) -> Lead:
    """Give a waiting lead to somebody, or to nobody.

    Side effects: the assignee; one log entry. Raises Conflict when it is not `expected` who has it now.
    """
    base.require(actor, "leads.write")
    row = base.locked_lead(lead)
    if row.state != LeadState.WAITING:
        raise base.lost(f"This lead is {row.get_state_display()}", _decided(row))
    check_assignee(to, "leads.write")
    if row.assignee_id != (expected.id if expected else None):
        holder = row.assignee.username if row.assignee else "nobody"
        raise base.lost(f"This lead is now assigned to {holder}", base.last_act(row, "lead.assigned"))
    if to == expected:
        raise Refused("That is who has it already.", field="assignee")
    data = {"old": expected.username if expected else "", "new": to.username if to else "", "title": row.cluster.title}
    row.assignee, row.changed_at = to, timezone.now()
    row.save(update_fields=["assignee", "changed_at"])
    log.record(actor=actor.principal, action="lead.assigned", about=row, data=data)
    return row


def check_assignee(person: User | None, right: str) -> None:
    """Raise Refused when this person could not do the work."""
    if person is not None and not (person.is_active and may(person, right)):
        raise Refused(f"{person.username} may not do this work.", field="assignee")


def fresh_reference() -> str:
    """A case reference: the year and five random characters, so that no number shows how many cases there are."""
    return f"RT-{timezone.now():%Y}-{''.join(secrets.choice(CROCKFORD) for _ in range(5))}"


def _insert(case: Case) -> Case:
    """Save a new case under a reference nobody has; 33 million a year make a second collision a fault, not chance."""
    for _ in range(5):
        case.ref = fresh_reference()
        try:
            with transaction.atomic():
                case.save(force_insert=True)
        except IntegrityError:
            continue
        return case
    raise RuntimeError("no free case reference was found in five draws")


def _waiting(lead: Lead, seen: UUID | None) -> Lead:
    """The locked lead, if it still waits and is what its reader saw."""
    row = base.locked_lead(lead)
    if row.state != LeadState.WAITING:
        raise base.lost(f"This lead is {row.get_state_display()}{_where(row)}", _decided(row))
    if seen is not None and row.cluster_id != seen:
        raise Conflict(
            f"A newer run changed this lead: it has {row.cluster.account_count:,} accounts now. "
            "Look again before you decide."
        )
    return row


def _where(lead: Lead) -> str:
    decision = lead.decisions.select_related("case").order_by("at", "id").last()
    return f", {decision.case.ref}" if decision is not None and decision.case is not None else ""


def _decided(lead: Lead) -> LogEntry | None:
    decisions = lead.decisions.select_related("entry").order_by("at", "id")
    acts = [act for act in (decisions.last(), lead.snoozes.select_related("entry").order_by("at", "id").last()) if act]
    return max(acts, key=lambda act: act.at).entry if acts else None


def decision_on(lead: Lead, actor: User, kind: LeadDecision.Kind, **details: object) -> LeadDecision:
    return LeadDecision(lead=lead, cluster=lead.cluster, kind=kind, decided_by=actor, **details)


def move_lead(lead: Lead, state: LeadState) -> None:
    lead.state, lead.changed_at = state, timezone.now()
    lead.save(update_fields=["state", "changed_at"])
