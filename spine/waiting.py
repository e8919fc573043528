"""For commands: do a job here if no worker has taken it, else watch the worker; return when it is finished."""

import sys
import time

from spine import jobs, sequencer
from spine.errors import Refused
from spine.models import Job, JobState


def finish(job: Job) -> Job:
    """Return the finished job; raises Refused with its error when it failed or was set aside."""
    shown = ""
    while True:
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
