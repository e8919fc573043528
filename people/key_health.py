"""How detectors' keys stand: which took the place of which, and which are in use and end soon."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from people.models import DetectorKey
from spine import conditions
from spine.models import Condition, LogEntry
from spine.principal import acting_as

KEEPER = "system:keys"
NAMES = "key:"  # how the conditions begin
WARNED = timedelta(days=14)
IN_USE = timedelta(days=32)  # some detectors speak once a month


def with_successors(keys: Iterable[DetectorKey]) -> list[DetectorKey]:
    """The keys, each with the one that took its place last, if any did; two queries, one while none was replaced."""
    found = {f"{DetectorKey._meta.label_lower}:{key.pk}": key for key in keys}
    acts = list(LogEntry.objects.filter(action="detector_key.replaced", about__in=found).order_by("at", "id"))
    new = DetectorKey.objects.in_bulk([act.data["successor"] for act in acts]) if acts else {}
    successors = {str(pk): key for pk, key in new.items()}
    for act in acts:
        old = found[act.about]
        old.successor, old.replaced_at = successors[act.data["successor"]], act.at
    return list(found.values())


def ending(now: datetime) -> dict[str, str]:
    """What is to be told of keys that were used lately and end soon, by the name of the condition.

    Soon is within a fortnight, or in the last quarter of a shorter life. Of one that was replaced it is the last
    quarter of the overlap, and only while its successor was never used, or it was itself used in that time.
    """
    near = DetectorKey.objects.filter(revoked_at=None, expires_at__gt=now, expires_at__lte=now + WARNED)
    used = near.filter(last_used_at__gt=now - IN_USE).order_by("expires_at", "id")
    return {condition_of(key): _words(key) for key in with_successors(used) if _is_near(key, now)}


def _is_near(key: DetectorKey, now: datetime) -> bool:
    heir, end, begun = _heir(key), key.expires_at, key.created_at
    if end is None or key.last_used_at is None:
        return False
    if heir is not None:
        begun = key.replaced_at or begun
    near = end - min(WARNED, (end - begun) / 4)
    has_moved = heir is not None and heir.last_used_at is not None and key.last_used_at < near
    return near <= now and not has_moved


def _heir(key: DetectorKey) -> DetectorKey | None:
    """The key that took its place, while that one works."""
    return key.successor if key.successor is not None and key.successor.is_usable else None


@acting_as(KEEPER)
def tell() -> int:
    """Make a condition of every key that is in use and ends soon, and settle those that are over; gives how many."""
    with transaction.atomic():
        found = ending(timezone.now())
    for name, text in found.items():
        conditions.tell(name, text)
    standing = Condition.objects.filter(name__startswith=NAMES).values_list("name", flat=True)
    for name in set(standing) - found.keys():
        conditions.settle(name)
    return len(found)


def condition_of(key: DetectorKey) -> str:
    """The name of the condition that a key is in use and ends soon."""
    return f"{NAMES}{key.pk}"


def _words(key: DetectorKey) -> str:
    ends = f"The key rt_det_{key.prefix}_… of the detector {key.detector} ends on {key.expires_at:%Y-%m-%d %H:%M} UTC"
    if (heir := _heir(key)) is not None:
        beside = "was never used" if heir.last_used_at is None else "is used beside it"
        return f"{ends} and is still in use; rt_det_{heir.prefix}_…, which replaces it, {beside}."
    return f"{ends} and is in use: replace it, or what it sends is refused from then on."
