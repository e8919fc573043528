"""Jobs: one unfinished job a key, leases, the sweeper, fencing; and the outbox handled once."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from spine import counting, jobs, outbox, tracing
from spine.errors import Refused
from spine.models import Job, JobState, Outbox

CALLS: list[Any] = []
pytestmark = pytest.mark.django_db(transaction=True)


def remember(job: jobs.Running) -> dict[str, Any]:
    """A handler that notes that it ran."""
    job.progress(1, 4, "a quarter")
    CALLS.append(job.key)
    return {"key": job.key}


def refuse(job: jobs.Running) -> dict[str, Any]:
    """A handler whose rule says no."""
    raise Refused("Not now.", missing=["a verdict"])


def break_down(job: jobs.Running) -> dict[str, Any]:
    """A handler with a mistake in it."""
    raise ZeroDivisionError("a mistake")


def lack_room(job: jobs.Running) -> dict[str, Any]:
    """A handler that PostgreSQL has no room for."""
    with connection.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = 'disk_full'; END $$")
    return {}


def lose_the_lease(job: jobs.Running) -> dict[str, Any]:
    """A handler that is overtaken while it works."""
    Job.objects.filter(id=job.id).update(holder=uuid.uuid4())
    with transaction.atomic():
        job.confirm()
        CALLS.append("an effect after the lease was lost")
    return {}


def follow(job: jobs.Running) -> dict[str, Any]:
    """A handler that begins more work, in both ways."""
    with transaction.atomic():
        outbox.put("happened", {"trace": True})
        jobs.enqueue("remember", actor=job.actor, key="more")
    return {}


def handle(payload: dict[str, Any]) -> None:
    """An outbox handler."""
    if payload.get("trace"):
        CALLS.append(f"handled for {tracing.current().request}")
        return
    if payload.get("fail"):
        raise ValueError("the handler cannot")
    CALLS.append(payload["n"])


@pytest.fixture(autouse=True)
def tables(settings: Any) -> None:
    CALLS.clear()
    settings.SEND_TASKS = False
    kinds = {
        "remember": remember,
        "refuse": refuse,
        "break": break_down,
        "lose": lose_the_lease,
        "follow": follow,
        "lack": lack_room,
    }
    settings.JOB_KINDS = {kind: f"tests.spine.test_jobs.{handler.__name__}" for kind, handler in kinds.items()}
    settings.OUTBOX_HANDLERS = dict.fromkeys(["happened", "job.parked"], "tests.spine.test_jobs.handle")


def enqueue(kind: str = "remember", key: str = "k") -> Job:
    with transaction.atomic():
        return jobs.enqueue(kind, actor="user:lead", key=key)


def test_enqueue_same_key_twice_is_one_job() -> None:
    assert enqueue().id == enqueue().id
    assert Job.objects.count() == 1


def test_enqueue_same_key_from_two_threads_is_one_job() -> None:
    found: list[uuid.UUID] = []

    def one() -> None:
        found.append(enqueue().id)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert Job.objects.count() == 1


def test_enqueue_after_the_first_finished_is_new_work() -> None:
    first = enqueue()
    jobs.run(first.id)

    assert enqueue().id != first.id


def test_run_does_the_work_once_and_keeps_the_result() -> None:
    job = enqueue()

    assert jobs.run(job.id) is True
    assert jobs.run(job.id) is False
    job.refresh_from_db()
    assert (job.state, job.result, job.attempts, CALLS) == (JobState.DONE, {"key": "k"}, 1, ["k"])
    assert job.done == job.total == 4


def test_refused_job_fails_with_the_sentence() -> None:
    job = enqueue("refuse")
    jobs.run(job.id)

    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "Not now.; a verdict")


def test_mistake_in_a_handler_fails_the_job_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    job = enqueue("break")
    jobs.run(job.id)

    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "ZeroDivisionError: a mistake")
    assert "a mistake" in caplog.text


def test_job_that_meets_a_full_disk_waits_and_loses_no_attempt() -> None:
    job = enqueue("lack")
    assert jobs.run(job.id)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.holder, job.note) == (JobState.QUEUED, 0, None, jobs.LACKED)
    assert job.not_before is not None
    assert timedelta(seconds=10) < job.not_before - timezone.now() < timedelta(seconds=16)
    assert (jobs.run(job.id), jobs.sweep()) == (False, 0)
    Job.objects.update(created_at=timezone.now() - timedelta(days=1), not_before=timezone.now())
    assert (jobs.sweep(), jobs.run(job.id)) == (1, True)
    job.refresh_from_db()
    assert job.not_before is not None
    assert timedelta(minutes=9) < job.not_before - timezone.now() < timedelta(minutes=11)


def test_failed_job_started_again_is_a_job_of_its_own() -> None:
    job = enqueue("refuse")
    jobs.run(job.id)
    job.refresh_from_db()

    with transaction.atomic():
        again = jobs.start_again(job, actor="user:analyst")

    assert (again.id != job.id, again.state, again.args, again.actor) == (True, "queued", job.args, "user:analyst")


def test_attempt_that_lost_its_lease_leaves_no_effect() -> None:
    job = enqueue("lose")

    assert jobs.run(job.id) is False
    assert CALLS == []
    job.refresh_from_db()
    assert job.state == JobState.RUNNING


def test_job_of_a_dead_worker_is_handed_back_and_after_three_set_aside() -> None:
    job = enqueue()
    for attempt in range(1, 4):
        assert jobs._take(job.id) is not None
        assert jobs._take(job.id) is None
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
        job.refresh_from_db()
        assert (job.attempts, job.state) == (attempt, JobState.PARKED if attempt == 3 else JobState.QUEUED)
    assert "died 3 times" in job.error


def test_leases_that_ran_out_and_jobs_that_ended_are_counted() -> None:
    job = enqueue()
    for _ in range(2):
        jobs._take(job.id)
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
    jobs._take(job.id)
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1), attempts=1)
    assert jobs.run(job.id) is True  # taken from the dead one before the sweeper came
    jobs.run(enqueue("refuse").id)

    found = counting.totals()
    assert found[counting.EXPIRED] == {"remember": 3}
    assert found[counting.FINISHED] == {"refuse failed": 1, "remember done": 1}


def test_job_keeps_the_request_it_was_asked_for_in_and_what_it_begins_keeps_it_too() -> None:
    with tracing.within(request="request-1"):
        job = enqueue("follow")
    assert jobs.run(job.id, worker="worker@here") is True

    job.refresh_from_db()
    assert (job.request_id, job.worker) == ("request-1", "worker@here")
    assert list(Outbox.objects.values_list("request_id", flat=True)) == ["request-1"]
    assert list(Job.objects.exclude(id=job.id).values_list("kind", "request_id")) == [("remember", "request-1")]
    outbox.relay_all()
    assert CALLS == ["handled for request-1"]
    assert enqueue(key="other").request_id == ""


def test_heartbeat_renews_the_lease_while_the_handler_works(settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 1
    job = enqueue()
    running = jobs._take(job.id)
    assert running is not None
    before = Job.objects.get().lease_until
    with jobs._heartbeat(running):
        waited = threading.Event()
        waited.wait(0.8)
    after = Job.objects.get().lease_until

    assert before is not None
    assert after is not None
    assert after > before


def test_outbox_message_of_a_rolled_back_act_never_happens() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        outbox.put("happened", {"n": 1})
        raise ZeroDivisionError

    assert (outbox.relay_all(), CALLS) == (0, [])


def test_outbox_message_is_handled_once_in_order() -> None:
    for number in range(3):
        outbox.put("happened", {"n": number})

    assert (outbox.relay_all(), outbox.relay_all(), CALLS) == (3, 0, [0, 1, 2])


def test_messages_handled_long_ago_are_forgotten_and_those_that_wait_are_not(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOX_DAYS = 7
    monkeypatch.setattr(outbox, "FORGOTTEN_AT_ONCE", 2)
    for number in range(6):
        outbox.put("happened", {"n": number})
    aged = timezone.now() - timedelta(days=8)
    first = list(Outbox.objects.order_by("created_at").values_list("id", flat=True)[:5])
    Outbox.objects.filter(id__in=first).update(created_at=aged, handled_at=aged)
    Outbox.objects.filter(id=first[0]).update(handled_at=None, attempts=3)
    Outbox.objects.filter(id=first[1]).update(handled_at=timezone.now() - timedelta(days=6))
    assert (outbox.tidy(), outbox.tidy()) == (3, 0)
    assert [row.payload["n"] for row in Outbox.objects.order_by("id")] == [0, 1, 5]


def test_outbox_message_whose_handler_fails_stays_with_its_error_and_holds_up_nobody() -> None:
    outbox.put("happened", {"fail": True})
    outbox.put("happened", {"n": 7})

    assert (outbox.relay_all(), CALLS) == (1, [7])
    stuck = Outbox.objects.get(handled_at=None)
    assert (stuck.attempts, stuck.error) == (1, "ValueError: the handler cannot")


def test_unknown_kind_and_topic_are_mistakes_in_the_program() -> None:
    with pytest.raises(LookupError):
        jobs.enqueue("no.such", actor="user:lead", key="k")
    with pytest.raises(LookupError):
        outbox.put("no.such", {})
