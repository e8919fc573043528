"""Job handlers of detection: each reads its ids, calls one function, and is safe to run again after a killed worker."""

from typing import Any

from celery import shared_task

from detection import (
    detector_health,
    drawing,
    feed_health,
    fetching,
    grouping,
    measuring,
    pulling,
    run_schedule,
    runs,
    simulating,
    sources,
)
from detection.models import TelemetrySource
from people import key_health
from spine.errors import Refused
from spine.jobs import Running


def add_telemetry(job: Running) -> dict[str, Any]:
    """Job `telemetry.add`: read one file into a source."""
    source = TelemetrySource.objects.get(id=job.args["source"])
    place = job.args["path"]
    try:
        with fetching.fetched(place) as path:
            record, new = sources.add_file(
                actor=job.actor,
                source=source,
                kind=job.args["kind"],
                path=path,
                name=fetching.name_of(place),
                adapter=job.args.get("format", ""),
                on_progress=job.progress,
                confirm=job.confirm,
            )
    except Refused:
        fetching.discard(place)
        raise
    fetching.discard(place)
    counts = {name: getattr(record, name) for name in ("rows", "bad", "repeated", "truncated")}
    return {"file": str(record.id), "new": new, **counts}


def simulate_telemetry(job: Running) -> dict[str, Any]:
    """Job `telemetry.simulate`: made-up telemetry as a source of its own."""
    return simulating.make(job)


def run_detectors(job: Running) -> dict[str, Any]:
    """Job `detectors.run`: every detector over a source's window, then clusters."""
    source = TelemetrySource.objects.get(id=job.args["source"])
    window = runs.window_from(job.args.get("from"), job.args.get("to"))
    run = runs.run_detectors(
        actor=job.actor,
        source=source,
        window=window,
        days=job.args.get("days"),
        job_id=job.id,
        on_progress=job.progress,
        confirm=job.confirm,
        is_held=job.is_held,
    )
    return {"run": str(run.id), "clusters": run.clusters.count()}


def measure_detectors(job: Running) -> dict[str, Any]:
    """Job `detectors.measure`: what every detector names in a source that is taken to be benign."""
    source = TelemetrySource.objects.get(id=job.args["source"])
    measured = measuring.measure(
        actor=job.actor,
        source=source,
        job_id=job.id,
        on_progress=job.progress,
        confirm=job.confirm,
        is_held=job.is_held,
    )
    untold = sorted(measured.untold)
    return {"lines": measuring.lines(measured), "measured": len(measured.rows), "untold": untold}


def draw_clusters(job: Running) -> dict[str, Any]:
    """Job `clusters.draw`: what pages draw of a run's clusters, or of one."""
    return drawing.draw(job)


def pull_feed(job: Running) -> dict[str, Any]:
    """Jobs `feed.pull` and `feed.backfill`: what a feed's source has, from its cursor on or in a past window."""
    return pulling.pull(job)


def group_findings(job: Running) -> dict[str, Any]:
    """Job `findings.group`: what waits of a detector's findings, joined into clusters."""
    return grouping.group(job)


@shared_task
def sweep_groups() -> int:
    """Ask for the grouping of findings that wait while no job does."""
    return grouping.sweep()


@shared_task
def hear_detectors() -> Any:
    """Say which detectors are silent longer than they promise, and which canaries have not come back."""
    return detector_health.tell()


@shared_task
def look_at_keys() -> Any:
    """Say which detectors' keys are in use and end soon."""
    return key_health.tell()


@shared_task
def run_due_sources() -> int:
    """Ask for a run of every source whose schedule has come and that got telemetry since."""
    return run_schedule.ask_due()


@shared_task
def pull_due_feeds() -> Any:
    """Ask for a pull of every feed that is due."""
    return feed_health.pull_due()


@shared_task
def tidy_simulations() -> int:
    """Remove what attempts at simulated telemetry left whose worker was killed."""
    return simulating.tidy()
