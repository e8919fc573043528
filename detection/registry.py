"""Detectors and their versions: registered by a person with a key, or on arrival when they are built in."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from detection.models import Detector, DetectorVersion, Lifecycle
from people.actions import create_detector_key
from people.actions.keys import KEY_DAYS
from spine import log
from spine.errors import Refused

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,119}", flags=re.ASCII)


@transaction.atomic
def create_detector(
    *,
    actor: str,
    name: str,
    title: str = "",
    key_name: str = "",
    days: int = KEY_DAYS,
    networks: Sequence[str] = (),
    limits: Mapping[str, int | None] | None = None,
) -> tuple[Detector, str]:
    """Register a detector and give it a key, which is returned, not kept, and cannot be shown again.

    A detector that is known already gets another key. Side effects: the detector unless it is known, one key, a log
    entry for each. Refused for a built-in detector, which needs no key, and for a name that is not accepted.
    """
    if not NAME.fullmatch(name):
        raise Refused("A name has 1 to 120 characters: a–z, 0–9, dot, dash, underscore.", field="name")
    if len(title) > 200:
        raise Refused("A title has at most 200 characters.", field="title")
    if name in built_in_titles():
        raise Refused(f"{name} is one of the built-in detectors; choose another name.", field="name")
    detector = registered(name, actor=actor, title=title)
    key = create_detector_key(actor=actor, detector=name, name=key_name, days=days, networks=networks, limits=limits)
    return detector, key


@transaction.atomic
def registered(name: str, *, actor: str, title: str = "") -> Detector:
    """The detector of this name, made when it is new, with one log entry then."""
    found = Detector.objects.filter(name=name).first()
    if found:
        return found
    hold(name)
    built_in = built_in_titles().get(name)
    detector, new = Detector.objects.get_or_create(
        name=name, defaults={"title": built_in or title, "built_in": built_in is not None}
    )
    if new:
        log.record(actor=actor, action="detector.registered", about=detector, data={"name": name})
    return detector


def taken_from(name: str, *, actor: str) -> Detector:
    """The detector of this name, registered when it is new. Raises Refused when its findings are not taken."""
    found = registered(name, actor=actor)
    if found.lifecycle in (Lifecycle.DRAFT, Lifecycle.RETIRED):
        raise Refused(f"The detector {name} is {found.get_lifecycle_display()}: its findings are not taken.")
    return found


def running_detectors() -> tuple[list[Any], list[Any]]:
    """The built-in detectors that a run asks, of accounts and of pools: all but those moved to draft or retired."""
    from detection.detectors import DETECTORS, POOL_DETECTORS

    resting = Detector.objects.filter(built_in=True, lifecycle__in=[Lifecycle.DRAFT, Lifecycle.RETIRED])
    names = set(resting.values_list("name", flat=True))
    return (
        [detector for detector in DETECTORS if detector.name not in names],
        [detector for detector in POOL_DETECTORS if detector.name not in names],
    )


def statement_of(detector: Detector) -> Any:
    """What a built-in detector states of itself, as `detection.detectors.base.Detector` has it; None of any other."""
    from detection.detectors import BY_NAME

    return BY_NAME.get(detector.name) if detector.built_in else None


@transaction.atomic
def version_of(detector: str, version: str, config_sha256: str = "") -> DetectorVersion:
    """The row of a detector's version with these parameters, registered when it was not seen before."""
    owner = registered(detector, actor=f"detector:{detector}")
    found, _ = DetectorVersion.objects.get_or_create(detector=owner, version=version, config_sha256=config_sha256)
    return found


def hold(detector: str) -> None:
    """Wait until no other transaction writes for this detector, and keep others out until this one ends."""
    number = int.from_bytes(hashlib.sha256(f"detector:{detector}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def built_in_titles() -> dict[str, str]:
    """Names and titles of the detectors that come with the product."""
    from detection.detectors import BY_NAME  # brings the analytic libraries, which few requests need

    return {name: detector.title for name, detector in BY_NAME.items()}
