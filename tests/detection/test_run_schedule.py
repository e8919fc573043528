"""Runs by the clock: only when telemetry came, never two at once for a source, over the newest days."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from detection import run_schedule, runs, sources
from detection.models import Run, TelemetrySource
from detection.records import Window
from spine import jobs
from spine.errors import Conflict, Refused
from spine.models import Job, JobState, LogEntry
from tests.detection.telemetry.rows import START, dataset_of, row
from tests.detection.test_sources import exchange

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
ADMIN = "user:admin"


@pytest.fixture(autouse=True)
def telemetry_apart(settings: Any, tmp_path: Path) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"


@pytest.fixture
def source() -> TelemetrySource:
    return schedule(sources.source_named("api-logs"), "hourly", 1)


def schedule(source: TelemetrySource, every: str, days: int = 45) -> TelemetrySource:
    return run_schedule.set_run_schedule(source, actor=ADMIN, revision=source.revision, every=every, days=days)


def add(source: TelemetrySource, tmp_path: Path, first: int) -> None:
    path = tmp_path / f"{first}.ndjson"
    path.write_text("\n".join(json.dumps(exchange(number)) for number in range(first, first + 20)))
    sources.add_file(actor=ADMIN, source=source, kind="exchanges", path=path)


def an_hour_passes() -> None:
    TelemetrySource.objects.update(run_asked_at=timezone.now() - timedelta(minutes=61))


def work() -> Job:
    job = Job.objects.filter(state=JobState.QUEUED, kind="detectors.run").get()  # drawings of clusters wait too
    assert jobs.run(job.pk)
    job.refresh_from_db()
    return job


def test_nothing_is_asked_for_without_telemetry_or_without_a_schedule(source: TelemetrySource, tmp_path: Path) -> None:
    assert run_schedule.ask_due() == 0
    add(source, tmp_path, 0)
    schedule(source, "off")
    assert run_schedule.ask_due() == 0


def test_a_run_is_asked_for_once_and_again_only_when_telemetry_came(source: TelemetrySource, tmp_path: Path) -> None:
    add(source, tmp_path, 0)
    assert (run_schedule.ask_due(), run_schedule.ask_due()) == (1, 0)
    assert work().state == JobState.DONE
    an_hour_passes()
    assert run_schedule.ask_due() == 0  # nothing came
    add(source, tmp_path, 20)
    assert run_schedule.ask_due() == 1
    assert work().state == JobState.DONE
    add(source, tmp_path, 40)
    assert run_schedule.ask_due() == 0  # the hour is not over
    assert Run.objects.count() == 2


def test_the_window_is_the_newest_days(source: TelemetrySource, tmp_path: Path) -> None:
    add(source, tmp_path, 0)  # three days of exchanges
    run_schedule.ask_due()
    work()
    run = Run.objects.get()
    assert run.window_end - run.window_start == timedelta(days=1)
    assert run.window_end.date().isoformat() == "2026-05-06"


def test_newest_days_pass_over_exchanges_dated_in_the_future(tmp_path: Path) -> None:
    day, far, tick = timedelta(days=1), 24 * 365 * 70, timedelta(microseconds=1)
    rows = [row(0, hours=hours, request_id=f"r{hours}") for hours in (0, 240, far, far + 480)]
    with dataset_of(tmp_path, rows) as dataset:
        last = START + 10 * day + tick
        for now in (START + 9.5 * day, START + 300 * day):  # a day ahead is taken, a year behind is no matter
            assert runs.newest(dataset, 4, now) == Window(last - 4 * day, last)
        assert runs.newest(dataset, 90, START + 300 * day) == Window(START, last)
        all_ahead, end = START - 300 * day, START + timedelta(hours=far + 480) + tick
        assert runs.newest(dataset, 30, all_ahead) == Window(end - 30 * day, end)
        assert runs.newest(dataset, None, START) == Window(START, end)


def test_while_a_run_goes_on_none_is_asked_for(source: TelemetrySource, tmp_path: Path) -> None:
    add(source, tmp_path, 0)
    mine = runs.request_run(actor=ADMIN, source=source)
    assert run_schedule.ask_due() == 0
    assert runs.request_run(actor=ADMIN, source=source) == mine
    with pytest.raises(Conflict, match="wait for its end, or stop it"):
        runs.request_run(actor=ADMIN, source=source, days=3)
    assert Job.objects.count() == 1


def test_a_run_that_came_to_nothing_is_asked_for_again(source: TelemetrySource, tmp_path: Path) -> None:
    add(source, tmp_path, 0)
    run_schedule.ask_due()
    jobs.stop(Job.objects.get(), why="stopped")
    an_hour_passes()
    assert run_schedule.ask_due() == 1


def test_a_run_over_a_past_window_leaves_the_source_behind(source: TelemetrySource, tmp_path: Path) -> None:
    add(source, tmp_path, 0)
    runs.request_run(actor=ADMIN, source=source, start="2026-05-04T00:00:00Z", end="2026-05-05T00:00:00Z")
    assert work().state == JobState.DONE
    assert run_schedule.is_behind(source)
    runs.request_run(actor=ADMIN, source=source)
    work()
    assert not run_schedule.is_behind(source)


def test_a_killed_worker_delays_a_scheduled_run_and_makes_no_second_one(
    source: TelemetrySource, tmp_path: Path
) -> None:
    add(source, tmp_path, 0)
    run_schedule.ask_due()
    job = Job.objects.get()
    dead = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, attempts=1, lease_until=dead, holder=job.pk)
    an_hour_passes()
    assert run_schedule.ask_due() == 0  # it is nobody's now, and not over
    jobs.sweep()
    assert work().attempts == 2
    assert Run.objects.count() == 1


def test_schedule_is_set_once_with_one_entry_and_the_loser_is_told(source: TelemetrySource) -> None:
    schedule(source, "daily", 30)
    with pytest.raises(Conflict, match="changed meanwhile"):
        schedule(source, "off")
    fresh = TelemetrySource.objects.get()
    for every, days in (("weekly", 3), ("daily", 0), ("daily", 30)):
        with pytest.raises(Refused):
            schedule(fresh, every, days)
    entries = LogEntry.objects.filter(action="telemetry.schedule_set").order_by("id")
    assert [(one.data["new"]["every"], one.data["new"]["days"]) for one in entries] == [("hourly", 1), ("daily", 30)]


def test_command_sets_the_schedule_and_says_so_again(source: TelemetrySource, capsys: Any) -> None:
    for _ in range(2):
        call_command("run_detectors", source="api-logs", schedule="daily", days=60)
        assert capsys.readouterr().out == "api-logs: every day, over the newest 60 days\n"
    fresh = TelemetrySource.objects.get()
    assert (fresh.run_every, fresh.run_days, Job.objects.count()) == ("daily", 60, 0)
    with pytest.raises(CommandError, match="Either --days"):
        call_command("run_detectors", days=3, start="2026-05-04T00:00:00Z", end="2026-05-05T00:00:00Z")
