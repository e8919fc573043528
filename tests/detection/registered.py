"""A detector of somebody else's with a key, a canary and a quarantine, made by the real verbs."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from detection import detector_verbs, registry
from detection.models import Canary, Detector, DetectorMeasure, DetectorVersion, ExcludedValue, Quarantine
from detection.records import Unit
from people.models import DetectorKey
from spine import log
from spine.ids import new_id

ADMIN = "user:admin"
CANARY_ACCOUNT = "acct_canary_1"


def make_detector(name: str = "outside") -> tuple[Detector, DetectorKey]:
    """The detector, and the row of its new key."""
    detector, key = registry.create_detector(actor=ADMIN, name=name)
    return detector, DetectorKey.objects.get(prefix=key.split("_")[2])


def make_canary(detector: Detector, **changes: Any) -> Canary:
    given = {"account_id": CANARY_ACCOUNT, "every_minutes": 60, "note": "Planted in the test pool"} | changes
    return detector_verbs.plant_canary(detector, actor=ADMIN, **given)


def make_quarantine(key: DetectorKey, **changes: Any) -> Quarantine:
    given = {"since": timezone.now() - timedelta(days=1), "reason": "The key leaked", "revoke": False} | changes
    return detector_verbs.quarantine(key, actor=ADMIN, **given)


def make_version(detector: Detector, version: str = "1.0") -> DetectorVersion:
    """A version of the detector that has spoken."""
    return registry.version_of(detector.name, version)


def make_excluded(kind: str = "ip", value: str = "203.0.113.77") -> ExcludedValue:
    """A value that joins nobody."""
    return detector_verbs.exclude_value(actor="user:analyst", kind=kind, value=value, reason="A university's gateway")


@transaction.atomic
def make_measure(
    version: DetectorVersion, named: int = 3, active: int = 1_516, unit: Unit | None = Unit.ACCOUNTS
) -> DetectorMeasure:
    """What a measuring on a benign reference would have written of the version."""
    at = timezone.now()
    row = DetectorMeasure(
        detector_version=version,
        job_id=new_id(),
        reference="benign-1",
        reference_sha256="ab" * 32,
        window_start=at - timedelta(days=28),
        window_end=at,
        unit=unit and unit.value,
        active=active,
        named=named,
        low=0.0007,
        high=0.0058,
    )
    data = {"source": "benign-1", "detectors": 1, "accounts": active}
    log.record(actor=ADMIN, action="detectors.measured", about=version, data=data, rows=[row])
    return row
