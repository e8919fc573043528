"""Checkpoints leave the site: each departure a row, failures retried with back-off, an alarm when none left in an hour.

What has left is measured by log size. A log in which nothing happened since its last departure owes nobody a copy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from spine import checkpoint as notes
from spine import conditions
from spine.destinations import Destination, NotSent
from spine.models import Checkpoint, Departure, LogEntry
from spine.principal import acting_as

CONDITION = "log.departure"
LONGEST = timedelta(minutes=60)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=30)
LOCK = 0x64657061  # "depa"


@dataclass(frozen=True)
class Outlook:
    """One destination: its last departure, and what failed since."""

    destination: Destination
    last: Departure | None
    failures: int
    failure: Departure | None


@dataclass(frozen=True)
class State:
    """All destinations, when a copy left last, and since when entries wait for one to leave; None: nothing waits."""

    outlooks: list[Outlook]
    last_left: datetime | None
    waiting_since: datetime | None

    @property
    def is_alarming(self) -> bool:
        """Entries have waited for more than an hour for a copy of their checkpoint to leave."""
        waiting = self.waiting_since
        return bool(self.outlooks) and waiting is not None and timezone.now() - waiting > LONGEST


@acting_as("system:departures")
def send_due() -> int:
    """Send the newest checkpoint wherever it is due; returns how many copies left.

    Side effects: a row for each attempt; a condition while no copy has left for an hour.
    """
    newest = Checkpoint.objects.order_by("-size").first()
    left = sum(_send_if_due(one, newest) for one in settings.CHECKPOINT_DESTINATIONS) if newest else 0
    tell(state())
    return left


def tell(found: State) -> None:
    """Raise or settle the alarm."""
    if found.is_alarming:
        since = found.last_left.strftime("%-d %b %Y %H:%M UTC") if found.last_left else "ever"
        conditions.tell(CONDITION, f"No copy of the log's checkpoint has left this site since {since}.")
    else:
        conditions.settle(CONDITION)


@acting_as("system:departures")
def state() -> State:
    """How the departures stand."""
    outlooks = [_outlook(one) for one in settings.CHECKPOINT_DESTINATIONS]
    addresses = [one.destination.address for one in outlooks]
    good = Departure.objects.filter(destination__in=addresses, left=True)
    totals = good.aggregate(size=Max("size"), at=Max("at"))
    size: int = totals["size"] or 0
    waiting = LogEntry.objects.filter(sequence__index=size).values_list("at", flat=True).first()
    return State(outlooks, totals["at"], waiting)


def _outlook(destination: Destination) -> Outlook:
    tried = Departure.objects.filter(destination=destination.address)
    last = tried.filter(left=True).order_by("-at").first()
    failed = tried.filter(left=False, at__gt=last.at) if last else tried.filter(left=False)
    return Outlook(destination, last, failed.count(), failed.order_by("-at").first())


def _send_if_due(destination: Destination, newest: Checkpoint) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK, crc32(destination.address.encode()) >> 1])
        if not cursor.fetchone()[0] or not _is_due(_outlook(destination), newest, timezone.now()):
            return 0
        name = f"{notes.parse(newest.note).origin.replace('/', '-')}-{newest.size:012d}.txt"
        fault = ""
        try:
            destination.send(name, newest.note)
        except NotSent as error:
            fault = str(error)
        Departure.objects.create(
            destination=destination.address, size=newest.size, at=timezone.now(), left=not fault, detail=fault[:500]
        )
        return int(not fault)


def _is_due(outlook: Outlook, newest: Checkpoint, now: datetime) -> bool:
    if outlook.last is not None and outlook.last.size >= newest.size:
        return False
    if outlook.failure is not None:
        pause: timedelta = min(FIRST_PAUSE * (1 << min(outlook.failures - 1, 10)), LONGEST_PAUSE)
        return now - outlook.failure.at >= pause
    pause = timedelta(seconds=settings.CHECKPOINT_SEND_SECONDS)
    return outlook.last is None or now - outlook.last.at >= pause
