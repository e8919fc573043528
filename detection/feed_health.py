"""How feeds stand, in words: which are due, which are stalled, how far each is behind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from detection.models_feeds import Feed, FeedPull
from spine import conditions, jobs, outbox
from spine.ids import bounds_of
from spine.models import Condition, Job, JobState
from spine.principal import acting_as

KEEPER = "system:feeds"
MOST_AT_ONCE = 500
PATIENCE, A_DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Health:
    """A feed's state: its word, the sentence for people, and how long ago everything the source had was here."""

    state: str
    words: str
    lag: timedelta | None


def feeds() -> QuerySet[Feed]:
    """Feeds with how many rows the pulls of the last day brought, and how many of these were not kept."""
    since, _ = bounds_of(timezone.now() - A_DAY)
    pulls = FeedPull.objects.filter(feed=OuterRef("pk"), id__gte=since).order_by().values("feed")
    counted = {name: Subquery(pulls.annotate(n=Sum(name)).values("n")) for name in ("received", "rejected")}
    return Feed.objects.select_related("detector").annotate(
        day_received=Coalesce(counted["received"], 0), day_rejected=Coalesce(counted["rejected"], 0)
    )


def health(feed: Feed, *, running: bool = False, now: datetime | None = None) -> Health:
    """How a feed stands now; one query where it does not come from `feeds`."""
    now = now or timezone.now()
    lag = now - feed.caught_up_at if feed.caught_up_at else None
    if feed.paused:
        return Health("paused", "Paused: nothing is pulled until it is resumed.", lag)
    if stalled(feed, now):
        return Health("stalled", f"Stalled: {_since(feed)}", lag)
    if running:
        return Health("running", "A pull is running.", lag)
    if feed.failures:
        times = "once" if feed.failures == 1 else f"{feed.failures} times in a row"
        return Health("failing", f"The last pull failed ({times}); it is tried again by itself.", lag)
    if feed.last_success_at is None:
        return Health("new", "Not pulled yet.", lag)
    received, rejected = _of_a_day(feed)
    if rejected and rejected == received:
        return Health("failing", f"Nothing of the last 24 hours was kept; rows refused: {rejected:,}.", lag)
    words = "Up to date." if feed.caught_up_at == feed.last_success_at else "The source has more."
    if rejected:
        words += f" Rows not kept in the last 24 hours: {rejected:,} of {received:,}."
    return Health("well", words, lag)


def _of_a_day(feed: Feed) -> tuple[int, int]:
    held: Any = feed if hasattr(feed, "day_received") else feeds().get(pk=feed.pk)
    return held.day_received, held.day_rejected


def stalled(feed: Feed, now: datetime) -> bool:
    """Whether nothing has come through for three times the schedule, and an hour at least."""
    allowance = max(3 * timedelta(minutes=feed.schedule_minutes), PATIENCE)
    return not feed.paused and now - (feed.last_success_at or feed.created_at) > allowance


def _since(feed: Feed) -> str:
    last = feed.last_success_at
    when = f"no pull has succeeded since {last:%Y-%m-%d %H:%M} UTC" if last else "no pull has ever succeeded"
    return f"{when}{f'; {feed.last_error}' if feed.last_error else ''}."


def unfinished(kind: str) -> QuerySet[Job]:
    """Jobs of feeds that wait or run; their keys are ids of feeds."""
    return Job.objects.filter(kind=kind, state__in=[JobState.QUEUED, JobState.RUNNING])


@acting_as(KEEPER)
def pull_due() -> int:
    """Ask for a pull of every feed that is due; returns how many. Then say which feeds are stalled."""
    asked = 0
    for feed in Feed.objects.filter(paused=False, next_pull_at__lte=Now()).order_by("next_pull_at")[:MOST_AT_ONCE]:
        with transaction.atomic():  # the next time is set first: a pull that kills its worker is not asked for at once
            later = Now() + timedelta(minutes=feed.schedule_minutes)
            due = Feed.objects.filter(pk=feed.pk, paused=False, next_pull_at=feed.next_pull_at)
            if due.update(next_pull_at=later):
                jobs.enqueue("feed.pull", actor=KEEPER, key=str(feed.pk), args={"feed": str(feed.pk)})
                asked += 1
    tell_stalled()
    return asked


def tell_stalled() -> None:
    """Make a condition of every stalled feed, and settle those that are over."""
    now = timezone.now()
    found = {f"feed:{feed.pk}": feed for feed in Feed.objects.filter(paused=False) if stalled(feed, now)}
    known = set(Condition.objects.filter(name__in=found).values_list("name", flat=True))
    for name, feed in found.items():
        with transaction.atomic():
            conditions.tell(name, f"The feed {feed.name} is stalled: {_since(feed)}")
            if name not in known:
                outbox.put("feed.stalled", {"feed": str(feed.pk)})
    standing = Condition.objects.filter(name__startswith="feed:").values_list("name", flat=True)
    for name in set(standing) - found.keys():
        conditions.settle(name)
