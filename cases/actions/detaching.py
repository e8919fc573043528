"""Verbs that take a cluster or single accounts out of a case again, and put them back.

What it means: the accounts leave the list, the counts and whatever is frozen from now on; findings stay where a held
cluster still rests on them; verdicts and judgements stay as they were said, and count again when the accounts are back;
a hold goes on covering them until it is released. Dossiers frozen before stay as they are, as of their cut.
"""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from cases import history, language
from cases.actions import base, holding
from cases.actions.leads import decision_on, move_lead
from cases.models import Case, CaseAccount, DetachedAccount, Detachment, Lead, LeadDecision, Reattachment
from cases.models.lead import LeadState
from detection.models import Cluster
from people.models import User
from spine import log
from spine.errors import Refused
from spine.models import AppendOnly

MOST_PICKED = 500


@transaction.atomic
def detach_cluster(case: Case, cluster: Cluster, *, actor: User, reason: str) -> Detachment:
    """Take a held cluster out of the case.

    Side effects: the detachment; accounts that no other held cluster has leave the case; its lead waits in the queue
    again, for who may know of the case; one log entry. Raises Conflict when it was detached in between.
    """
    base.require(actor, "leads.write", "cases.write")
    why = _reason(reason)
    lead = _locked_lead(case, cluster)
    row = base.locked_case(case)
    held = history.held_at(row).select_related("case", "cluster").filter(cluster=cluster).first()
    if held is None:
        raise base.lost(f"{row.ref} does not hold this cluster", base.last_act(row, "case.detached"))
    left = Detachment(case=row, held=held, accounts_left=holding.leaving(held), reason=why, by=actor)
    rows: list[AppendOnly] = [left]
    if lead is not None and lead.state == LeadState.IN_CASE:
        lead.why_now = f"detached from {row.ref} by {actor.username}"
        lead.save(update_fields=["why_now"])
        move_lead(lead, LeadState.WAITING)
        rows.append(decision_on(lead, actor, LeadDecision.Kind.DETACHED, case=row, note=why))
    data = {"ref": row.ref, "accounts": left.accounts_left, "what": _what(left), "cluster": cluster.title}
    data |= {"lead": str(lead.pk) if lead else "", "reason_given": why}
    log.record(actor=actor.principal, action="case.detached", about=row, scope=row.id, data=data, rows=rows)
    base.touch(row)
    holding.let_go(held, left)
    return left


@transaction.atomic
def detach_accounts(case: Case, picked: Collection[UUID], *, actor: User, reason: str) -> Detachment:
    """Take single accounts out of the case, named by the ids of their CaseAccount rows.

    Side effects: the detachment with its accounts, which stay out whichever held cluster has them; one log entry. All
    or none: raises Conflict when one of them is not in the case any more.
    """
    base.require(actor, "cases.write")
    why = _reason(reason)
    if not picked or len(picked) > MOST_PICKED:
        raise Refused(f"Pick between 1 and {MOST_PICKED} accounts.", field="account")
    row = base.locked_case(case)
    found = CaseAccount.objects.filter(case=row, pk__in=picked).order_by("account_id")
    accounts = list(found.values_list("account_id", flat=True))
    if len(accounts) != len(set(picked)):
        missing = len(set(picked)) - len(accounts)
        raise base.lost(f"{missing} of the picked accounts are not in {row.ref}", base.last_act(row, "case.detached"))
    left = Detachment(case=row, accounts_left=len(accounts), reason=why, by=actor)
    rows = [left, *(DetachedAccount(detachment=left, account_id=one) for one in accounts)]
    data = {"ref": row.ref, "accounts": len(accounts), "what": _what(left), "reason_given": why}
    log.record(actor=actor.principal, action="case.detached", about=row, scope=row.id, data=data, rows=rows)
    base.touch(row)
    CaseAccount.objects.filter(case=row, account__in=accounts).update(detached_by=left)
    return left


@transaction.atomic
def attach_again(detachment: Detachment, *, actor: User, reason: str = "") -> Reattachment:
    """Undo a detachment: what it took out is part of the case again, verdicts as they were.

    Side effects: the reattachment; the accounts are back, but for those that something else keeps out; the lead is in
    the case again; one log entry. Raises Conflict when it was put back before, or its lead was decided about since.
    """
    base.require(actor, "cases.write", *(["leads.write"] if detachment.held_id else []))
    why = base.clean(reason, field="reason", label="The reason", limit=2000, required=False)
    language.check(why, field="reason", ladder=False)
    lead = _locked_lead(detachment.case, detachment.held.cluster) if detachment.held else None
    row = base.locked_case(detachment.case)
    if Reattachment.objects.filter(detachment=detachment).exists():
        raise base.lost("This was put back before", base.last_act(row, "case.attached_again", "case.joined"))
    made = Reattachment(detachment=detachment, reason=why, by=actor)
    rows: list[AppendOnly] = [made]
    if lead is not None:
        rows += _lead_back(lead, row, detachment, actor)
    names = list(detachment.accounts.values_list("account_id", flat=True))
    data = {"ref": row.ref, "accounts": detachment.accounts_left, "what": _what(detachment)}
    data |= {"lead": str(lead.pk) if lead else "", "reason_given": why}
    log.record(actor=actor.principal, action="case.attached_again", about=row, scope=row.id, data=data, rows=rows)
    base.touch(row)
    if detachment.held is not None:
        holding.take_in(row, detachment.held.cluster)
    else:
        holding.take_back(row, names)
    return made


def _lead_back(lead: Lead, case: Case, detachment: Detachment, actor: User) -> list[AppendOnly]:
    """The decision that the lead is in the case again, if nothing was decided about it since."""
    last = lead.decisions.select_related("entry").order_by("at", "id").last()
    if last is None or last.kind != LeadDecision.Kind.DETACHED or last.entry_id != detachment.entry_id:
        raise base.lost("Its lead was decided about since", last.entry if last else None)
    move_lead(lead, LeadState.IN_CASE)
    return [decision_on(lead, actor, LeadDecision.Kind.REATTACHED, case=case)]


def _locked_lead(case: Case, cluster: Cluster) -> Lead | None:
    """The lead that brought the cluster into the case, locked before the case as the verbs on leads do."""
    put = LeadDecision.objects.filter(case=case, cluster=cluster, kind__in=["opened", "joined"]).order_by("at").last()
    return base.locked_lead(put.lead) if put is not None else None


def _what(detachment: Detachment) -> str:
    return "a cluster" if detachment.held_id else "single accounts"


def _reason(text: str) -> str:
    why = base.clean(text, field="reason", label="The reason", limit=2000)
    language.check(why, field="reason", ladder=False)
    return why
