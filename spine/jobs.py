"""Jobs: PostgreSQL is the truth, a Celery message carries the id alone.

A worker takes a job by a lease and renews it while it works. A worker that dies stops renewing; the sweeper hands the
job to another. The last write of a job is fenced by the lease, so an attempt that lost it can finish nothing.

All times of jobs are the database's: programs on machines whose clocks differ agree on whose lease has run out.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest, Least, Now
from django.utils.module_loading import import_string

from spine import counting, outbox, tracing
from spine.errors import Refused, is_lacking, sqlstate
from spine.models import Job, JobState
from spine.principal import acting_as

logger = logging.getLogger(__name__)
MOST_ATTEMPTS = 3
DUE = Q(not_before=None) | Q(not_before__lte=Now())
KEEPER = "system:jobs"  # who keeps the books of jobs, whoever they are done for


class LeaseLost(Exception):  # noqa: N818 - a fact about the lease
    """Another attempt holds this job now; this one must stop without a trace."""


@dataclass(frozen=True)
class Running:
    """What a handler sees of its job."""

    id: uuid.UUID
    kind: str
    key: str
    args: dict[str, Any]
    actor: str
    scope: uuid.UUID | None
    attempt: int
    holder: uuid.UUID
    request_id: str = ""

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far the work is; raises LeaseLost when another attempt took over."""
        with acting_as(KEEPER):
            held = Job.objects.filter(id=self.id, holder=self.holder, state=JobState.RUNNING)
            changed = held.update(done=done, total=total, note=note[:300])
        if not changed:
            raise LeaseLost(f"job {self.id} is held by another attempt")

    def is_held(self) -> bool:
        """Whether this attempt holds the job still: not once it was stopped, or another attempt took over."""
        with acting_as(KEEPER):
            return Job.objects.filter(id=self.id, holder=self.holder, state=JobState.RUNNING).exists()

    def confirm(self) -> None:
        """Lock the job row in the transaction of an effect, so that the effect and the lease stand or fall together."""
        with acting_as(KEEPER):
            held = Job.objects.select_for_update().filter(id=self.id, holder=self.holder, state=JobState.RUNNING)
            if not held.exists():
                raise LeaseLost(f"job {self.id} is held by another attempt")


def enqueue(
    kind: str, *, actor: str, key: str, args: dict[str, Any] | None = None, scope: uuid.UUID | None = None
) -> Job:
    """Put work in the caller's transaction. While the same key waits or runs, that job is returned instead.

    It keeps the id of the request, or of the request behind the job or message, in which it is asked for.
    """
    if kind not in settings.JOB_KINDS:
        raise LookupError(f"no handler for the job kind {kind!r} in JOB_KINDS")
    asked_in = tracing.current().request
    fresh = Job(kind=kind, key=key, args=args or {}, actor=actor, scope=scope, request_id=asked_in, created_at=Now())
    Job.objects.bulk_create([fresh], ignore_conflicts=True)
    job = Job.objects.filter(kind=kind, key=key, state__in=[JobState.QUEUED, JobState.RUNNING]).first()
    if job is None:  # it was there a moment ago and has just finished: this is new work
        fresh.save(force_insert=True)
        job = Job.objects.get(id=fresh.id)
    transaction.on_commit(lambda: _nudge(job.id))
    return job


def _nudge(job_id: uuid.UUID) -> None:
    from spine.tasks import nudge, run_job

    nudge(run_job, str(job_id))


def run(job_id: uuid.UUID, worker: str = "") -> bool:
    """Take the job if it is free and do it; False when there was nothing to take. `worker` is who does it."""
    job = _take(job_id, worker)
    if job is None:
        return False
    with tracing.within(request=job.request_id, job=str(job.id)):
        started = time.monotonic()
        logger.info("job %s begins, attempt %s", job.kind, job.attempt)
        outcome = _work(job)
        logger.info(
            "job %s: %s after %.1f s", job.kind, outcome or "lost to another attempt", time.monotonic() - started
        )
    return bool(outcome)


def _work(job: Running) -> str:
    """Call the handler and write down how it ended; empty when another attempt holds the job now."""
    handler = import_string(settings.JOB_KINDS[job.kind])
    try:
        with acting_as(job.actor), _heartbeat(job):
            result = handler(job)
        return _finish(job, JobState.DONE, result=result or {})
    except LeaseLost:
        return ""
    except Refused as refused:
        reasons = "; ".join([refused.message, *refused.missing])
        return _finish(job, JobState.FAILED, error=reasons)
    except Exception as error:
        if is_lacking(error):
            return _put_back(job, error)
        logger.exception("job %s failed", job.kind)  # on the job, and in the page, with the error's own words
        return _finish(job, JobState.FAILED, error=f"{type(error).__name__}: {error}"[:2000])


@acting_as(KEEPER)
@transaction.atomic
def _take(job_id: uuid.UUID, worker: str = "") -> Running | None:
    """Take a job that waits, or one whose lease ran out before the sweeper came by."""
    holder = uuid.uuid4()
    leased = {"holder": holder, "lease_until": Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS), "worker": worker}
    fresh = {"started_at": Now(), "done": 0, "note": "", "error": "", "not_before": None}
    free = Job.objects.filter(DUE, id=job_id, attempts__lt=MOST_ATTEMPTS)
    for still, ran_out in ((Q(state=JobState.QUEUED), 0), (Q(state=JobState.RUNNING, lease_until__lt=Now()), 1)):
        if free.filter(still).update(state=JobState.RUNNING, attempts=F("attempts") + 1, **leased, **fresh):
            row = Job.objects.get(id=job_id)
            if ran_out:
                counting.add(counting.EXPIRED, row.kind)
            return Running(
                row.id, row.kind, row.key, row.args, row.actor, row.scope, row.attempts, holder, row.request_id
            )
    return None


@acting_as(KEEPER)
@transaction.atomic
def _finish(job: Running, state: JobState, *, result: dict[str, Any] | None = None, error: str = "") -> str:
    """Write down how it ended and count it; gives the state, empty when another attempt holds the job."""
    changed: dict[str, Any] = {
        "state": state,
        "result": result,
        "error": error,
        "finished_at": Now(),
        "lease_until": None,
    }
    if state == JobState.DONE:
        changed["done"] = F("total")
    if not Job.objects.filter(id=job.id, holder=job.holder, state=JobState.RUNNING).update(**changed):
        return ""
    _count(job.kind, state)
    return str(state)


@acting_as(KEEPER)
@transaction.atomic
def _put_back(job: Running, error: Exception) -> str:
    """Let a job wait while the database lacks disk, memory or connections, which is no attempt of its own.

    It waits a quarter of the time again that has passed since it was asked for, ten minutes at most.
    """
    held = Job.objects.filter(id=job.id, holder=job.holder, state=JobState.RUNNING)
    least, most = timedelta(seconds=settings.JOB_LEASE_SECONDS / 2), timedelta(minutes=10)
    waits = Least(Greatest((Now() - F("created_at")) / 4, Value(least)), Value(most))
    free: dict[str, Any] = {"holder": None, "lease_until": None, "not_before": Now() + waits}
    if not held.update(state=JobState.QUEUED, attempts=F("attempts") - 1, note=LACKED, **free):
        return ""
    logger.warning("job %s is put back, the database lacks something: %s", job.kind, sqlstate(error))
    return "put back"


LACKED = "the database lacked room, memory or connections; waiting to try again"


def _count(kind: str, state: JobState) -> None:
    counting.add(counting.FINISHED, f"{kind} {state}")


@contextmanager
def _heartbeat(job: Running) -> Iterator[None]:
    """Renew the lease from a thread with a connection of its own while the block runs."""
    stop = threading.Event()

    def renew() -> None:
        lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
        try:
            with acting_as(KEEPER):  # a thread knows nothing of who acts in the one that started it
                while not stop.wait(settings.JOB_LEASE_SECONDS / 3):
                    if not Job.objects.filter(id=job.id, holder=job.holder).update(lease_until=Now() + lease):
                        return
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name=f"lease-{job.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


@acting_as(KEEPER)
def sweep() -> int:
    """Hand back jobs of dead workers, park what killed three, send what nobody took; returns how many were sent."""
    _hand_back()
    waiting = Job.objects.filter(DUE, state=JobState.QUEUED).order_by("created_at")
    ids = list(waiting.values_list("id", flat=True)[:100])
    for job_id in ids:
        _nudge(job_id)
    return len(ids)


@transaction.atomic
def _hand_back() -> None:
    """End every lease that ran out, and count it; a message for each job that is set aside.

    One that a transaction holds this moment is met the next time.
    """
    dead = Job.objects.select_for_update(skip_locked=True).filter(state=JobState.RUNNING, lease_until__lt=Now())
    for job in dead.only("id", "kind", "attempts", "request_id"):
        row = Job.objects.filter(id=job.id)
        freed: dict[str, Any] = {"holder": None, "lease_until": None}
        counting.add(counting.EXPIRED, job.kind)
        if job.attempts >= MOST_ATTEMPTS:
            row.update(state=JobState.PARKED, finished_at=Now(), error=PARKED, **freed)
            _count(job.kind, JobState.PARKED)
            outbox.put("job.parked", {"job": str(job.id)})
        else:
            row.update(state=JobState.QUEUED, note="its worker died; waiting for another", **freed)
        with tracing.within(request=job.request_id, job=str(job.id)):
            logger.warning("job %s: its worker died, attempt %s", job.kind, job.attempts)


PARKED = f"its worker died {MOST_ATTEMPTS} times in a row; look at the worker's log, then start it again"


@acting_as(KEEPER)
@transaction.atomic
def stop(job: Job, *, why: str) -> bool:
    """End a job that waits or runs; False when it had ended. What an attempt has not written yet, it writes no more.

    The attempt that runs notices at its next progress, or when it would write.
    """
    going = Job.objects.filter(id=job.id, state__in=[JobState.QUEUED, JobState.RUNNING])
    ended = going.update(state=JobState.STOPPED, holder=None, lease_until=None, finished_at=Now(), error=why[:2000])
    if ended:
        _count(job.kind, JobState.STOPPED)
    return bool(ended)


def start_again(job: Job, *, actor: str) -> Job:
    """Put the work of a job that failed, was stopped or is parked in the queue anew, as a job of its own."""
    if job.state not in {JobState.FAILED, JobState.STOPPED, JobState.PARKED}:
        raise Refused("Only a job that failed, was stopped or was set aside can be started again.")
    return enqueue(job.kind, actor=actor, key=job.key, args=job.args, scope=job.scope)
