"""Verbs on destruction: set a policy, order by it, order an erasure, and give the second person's word."""

from uuid import UUID

from django.db import IntegrityError, transaction

from cases import erasing, retention
from cases.access import visible_cases
from cases.actions import base
from cases.destruction import Preview, carry_out
from cases.models import DestructionDecision, DestructionOrder, RetentionPolicy
from cases.models.destruction import Kept
from detection.models import Account, TelemetrySource
from people.models import User
from spine import jobs, log
from spine.errors import Conflict, Refused
from spine.models import Job

JOB = "destruction.carry_out"
LEAST_DAYS, MOST_DAYS = 1, 36_500
Ground = DestructionOrder.Ground


@transaction.atomic
def set_policy(
    *,
    actor: User,
    data_class: str,
    days: int,
    basis: str,
    source: TelemetrySource | None = None,
    active: bool = True,
    supersedes: UUID | None = None,
) -> RetentionPolicy:
    """Say how old a kind of data may get; `supersedes` is the policy its author saw. It destroys nothing by itself.

    Side effects: the row; one log entry. Raises Conflict when another policy was set since.
    """
    base.require(actor, "destruction.read", "destruction.write")
    base.one_of(data_class, Kept.values, field="data_class", label="The data")
    if (data_class == Kept.TELEMETRY) != (source is not None):
        raise Refused("A policy on telemetry names its source, any other none.", field="source")
    if not LEAST_DAYS <= days <= MOST_DAYS:
        raise Refused(f"Days are a whole number from {LEAST_DAYS} to {MOST_DAYS:,}.", field="days")
    basis = base.clean(basis, field="basis", label="The basis", limit=300)
    standing = RetentionPolicy.objects.filter(data_class=data_class, source=source, superseded_by=None).first()
    if (standing.pk if standing else None) != supersedes:
        raise base.lost("The policy is another one now", standing.entry if standing else None)
    policy = RetentionPolicy(
        data_class=data_class,
        source=source,
        days=days,
        basis=basis,
        active=active,
        set_by=actor,
        supersedes=standing,
    )
    data = {
        "what": Kept(data_class).label,
        "source": source.name if source else "",
        "days": days,
        "basis": basis,
        "state": "on" if active else "off",
    }
    try:
        with transaction.atomic():
            log.record(actor=actor.principal, action="retention.policy_set", about=policy, data=data, rows=[policy])
    except IntegrityError:
        raise Conflict("Somebody else set this policy just now. Look again before you decide.") from None
    return policy


@transaction.atomic
def order_retention(policy: RetentionPolicy, *, actor: User, expected: int) -> DestructionOrder:
    """Ask to destroy what a policy covers now; `expected` is the exact count its asker saw.

    Side effects: the order with its targets; one log entry. Raises Conflict when the count is another one by now.
    """
    base.require(actor, "destruction.read", "destruction.write")
    if RetentionPolicy.objects.filter(supersedes=policy).exists():
        raise Conflict("The policy is another one now. Look again before you decide.")
    found = retention.preview_of(policy)
    if found.count != expected:
        raise Conflict(f"It would destroy {found.count:,} things now, not {expected:,}. Look again before you decide.")
    order = _order(found, actor, Ground.RETENTION, basis=policy.basis, policy=policy)
    _record(order, actor, action="retention.ordered")
    return order


@transaction.atomic
def order_erasure(*, actor: User, kind: str, key: UUID, basis: str, expected: int) -> DestructionOrder:
    """Ask to erase an account or a record on a legal basis; a hold over any part of it refuses the whole.

    Side effects: the order with its targets; one log entry. Raises Refused naming how much is held, Conflict when the
    count is another one by now.
    """
    base.require(actor, "destruction.read", "destruction.write")
    subject = erasing.subject_of(kind, key)
    case_id = None if isinstance(subject, Account) else erasing.case_of(subject)
    if case_id is not None and not visible_cases(actor).filter(pk=case_id).exists():
        raise Refused("There is no such record.", field="key")
    basis = base.clean(basis, field="basis", label="The legal basis", limit=300)
    found = erasing.preview_of(subject)
    if found.kept:
        raise Refused(
            f"A hold beats erasure: {found.kept_count:,} of {found.kept_count + found.count:,} things are held by "
            f"{len(found.kept)} hold{'' if len(found.kept) == 1 else 's'}."
        )
    if found.count != expected:
        raise Conflict(f"It would take {found.count:,} things now, not {expected:,}. Look again before you decide.")
    name = f"{'account' if case_id is None else subject._meta.db_table}:{subject.pk}"
    order = _order(found, actor, Ground.ERASURE, basis=basis, subject=name, case_id=case_id)
    _record(order, actor, action="erasure.ordered")
    return order


@transaction.atomic
def decide(order: DestructionOrder, *, actor: User, granted: bool, note: str = "") -> DestructionDecision:
    """Grant an order or decline it, as somebody else than who asked. The database refuses the asker too.

    Side effects: the row; one log entry; when granted, a job that carries it out. Raises Conflict when it was decided.
    """
    base.require(actor, "destruction.read", "destruction.write")
    if actor.pk == order.asker_id:
        raise Refused("Who asks for destruction cannot grant it: a second person has to.")
    standing = DestructionDecision.objects.filter(order=order).select_related("entry").first()
    if standing is not None:
        raise base.lost("This was decided already", standing.entry)
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    decision = DestructionDecision(order=order, asker=order.asker, decider=actor, granted=granted, note=note)
    data = {"count": order.count, "basis": order.basis, "asker": order.asker.username}
    try:
        with transaction.atomic():
            if granted:
                log.record(actor=actor.principal, action="destruction.granted", about=order, data=data, rows=[decision])
            else:
                log.record(
                    actor=actor.principal, action="destruction.declined", about=order, data=data, rows=[decision]
                )
    except IntegrityError:
        raise Conflict("Somebody else decided this just now.") from None
    if granted:
        start(order)
    return decision


@transaction.atomic
def start(order: DestructionOrder) -> Job:
    """Have a worker carry a granted order out; while it waits or runs, the same job. Side effects: a job."""
    return jobs.enqueue(JOB, actor="system:destruction", key=str(order.pk), args={"order": str(order.pk)})


def apply_granted() -> list[tuple[DestructionOrder, dict[str, int]]]:
    """Carry out, here and now, every granted order that is not done; for the command. Two people gave their word."""
    done = []
    for order in DestructionOrder.objects.filter(decision__granted=True).order_by("at", "id"):
        if order.certificates().count() < order.count:
            done.append((order, carry_out(order)))
    return done


def _order(
    found: Preview,
    actor: User,
    ground: Ground,
    *,
    basis: str,
    policy: RetentionPolicy | None = None,
    subject: str = "",
    case_id: UUID | None = None,
) -> DestructionOrder:
    if not found.targets:
        raise Refused("There is nothing that would go.")
    return DestructionOrder(
        ground=ground,
        policy=policy,
        case_id=case_id,
        subject=subject,
        basis=basis,
        targets=[one.as_json() for one in found.targets],
        count=found.count,
        size=found.size,
        kept=found.kept_by(),
        asker=actor,
    )


def _record(order: DestructionOrder, actor: User, *, action: str) -> None:
    data = {"count": order.count, "size": order.size, "basis": order.basis, "kept": sum(order.kept.values())}
    log.record(actor=actor.principal, action=action, about=order, data=data, rows=[order])
