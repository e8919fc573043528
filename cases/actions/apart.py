"""Verbs that keep accounts apart which a correlation had joined, and let them be joined again."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from cases import language
from cases.actions import base
from cases.models import Lead
from detection import apart
from detection.models import Cluster, ClusterMember, KeptApart, KeptApartAccount, KeptApartLifted, Side
from people.models import User
from spine import log
from spine.errors import Conflict, Refused

MOST_PICKED = 500


@transaction.atomic
def keep_apart(
    lead: Lead,
    accounts: Collection[UUID],
    *,
    actor: User,
    reason: str,
    against: Collection[UUID] = (),
    cluster: UUID | None = None,
) -> KeptApart:
    """Say that accounts of a lead are not the same operation as others of it, or, with none named, as all others.

    From now on no grouping of findings and no newer run joins the one with the other; what was joined before stays as
    it was found, and says so. Side effects: the decision with its accounts; one log entry about the lead. Raises
    Conflict when a newer run changed the lead, or exactly this stands already.
    """
    base.require(actor, "leads.write")
    why = _reason(reason)
    apart.deciding()
    row = base.locked_lead(lead)
    if cluster is not None and row.cluster_id != cluster:
        raise Conflict(f"A newer run changed this lead: it has {row.cluster.account_count:,} accounts now.")
    sides = _sides(row.cluster, set(accounts), set(against))
    if _stands(row.cluster, sides, rest=not against):
        raise base.lost("Exactly these are kept apart already", base.last_act(row, "accounts.kept_apart"))
    picked = sum(side == Side.PICKED for side in sides.values())
    others = len(sides) - picked if against else row.cluster.account_count - picked
    given = {"cluster": row.cluster, "rest": not against, "picked": picked, "others": others}
    made = KeptApart(**given, reason=why, by=actor)
    rows = [KeptApartAccount(decision=made, account_id=one, side=side) for one, side in sorted(sides.items())]
    data = {"accounts": picked, "others": others, "title": row.cluster.title, "reason_given": why}
    log.record(actor=actor.principal, action="accounts.kept_apart", about=row, data=data, rows=[made, *rows])
    return made


@transaction.atomic
def join_again(decision: KeptApart, *, actor: User, reason: str) -> KeptApartLifted:
    """Take a decision back: whatever correlates next may join these accounts again.

    Side effects: one row under one log entry about the lead. Raises Conflict when it was taken back before.
    """
    base.require(actor, "leads.write")
    why = _reason(reason)
    apart.deciding()
    lead = base.locked_lead(Lead.objects.get(sightings__cluster=decision.cluster_id))
    if KeptApartLifted.objects.filter(decision=decision).exists():
        raise base.lost("This was taken back before", base.last_act(lead, "accounts.joined_again"))
    made = KeptApartLifted(decision=decision, reason=why, by=actor)
    data = {"accounts": decision.picked, "others": decision.others, "title": lead.cluster.title, "reason_given": why}
    log.record(actor=actor.principal, action="accounts.joined_again", about=lead, data=data, rows=[made])
    return made


def _reason(text: str) -> str:
    why = base.clean(text, field="reason", label="The reason", limit=2000)
    language.check(why, field="reason", ladder=False)
    return why


def _sides(cluster: Cluster, picked: set[UUID], others: set[UUID]) -> dict[UUID, str]:
    """The named accounts with their sides, the same for two accounts whichever was named first."""
    if not picked or len(picked) > MOST_PICKED or len(others) > MOST_PICKED:
        raise Refused(f"Pick between 1 and {MOST_PICKED} accounts for a side.", field="accounts")
    if picked & others:
        raise Refused("An account cannot be kept apart from itself.", field="against")
    known = ClusterMember.objects.filter(cluster=cluster, account__in=picked | others).count()
    if known != len(picked | others):
        raise Refused("Some of these accounts are not in this lead.", field="accounts")
    if len(picked) == cluster.account_count:
        raise Refused("These are all accounts of the lead: there is nobody to keep them apart from.", field="accounts")
    if others and min(others) < min(picked):
        picked, others = others, picked
    return {**dict.fromkeys(picked, Side.PICKED.value), **dict.fromkeys(others, Side.OTHERS.value)}


def _stands(cluster: Cluster, sides: dict[UUID, str], *, rest: bool) -> bool:
    same = KeptApart.objects.standing().filter(cluster=cluster, rest=rest).prefetch_related("accounts")
    return any({one.account_id: one.side for one in decision.accounts.all()} == sides for decision in same)
