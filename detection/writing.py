"""New findings into the database, set by set: the log entry over them, accounts, attributes, and what joins them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from detection import index
from detection.finding_schema import SeenAccount, SeenAttribute, Span
from detection.models import Detector, DetectorVersion, Finding, FindingAccount, FindingBatch, Sighting
from detection.reading import Read
from detection.registry import version_of
from spine import copying, log

NAMED = ("finding_id", "account_id", "exchanges", "input_tokens", "output_tokens")
SEEN = ("finding_id", "account_id", "attribute_id", "count", "first_seen", "last_seen")


@dataclass(frozen=True)
class Origin:
    """By which key or feed findings came; neither for those of a run or a command."""

    key: UUID | None = None
    feed: UUID | None = None


NOWHERE = Origin()


def write(
    owner: Detector, fresh: Sequence[Read], *, actor: str, namespace: str, origin: Origin, now: datetime
) -> list[UUID]:
    """Store findings of which none is known, within the caller's transaction; a fixed number of queries. Gives ids."""
    versions = _versions(owner, fresh)
    data = {"detector": owner.name, "count": len(fresh), "versions": sorted({v for v, _ in versions})}
    values = _values(owner, versions, fresh, now)
    entry, ids = log.record_values(
        actor=actor, action="findings.received", about=owner, data=data, model=Finding, values=values
    )
    FindingBatch.objects.create(
        entry=entry, detector=owner, key_id=origin.key, feed_id=origin.feed, received_at=now, count=len(fresh)
    )
    accounts = index.accounts(namespace, _seen(fresh))
    attributes = index.attributes((a.type, a.value) for _, account in _stated(fresh) for a in account.attributes)
    stated = [(row, account) for row, item in zip(ids, fresh, strict=True) for account in item.finding.accounts]
    copying.copy(
        FindingAccount,
        NAMED,
        ((row, accounts[one.id], one.exchanges, one.input_tokens, one.output_tokens) for row, one in stated),
    )
    copying.copy(
        Sighting,
        SEEN,
        (
            (row, accounts[one.id], attributes[seen.type, seen.value], seen.count, seen.first_seen, seen.last_seen)
            for row, one in stated
            for seen in _merged(one.attributes)
        ),
    )
    return ids


def _versions(owner: Detector, fresh: Sequence[Read]) -> dict[tuple[str, str], DetectorVersion]:
    """Rows of the detector versions that speak in these findings, by version and digest of their parameters."""
    spoken = {(item.finding.detector.version, item.finding.detector.config_sha256 or "") for item in fresh}
    known = {(v.version, v.config_sha256): v for v in owner.versions.filter(version__in={v for v, _ in spoken})}
    for version, config in sorted(spoken - known.keys()):
        known[version, config] = version_of(owner.name, version, config)
    return {key: known[key] for key in spoken}


def _values(
    owner: Detector, versions: Mapping[tuple[str, str], DetectorVersion], fresh: Sequence[Read], now: datetime
) -> list[tuple[object, ...]]:
    """What the findings' rows hold, in the order of the model's columns."""
    detector = owner.pk
    ids: dict[tuple[str, str], UUID] = {spoken: version.pk for spoken, version in versions.items()}
    names = [name for name, _ in log.columns(Finding)]
    found = []
    for item in fresh:
        finding = item.finding
        row = {
            "detector_id": detector,
            "detector_version_id": ids[finding.detector.version, finding.detector.config_sha256 or ""],
            "uid": finding.uid,
            "version": finding.version,
            "signal": finding.signal,
            "title": finding.title,
            "summary": finding.summary,
            "score": float(finding.score),
            "confidence": finding.confidence or "",
            "window_start": finding.window.start,
            "window_end": finding.window.end,
            "observed_at": finding.observed_at,
            "received_at": now,
            "account_count": len(finding.accounts),
            "payload": item.raw,
            "payload_sha256": hashlib.sha256(item.raw).hexdigest(),
            "content_sha256": item.content_sha256,
        }
        found.append(tuple([row[name] for name in names]))
    return found


def _stated(fresh: Sequence[Read]) -> Iterator[tuple[Span, SeenAccount]]:
    return ((item.finding.window, account) for item in fresh for account in item.finding.accounts)


def _seen(fresh: Sequence[Read]) -> dict[str, index.Seen]:
    """When each account was seen: as stated for it, else by its attributes, else the finding's window."""
    found: dict[str, index.Seen] = {}
    for window, account in _stated(fresh):
        parts = [account, *account.attributes]
        first = min([part.first_seen for part in parts if part.first_seen], default=window.start)
        last = max([part.last_seen for part in parts if part.last_seen], default=window.end)
        before = found.get(account.id)
        found[account.id] = (
            index.Seen(first, last)
            if before is None
            else index.Seen(_least(first, before.first), _greatest(last, before.last))
        )
    return found


def _merged(attributes: Sequence[SeenAttribute]) -> list[SeenAttribute]:
    """Each value once: stated several times for an account, its counts add up and its times widen."""
    if len({(attribute.type, attribute.value) for attribute in attributes}) == len(attributes):
        return list(attributes)
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
