"""Verbs on uploads: begin one, add to it, complete it, give it up; and what the worker does with a complete one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from cases import access, incoming
from cases.actions import base, evidence
from cases.media import HEAD, media_type
from cases.models import Case, EvidenceItem, Upload, UploadPart
from cases.models.upload import UploadState
from people.models import User
from spine import jobs, vault
from spine.errors import Conflict, Refused
from spine.models import Job

TAKE_IN = "evidence.take_in"
MOST_OPEN = 20
HEX = set("0123456789abcdef")
OVER = (UploadState.DONE, UploadState.REFUSED, UploadState.ENDED)


class WrongOffset(Conflict):
    """The sender believes another number of bytes has arrived; `offset` is the right one."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset:,} bytes have arrived: go on from there.")
        self.offset = offset


@transaction.atomic
def start_upload(
    case: Case,
    *,
    actor: User,
    title: str,
    source: str,
    acquired_at: datetime,
    file_name: str,
    size: int,
    declared_type: str = "",
    authority: str = "",
    kind: str = "file",
    details: Mapping[str, str] | None = None,
    sha256: str = "",
    **taken: str,
) -> Upload:
    """Begin an upload of `size` bytes; everything but the bytes is checked now, so that nobody sends them in vain.

    Raises Refused as `add_evidence` does, for a size that is not taken in, and for a person's 21st upload at a time;
    Conflict naming the exhibit that has these bytes already, when their digest is given.
    """
    base.require(actor, "cases.write")
    given = evidence.checked(title, source, authority, kind, details or {}, acquired_at, **taken)
    if sha256 and (len(sha256) != 64 or not set(sha256) <= HEX):
        raise Refused("A SHA-256 is 64 lower-case hexadecimal digits.", field="sha256")
    evidence.demand_size(size, field="size")
    row = base.locked_case(case)
    evidence.demand_new(row, sha256)
    if Upload.objects.filter(owner=actor, state=UploadState.OPEN).count() >= MOST_OPEN:
        raise Refused(f"{MOST_OPEN} uploads are under way: complete or give up one of them first.")
    return Upload.objects.create(
        case=row,
        owner=actor,
        **given,
        acquired_at=acquired_at,
        file_name=evidence.safe_name(file_name),
        declared_type=declared_type[:200],
        sha256=sha256,
        size=size,
        expires_at=_expiry(),
    )


def append(upload: Upload, *, actor: User, body: incoming.Readable, offset: int, length: int, digest: str = "") -> int:
    """Add to an upload what a request brings and give how many bytes have arrived in all.

    Called outside a transaction: each stretch is on disk, then noted. Raises WrongOffset, incoming.Busy, Refused when
    more comes than was announced or the digest of this request's bytes differs, spine.errors.NoRoom.
    """
    base.require(actor, "cases.write")
    _demand_own(upload, actor)
    with incoming.locked(upload.id) as file:
        upload.refresh_from_db()
        _demand_open(upload)
        if offset != upload.offset:
            raise WrongOffset(upload.offset)
        if offset + length > upload.size:
            raise Refused(f"{upload.size:,} bytes were announced; this would make {offset + length:,}.")
        return incoming.append(
            file, body, offset=offset, length=length, digest=digest, keep=lambda part: _note(upload, part)
        )


@transaction.atomic
def complete_upload(upload: Upload, *, actor: User) -> Job:
    """Ask a worker to take the whole file in as an exhibit. The same again gives the same job.

    Raises Refused while bytes are missing, Conflict when it was given up.
    """
    base.require(actor, "cases.write")
    _demand_own(upload, actor)
    row = Upload.objects.select_for_update().get(pk=upload.pk)
    if row.job and row.state != UploadState.ENDED:
        return Job.objects.get(pk=row.job)
    _demand_open(row)
    if row.offset != row.size:
        raise Refused(f"{row.offset:,} of {row.size:,} bytes have arrived: send the rest first.")
    args = {"upload": str(row.id)}
    job = jobs.enqueue(TAKE_IN, actor=actor.principal, key=str(row.id), args=args, scope=row.case_id)
    row.state, row.job, row.expires_at = UploadState.TAKING_IN, job.id, _expiry()
    row.save(update_fields=["state", "job", "expires_at"])
    return job


@transaction.atomic
def end_upload(upload: Upload, *, actor: User) -> None:
    """Give an upload up: what arrived of it is removed. The same again does nothing.

    Raises Conflict when it is being taken in or was.
    """
    base.require(actor, "cases.write")
    _demand_own(upload, actor)
    row = Upload.objects.select_for_update().get(pk=upload.pk)
    if row.state in {UploadState.TAKING_IN, UploadState.DONE}:
        raise Conflict(f"It is {UploadState(row.state).label} already.")
    _end(row)


def take_in(job: jobs.Running) -> dict[str, Any]:
    """The worker's part: read the file once, compare, store, and enter it as the case's next exhibit.

    Safe to run twice and to be killed anywhere. A refusal (the same bytes again, other bytes than announced) is told on
    the upload and in the job's result: the work was done, the answer is no.
    """
    upload = Upload.objects.select_related("case", "owner").get(pk=job.args["upload"])
    if upload.state in OVER:
        return _outcome(upload)
    try:
        base.require(upload.owner, "cases.write")
        access.case_for(upload.owner, upload.case.ref, write=True)
        _enter(upload, job)
    except (Refused, PermissionDenied, Http404) as refusal:
        message = refusal.message if isinstance(refusal, Refused) else "The case is no longer open to who sent it."
        Upload.objects.filter(pk=upload.pk).update(state=UploadState.REFUSED, problem=message)
    incoming.remove(upload.id)
    upload.refresh_from_db()
    return _outcome(upload)


def sweep_uploads() -> int:
    """End uploads nobody went on with in time and remove files without an upload; returns how many were ended."""
    now, ended = timezone.now(), 0
    late = Upload.objects.filter(state=UploadState.OPEN, expires_at__lt=now).values_list("id", flat=True)
    for upload_id in list(late):
        with transaction.atomic():
            row = Upload.objects.select_for_update(skip_locked=True).filter(pk=upload_id, expires_at__lt=now).first()
            if row is not None and row.state == UploadState.OPEN:
                _end(row, "Nobody went on with it in time.")
                ended += 1
    kept = (now - _age()).timestamp()
    for upload_id, written in incoming.left_over():
        going = Upload.objects.filter(pk=upload_id).exclude(state__in=OVER)
        if not going.exists() and (written < kept or Upload.objects.filter(pk=upload_id).exists()):
            incoming.remove(upload_id)
    return ended


def _enter(upload: Upload, job: jobs.Running) -> None:
    parts = [incoming.Part(part.offset, part.size, part.sha256) for part in upload.parts.order_by("offset")]
    with incoming.locked(upload.id, wait=True) as file:
        blob = incoming.digest(file, parts, lambda done: job.progress(done, upload.size, "comparing what arrived"))
        if blob.size != upload.size or (upload.sha256 and blob.sha256 != upload.sha256):
            raise Refused(f"The file is not the one announced: it has the SHA-256 {blob.sha256}, {blob.size:,} bytes.")
        evidence.demand_new(upload.case, blob.sha256)
        file.seek(0)
        found = media_type(file.read(HEAD), upload.declared_type)
        vault.put_file(incoming.path_of(upload.id), blob)
    item = EvidenceItem(
        case=upload.case,
        title=upload.title,
        source=upload.source,
        file_name=upload.file_name,
        media_type=found,
        size=blob.size,
        sha256=blob.sha256,
        acquired_at=upload.acquired_at,
        added_by=upload.owner,
        kind=upload.kind,
        details=upload.details or None,
    )
    how = f"uploaded in {len(parts)} part{'s' if len(parts) != 1 else ''}, each digest compared again when complete"
    with transaction.atomic():
        job.confirm()
        taken = {name: getattr(upload, name) for name in evidence.TAKEN}
        entered = evidence.enter(item, actor=upload.owner, authority=upload.authority, how=how, taken=taken)
        Upload.objects.filter(pk=upload.pk).update(state=UploadState.DONE, item=entered)
        UploadPart.objects.filter(upload=upload).delete()


def _outcome(upload: Upload) -> dict[str, Any]:
    number = upload.item.number if upload.item else None
    return {"upload": str(upload.id), "state": upload.state, "number": number, "problem": upload.problem}


@transaction.atomic
def _note(upload: Upload, part: incoming.Part) -> None:
    """Note a stretch that is on disk; only while the row still stands where this writer began."""
    moved = Upload.objects.filter(pk=upload.pk, state=UploadState.OPEN, offset=part.offset).update(
        offset=part.offset + part.size, expires_at=_expiry()
    )
    if not moved:
        raise Conflict("This upload was ended or sent by another request meanwhile.")
    UploadPart.objects.create(upload=upload, offset=part.offset, size=part.size, sha256=part.sha256)


def _end(row: Upload, problem: str = "") -> None:
    row.state, row.problem = UploadState.ENDED, problem
    row.save(update_fields=["state", "problem"])
    row.parts.all().delete()
    transaction.on_commit(lambda: incoming.remove(UUID(str(row.id))))


def _demand_own(upload: Upload, actor: User) -> None:
    if upload.owner_id != actor.pk:
        raise PermissionDenied("An upload is gone on with by who began it.")


def _demand_open(upload: Upload) -> None:
    if upload.state != UploadState.OPEN:
        raise Conflict(f"This upload is {UploadState(upload.state).label} already.")


def _expiry() -> datetime:
    return timezone.now() + _age()


def _age() -> timedelta:
    return timedelta(hours=settings.UPLOAD_HOURS)
