"""Celery's side of jobs, outbox and log: each task carries an id at most and calls one function."""

import logging
import uuid
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from spine import checking, departures, jobs, outbox, sequencer, timestamps

logger = logging.getLogger(__name__)


def nudge(task: "Task[..., Any]", *args: str) -> None:
    """Send a task now if the broker answers; if not, the sweeper sends it within seconds, so nothing is lost."""
    if not settings.SEND_TASKS:
        return
    try:
        task.apply_async(args=args, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("broker not reached, the sweeper will send %s: %s", task.name, type(error).__name__)


@shared_task(bind=True)
def run_job(self: "Task[..., Any]", job_id: str) -> None:
    """Do one job."""
    jobs.run(uuid.UUID(job_id), worker=str(self.request.hostname or ""))


@shared_task
def relay() -> None:
    """Handle what waits in the outbox."""
    outbox.relay_all()


@shared_task
def tidy_outbox() -> Any:
    """Forget messages that were handled long ago."""
    return outbox.tidy()


@shared_task
def sweep() -> None:
    """Hand back the jobs of dead workers and whatever waits in the outbox."""
    jobs.sweep()
    outbox.relay_all()


@shared_task
def stamp() -> Any:
    """Have due checkpoints time-stamped."""
    return timestamps.stamp_due()


@shared_task
def depart() -> Any:
    """Send copies of the newest checkpoint out of the site."""
    return departures.send_due()


@shared_task
def verify_daily() -> None:
    """Ask for a verification of the whole log."""
    checking.ask_daily()


@shared_task
def sequence() -> Any:
    """Number new entries and sign the checkpoint."""
    return sequencer.sequence()
