"""How detectors stand, in words: which are silent longer than they promise, which canaries have not come back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from detection.models import Canary, CanaryReturn, Detector, Lifecycle
from spine import conditions
from spine.models import Condition
from spine.principal import acting_as

KEEPER = "system:detectors"
EXPECTED = (Lifecycle.MONITOR, Lifecycle.ACTIVE)  # of others nothing is expected
HEARD_EVERY = timedelta(seconds=10)  # a detector's row is not written with every batch


@dataclass(frozen=True)
class Standing:
    """A canary with the last time it came back, and when it is due."""

    canary: Canary
    last: datetime | None
    due: datetime

    @property
    def missing(self) -> bool:
        """Whether it should have come back by now."""
        return self.due < timezone.now()


def silent_since(detector: Detector, now: datetime) -> datetime | None:
    """Since when nothing came though more was promised; None while the promise holds, or none was made."""
    if detector.cadence_minutes is None or detector.lifecycle not in EXPECTED:
        return None
    last = detector.heard_at or detector.created_at
    return last if now - last > timedelta(minutes=detector.cadence_minutes) else None


def canaries_of(detectors: Iterable[Detector]) -> list[Standing]:
    """The canaries that are expected of these detectors, two queries in all."""
    planted = Canary.objects.filter(detector__in=list(detectors), removed_at=None).select_related("detector")
    found = list(planted.order_by("created_at", "id"))
    last = dict(
        CanaryReturn.objects.filter(canary__in=found)
        .values_list("canary")
        .annotate(Max("at"))
        .values_list("canary", "at__max")
    )
    return [_standing(canary, last.get(canary.pk)) for canary in found]


def _standing(canary: Canary, last: datetime | None) -> Standing:
    return Standing(canary, last, (last or canary.created_at) + timedelta(minutes=canary.every_minutes))


def heard(detector: Detector, *, now: datetime) -> None:
    """Note that findings of the detector were taken, within the caller's transaction, which holds the detector."""
    if detector.heard_at is None or now - detector.heard_at > HEARD_EVERY:
        Detector.objects.filter(pk=detector.pk).update(heard_at=now)


def came_back(
    detector: Detector, fresh: Iterable[tuple[UUID, Iterable[str]]], *, namespace: str, now: datetime
) -> None:
    """Note which canaries came back with new findings, given as their ids and the accounts each names.

    Within the caller's transaction; one query while no canary is planted, and then `fresh` is not looked at.
    """
    planted = dict(
        Canary.objects.filter(detector=detector, namespace=namespace, removed_at=None).values_list("account_id", "id")
    )
    if planted:
        rows = [
            CanaryReturn(canary_id=planted[account], finding_id=finding, at=now)
            for finding, accounts in fresh
            for account in planted.keys() & set(accounts)
        ]
        CanaryReturn.objects.bulk_create(rows, ignore_conflicts=True)


@acting_as(KEEPER)
def tell() -> int:
    """Make a condition of every detector that is silent and every canary that is missing; settle what is over.

    Gives how many are wrong.
    """
    now = timezone.now()
    with transaction.atomic():
        expected = list(Detector.objects.filter(lifecycle__in=EXPECTED))
        wrong = {f"detector:{one.pk}": _silence(one, since) for one in expected if (since := silent_since(one, now))}
        missing = [one for one in canaries_of(expected) if one.missing]
        wrong |= {f"canary:{one.canary.pk}": _absence(one) for one in missing}
    for name, text in wrong.items():
        conditions.tell(name, text)
    standing = Condition.objects.filter(name__startswith="detector:") | Condition.objects.filter(
        name__startswith="canary:"
    )
    for name in set(standing.values_list("name", flat=True)) - wrong.keys():
        conditions.settle(name)
    return len(wrong)


def _silence(detector: Detector, since: datetime) -> str:
    if detector.heard_at is None:
        expected = f"a finding every {detector.cadence_minutes} min is expected"
        return f"The detector {detector.name} has sent nothing yet; {expected}."
    return (
        f"The detector {detector.name} is silent since {since:%Y-%m-%d %H:%M} UTC; a finding every "
        f"{detector.cadence_minutes} min is expected. Its owner: {detector.owner or 'not stated'}."
    )


def _absence(one: Standing) -> str:
    last = f"last {one.last:%Y-%m-%d %H:%M} UTC" if one.last else "never yet"
    return (
        f"A canary of {one.canary.detector.name} has not come back ({last}; every {one.canary.every_minutes} min is "
        "expected): the detector may be blind."
    )
