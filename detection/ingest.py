"""Findings in: read, classified by (detector, uid, version), and stored with their accounts and log entry in batches.

Every door comes through `store`: the API, the command, and the built-in detectors.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import rfc8785
from django.db import transaction
from django.utils import timezone

from detection import index, ocsf, registry
from detection.finding_schema import NativeFinding, Problem, SeenAccount, SeenAttribute, Span, check
from detection.index import ensure_accounts
from detection.models import Detector, DetectorVersion, Finding, FindingAccount, Sighting
from detection.registry import version_of
from detection.streams import BrokenStream, Line, Unreadable
from spine import log, strict_json

__all__ = ["Counts", "Rejection", "ensure_accounts", "store", "validate", "version_of"]

# What documents are: native findings, OCSF, or each what it says of itself.
Form = Literal["native", "ocsf", "either"]
KEPT_ERRORS = 100
BATCH = 1000
BATCH_BYTES = 4 * 1024 * 1024
CONFLICT = "a finding with this uid and version was received before with other content; send a higher version"


@dataclass(frozen=True)
class Rejection:
    """Why a line was not kept; lines count from 1, blank ones do not count."""

    line: int
    pointer: str
    detail: str


@dataclass
class Counts:
    """What became of lines: received = created + duplicate + superseded + rejected; errors are the first hundred."""

    received: int = 0
    created: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0
    errors: list[Rejection] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Take in what another count has."""
        for name in ("received", "created", "duplicate", "superseded", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors += other.errors[: KEPT_ERRORS - len(self.errors)]

    def reject(self, line: int, problems: Sequence[Problem]) -> None:
        """One line is not kept."""
        self.rejected += 1
        room = KEPT_ERRORS - len(self.errors)
        self.errors += [Rejection(line, problem.pointer, problem.detail) for problem in problems[:room]]


@dataclass(frozen=True)
class _Read:
    """A finding that was read and found acceptable, with its received bytes and the digest of its content."""

    line: int
    raw: bytes
    finding: NativeFinding
    content_sha256: str
    uid_at: str = "/uid"


def store(
    documents: Iterable[Line | Mapping[str, Any]],
    *,
    actor: str,
    detector: str,
    namespace: str = "default",
    batch: int = BATCH,
    counts: Counts | None = None,
    form: Form = "native",
) -> Counts:
    """Store findings of one detector; what is counted is committed. Documents are JSON bytes or mappings.

    Side effects, a transaction for each `batch` (or 4 MiB): new findings with accounts, attributes and sightings, the
    detector and its versions where they are new, one log entry over the new findings. The same content again adds
    nothing. A stream that breaks is a last line that is not kept. `counts` is brought up to date with each batch, so
    that a caller knows what is kept when the database goes away in the middle.
    """
    counts = counts if counts is not None else Counts()
    for numbered in _batches(_numbered(documents), batch):
        counts.add(_store_batch(numbered, actor, detector, namespace, form))
    return counts


def validate(documents: Iterable[Line | Mapping[str, Any]], *, detector: str, form: Form = "native") -> Counts:
    """What `store` would reject by a finding's own content; touches no database. Acceptable ones count as created."""
    counts = Counts()
    for line, document in _numbered(documents):
        counts.received += 1
        outcome = _read(line, document, detector, form)
        if isinstance(outcome, _Read):
            counts.created += 1
        else:
            counts.reject(line, outcome)
    return counts


def _numbered(documents: Iterable[Line | Mapping[str, Any]]) -> Iterator[tuple[int, Line]]:
    line = 0
    try:
        for line, document in enumerate(documents, 1):
            yield line, rfc8785.dumps(dict(document)) if isinstance(document, Mapping) else document
    except BrokenStream as broken:
        yield line + 1, Unreadable(f"{broken}; nothing from here on was read")


def _batches(numbered: Iterable[tuple[int, Line]], most: int) -> Iterator[list[tuple[int, Line]]]:
    held: list[tuple[int, Line]] = []
    size = 0
    for line, document in numbered:
        held.append((line, document))
        size += len(document) if isinstance(document, bytes) else 0
        if len(held) >= most or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _read(line: int, document: Line, detector: str, form: Form) -> _Read | list[Problem]:
    if isinstance(document, Unreadable):
        return [Problem("", document.reason)]
    try:
        value = strict_json.loads(document)
    except strict_json.NotAccepted as refused:
        return [Problem(refused.pointer, refused.reason)]
    foreign = form == "ocsf" or (form == "either" and ocsf.is_detection_finding(value))
    finding = (ocsf.check_ocsf if foreign else check)(value, detector=detector)
    if isinstance(finding, list):
        return finding
    content = hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    return _Read(line, document, finding, content, ocsf.UID_AT if foreign else "/uid")


def _store_batch(numbered: Sequence[tuple[int, Line]], actor: str, detector: str, namespace: str, form: Form) -> Counts:
    counts = Counts(received=len(numbered))
    read = []
    for line, document in numbered:
        outcome = _read(line, document, detector, form)
        if isinstance(outcome, _Read):
            read.append(outcome)
        else:
            counts.reject(line, outcome)
    if read:
        with transaction.atomic():
            registry.hold(detector)  # others that send for this detector wait: what is known cannot change under us
            owner = registry.registered(detector, actor=actor)
            fresh = _classify(owner, read, counts)
            if fresh:
                _write(owner, fresh, actor, namespace)
    counts.errors.sort(key=lambda rejection: rejection.line)
    return counts


def _classify(owner: Detector, read: Sequence[_Read], counts: Counts) -> list[_Read]:
    """Those that are new, in order; the rest is counted as duplicate or rejected as conflict."""
    known: dict[str, dict[int, str]] = {}
    rows = Finding.objects.filter(detector=owner, uid__in={item.finding.uid for item in read})
    for uid, version, content in rows.values_list("uid", "version", "content_sha256"):
        known.setdefault(uid, {})[version] = content
    fresh = []
    for item in read:
        versions = known.setdefault(item.finding.uid, {})
        before = versions.get(item.finding.version)
        if before == item.content_sha256:
            counts.duplicate += 1
        elif before is not None:
            counts.reject(item.line, [Problem(item.uid_at, CONFLICT)])
        else:
            if versions:
                counts.superseded += 1
            else:
                counts.created += 1
            versions[item.finding.version] = item.content_sha256
            fresh.append(item)
    return fresh


def _write(owner: Detector, fresh: Sequence[_Read], actor: str, namespace: str) -> None:
    versions = _versions(owner, fresh)
    rows = [_finding_row(owner, versions, item) for item in fresh]
    data = {"detector": owner.name, "count": len(rows), "versions": sorted({v for v, _ in versions})}
    log.record(actor=actor, action="findings.received", about=owner, data=data, rows=rows)
    accounts = index.accounts(namespace, _seen(fresh))
    attributes = index.attributes((a.type, a.value) for _, account in _stated(fresh) for a in account.attributes)
    stated = [(row.id, account) for row, item in zip(rows, fresh, strict=True) for account in item.finding.accounts]
    index.copy(
        FindingAccount,
        ("finding_id", "account_id", "exchanges", "input_tokens", "output_tokens"),
        ((row, accounts[one.id], one.exchanges, one.input_tokens, one.output_tokens) for row, one in stated),
    )
    index.copy(
        Sighting,
        ("finding_id", "account_id", "attribute_id", "count", "first_seen", "last_seen"),
        (
            (row, accounts[one.id], attributes[seen.type, seen.value], seen.count, seen.first_seen, seen.last_seen)
            for row, one in stated
            for seen in _merged(one.attributes)
        ),
    )


def _versions(owner: Detector, fresh: Sequence[_Read]) -> dict[tuple[str, str], DetectorVersion]:
    """Rows of the detector versions that speak in these findings, by version and digest of their parameters."""
    spoken = {(item.finding.detector.version, item.finding.detector.config_sha256 or "") for item in fresh}
    known = {(v.version, v.config_sha256): v for v in owner.versions.filter(version__in={v for v, _ in spoken})}
    for version, config in sorted(spoken - known.keys()):
        known[version, config] = version_of(owner.name, version, config)
    return {key: known[key] for key in spoken}


def _finding_row(owner: Detector, versions: Mapping[tuple[str, str], DetectorVersion], item: _Read) -> Finding:
    finding = item.finding
    return Finding(
        detector=owner,
        detector_version=versions[finding.detector.version, finding.detector.config_sha256 or ""],
        uid=finding.uid,
        version=finding.version,
        signal=finding.signal,
        title=finding.title,
        summary=finding.summary,
        score=finding.score,
        confidence=finding.confidence or "",
        window_start=finding.window.start,
        window_end=finding.window.end,
        observed_at=finding.observed_at,
        received_at=timezone.now(),
        account_count=len(finding.accounts),
        payload=item.raw,
        payload_sha256=hashlib.sha256(item.raw).hexdigest(),
        content_sha256=item.content_sha256,
    )


def _stated(fresh: Sequence[_Read]) -> Iterator[tuple[Span, SeenAccount]]:
    return ((item.finding.window, account) for item in fresh for account in item.finding.accounts)


def _seen(fresh: Sequence[_Read]) -> dict[str, index.Seen]:
    """When each account was seen: as stated for it, else by its attributes, else the finding's window."""
    found: dict[str, index.Seen] = {}
    for window, account in _stated(fresh):
        parts = [account, *account.attributes]
        first = min((part.first_seen for part in parts if part.first_seen), default=window.start)
        last = max((part.last_seen for part in parts if part.last_seen), default=window.end)
        before = found.get(account.id, index.Seen())
        found[account.id] = index.Seen(_least(first, before.first), _greatest(last, before.last))
    return found


def _merged(attributes: Sequence[SeenAttribute]) -> list[SeenAttribute]:
    """Each value once: stated several times for an account, its counts add up and its times widen."""
    found: dict[tuple[str, str], SeenAttribute] = {}
    for attribute in attributes:
        before = found.get((attribute.type, attribute.value))
        if before is not None:
            counted = [a.count for a in (before, attribute) if a.count is not None]
            attribute = attribute.model_copy(
                update={
                    "count": sum(counted) if counted else None,
                    "first_seen": _least(before.first_seen, attribute.first_seen),
                    "last_seen": _greatest(before.last_seen, attribute.last_seen),
                }
            )
        found[attribute.type, attribute.value] = attribute
    return list(found.values())


def _least(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _greatest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)
