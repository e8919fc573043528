"""The verb that ends work somebody asked for."""

from django.db import transaction

from cases.actions import base
from people.models import User
from spine import jobs, log
from spine.errors import Refused
from spine.models import Job

OF_SOURCES = ("detectors.run", "detectors.measure", "telemetry.simulate")  # of no case: who adds telemetry ends it
STOPPABLE = ("exchange_set.", *OF_SOURCES)
LEFT = {"detectors.run": "findings that were stored by then stay, and no run was made of them"}


def may_be_stopped(job: Job) -> bool:
    """Whether this work can be ended while it waits or runs: long passes that write everything at their end."""
    return job.kind.startswith(STOPPABLE) and not job.is_finished


@transaction.atomic
def stop_job(job: Job, *, actor: User) -> Job:
    """End a job of a case, a run or measuring over a source, or the making of a simulated one, while it waits or
    runs; it writes nothing any more.

    Side effects: the job is stopped, with who did it; one log entry. Raises Refused for work that cannot be ended
    or has ended.
    """
    base.require(actor, "detectors.write" if job.kind in OF_SOURCES else "cases.write")
    if not job.kind.startswith(STOPPABLE) or (job.scope is None and job.kind not in OF_SOURCES):
        raise Refused("This work cannot be stopped.")
    if not jobs.stop(job, why=f"stopped by {actor}; {LEFT.get(job.kind, 'nothing of it was kept')}"):
        raise Refused("This work has ended already.")
    data = {"kind": job.kind, "job": str(job.id)}
    log.record(actor=actor.principal, action="job.stopped", about=job, scope=job.scope, data=data)
    job.refresh_from_db()
    return job
