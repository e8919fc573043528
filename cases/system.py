"""How the installation stands as a whole: work, feeds and what comes in; one reading for page, API and command.

It tells counts, kinds and ages: no case, no account, and of a job of a case nothing but its kind.
"""

from dataclasses import dataclass

from detection import feed_health, tally
from detection.models import Feed
from detection.tally import Tally
from spine import operations
from spine.operations import Operations


@dataclass(frozen=True)
class FeedStands:
    """A feed and how it stands."""

    feed: Feed
    health: feed_health.Health

    @property
    def lag_seconds(self) -> float | None:
        """Since everything the source had was here."""
        return None if self.health.lag is None else max(0.0, self.health.lag.total_seconds())


@dataclass(frozen=True)
class System:
    """The whole."""

    work: Operations
    feeds: tuple[FeedStands, ...]
    tallies: tuple[Tally, ...]

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong that a person has to look at."""
        failing = sum(one.failing for one in self.work.follow_ups)
        ailing = any(one.health.state in {"failing", "stalled"} for one in self.feeds)
        return bool(self.work.conditions or not self.work.alive or self.work.waiting_for_a_person or failing or ailing)

    @property
    def this_hour(self) -> int:
        """Findings that came in since the full hour, whatever became of them."""
        return sum(one.this_hour for one in self.tallies)

    @property
    def last_hour(self) -> int:
        """The same for the last whole hour."""
        return sum(one.last_hour for one in self.tallies)

    @property
    def last_day(self) -> int:
        """The same for the last 24 whole hours."""
        return sum(one.last_day for one in self.tallies)


def system() -> System:
    """Read everything: a dozen queries, whatever there is."""
    running = set(feed_health.unfinished("feed.pull").values_list("key", flat=True))
    feeds = feed_health.feeds().order_by("name")
    stand = tuple(FeedStands(feed, feed_health.health(feed, running=str(feed.pk) in running)) for feed in feeds)
    return System(work=operations.operations(), feeds=stand, tallies=tuple(tally.tallies()))
