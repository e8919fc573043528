"""A detector of somebody else's with a key, a canary and a quarantine, made by the real verbs."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from detection import detector_verbs, registry
from detection.models import Canary, Detector, DetectorVersion, ExcludedValue, Quarantine
from people.models import DetectorKey

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
