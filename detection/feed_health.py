"""How feeds stand, in words: which are due, which are stalled, how far each is behind."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from detection.models_feeds import Feed
from spine import conditions, jobs, outbox
from spine.models import Condition, Job, JobState
from spine.principal import acting_as

KEEPER = "system:feeds"
MOST_AT_ONCE = 500
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Health:
    """A feed's state: its word, the sentence for people, and how long ago everything the source had was here."""

    state: str
    words: str
    lag: timedelta | None


def health(feed: Feed, *, running: bool = False, now: datetime | None = None) -> Health:
    """How a feed stands now."""
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
    return Health("well", "Up to date." if feed.caught_up_at == feed.last_success_at else "The source has more.", lag)


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
