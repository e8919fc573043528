"""Kills the worker's whole process group at chosen moments of a job, and waits until another attempt finished it."""

import time
from collections.abc import Callable, Sequence

from spine.models import Job, JobState
from tests.servers import Worker

# A job may lose two workers and still finish; the third death would set it aside.
KILLS_A_JOB = 2
MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def undisturbed(make_job: Callable[[], Job]) -> float:
    """Let a job run through; gives the seconds from its start to its end."""
    job = finished(make_job())
    assert job.started_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.started_at).total_seconds()


def kill_at(worker: Worker, make_job: Callable[[], Job], delays: Sequence[float]) -> list[bool]:
    """Run one job and kill the worker so many seconds into each attempt; gives which kills met the job at work."""
    assert len(delays) <= KILLS_A_JOB
    job = make_job()
    met: list[bool] = []
    for delay in delays:
        attempt = running(job)
        time.sleep(delay)
        worker.kill()
        job.refresh_from_db()
        met.append(job.state == JobState.RUNNING and job.attempts == attempt)
        worker.restart()
    finished(job)
    return met


def running(job: Job, timeout: float = 60) -> int:
    """Wait until an attempt runs (or the job is finished); gives its number."""
    before = job.attempts
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        job.refresh_from_db()
        if job.is_finished or (job.state == JobState.RUNNING and job.attempts > before):
            return job.attempts
        time.sleep(0.01)
    raise AssertionError(f"{job.kind} was not taken in {timeout} s: {job.state}, {job.attempts} attempts")


def finished(job: Job, timeout: float = 120) -> Job:
    """Wait until the job is done."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        job.refresh_from_db()
        if job.is_finished:
            break
        time.sleep(0.02)
    assert job.state == JobState.DONE, f"{job.kind}: {job.state} {job.note} {job.error}"
    return job
