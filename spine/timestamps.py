"""RFC 3161 tokens over checkpoints: asked for on a schedule, checked against pinned roots, kept as rows.

A token says that the checkpoint existed at the authority's time. One whose time lies outside [the token before it, now
+ 5 minutes], or before it was asked for, is kept as quarantined and counts for nothing: a clock is wrong somewhere.
"""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from spine import canonical, conditions, log, web
from spine.errors import Refused
from spine.models import Checkpoint, LogEntry, TimeStamp, TimeStampChain, TimeStampDue
from spine.principal import acting_as

LOCK = 0x74737461  # "tsta"
TOLERANCE = timedelta(minutes=5)
LARGEST = 64 * 1024
CONDITION = "log.timestamp"
ACTIONS = ("log.stamped", "log.stamp_quarantined")
MOST_AT_ONCE = 50


class NotStamped(Refused):
    """Why there is no token that counts; it is tried again."""


def is_configured() -> bool:
    """Whether an administrator named an authority."""
    return bool(settings.TSA_URL)


def chain() -> bytes:
    """The certificates of the pinned file, normalised PEM, by which tokens are checked. Raises Refused."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in _certificates(Path(settings.TSA_CA_FILE).read_bytes()))


@acting_as("system:timestamp")
def stamp_due() -> int:
    """Stamp what is due, in the order of the log: the newest checkpoint and those that failed before it.

    Returns how many tokens that count came of it. What fails stays due, and a condition says why.
    """
    if not is_configured():
        conditions.settle(CONDITION)
        return 0
    _note_due()
    stamped = 0
    for size in list(TimeStampDue.objects.order_by("size").values_list("size", flat=True)[:MOST_AT_ONCE]):
        try:
            stamp(Checkpoint.objects.get(size=size), actor="system:timestamp")
        except Refused as refused:
            TimeStampDue.objects.filter(size=size).update(attempts=F("attempts") + 1, error=refused.message[:1000])
            waiting = TimeStampDue.objects.count()
            conditions.tell(CONDITION, f"{refused.message} {waiting} checkpoints wait for a time stamp.")
            return stamped
        stamped += 1
    conditions.settle(CONDITION)
    return stamped


def stamp(checkpoint: Checkpoint, *, actor: str, pinned: bytes | None = None) -> TimeStamp:
    """Get a token over a checkpoint's note; the one that there is already when there is one.

    `pinned` are other certificates than those of the present settings.

    Side effects: a request to the authority; a row and a log entry with the token, quarantined or not. Raises
    NotStamped when the authority does not answer, answers something else, or its token is quarantined.
    """
    pinned = pinned or chain()
    known = token_of(checkpoint.note, pinned)
    if known is not None:
        TimeStampDue.objects.filter(size=checkpoint.size).delete()
        return known
    note = checkpoint.note.encode()
    asked_at = timezone.now()
    request = TimestampRequestBuilder().data(note).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True).build()
    try:
        answer = web.post(settings.TSA_URL, request.as_bytes(), kind="application/timestamp-query", largest=LARGEST)
    except web.NoAnswer as error:
        raise NotStamped(f"The time-stamp authority gives no answer: {error}.") from None
    response = _checked(answer, note, request.nonce, pinned)
    row = _keep(checkpoint, answer, response, pinned, asked_at, actor=actor)
    if row.quarantine:
        raise NotStamped(f"The time-stamp authority's token is quarantined: {row.quarantine}.")
    return row


def token_of(note: str, pem: bytes | None = None) -> TimeStamp | None:
    """The first token over this very note that counts, by these certificates if given."""
    found = TimeStamp.objects.filter(checkpoint_sha256=hashlib.sha256(note.encode()).hexdigest(), quarantine=None)
    if pem is not None:
        found = found.filter(chain_sha256=hashlib.sha256(pem).hexdigest())
    return found.order_by("received_at", "id").first()


def chain_rows(pem: bytes) -> list[TimeStampChain]:
    """The row that keeps these certificates, to be recorded; none when the log has it. Locks until the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    digest = hashlib.sha256(pem).hexdigest()
    if TimeStampChain.objects.filter(sha256=digest).exists():
        return []
    return [TimeStampChain(sha256=digest, pem=pem.decode())]


def covering(index: int, chain_sha256: str) -> TimeStamp | None:
    """The token of the earliest stamped checkpoint that covers the entry at `index`, by certificates of this digest."""
    found = TimeStamp.objects.filter(size__gt=index, quarantine=None, chain_sha256=chain_sha256)
    return found.order_by("size", "received_at", "id").first()


def verify(token: bytes, note: bytes, nonce: int | None, pem: bytes) -> TimeStampResponse:
    """A response's signature by the pinned roots, its imprint and its nonce. Raises NotStamped."""
    try:
        response = decode_timestamp_response(token)
    except ValueError:
        raise NotStamped("The answer is no RFC 3161 time-stamp response.") from None
    if response.status != 0:
        text = "; ".join(response.status_string)[:200]
        raise NotStamped(f"The authority did not grant a token (status {response.status}: {text}).")
    builder = VerifierBuilder()
    for one in _certificates(pem):
        is_root = one.issuer == one.subject
        builder = builder.add_root_certificate(one) if is_root else builder.add_intermediate_certificate(one)
    if nonce is not None:
        builder = builder.nonce(nonce)
    if response.tst_info.message_imprint.message != hashlib.sha256(note).digest():
        raise NotStamped("The token is about something else than the checkpoint.")
    try:
        builder.build().verify_message(response, note)
    except (VerificationError, ValueError) as error:
        raise NotStamped(f"The token does not verify against the pinned certificates: {error}.") from None
    return response


def _note_due() -> None:
    """The newest checkpoint is due, unless it is stamped or nothing but stamping has happened since the last token."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None or token_of(newest.note) is not None:
        return
    last = TimeStamp.objects.filter(quarantine=None).order_by("-size").values_list("size", flat=True).first() or 0
    fresh = LogEntry.objects.filter(sequence__index__gte=last, sequence__index__lt=newest.size)
    if fresh.exclude(action__in=ACTIONS).exists():
        due = TimeStampDue(size=newest.size, since=timezone.now())
        TimeStampDue.objects.bulk_create([due], ignore_conflicts=True)


def _checked(answer: bytes, note: bytes, nonce: int | None, pem: bytes) -> TimeStampResponse:
    if nonce is None:
        raise NotStamped("The request carried no nonce.")
    return verify(answer, note, nonce, pem)


@transaction.atomic
def _keep(
    checkpoint: Checkpoint, answer: bytes, response: TimeStampResponse, pem: bytes, asked_at: datetime, *, actor: str
) -> TimeStamp:
    new_chain = chain_rows(pem)
    known = token_of(checkpoint.note, pem)
    if known is not None:
        return known
    stated, now = response.tst_info.gen_time, timezone.now()
    before = TimeStamp.objects.filter(quarantine=None).order_by("-stated_at").first()
    row = TimeStamp(
        size=checkpoint.size,
        checkpoint_sha256=hashlib.sha256(checkpoint.note.encode()).hexdigest(),
        response=answer,  # the bytes as they came
        stated_at=stated,
        received_at=now,
        serial=format(response.tst_info.serial_number, "x"),
        nonce=format(response.tst_info.nonce, "x"),
        chain_sha256=hashlib.sha256(pem).hexdigest(),
        quarantine=_fault(stated, asked_at, now, before.stated_at if before else None),
    )
    rows = [*new_chain, row]
    details = {"size": row.size, "stated": canonical.timestamp(stated), "why": row.quarantine or ""}
    if row.quarantine:
        log.record(actor=actor, action="log.stamp_quarantined", data=details, rows=rows)
    else:
        log.record(actor=actor, action="log.stamped", data=details, rows=rows)
        TimeStampDue.objects.filter(size=row.size).delete()
    return row


def _fault(stated: datetime, asked_at: datetime, now: datetime, before: datetime | None) -> str | None:
    """Why a token of this time counts for nothing; None when it counts."""
    shown = canonical.timestamp(stated)
    if stated > now + TOLERANCE:
        return f"it states {shown}, which is later than our clock by more than five minutes"
    if before is not None and stated < before:
        return f"it states {shown}, which is earlier than the token before it ({canonical.timestamp(before)})"
    if stated < asked_at - TOLERANCE:
        return f"it states {shown}, more than five minutes before it was asked for"
    return None


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise NotStamped("The file of pinned certificates holds no certificate in PEM form.") from None
