"""What an erasure would take: an account's identifiers and what speaks of it, or one record's words and its copies."""

from uuid import UUID

from django.db.models import Model

from cases.destruction import Preview, Target, preview
from cases.dossier.build import folder_of
from cases.models import (
    AlternativeAnswer,
    ArchiveListing,
    Citation,
    CustodyEvent,
    DossierVersion,
    EvidenceItem,
    Judgement,
    TimelineNote,
)
from cases.retention import SYSTEM
from detection import erasure as accounts
from detection.models import Account
from spine import vault
from spine.erasure import key_of
from spine.errors import Refused
from spine.models import AppendOnly, Destruction
from spine.principal import acting_as

# Records of a case whose words can be erased one by one, by the word the page and the API use.
RECORDS: dict[str, type[AppendOnly]] = {
    "exhibit": EvidenceItem,
    "custody": CustodyEvent,
    "timeline": TimelineNote,
    "judgement": Judgement,
    "citation": Citation,
    "answer": AlternativeAnswer,
}
KINDS = ("account", *RECORDS)


def subject_of(kind: str, key: UUID) -> Model:
    """The account or record an erasure is about. Raises Refused when there is none, or nothing of it is left."""
    model: type[Model] | None = Account if kind == "account" else RECORDS.get(kind)
    if model is None:
        raise Refused(f"No such kind: accepted are {', '.join(KINDS)}.", field="kind")
    found = model._default_manager.filter(pk=key).first()
    if found is None:
        raise Refused("There is no such record.", field="key")
    if isinstance(found, AppendOnly) and found.salt is None:
        raise Refused("Its words are erased already.", field="key")
    if isinstance(found, Account) and found.provider_id.startswith("erased-"):
        raise Refused("This account is erased already.", field="key")
    return found


def preview_of(subject: Model) -> Preview:
    """What would go and what holds keep back. Read as the system, so that nothing of the subject is left by chance."""
    with acting_as(SYSTEM):
        return preview(_account(subject) if isinstance(subject, Account) else _record(subject))


def _account(account: Account) -> list[Target]:
    values = [Target(Destruction.Kind.ATTRIBUTE, str(one.pk)) for one in accounts.own_attributes(account)]
    rows = [Target(Destruction.Kind.ROW, key_of(row)) for row in accounts.rows_about(account)]
    return [*rows, *values, Target(Destruction.Kind.ACCOUNT, str(account.pk))]


def _record(record: Model) -> list[Target]:
    """The record, what repeats its words, and the copies of both: snapshots and packages of its case."""
    rows: list[AppendOnly] = [record] if isinstance(record, AppendOnly) else []
    blobs: list[Target] = []
    if isinstance(record, EvidenceItem):
        rows += list(CustodyEvent.objects.filter(item=record, salt__isnull=False).order_by("at", "pk"))
        rows += list(ArchiveListing.objects.filter(item=record, salt__isnull=False).order_by("at", "pk"))
        shared = EvidenceItem.objects.filter(sha256=record.sha256).exclude(pk=record.pk).exists()
        if not shared and vault.has(record.sha256):
            blobs = [Target(Destruction.Kind.BLOB, record.sha256, record.sha256, record.size)]
    if isinstance(record, TimelineNote):
        rows += _earlier(record)
    return [*(Target(Destruction.Kind.ROW, key_of(row)) for row in rows), *blobs, *_copies(case_of(record))]


def _earlier(note: TimelineNote) -> list[AppendOnly]:
    """What the entry corrected, back to the first."""
    found: list[AppendOnly] = []
    before = note.supersedes
    while before is not None:
        if before.salt is not None:
            found.append(before)
        before = before.supersedes
    return found


def case_of(record: Model) -> UUID:
    """The case a record belongs to."""
    if isinstance(record, CustodyEvent):
        return record.item.case_id
    if isinstance(record, Citation):
        return record.judgement.case_id
    found: UUID = record.case_id  # type: ignore[attr-defined]
    return found


def _copies(case_id: UUID) -> list[Target]:
    """Snapshots and rendered packages of the case: the words stand in them too."""
    found: list[Target] = []
    for version in DossierVersion.objects.filter(case=case_id).order_by("frozen_at", "pk"):
        if vault.has(version.snapshot_sha256):
            size = sum(len(piece) for piece in vault.pieces(version.snapshot_sha256))
            found.append(Target(Destruction.Kind.BLOB, version.snapshot_sha256, version.snapshot_sha256, size))
        if folder_of(version).is_dir():
            found.append(Target(Destruction.Kind.PACKAGE, str(version.pk)))
    return list(dict.fromkeys(found))
