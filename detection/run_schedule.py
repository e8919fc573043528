"""Runs by the clock: how often each source is looked at anew, and which sources are due."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from detection import runs
from detection.models import RunEvery, TelemetrySource
from spine import log
from spine.errors import Conflict, Refused
from spine.models import Job, JobState
from spine.principal import acting_as

KEEPER = "system:runs"
PERIODS = {RunEvery.HOURLY: timedelta(hours=1), RunEvery.DAILY: timedelta(days=1)}
LONGEST = 3660


@transaction.atomic
def set_run_schedule(source: TelemetrySource, *, actor: str, revision: int, every: str, days: int) -> TelemetrySource:
    """Say how often detectors run over the source by themselves, and over how many of its newest days.

    `revision` is the one its author saw. Side effects: the source; one log entry. A run that waits or goes on stays.
    """
    if every not in RunEvery.values:
        raise Refused(f"No such schedule: accepted are {', '.join(RunEvery.values)}.", field="every")
    if not 1 <= days <= LONGEST:
        raise Refused(f"The window is 1 to {LONGEST:,} days long.", field="days")
    held = TelemetrySource.objects.select_for_update().get(pk=source.pk)
    if held.revision != revision:
        raise Conflict(f"The schedule of {held.name} was changed meanwhile. Look again before you decide.")
    old = {"every": held.run_every, "days": held.run_days}
    new = {"every": every, "days": days}
    if old == new:
        raise Refused("Nothing was changed: the values are what they were.")
    TelemetrySource.objects.filter(pk=held.pk).update(run_every=every, run_days=days, revision=held.revision + 1)
    data = {"source": held.name, "every": RunEvery(every).label, "days": days, "old": old, "new": new}
    log.record(actor=actor, action="telemetry.schedule_set", about=held, data=data)
    return TelemetrySource.objects.get(pk=held.pk)


@acting_as(KEEPER)
def ask_due() -> int:
    """Ask for a run of every source that is due and got telemetry since its last run; gives how many were asked for.

    Safe from several processes at once. A source whose run waits or goes on is left alone until that has ended.
    """
    return sum(_ask(source) for source in due())


def due() -> list[TelemetrySource]:
    """The sources that are scheduled, whose time has come, and that hold what no run of theirs has read."""
    wanted = Q()
    for every, period in PERIODS.items():
        wanted |= Q(run_every=every) & (Q(run_asked_at=None) | Q(run_asked_at__lte=Now() - period))
    found = TelemetrySource.objects.filter(wanted).order_by("run_asked_at", "name")
    busy = set(unfinished().values_list("key", flat=True))
    return [source for source in found if str(source.pk) not in busy and is_behind(source)]


@transaction.atomic
def _ask(source: TelemetrySource) -> bool:
    """The time it was asked is set with the job: of two that ask at once, one finds it set already."""
    own = TelemetrySource.objects.filter(pk=source.pk, run_every=source.run_every, run_asked_at=source.run_asked_at)
    if not own.update(run_asked_at=Now()):
        return False
    runs.request_run(actor=KEEPER, source=source, days=source.run_days)
    return True


def is_behind(source: TelemetrySource) -> bool:
    """Whether the source holds files that were not there when the newest of its finished runs was asked for."""
    return source.files.count() > files_read(source)


def files_read(source: TelemetrySource) -> int:
    """How many files the source had when its newest finished run to its end was asked for; 0 without one.

    Files are counted, not their times: programs on machines whose clocks differ agree on a count.
    """
    done = jobs_of(source).filter(state=JobState.DONE, args__has_key="files")
    return max((int(args["files"]) for args in done.values_list("args", flat=True)), default=0)


def jobs_of(source: TelemetrySource) -> QuerySet[Job]:
    """Every run that was asked for of the source, as the work it is."""
    return Job.objects.filter(kind=runs.KIND, key=str(source.pk))


def unfinished() -> QuerySet[Job]:
    """Runs that wait or go on; their keys are ids of sources."""
    return Job.objects.filter(kind=runs.KIND, state__in=[JobState.QUEUED, JobState.RUNNING])


def next_at(source: TelemetrySource) -> datetime | None:
    """The earliest time of the next scheduled run, None without a schedule."""
    if source.run_every == RunEvery.OFF:
        return None
    return (source.run_asked_at + PERIODS[RunEvery(source.run_every)]) if source.run_asked_at else timezone.now()
