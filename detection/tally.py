"""How many findings came in, by detector: in all, and by the hour. Counted with each batch, in its transaction.

The findings themselves are never counted for this: a table of millions tells nothing of duplicates and rejections,
and would be read to the end for the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection

from detection.models import Received

OUTCOMES = ("created", "duplicate", "superseded", "rejected")


class Counted(Protocol):
    """What became of the lines of one batch."""

    created: int
    duplicate: int
    superseded: int
    rejected: int


# Both tables in one statement, always in this order, so that two batches wait for each other and never cross.
ADD = """
WITH given (detector, hour, created, duplicate, superseded, rejected) AS (
    VALUES (%s, date_trunc('hour', now(), 'UTC'), %s::bigint, %s::bigint, %s::bigint, %s::bigint)
), whole AS (
    INSERT INTO detection_received AS known (detector, last_at, created, duplicate, superseded, rejected)
    SELECT detector, now(), created, duplicate, superseded, rejected FROM given
    ON CONFLICT (detector) DO UPDATE SET
        last_at = excluded.last_at,
        created = known.created + excluded.created, duplicate = known.duplicate + excluded.duplicate,
        superseded = known.superseded + excluded.superseded, rejected = known.rejected + excluded.rejected
)
INSERT INTO detection_receivedhour AS known (detector, hour, created, duplicate, superseded, rejected)
SELECT detector, hour, created, duplicate, superseded, rejected FROM given
ON CONFLICT (detector, hour) DO UPDATE SET
    created = known.created + excluded.created, duplicate = known.duplicate + excluded.duplicate,
    superseded = known.superseded + excluded.superseded, rejected = known.rejected + excluded.rejected
"""


@dataclass(frozen=True)
class Tally:
    """A detector's counts: in all, and all lines of the last hours."""

    detector: str
    last_at: datetime
    created: int
    duplicate: int
    superseded: int
    rejected: int
    this_hour: int = 0
    last_hour: int = 0
    last_day: int = 0

    @property
    def received(self) -> int:
        """All that came."""
        return self.created + self.duplicate + self.superseded + self.rejected


def add(detector: str, counts: Counted) -> None:
    """Count a batch in the caller's transaction; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(ADD, [detector, *(getattr(counts, name) for name in OUTCOMES)])


def totals() -> list[Tally]:
    """Every detector that has sent anything, by name; one query."""
    return [Tally(**row) for row in Received.objects.order_by("detector").values("detector", "last_at", *OUTCOMES)]


def tallies() -> list[Tally]:
    """The same with the hour that runs, the whole one before it, and the last 24 whole ones; two queries."""
    with connection.cursor() as cursor:
        cursor.execute(HOURS)
        hours = {detector: figures for detector, *figures in cursor.fetchall()}
    empty = [0, 0, 0]
    rows = Received.objects.order_by("detector").values("detector", "last_at", *OUTCOMES)
    names = ("this_hour", "last_hour", "last_day")
    return [Tally(**row, **dict(zip(names, hours.get(row["detector"], empty), strict=True))) for row in rows]


HOURS = """
WITH lines AS (
    SELECT detector, hour, created + duplicate + superseded + rejected AS n,
           date_trunc('hour', now(), 'UTC') AS now
    FROM detection_receivedhour WHERE hour >= date_trunc('hour', now(), 'UTC') - interval '24 hours'
)
SELECT detector, coalesce(sum(n) FILTER (WHERE hour = now), 0)::bigint,
       coalesce(sum(n) FILTER (WHERE hour = now - interval '1 hour'), 0)::bigint,
       coalesce(sum(n) FILTER (WHERE hour < now), 0)::bigint
FROM lines GROUP BY detector
"""
