"""Verbs on dossiers: prepare, freeze, approve, seal, prove, record a download. A closed case may have dossiers too."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from cases import verifying
from cases.actions import base, disclosures
from cases.actions.custody import note
from cases.dossier import freeze as freezing
from cases.dossier.bag import BagPlan, Package
from cases.dossier.seal import demand_same
from cases.models import Case, DossierApproval, DossierProof, DossierSeal, DossierVersion, EvidenceItem
from cases.models.dossier import Edition
from cases.vocabulary import CustodyAction
from people.models import User
from spine import jobs, log, timestamps
from spine.canonical import timestamp
from spine.errors import Conflict, Refused
from spine.models import Job

FREEZE, RENDER = "dossier.freeze", "dossier.render"
Confirm = Callable[[], None]


def no_lease() -> None:
    """No lease to confirm: the caller is a command."""


@transaction.atomic
def prepare(
    case: Case, *, actor: User, edition: str, recipient: str = "", basis: str = "", as_of: datetime | None = None
) -> Job:
    """Ask for a dossier: a job freezes it and renders its draft.

    Side effects: a job. The same question again while it waits or runs is the same job. Raises Refused for an unknown
    edition, a recipient without a basis or the other way round, a time to come, and where the disclosure gate would not
    let it out to a registered recipient on a registered basis.
    """
    base.require(actor, "cases.write")
    asked = checked(edition=edition, recipient=recipient, basis=basis, as_of=as_of)
    demand_whole(case)
    disclosures.check_prepared(case, **asked)
    args = {"case": str(case.id), **asked, "as_of": timestamp(as_of) if as_of else ""}
    key = "\x1f".join([str(case.id), *asked.values(), str(args["as_of"])])
    return jobs.enqueue(FREEZE, actor=actor.principal, key=_short(key), args=args, scope=case.id)


def checked(*, edition: str, recipient: str, basis: str, as_of: datetime | None) -> dict[str, str]:
    """Edition, recipient and basis as they are stored. Raises Refused."""
    base.one_of(edition, Edition.values, field="edition", label="The edition")
    recipient = base.clean(recipient, field="recipient", label="The recipient", limit=200, required=False)
    basis = base.clean(basis, field="basis", label="The legal basis", limit=200, required=False)
    if bool(recipient) != bool(basis):
        field = "basis" if recipient else "recipient"
        raise Refused(
            f"A {field} is missing: a dossier for somebody needs both, an internal copy neither.", field=field
        )
    if as_of is not None and as_of > timezone.now():
        raise Refused("The time of the cut lies in the future.", field="as_of")
    return {"edition": edition, "recipient": recipient, "basis": basis}


def demand_whole(case: Case) -> None:
    """Raise Refused naming each exhibit of the case whose stored bytes failed their last comparison."""
    failed = [verifying.said(item, check) for item, check in verifying.failed_exhibits(case)]
    if failed:
        raise Refused("An exhibit no longer has the bytes it was hashed with: restore it first.", missing=failed)


def freeze(
    case: Case,
    *,
    actor: User,
    edition: str,
    recipient: str = "",
    basis: str = "",
    as_of: datetime | None = None,
    confirm: Confirm = no_lease,
) -> DossierVersion:
    """Find or freeze the version for this case, edition, recipient, basis and cut; its number is given once.

    Side effects of a new one: the snapshot in the vault; its row; one log entry; a job that renders the draft.
    `confirm` is called in the transaction that writes. Must not be called inside a transaction.
    """
    base.require(actor, "cases.write")
    asked = checked(edition=edition, recipient=recipient, basis=basis, as_of=as_of)
    demand_whole(case)
    disclosures.check_prepared(case, **asked)
    frozen = freezing.take_snapshot(case, **asked, as_of=as_of)
    if frozen.version is not None:
        return frozen.version
    with transaction.atomic():
        row = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
        known = freezing.find(row, **asked, cut=frozen.cut)
        confirm()
        if known is not None:
            return known
        numbers = DossierVersion.objects.filter(case=row, edition=edition)
        version = DossierVersion(
            case=row,
            **asked,
            number=numbers.count() + 1,
            cut_at=frozen.cut.at,
            log_size=frozen.cut.log_size,
            snapshot_sha256=frozen.snapshot_sha256,
            release=settings.VERSION,
            preparer=actor,
            frozen_at=timezone.now(),
        )
        _record(
            action="dossier.frozen",
            version=version,
            actor=actor.principal,
            rows=[version],
            snapshot=frozen.snapshot_sha256,
        )
        render(version, actor=actor.principal)
    return version


@transaction.atomic
def approve(version: DossierVersion, *, actor: User, snapshot_sha256: str, note: str = "") -> DossierApproval:
    """Approve a frozen snapshot by its hash, as somebody else than who prepared it.

    Side effects: the approval's row; one log entry; a job that renders and seals. Raises Refused to the preparer and
    for another hash, Conflict when it is approved already. The database refuses the preparer too.
    """
    base.require(actor, "cases.read", "dossiers.approve")
    row = Case.objects.select_for_update(no_key=True).get(pk=version.case_id)
    if actor.pk == version.preparer_id:
        raise Refused("Who prepared a dossier cannot approve it: a second person has to.")
    if snapshot_sha256 != version.snapshot_sha256:
        message = f"That is not this version's snapshot: its hash is {version.snapshot_sha256}."
        raise Refused(message, field="snapshot_sha256")
    standing = DossierApproval.objects.filter(version=version).select_related("approver").first()
    if standing is not None:
        raise Conflict(f"{row.ref} version {version.number} was approved by {standing.approver} already.")
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    approval = DossierApproval(
        version=version,
        preparer_id=version.preparer_id,
        approver=actor,
        snapshot_sha256=snapshot_sha256,
        note=note,
        at=timezone.now(),
    )
    _record(
        action="dossier.approved", version=version, actor=actor.principal, rows=[approval], snapshot=snapshot_sha256
    )
    render(version, actor=actor.principal)
    return approval


@transaction.atomic
def render(version: DossierVersion, *, actor: str) -> Job:
    """Ask for the package of a version, as it is by then: a draft, or approved and sealed. Side effects: a job."""
    approved = DossierApproval.objects.filter(version=version).exists()
    key = f"{version.id}:{'sealed' if approved else 'draft'}"
    args = {"version": str(version.id)}
    return jobs.enqueue(RENDER, actor=actor, key=key, args=args, scope=version.case_id)


@transaction.atomic
def seal(
    version: DossierVersion, plan: BagPlan, *, actor: str, chain: bytes | None = None, confirm: Confirm = no_lease
) -> DossierSeal:
    """Put the digests of an approved version's package in the log, once; afterwards, demand that they are the same.

    `chain` are the certificates of the time stamp that the package will carry, when it will carry one.

    Side effects the first time: the seal's row and one log entry. Raises Refused for a version nobody approved, and
    with both digests when the rendering is not the one that was sealed.
    """
    Case.objects.select_for_update(no_key=True).get(pk=version.case_id)
    approval = DossierApproval.objects.filter(version=version).first()
    if approval is None or approval.snapshot_sha256 != version.snapshot_sha256:
        raise Refused("A dossier is sealed after a second person has approved its snapshot.")
    standing = DossierSeal.objects.filter(version=version).first()
    if standing is not None:
        demand_same(standing, plan)
        return standing
    made = DossierSeal(
        version=version,
        snapshot_sha256=version.snapshot_sha256,
        manifest_sha256=plan.manifest_sha256,
        statement_sha256=plan.statement_sha256,
        chain_sha256=hashlib.sha256(chain).hexdigest() if chain is not None else None,
        at=timezone.now(),
    )
    confirm()
    rows = [made, *(timestamps.chain_rows(chain) if chain is not None else [])]
    _record(action="dossier.sealed", version=version, actor=actor, rows=rows, manifest=plan.manifest_sha256)
    return made


@transaction.atomic
def prove(
    seal_row: DossierSeal, *, proof: str, checkpoint: str, package: Package, actor: str, confirm: Confirm = no_lease
) -> DossierProof:
    """Keep the proof that stands in the package, and the package's digest beside it, once.

    Side effects the first time: the proof's row and one log entry. Returns the proof that stands, which is another one
    than given when somebody was faster.
    """
    version = seal_row.version
    Case.objects.select_for_update(no_key=True).get(pk=version.case_id)
    standing = DossierProof.objects.filter(seal=seal_row).first()
    if standing is not None:
        return standing
    made = DossierProof(
        seal=seal_row,
        checkpoint=checkpoint,
        proof=proof,
        package_sha256=package.sha256,
        package_size=package.size,
        at=timezone.now(),
    )
    confirm()
    _record(action="dossier.proved", version=version, actor=actor, rows=[made], package=package.sha256)
    return made


@transaction.atomic
def record_download(version: DossierVersion, *, actor: User, sha256: str) -> None:
    """Write down that somebody got this package, and each exhibit in it.

    Side effects: one log entry with the package's digest; an `exported` custody event for each exhibit.
    """
    base.require(actor, "cases.read")
    name = f"{version.bag_name} ({sha256[:12]}…)"
    exhibits = EvidenceItem.objects.filter(case=version.case, entry__sequence__index__lt=version.log_size)
    events = [
        note(
            exhibit,
            action=CustodyAction.EXPORTED,
            actor=actor,
            why=f"in the dossier package {name}",
            how="download of the package",
        )
        for exhibit in exhibits.order_by("number")
    ]
    _record(action="dossier.downloaded", version=version, actor=actor.principal, rows=events, package=sha256)


def _record(*, action: str, version: DossierVersion, actor: str, rows: list[Any], **details: str) -> None:
    data = {"ref": version.case.ref, "number": version.number, "edition": version.edition, **details}
    log.record(actor=actor, action=action, about=version, scope=version.case_id, data=data, rows=rows)
    base.touch(version.case)


def _short(key: str) -> str:
    """A job's key of any length as one that fits."""
    return hashlib.sha256(key.encode()).hexdigest()
