"""Verbs on exhibits: add one, and give its content out."""

import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from cases import archives
from cases.actions import base, listings
from cases.actions.custody import note
from cases.kinds import ADDABLE, DERIVABLE, Derivation, EvidenceKind, needs
from cases.media import HEAD, media_type
from cases.models import Case, CustodyEvent, EvidenceItem
from cases.vocabulary import CustodyAction
from people.models import User
from spine import log, vault
from spine.errors import Conflict, Refused

CHUNK = 1024 * 1024
AS_STATED = "as stated by who added it"
# How an exhibit was acquired, where somebody states it: what it is called in a refusal, and its longest.
TAKEN = {
    "clock": ("The clock", 60),
    "method": ("The method", 300),
    "tool": ("The tool", 100),
    "tool_version": ("Its version", 100),
}
CLOCKS_APART = timedelta(minutes=5)
# Characters that change how a name reads or where it leads: control, path separators, direction marks.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def add_evidence(
    case: Case,
    *,
    actor: User,
    title: str,
    source: str,
    acquired_at: datetime,
    file: IO[bytes],
    file_name: str,
    declared_type: str = "",
    authority: str = "",
    kind: str = "file",
    details: Mapping[str, str] | None = None,
    **taken: str,
) -> EvidenceItem:
    """Take a file in as the case's next exhibit; it is streamed, hashed as it arrives, and never changed.

    `taken` is how it was acquired, as far as anybody states it: `clock`, `method`, `tool`, `tool_version`.

    Side effects: the bytes in the vault, under their digest; the exhibit; the custody events acquired, received and
    hashed; one log entry. Raises Conflict naming the exhibit that has these bytes already, Refused for a file that is
    empty or too large, or when something is missing that its kind needs (`cases.kinds`).
    """
    base.require(actor, "cases.write")
    given = checked(title, source, authority, kind, details or {}, acquired_at, **taken)
    head = file.read(HEAD)
    if not head:
        raise Refused("The file is empty.", field="file")
    blob = vault.put(_capped(head, file))
    item = EvidenceItem(
        case=case,
        title=given["title"],
        source=given["source"],
        file_name=safe_name(file_name),
        media_type=media_type(head, declared_type),
        size=blob.size,
        sha256=blob.sha256,
        acquired_at=acquired_at,
        added_by=actor,
        kind=given["kind"],
        details=given["details"] or None,
    )
    return enter(item, actor=actor, authority=given["authority"], taken={name: given[name] for name in TAKEN})


@transaction.atomic
def enter(
    item: EvidenceItem,
    *,
    actor: User,
    authority: str,
    how: str = "uploaded and streamed into the vault",
    taken: Mapping[str, str] | None = None,
    more: Sequence[CustodyEvent] = (),
) -> EvidenceItem:
    """Write an exhibit whose bytes are in the vault as its case's next, with its first custody events and `more`.

    Raises Conflict naming the exhibit that has these bytes already.
    """
    row = base.locked_case(item.case)
    demand_new(row, item.sha256)
    item.case = row
    item.number = next_number(row)
    purpose = authority or f"evidence in {row.ref}"
    events = custody_of_new(item, actor=actor, why=purpose, how=how, taken=taken)
    data = {"ref": row.ref, "number": item.number, "sha256": item.sha256, "size": item.size, "type": item.media_type}
    data["kind"] = item.kind_or_file
    rows = [item, *events, *more]
    log.record(actor=actor.principal, action="evidence.added", about=item, scope=row.id, data=data, rows=rows)
    if archives.is_archive(item.media_type):
        listings.enqueue(item, actor=actor.principal)
    base.touch(row)
    return item


@transaction.atomic
def record_view(
    item: EvidenceItem, *, actor: User, purpose: str = "", within: timedelta = timedelta(0)
) -> CustodyEvent:
    """Note that somebody is shown an exhibit's content; call it before the first byte leaves.

    Each time is an event of its own; but where this person was shown it for this purpose less than `within` ago, that
    event stands for this time too, so that a page that is loaded again while one works on it is one view. Loads at the
    same moment may be an event each. Side effects: the custody event viewed; one log entry. Raises vault.Missing when
    the bytes are not there to be shown.
    """
    told = _given(item, actor, purpose, CustodyAction.VIEWED, "shown as text by Retort")
    event: CustodyEvent = told["rows"][0]
    same = item.custody.filter(action=event.action, recorded_by=actor, why=event.why, how=event.how)
    recent = same.filter(at__gt=event.at - within).order_by("-at").first() if within else None
    if recent is not None:
        return recent
    log.record(actor=actor.principal, action="evidence.viewed", **told)
    return event


@transaction.atomic
def record_copy(item: EvidenceItem, *, actor: User, purpose: str = "") -> CustodyEvent:
    """Note that somebody is given a copy of an exhibit, by the same rules; the custody event is copied."""
    told = _given(item, actor, purpose, CustodyAction.COPIED, "downloaded through Retort")
    log.record(actor=actor.principal, action="evidence.copied", **told)
    event: CustodyEvent = told["rows"][0]
    return event


def _given(item: EvidenceItem, actor: User, purpose: str, action: CustodyAction, how: str) -> dict[str, Any]:
    """What the log is told when content is given to somebody who may have it."""
    base.require(actor, "cases.read")
    purpose = base.clean(purpose, field="purpose", label="The purpose", limit=300, required=False)
    vault.open_blob(item.sha256).close()
    why = purpose or f"work on {item.case.ref}"
    event = note(item, action=action, actor=actor, why=why, how=how)
    data = {"ref": item.case.ref, "number": item.number, "sha256": item.sha256}
    return {"about": item, "scope": item.case_id, "data": data, "rows": [event]}


def demand_new(case: Case, sha256: str) -> None:
    """Raise Conflict naming the exhibit of the case that has these bytes already."""
    same = case.evidence.select_related("entry").filter(sha256=sha256).first() if sha256 else None
    if same is not None:
        entry = same.entry
        raise Conflict(
            f"These bytes are {same.exhibit} already: {same.title}, "
            f"added by {base.name_of(entry.actor)} on {entry.at:%d %b %Y %H:%M} UTC."
        )


def next_number(case: Case) -> int:
    """The number of a locked case's next exhibit."""
    return (case.evidence.aggregate(last=Max("number"))["last"] or 0) + 1


def demand_size(size: int, *, field: str) -> None:
    """Raise Refused for a size that is not taken in."""
    limit = settings.MAX_EVIDENCE_BYTES
    if size < 1:
        raise Refused("The file is empty.", field=field)
    if size > limit:
        raise Refused(f"The file is larger than {limit:,} bytes, the most that is taken in.", field=field)


def checked(
    title: str,
    source: str,
    authority: str,
    kind: str,
    details: Mapping[str, str],
    acquired_at: datetime,
    **taken: str,
) -> dict[str, Any]:
    """What is said about an exhibit, as it is stored. Raises Refused naming the field, TypeError for another one."""
    if not set(taken) <= set(TAKEN):
        raise TypeError(f"of how it was acquired, {', '.join(TAKEN)} can be stated")
    found = {
        "title": base.clean(title, field="title", label="The title", limit=200),
        "source": base.clean(source, field="source", label="Where it comes from", limit=300),
        "authority": base.clean(authority, field="authority", label="The authority", limit=300, required=False),
        "kind": kind,
        "details": checked_details(kind, details),
    }
    for name, (label, limit) in TAKEN.items():
        found[name] = base.clean(taken.get(name, ""), field=name, label=label, limit=limit, required=False)
    if found["tool_version"] and not found["tool"]:
        raise Refused("A version is stated of no tool.", field="tool")
    _check_time(acquired_at)
    return found


def derive(
    original: EvidenceItem,
    *,
    actor: User,
    derivation: str,
    title: str,
    file: IO[bytes],
    file_name: str,
    tool: str,
    method: str,
    reason: str,
    tool_version: str = "",
    declared_type: str = "",
) -> EvidenceItem:
    """Take in what was made from an exhibit outside Retort: an extract, a translation, a transcript …

    It is the case's next exhibit, with a hash of its own and the original named. A redaction is made by Retort alone
    (`cases.actions.redactions`). Side effects as of `add_evidence`, and the custody event analysed of the original.
    Raises Refused, Conflict as that does.
    """
    base.require(actor, "cases.write")
    base.one_of(derivation, DERIVABLE, field="derivation", label="The kind of derivative")
    said = {
        "title": base.clean(title, field="title", label="The title", limit=200),
        "tool": base.clean(tool, field="tool", label="The tool", limit=100),
        "method": base.clean(method, field="method", label="The method", limit=500),
        "reason": base.clean(reason, field="reason", label="The reason", limit=500),
    }
    version = base.clean(tool_version, field="tool_version", label="Its version", limit=100, required=False)
    head = file.read(HEAD)
    if not head:
        raise Refused("The file is empty.", field="file")
    blob = vault.put(_capped(head, file))
    item = EvidenceItem(
        case=original.case,
        **said,
        source=f"made from {original.exhibit}",
        file_name=safe_name(file_name),
        media_type=media_type(head, declared_type),
        size=blob.size,
        sha256=blob.sha256,
        acquired_at=timezone.now(),
        added_by=actor,
        kind=EvidenceKind.DERIVATIVE.value,
        derived_from=original,
        derivation=derivation,
        tool_version=version or None,
    )
    why = f"{Derivation(derivation).label}: {said['reason']}"
    used = note(original, action=CustodyAction.ANALYSED, actor=actor, why=why, how=said["method"], tool=said["tool"])
    return enter(item, actor=actor, authority=why[:300], how=f"made from {original.exhibit}", more=[used])


def custody_of_new(
    item: EvidenceItem, *, actor: User, why: str, how: str, taken: Mapping[str, str] | None = None
) -> list[CustodyEvent]:
    """The first events of an exhibit's custody: acquired as stated (`taken`), received and hashed by our clock."""
    stated = taken or {}
    return [
        note(
            item,
            action=CustodyAction.ACQUIRED,
            actor=actor,
            why=why,
            where=item.source,
            at=item.acquired_at,
            clock=stated.get("clock") or AS_STATED,
            how=stated.get("method") or AS_STATED,
            tool=stated.get("tool") or None,
            tool_version=stated.get("tool_version") or None,
        ),
        note(item, action=CustodyAction.RECEIVED, actor=actor, why=why, how=how),
        note(item, action=CustodyAction.HASHED, actor=actor, why=why, how=_hashing()),
    ]


def safe_name(name: str) -> str:
    """The last part of a file's name without characters that mislead; never empty, at most 255 characters."""
    last = PureWindowsPath(PurePosixPath(name.replace("\x00", "")).name).name
    kept = _UNSAFE.sub("_", last).strip(" .")
    if len(kept) > 255:
        stem, suffix = PurePosixPath(kept).stem, PurePosixPath(kept).suffix[:20]
        kept = stem[: 255 - len(suffix)] + suffix
    return kept or "unnamed"


def checked_details(kind: str, details: Mapping[str, str]) -> dict[str, str]:
    """What the kind needs, cleaned. Raises Refused naming the first thing that is missing, unknown or too long."""
    base.one_of(kind, ADDABLE, field="kind", label="The kind")
    asked = needs(kind)
    unknown = sorted(details.keys() - {need.name for need in asked})
    if unknown:
        raise Refused(f"A {EvidenceKind(kind).label} has no detail {unknown[0]!r}.", field="details")
    return {
        need.name: base.clean(details.get(need.name, ""), field=need.name, label=need.label, limit=300)
        for need in asked
    }


def _check_time(acquired_at: datetime) -> None:
    if acquired_at.tzinfo is None:
        raise Refused("The time of acquisition needs a time zone.", field="acquired_at")
    if acquired_at > timezone.now() + CLOCKS_APART:
        raise Refused("The time of acquisition lies in the future.", field="acquired_at")


def _capped(head: bytes, file: IO[bytes]) -> Iterator[bytes]:
    size, chunk = 0, head
    while chunk:
        size += len(chunk)
        demand_size(size, field="file")
        yield chunk
        chunk = file.read(CHUNK)


def _hashing() -> str:
    return f"SHA-256 over the bytes as they arrived; Retort {settings.VERSION}, Python {platform.python_version()}"
