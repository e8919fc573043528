"""For commands: do a job here if no worker has taken it, else watch the worker; return when it is finished."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from spine import jobs, sequencer
from spine.errors import Refused
from spine.models import Job, JobState


def finish(job: Job) -> Job:
    """Return the finished job; raises Refused with its error when it failed or was set aside.

    On a terminal its progress stands on one line, with rate and remaining time.
    """
    shown = ""
    while True:
        with _bar(job):
            jobs.run(job.id)
        job.refresh_from_db()
        if job.is_finished:
            break
        line = f"{job.kind}: {job.state}, {job.percent} % {job.note}"
        if line != shown:
            sys.stderr.write(line + "\n")
            shown = line
        time.sleep(0.5)
    sequencer.sequence()
    if job.state != JobState.DONE:
        raise Refused(f"{job.kind} did not finish: {job.error}")
    return job


@contextmanager
def _bar(job: Job) -> Iterator[None]:
    """Show how far the job is while the block runs it, when somebody looks on."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()

    def look() -> None:
        started = time.monotonic()
        try:
            while not ended.wait(0.5):
                now = Job.objects.get(id=job.id)
                sys.stderr.write(f"\r\x1b[K{bar(now, time.monotonic() - started)}")
                sys.stderr.flush()
        finally:
            connection.close()
            sys.stderr.write("\r\x1b[K")

    looking = threading.Thread(target=look, name="progress", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join(timeout=5)


def bar(job: Job, seconds: float) -> str:
    """One line: a bar, what is done, and from how long it took the rate and what is left."""
    if not job.total or not job.done or seconds <= 0:
        return f"{job.kind}: {job.note or job.state}"
    part = min(1.0, job.done / job.total)
    rate, left = job.done / seconds, seconds / part - seconds
    filled = "█" * int(part * 24)
    return f"{filled:░<24} {part:.0%} · {job.note} · {_large(rate)}/s · {_spell(left)} left"


def _large(rate: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.1f} {unit}"
    return f"{rate:.1f}"


def _spell(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole >= 3600 else f"{whole // 60} min {whole % 60} s"
