"""A worker whose clock is a day wrong takes nobody's job and leaves nobody's: leases run by the database's clock."""

import uuid
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from spine import jobs
from spine.models import Job, JobState
from tests.authority import clock
from tests.killing import finished
from tests.servers import Worker

pytestmark = pytest.mark.django_db(transaction=True)


def leased(key: str, until: timedelta) -> Job:
    """A job that an attempt elsewhere holds."""
    job = Job(kind="log.verify", key=key, actor="user:lead", state=JobState.RUNNING, attempts=1, holder=uuid.uuid4())
    job.save(force_insert=True)
    Job.objects.filter(id=job.id).update(created_at=Now(), started_at=Now(), lease_until=Now() + until)
    return Job.objects.get(id=job.id)


@pytest.mark.parametrize("skew", ["+24h", "-24h"])
def test_worker_whose_clock_is_a_day_wrong(worker: Worker, skew: str) -> None:
    worker.restart(**clock(skew))
    held = leased("held elsewhere", timedelta(hours=1))
    left = leased("left by a dead worker", timedelta(seconds=-1))
    asked = jobs.enqueue("log.verify", actor="user:lead", key="asked now")
    for job in (asked, left):
        done = finished(job)
        assert done.started_at is not None
        assert done.finished_at is not None
        assert done.created_at <= done.started_at <= done.finished_at, (done.created_at, done.started_at)
        assert done.finished_at - done.created_at < timedelta(minutes=5)
    held.refresh_from_db()
    assert (held.state, held.attempts) == (JobState.RUNNING, 1)
