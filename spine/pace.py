"""How fast a job goes and how long it takes still, from when its attempt began, by the database's clock.

Said only once it means something: the attempt has gone on for a while, and enough is done to judge the rest by. Where
the parts of the work are few (detectors, steps of a dossier), each may take longer than another, so more must be done.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from spine.models import Job, JobState

LEAST_SECONDS = 5.0
LEAST_SHARE, LEAST_SHARE_OF_FEW, FEW = 0.01, 0.1, 100
IN_BYTES = frozenset({"telemetry.add", "evidence.take_in", "evidence.list"})
MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Pace:
    """What is done a second, in the unit of the job's `done`, and the seconds that are left if it goes on so."""

    per_second: float
    seconds_left: float


def pace_of(job: Job) -> Pace | None:
    """The pace of a job that runs; None while nothing can be said. Asks the database once, for such a job alone."""
    if job.state != JobState.RUNNING or not job.total or not job.done:
        return None
    return pace(job, elapsed(job))


def pace(job: Job, seconds: float) -> Pace | None:
    """The pace of a job whose attempt began so many seconds ago; None while nothing can be said."""
    if job.state != JobState.RUNNING or not 0 < job.done < job.total or seconds < LEAST_SECONDS:
        return None
    if job.done / job.total < (LEAST_SHARE_OF_FEW if job.total < FEW else LEAST_SHARE):
        return None
    rate = job.done / seconds
    return Pace(rate, (job.total - job.done) / rate)


def elapsed(job: Job) -> float:
    """Seconds since the job's attempt began; 0 while none has."""
    since = ExpressionWrapper(Now() - F("started_at"), output_field=DurationField())
    spent: timedelta | None = Job.objects.filter(pk=job.pk).values_list(since, flat=True).first()
    return max(0.0, spent.total_seconds()) if spent else 0.0


def in_words(job: Job, found: Pace | None) -> str:
    """The pace as people read it, coarse enough to stand still: `12,000 a second, about 3 min left`."""
    if found is None:
        return ""
    rate = _rate(found.per_second, in_bytes=job.kind in IN_BYTES)
    left = _left(found.seconds_left)
    return f"{rate} a second, {left}" if rate else left


def _rate(rate: float, *, in_bytes: bool) -> str:
    """Two figures of it; empty below one a second, which says less than what is left."""
    if rate < 1:
        return ""
    if not in_bytes:
        return f"{_two_figures(rate):,}"
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if rate >= size:
            return f"{rate / size:.2g} {unit}" if rate < 99.5 * size else f"{_two_figures(rate / size):,} {unit}"
    return f"{_two_figures(rate):,} B"


def _two_figures(number: float) -> int:
    return int(float(f"{number:.2g}"))


def _left(seconds: float) -> str:
    if seconds < MINUTE:
        return "less than a minute left"
    if seconds < 10 * MINUTE:
        return f"about {round(seconds / MINUTE)} min left"
    if seconds < 57 * MINUTE:
        return f"about {5 * round(seconds / MINUTE / 5)} min left"
    halves = max(2, round(seconds / HOUR * 2))
    return f"about {halves // 2} h{' 30 min' if halves % 2 else ''} left"
