"""How fast a job goes: said once it means something, by the database's clock, in words that stand still."""

import io
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models.functions import Now

from spine import jobs, pace, waiting
from spine.models import Job, JobState


def running(done: int, total: int, kind: str = "log.verify") -> Job:
    return Job(kind=kind, state=JobState.RUNNING, done=done, total=total)


@pytest.mark.parametrize(
    ("done", "total", "seconds"),
    [
        (0, 1_000, 60),  # nothing is done
        (500, 0, 60),  # nobody knows how much there is
        (1_000, 1_000, 60),  # all is done
        (500, 1_000, 4),  # it has only begun
        (9, 1_000, 60),  # too little is done to judge the rest by
        (1, 17, 60),  # one step of few
    ],
)
def test_nothing_is_said_while_it_would_mean_nothing(done: int, total: int, seconds: float) -> None:
    assert pace.pace(running(done, total), seconds) is None


def test_job_that_waits_has_no_pace() -> None:
    assert pace.pace(Job(state=JobState.QUEUED, done=500, total=1_000), 60) is None


@pytest.mark.parametrize(
    ("kind", "done", "total", "seconds", "words"),
    [
        ("log.verify", 123_456, 1_000_000, 10, "12,000 a second, about 1 min left"),
        ("log.verify", 999_000, 1_000_000, 100, "10,000 a second, less than a minute left"),
        ("telemetry.add", 352_000_000, 3_520_000_000, 10, "35 MB a second, about 2 min left"),
        ("telemetry.add", 999_990, 9_999_900, 10, "100 kB a second, about 2 min left"),
        ("telemetry.add", 5_000, 500_000, 10, "500 B a second, about 15 min left"),
        ("detectors.run", 4, 17, 60, "about 3 min left"),
        ("detectors.run", 4, 17, 3_000, "about 2 h 30 min left"),
        ("detectors.run", 4, 17, 1_100, "about 1 h left"),
        ("detectors.run", 4, 17, 100_000, "about 90 h 30 min left"),
    ],
)
def test_pace_in_words(kind: str, done: int, total: int, seconds: float, words: str) -> None:
    job = running(done, total, kind)
    assert pace.in_words(job, pace.pace(job, seconds)) == words


def test_kinds_counted_in_bytes_are_kinds_of_work() -> None:
    assert set(settings.JOB_KINDS) >= pace.IN_BYTES


@pytest.fixture
def held(no_broker: None) -> Job:
    """A job that a worker began a while ago and holds."""
    job = jobs.enqueue("detectors.run", actor="user:analyst", key="k")
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING,
        started_at=Now() - timedelta(seconds=130),
        lease_until=Now() + timedelta(minutes=1),
        done=4,
        total=17,
        note="clustering 9 accounts",
    )
    return Job.objects.get(pk=job.pk)


@pytest.mark.django_db
def test_time_is_the_databases_and_asked_once(held: Job, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        found = pace.pace_of(held)
    assert found is not None
    assert found.seconds_left == pytest.approx(130 / 4 * 13, abs=5)
    with django_assert_num_queries(0):
        assert pace.pace_of(Job(state=JobState.QUEUED)) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_command_that_waits_for_a_worker_shows_pace_on_one_line(held: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = finished(held, Terminal(), monkeypatch)
    line = "█████░░░░░░░░░░░░░░░░░░░ 24% · clustering 9 accounts · about 7 min left"
    assert shown.startswith(f"{waiting.CLEARED}{line}")
    assert (shown.count(line), shown.count("\n"), shown.endswith(waiting.CLEARED)) == (1, 0, True)


@pytest.mark.django_db
def test_without_a_terminal_there_is_a_line_for_each_change(held: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = finished(held, io.StringIO(), monkeypatch)
    assert shown == "detectors.run: running, 24 % clustering 9 accounts; about 7 min left\n"


def finished(job: Job, stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `finish` says of a job whose worker is done at the third look."""
    looks: list[float] = []

    def slept(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            Job.objects.filter(pk=job.pk).update(state=JobState.DONE)

    monkeypatch.setattr(time, "sleep", slept)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert waiting.finish(job).state == JobState.DONE
    return stderr.getvalue()
