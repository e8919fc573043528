"""Who has shown themselves; and the silence of who should have, told while work waits."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from spine import conditions, jobs, outbox, presence
from spine.models import Job, Outbox, Seen

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
LONG = timedelta(minutes=10)


def ago(span: timedelta = LONG) -> Any:
    return timezone.now() - span


def waiting_job(since: timedelta = LONG) -> None:
    with transaction.atomic():
        job = jobs.enqueue("log.verify", actor="user:admin", key="whole")
    Job.objects.filter(pk=job.pk).update(created_at=ago(since))


def names() -> list[str]:
    return [one.name for one in conditions.standing()]


def test_a_worker_shows_itself_until_it_ends() -> None:
    presence.begin("worker@a", slots=2, version="0.1.0")
    Seen.objects.update(seen=ago(), since=ago())
    assert presence.renew("worker@a") is True

    [(row, silent)] = presence.workers()
    assert (row.name, row.facts, silent < timedelta(seconds=5)) == (
        "worker:worker@a",
        {"slots": 2, "version": "0.1.0"},
        True,
    )
    assert timezone.now() - row.since > timedelta(minutes=9)
    presence.leave("worker@a")
    assert (presence.workers(), presence.renew("worker@a")) == ([], False)


def test_a_worker_that_starts_again_is_the_same_row_with_a_new_beginning() -> None:
    presence.begin("worker@a", slots=2)
    Seen.objects.update(seen=ago(), since=ago())
    presence.begin("worker@a", slots=4)

    [(row, _)] = presence.workers()
    assert (row.facts, timezone.now() - row.since < LONG) == ({"slots": 4}, True)


def test_workers_that_were_silent_for_a_day_are_forgotten_when_one_begins() -> None:
    presence.begin("worker@old")
    presence.ran("spine.tasks.sweep")
    Seen.objects.update(seen=ago(timedelta(hours=25)))
    presence.begin("worker@new")
    assert sorted(Seen.objects.values_list("name", flat=True)) == ["schedule:spine.tasks.sweep", "worker:worker@new"]


def test_nothing_is_told_while_nothing_waits_or_only_just() -> None:
    assert names() == []
    waiting_job(timedelta(seconds=5))
    assert names() == []


def test_no_worker_is_told_while_a_job_waits_on_pages_and_readiness(client: Client) -> None:
    waiting_job()
    assert names() == ["work.no_worker"]
    assert client.get("/readyz").json()["conditions"] == ["work.no_worker"]
    presence.begin("worker@a")
    assert names() == []
    Seen.objects.update(seen=ago())
    [told] = conditions.standing()
    assert (told.name, told.text[:43]) == ("work.no_worker", "No worker shows itself, and work waits. See")
    assert timezone.now() - told.since >= LONG


def test_no_worker_is_told_while_a_follow_up_waits() -> None:
    outbox.put("run.finished", {"run": "x"})
    Outbox.objects.update(created_at=ago())
    assert names() == ["work.no_worker"]


def test_a_schedule_that_stands_still_is_told_once_the_worker_has_been_there_for_a_while() -> None:
    presence.begin("worker@a")
    presence.ran("spine.tasks.sweep")
    Seen.objects.filter(name=presence.SWEEP).update(seen=ago())
    assert names() == []  # the worker has only just come
    Seen.objects.filter(name="worker:worker@a").update(since=ago())
    assert names() == ["work.no_schedule"]
    presence.ran("spine.tasks.sweep")
    assert names() == []


def test_the_question_is_one_query(django_assert_num_queries: Any) -> None:
    waiting_job()
    with django_assert_num_queries(1):
        assert len(presence.silences()) == 1
