"""For commands: do a job here if no worker has taken it, else watch the worker; return when it is finished."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from spine import jobs, pace, sequencer
from spine.errors import Refused
from spine.models import Job, JobState

CLEARED = "\r\x1b[K"  # back to the start of the line, and the rest of it away


def finish(job: Job) -> Job:
    """Return the finished job; raises Refused with its error when it failed or was set aside.

    On a terminal its progress stands on one line, with rate and remaining time, whoever does the work; elsewhere there
    is a line for each change.
    """
    shown = ""
    while True:
        with _bar(job):
            jobs.run(job.id)
        job.refresh_from_db()
        if job.is_finished:
            break
        shown = _tell(job, shown)
        time.sleep(0.5)
    if shown and sys.stderr.isatty():
        sys.stderr.write(CLEARED)
    sequencer.sequence()
    if job.state != JobState.DONE:
        raise Refused(f"{job.kind} did not finish: {job.error}")
    return job


def _tell(job: Job, shown: str) -> str:
    """Say how far a job is that a worker holds, or that waits for one, when that is not what was `shown` last."""
    if sys.stderr.isatty():
        line = bar(job, pace.elapsed(job))
        if line != shown:
            sys.stderr.write(f"{CLEARED}{line}")
            sys.stderr.flush()
        return line
    line = f"{job.kind}: {job.state}, {job.percent} % {job.note}"
    if line != shown:
        said = pace.in_words(job, pace.pace_of(job))
        sys.stderr.write(f"{line}; {said}\n" if said else f"{line}\n")
    return line


@contextmanager
def _bar(job: Job) -> Iterator[None]:
    """Show how far the job is while the block runs it, when somebody looks on."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()

    def look() -> None:
        looked = False
        try:
            while not ended.wait(0.5):
                now, looked = Job.objects.get(id=job.id), True
                sys.stderr.write(f"{CLEARED}{bar(now, pace.elapsed(now))}")
                sys.stderr.flush()
        finally:
            connection.close()
            if looked:
                sys.stderr.write(CLEARED)

    looking = threading.Thread(target=look, name="progress", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join(timeout=5)


def bar(job: Job, seconds: float) -> str:
    """One line: a bar, what is done, and once `seconds` of work tell anything the rate and what is left."""
    if not job.total or not job.done:
        return f"{job.kind}: {job.note or job.state}"
    part = min(1.0, job.done / job.total)
    filled = "█" * int(part * 24)
    said = [f"{filled:░<24} {part:.0%}", job.note, pace.in_words(job, pace.pace(job, seconds))]
    return " · ".join(text for text in said if text)
