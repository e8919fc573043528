"""Holding a detector to account: who owns it, where it stands, what must come back, and what is set aside.

Each verb writes one log entry. Nothing a detector has sent is ever changed or removed by them.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from detection.finding_schema import ATTRIBUTE_TYPES
from detection.grouping import understood
from detection.models import (
    Canary,
    Detector,
    DetectorVersion,
    ExcludedValue,
    Lifecycle,
    Quarantine,
    QuarantineLifted,
    VersionRecall,
    VersionReinstated,
)
from people.actions import revoke_detector_key
from people.models import DetectorKey
from spine import conditions, log, outbox
from spine.errors import Conflict, Refused

MOST_MINUTES = 366 * 24 * 60
LONGEST_DESCRIPTION = 10_000
# Where a detector may go from where it stands, and what that means for its findings.
MOVES: dict[str, tuple[str, ...]] = {
    Lifecycle.DRAFT: (Lifecycle.MONITOR, Lifecycle.ACTIVE, Lifecycle.RETIRED),
    Lifecycle.MONITOR: (Lifecycle.ACTIVE, Lifecycle.DRAFT, Lifecycle.RETIRED),
    Lifecycle.ACTIVE: (Lifecycle.MONITOR, Lifecycle.RETIRED),
    Lifecycle.RETIRED: (Lifecycle.MONITOR, Lifecycle.ACTIVE),
}
MEANINGS: dict[str, str] = {
    Lifecycle.DRAFT: "Its findings are refused; they can be checked without being stored.",
    Lifecycle.MONITOR: "Its findings are stored and shown, join no cluster and open no lead.",
    Lifecycle.ACTIVE: "Its findings join clusters of runs, and open leads by themselves where their grouping is set.",
    Lifecycle.RETIRED: "New findings are refused; what it has sent stays.",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@transaction.atomic
def describe_detector(
    detector: Detector,
    *,
    actor: str,
    revision: int,
    title: str | None = None,
    owner: str | None = None,
    description: str | None = None,
    runbook: str | None = None,
    cadence_minutes: int | None = None,
    promises_nothing: bool = False,
) -> Detector:
    """Say who answers for a detector and what is expected of it; what is left out stays.

    `revision` is the one its author saw; `promises_nothing` takes the cadence off. Side effects: the detector, and a
    log entry with old and new values.
    """
    held = _held(detector, revision)
    given: dict[str, Any] = {
        "title": _text(title, "title", 200),
        "owner": _text(owner, "owner", 200),
        "description": _text(description, "description", LONGEST_DESCRIPTION),
        "runbook": _address(runbook),
        "cadence_minutes": _minutes(cadence_minutes, "cadence_minutes"),
    }
    new = {name: value for name, value in given.items() if value is not None and value != getattr(held, name)}
    if promises_nothing and held.cadence_minutes is not None:
        new["cadence_minutes"] = None
    if held.built_in and "title" in new:
        raise Refused("A built-in detector's title comes with the product.", field="title")
    if not new:
        return held
    old = {name: getattr(held, name) for name in new}
    Detector.objects.filter(pk=held.pk).update(**new, revision=held.revision + 1)
    if new.get("cadence_minutes", 0) is None:
        conditions.settle(f"detector:{held.pk}")
    data = {"name": held.name, "fields": ", ".join(sorted(new)), "old": old, "new": new}
    log.record(actor=actor, action="detector.changed", about=held, data=data)
    return Detector.objects.get(pk=held.pk)


@transaction.atomic
def move_detector(detector: Detector, *, actor: str, revision: int, to: str, reason: str) -> Detector:
    """Move a detector on in its lifecycle, for a reason. Side effects: the detector, one log entry.

    What was stored before stays as it is; the next run and the next grouping go by where it stands then.
    """
    held = _held(detector, revision)
    why = _reason(reason)
    if to not in MOVES[held.lifecycle]:
        ways = ", ".join(MOVES[held.lifecycle])
        raise Refused(f"{held.name} is {held.get_lifecycle_display()}; from there it may become {ways}.", field="to")
    Detector.objects.filter(pk=held.pk).update(lifecycle=to, revision=held.revision + 1)
    if to in (Lifecycle.DRAFT, Lifecycle.RETIRED):
        conditions.settle(f"detector:{held.pk}")
        for canary in held.canaries.filter(removed_at=None):
            conditions.settle(f"canary:{canary.pk}")
    data = {"name": held.name, "old": held.lifecycle, "new": to, "reason": why}
    log.record(actor=actor, action="detector.moved", about=held, data=data)
    return Detector.objects.get(pk=held.pk)


@transaction.atomic
def set_grouping(detector: Detector, *, actor: str, revision: int, grouping: Mapping[str, Any] | None) -> Detector:
    """Say how the detector's findings are joined into leads; None: they are not. Side effects: one log entry.

    What arrives from now on is grouped; what came before only where it shares something with that. Refused for a
    built-in detector, whose findings are clustered by runs.
    """
    held = _held(detector, revision)
    if held.built_in:
        raise Refused("Findings of a built-in detector are clustered by runs.", field="grouping")
    new = None if grouping is None else asdict(understood(grouping))
    new = new and {**new, "by": list(new["by"])}
    if new == held.grouping:
        return held
    Detector.objects.filter(pk=held.pk).update(grouping=new, revision=held.revision + 1)
    data = {"name": held.name, "old": held.grouping, "new": new}
    log.record(actor=actor, action="detector.grouped", about=held, data=data)
    return Detector.objects.get(pk=held.pk)


@transaction.atomic
def exclude_value(*, actor: str, kind: str, value: str, reason: str) -> ExcludedValue:
    """Let a value join no accounts from now on, in runs and groups. Side effects: one log entry, without the value."""
    why, text = _reason(reason), _text(value, "value", 500)
    if kind not in ATTRIBUTE_TYPES and not kind.startswith("x-"):
        raise Refused(f"Accepted are {', '.join(ATTRIBUTE_TYPES)}, and your own beginning with x-.", field="type")
    if not text:
        raise Refused("Name the value.", field="value")
    made = ExcludedValue(type=kind, value=text, reason=why)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise Refused("This value joins nobody already.", field="value") from None
    log.record(actor=actor, action="value.excluded", about=made, data={"type": kind, "reason": why})
    return made


@transaction.atomic
def readmit_value(found: ExcludedValue, *, actor: str) -> None:
    """Let a value join accounts again. Side effects: one log entry, unless it did already."""
    if ExcludedValue.objects.filter(pk=found.pk, removed_at=None).update(removed_at=timezone.now()):
        log.record(actor=actor, action="value.readmitted", about=found, data={"type": found.type})


@transaction.atomic
def plant_canary(
    detector: Detector, *, actor: str, account_id: str, every_minutes: int, note: str = "", namespace: str = "default"
) -> Canary:
    """Name an account of ours that the detector has to notice again and again. Side effects: one log entry.

    Findings that speak of nobody but canaries join no cluster and open no lead. The log does not hold the account.
    """
    account = _text(account_id, "account_id", 200)
    if not account:
        raise Refused("The account is named by the provider's id.", field="account_id")
    minutes = _minutes(every_minutes, "every_minutes")
    canary = Canary(
        detector=detector,
        namespace=namespace,
        account_id=account,
        every_minutes=minutes,
        note=_text(note, "note", 500) or "",
    )
    try:
        with transaction.atomic():
            canary.save(force_insert=True)
    except IntegrityError:
        raise Refused("This account is a canary of this detector already.", field="account_id") from None
    data = {"name": detector.name, "every_minutes": minutes}
    log.record(actor=actor, action="canary.planted", about=canary, data=data)
    return canary


@transaction.atomic
def remove_canary(canary: Canary, *, actor: str) -> None:
    """Expect the canary no more, and let it join clusters again; what came back stays.

    Side effects: one log entry, unless it was removed already.
    """
    if Canary.objects.filter(pk=canary.pk, removed_at=None).update(removed_at=timezone.now()):
        conditions.settle(f"canary:{canary.pk}")
        log.record(actor=actor, action="canary.removed", about=canary, data={"name": canary.detector.name})


@transaction.atomic
def quarantine(
    key: DetectorKey, *, actor: str, since: datetime, until: datetime | None = None, reason: str, revoke: bool = True
) -> Quarantine:
    """Set aside everything the key has sent since a moment: marked, never removed.

    Set aside are also later arrivals, unless `until` ends it. Such findings join no cluster, open no lead and count
    for no detector's precision, as long as it stands. Side effects: the quarantine under one log entry; the key is
    revoked unless that is not wanted.
    """
    why = _reason(reason)
    if until is not None and until < since:
        raise Refused("The quarantine ends before it begins.", field="until")
    if since > timezone.now():
        raise Refused("The moment lies in the future.", field="since")
    detector = Detector.objects.select_for_update().filter(name=key.detector).first()
    if detector is None:
        raise Refused("No finding of this key's detector has ever arrived.", field="key")
    same = Quarantine.objects.standing().filter(key_id=key.pk, since=since, until=until).first()
    if same is not None:
        raise Conflict("Exactly this is in quarantine already.")
    row = Quarantine(detector=detector, key_id=key.pk, since=since, until=until, reason=why)
    data = {"name": detector.name, "prefix": key.prefix, "since": since.isoformat()}
    log.record(
        actor=actor,
        action="quarantine.placed",
        about=key,
        data=data | {"until": until.isoformat() if until else "further notice"},
        rows=[row],
    )
    if revoke:
        revoke_detector_key(key, actor=actor)
    return row


@transaction.atomic
def lift_quarantine(found: Quarantine, *, actor: str, reason: str) -> QuarantineLifted:
    """Let the findings count again, for a reason. Side effects: one row under one log entry; runs and groupings to come
    take them in. Lifted twice, the second is told."""
    why = _reason(reason)
    Detector.objects.select_for_update().get(pk=found.detector_id)
    if QuarantineLifted.objects.filter(quarantine=found).exists():
        raise Conflict("This quarantine was lifted already.")
    row = QuarantineLifted(quarantine=found, reason=why)
    key = DetectorKey.objects.get(pk=found.key_id)
    data = {"name": found.detector.name, "prefix": key.prefix}
    log.record(actor=actor, action="quarantine.lifted", about=key, data=data, rows=[row])
    return row


@transaction.atomic
def recall_version(version: DetectorVersion, *, actor: str, reason: str) -> VersionRecall:
    """Declare that a version of a detector is not to be relied on.

    Its findings stay, and join no cluster from now on. Side effects: one row under one log entry, and
    the message "version.recalled", by which cases and dossiers that lean on it are flagged.
    """
    why = _reason(reason)
    Detector.objects.select_for_update().get(pk=version.detector_id)
    if VersionRecall.objects.filter(detector_version=version, reinstated=None).exists():
        raise Conflict("This version is recalled already.")
    row = VersionRecall(detector_version=version, reason=why)
    data = {"name": version.detector.name, "version": version.version, "reason": why}
    log.record(actor=actor, action="version.recalled", about=version.detector, data=data, rows=[row])
    outbox.put("version.recalled", {"recall": str(row.id)})
    return row


@transaction.atomic
def reinstate_version(found: VersionRecall, *, actor: str, reason: str) -> VersionReinstated:
    """Let a recalled version be relied on again. Side effects: one row under one log entry. Done twice, it is told."""
    why = _reason(reason)
    version = found.detector_version
    Detector.objects.select_for_update().get(pk=version.detector_id)
    if VersionReinstated.objects.filter(recall=found).exists():
        raise Conflict("This version was reinstated already.")
    row = VersionReinstated(recall=found, reason=why)
    data = {"name": version.detector.name, "version": version.version, "reason": why}
    log.record(actor=actor, action="version.reinstated", about=version.detector, data=data, rows=[row])
    return row


def key_named(detector: Detector, key_id: UUID) -> DetectorKey:
    """A key of this detector, revoked ones too; raises Refused for any other."""
    key = DetectorKey.objects.filter(pk=key_id, detector=detector.name).first()
    if key is None:
        raise Refused("This detector has no such key.", field="key")
    return key


def _held(detector: Detector, revision: int) -> Detector:
    held = Detector.objects.select_for_update().get(pk=detector.pk)
    if held.revision != revision:
        raise Conflict(f"{held.name} was changed meanwhile. Look again before you decide.")
    return held


def _text(value: str | None, field: str, most: int) -> str | None:
    if value is None:
        return None
    value = value.strip()
    if len(value) > most:
        raise Refused(f"At most {most:,} characters are accepted.", field=field)
    if _CONTROL.search(value):
        raise Refused("Control characters are not accepted here.", field=field)
    return value


def _address(value: str | None) -> str | None:
    """A runbook: an address that a browser opens safely, or words that say where it is."""
    text = _text(value, "runbook", 500)
    if text and ":" in text.split("/", 1)[0] and urlsplit(text).scheme not in ("http", "https"):
        raise Refused("An address that begins with https:// is accepted, or words.", field="runbook")
    return text


def _minutes(value: int | None, field: str) -> Any:
    if value is not None and not 1 <= value <= MOST_MINUTES:
        raise Refused(f"From 1 to {MOST_MINUTES:,} minutes are accepted.", field=field)
    return value


def _reason(text: str) -> str:
    reason = _text(text, "reason", 1000)
    if not reason:
        raise Refused("Say why: it is shown wherever this matters later.", field="reason")
    return reason
