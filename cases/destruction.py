"""Destroying what a granted order names, one thing a transaction: certificate first, then the thing, or neither.

A hold beats it: the database looks for one under the lock that placing a hold takes (cases.keeping), so that what is
kept back is counted, and nothing that a hold covers goes, however late the hold comes.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import IntegrityError, connection, transaction

from cases.actions import custody
from cases.dossier.build import folder_of
from cases.models import Case, CustodyEvent, DestructionDecision, DestructionOrder, DossierVersion, EvidenceItem
from cases.models.case import CaseStatus
from cases.vocabulary import CustodyAction
from detection import erasure as accounts
from detection import sources
from detection.models import Account, Attribute, TelemetryFile
from spine import erasure, log, vault
from spine.errors import Refused
from spine.models import AppendOnly, Destruction

# Tables that name digests without a claim to them: what was destroyed, compared or never arrived.
SPEAK_OF_BYTES = {"spine.destruction", "cases.vaultcheck", "cases.upload", "cases.uploadpart"}
HELD = "23001"  # restrict_violation, as cases.keeping raises it


@dataclass(frozen=True)
class Target:
    """One thing that an order names: its kind and key in the ledger, its digest and size where it has them."""

    kind: str
    key: str
    sha256: str = ""
    size: int = 0

    def as_json(self) -> dict[str, Any]:
        """As it stands in an order."""
        return asdict(self)


@dataclass(frozen=True)
class Preview:
    """What would go, exactly, and what each hold keeps back of it."""

    targets: list[Target] = field(default_factory=list)
    kept: dict[UUID, list[Target]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many things would go."""
        return len(self.targets)

    @property
    def size(self) -> int:
        """Bytes that would go."""
        return sum(one.size for one in self.targets)

    @property
    def kept_count(self) -> int:
        """How many things holds keep back."""
        return sum(len(found) for found in self.kept.values())

    def kept_by(self) -> dict[str, int]:
        """By hold, how many; as it stands in an order."""
        return {str(hold): len(found) for hold, found in self.kept.items()}


def preview(candidates: Iterable[Target]) -> Preview:
    """Part candidates into what may go and what a standing hold keeps; one query."""
    found = list(candidates)
    kept: dict[UUID, list[Target]] = {}
    free: list[Target] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT retort_hold_over(kind, key) FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY t(kind, key, n) "
            "ORDER BY n",
            [[one.kind for one in found], [one.key for one in found]],
        )
        for one, (hold,) in zip(found, cursor.fetchall(), strict=True):
            if hold is None:
                free.append(one)
            else:
                kept.setdefault(hold, []).append(one)
    return Preview(free, kept)


def destroyed(kind: str, keys: Iterable[str]) -> dict[str, Destruction]:
    """The certificates there are of these things, by key."""
    rows = Destruction.objects.filter(kind=kind, key__in=list(keys)).order_by("at", "id")
    return {row.key: row for row in rows}


def carry_out(
    order: DestructionOrder,
    *,
    confirm: Callable[[], None] = lambda: None,
    report: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> dict[str, int]:
    """Destroy everything a granted order names; gives how much went, was kept back by a hold, or was no longer free.

    Each thing is a transaction of its own. Safe to repeat and to be killed: what has its certificate is passed over.
    Raises Refused for an order nobody granted.
    """
    decision = DestructionDecision.objects.select_related("asker", "decider").filter(order=order).first()
    if decision is None or not decision.granted:
        raise Refused("Nobody has granted this order: a second person has to.")
    done = {"destroyed": 0, "kept_back": 0, "not_free": 0}
    for number, given in enumerate(order.targets):
        report(number, order.count, "destroying what the order names")
        done[_one(order, decision, Target(**given), confirm)] += 1
    report(order.count, order.count, "done")
    return done


def _one(order: DestructionOrder, decision: DestructionDecision, target: Target, confirm: Callable[[], None]) -> str:
    """Destroy one thing, if nothing keeps it: the word of the result's table."""
    try:
        with transaction.atomic():
            if order_has(order, target):
                return "destroyed"
            confirm()
            rows = HANDLERS[target.kind](target, order)
            if rows is None:
                return "not_free"
            certificate = Destruction(
                kind=target.kind,
                key=target.key,
                sha256=target.sha256,
                size=target.size or None,
                commitment=_commitment(target),
                order_id=order.pk,
                basis=order.basis,
                ordered_by=f"{decision.asker.principal} and {decision.decider.principal}"[:130],
            )
            data = {"kind": certificate.get_kind_display(), "key": target.key, "sha256": target.sha256}
            log.record(
                actor=decision.decider.principal,
                action="destruction.done",
                about=order,
                data={**data, "basis": order.basis},
                rows=[certificate, *rows],
            )
            _remove(target, certificate)
    except IntegrityError as refused:
        if getattr(refused.__cause__, "sqlstate", "") != HELD:
            raise
        return "kept_back"
    return "destroyed"


def order_has(order: DestructionOrder, target: Target) -> bool:
    """Whether this order's certificate for the thing is there already."""
    return Destruction.objects.filter(order_id=order.pk, kind=target.kind, key=target.key).exists()


def _commitment(target: Target) -> bytes | None:
    return erasure.commitment_of(row_of(target)) if target.kind == Destruction.Kind.ROW else None


def row_of(target: Target) -> AppendOnly:
    """The protected row a target names. Raises Refused when it is not there."""
    table, _, key = target.key.partition(":")
    model = next((one for one in erasure.erasable() if one._meta.db_table == table), None)
    row = model._default_manager.filter(pk=key).first() if model else None
    if row is None:
        raise Refused(f"There is no row {target.key}.")
    return row


# What each kind asks before it goes, under the transaction's locks: rows to record with it, None when it is not free.


def _blob(target: Target, order: DestructionOrder) -> Sequence[AppendOnly] | None:
    """Exhibits with these bytes get a custody event; a case that was reopened since keeps them."""
    items = list(EvidenceItem.objects.filter(sha256=target.key).select_related("case"))
    cases = Case.objects.select_for_update(no_key=True).filter(pk__in=[item.case_id for item in items]).order_by("pk")
    erasing = order.ground == DestructionOrder.Ground.ERASURE
    if not erasing and any(case.status != CaseStatus.CLOSED for case in cases):
        return None
    if not erasing and DossierVersion.objects.filter(snapshot_sha256=target.key).exists():
        return None
    return [_event(item, order) for item in items]


def _event(item: EvidenceItem, order: DestructionOrder) -> CustodyEvent:
    how = "bytes removed from the vault; the record, its digest and every proof stay"
    return custody.note(item, action=CustodyAction.DESTROYED, actor="system:destruction", why=order.basis, how=how)


def _nothing_more(target: Target, order: DestructionOrder) -> Sequence[AppendOnly]:
    return []


HANDLERS: dict[str, Callable[[Target, DestructionOrder], Sequence[AppendOnly] | None]] = {
    Destruction.Kind.BLOB: _blob,
    Destruction.Kind.TELEMETRY_FILE: _nothing_more,
    Destruction.Kind.PACKAGE: _nothing_more,
    Destruction.Kind.ROW: _nothing_more,
    Destruction.Kind.ACCOUNT: _nothing_more,
    Destruction.Kind.ATTRIBUTE: _nothing_more,
}


def _remove(target: Target, certificate: Destruction) -> None:
    """Take the thing away, last in its transaction. What is gone already is gone: the certificate stands."""
    match target.kind:
        case Destruction.Kind.BLOB:
            vault.remove(certificate)
        case Destruction.Kind.TELEMETRY_FILE:
            sources.remove_rows(TelemetryFile.objects.select_related("source").get(pk=target.key))
        case Destruction.Kind.PACKAGE:
            shutil.rmtree(folder_of(DossierVersion.objects.get(pk=target.key)), ignore_errors=True)
        case Destruction.Kind.ROW:
            erasure.erase(certificate)
        case Destruction.Kind.ACCOUNT:
            accounts.forget_account(Account.objects.get(pk=target.key))
        case Destruction.Kind.ATTRIBUTE:
            accounts.forget_attribute(Attribute.objects.get(pk=target.key))


def named_digests() -> set[str]:
    """Every digest that a column of any table names, columns found by their name: what is not in it is unreferenced."""
    found: set[str] = set()
    for model in apps.get_models():
        if model._meta.label_lower in SPEAK_OF_BYTES:
            continue
        for one in model._meta.concrete_fields:
            if "sha256" in one.name:
                found.update(model._default_manager.values_list(one.attname, flat=True).iterator(chunk_size=10_000))
    return found
