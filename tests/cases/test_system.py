"""The installation as administrators see it: the page, the API and the command tell the same."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases.views.system import SCHEDULED
from detection import ingest
from spine import jobs, presence
from spine.models import Job, JobState, Seen
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.detection.feeds.made import make_folder_feed
from tests.detection.samples import DETECTOR, line
from tests.factories import Cast, make_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]


def a_busy_installation(cast: Cast, settings: Any, folder: Any) -> Job:
    """A worker at work, a silent one, a job that failed, one of a case that failed, a feed, findings."""
    presence.begin("worker@busy", slots=2, version="0.1.0")
    presence.begin("worker@gone", slots=2, version="0.1.0")
    Seen.objects.filter(name="worker:worker@gone").update(seen=timezone.now() - timedelta(hours=1))
    feed = make_folder_feed(settings, folder)
    ingest.store([line("a"), b"{}"], actor=f"detector:{DETECTOR}", detector=DETECTOR)
    case = make_case(cast)
    with transaction.atomic():
        jobs.enqueue("feed.pull", actor="user:admin", key=str(feed.pk), args={"feed": str(feed.pk)})
        failed = jobs.enqueue("log.verify", actor="user:admin", key="whole")
        of_case = jobs.enqueue("dossier.freeze", actor="user:lead", key="x", scope=case.pk)
        working = jobs.enqueue("telemetry.add", actor="user:admin", key="x")
    Job.objects.filter(pk=failed.pk).update(state=JobState.FAILED, error="The log cannot be read.")
    Job.objects.filter(pk=of_case.pk).update(state=JobState.PARKED, error=f"secret words about {case.ref}")
    jobs._take(working.pk, "worker@busy")
    return failed


def test_the_page_tells_what_works_and_what_does_not(cast: Cast, settings: Any, tmp_path: Any) -> None:
    failed = a_busy_installation(cast, settings, tmp_path)
    page = client_of(cast.admin).get("/system/")
    text = text_of(page)

    for part in ("worker@busy", "Reading telemetry, for", "silent", "The log cannot be read.", "Drop", DETECTOR):
        assert part in text, part
    assert "1 failed job belongs to a case" in text
    assert "secret words" not in text
    assert f"/jobs/{failed.pk}/start-again/" in forms_of(page)


def test_the_api_and_the_command_tell_the_same(cast: Cast, settings: Any, tmp_path: Any) -> None:
    a_busy_installation(cast, settings, tmp_path)
    told = token_of(cast.admin).get("/api/v1/system/").json()
    out = StringIO()
    call_command("status", "--json", stdout=out)
    by_command = json.loads(out.getvalue())

    assert told.keys() == by_command.keys()
    assert told["needs_attention"] is True
    assert [(one["name"], one["alive"], one["slots"]) for one in told["workers"]] == [
        ("worker@busy", True, 2),
        ("worker@gone", False, 2),
    ]
    assert [one["kind"] for one in told["workers"][0]["doing"]] == ["telemetry.add"]
    queues = {one["kind"]: one for one in told["queues"]}
    assert set(queues) == set(settings.JOB_KINDS)
    assert [queues[kind][state] for kind, state in STATES] == [1, 1, 1, 1]
    assert [(one["detector"], one["received"], one["rejected"]) for one in told["findings"]] == [(DETECTOR, 2, 1)]
    assert [(one["name"], one["state"]) for one in told["feeds"]] == [("Drop", "running")]
    assert told["log"]["unnumbered"] > 0
    assert "secret words" not in json.dumps(told) + out.getvalue()


STATES = (("feed.pull", "queued"), ("log.verify", "failed"), ("dossier.freeze", "parked"), ("telemetry.add", "running"))


def test_all_scheduled_work_has_a_name_for_people(settings: Any) -> None:
    assert set(SCHEDULED) == {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


def test_the_command_ends_with_1_when_something_needs_a_person_and_says_what() -> None:
    out = StringIO()
    with pytest.raises(CommandError, match="Something needs a person"):
        call_command("status", "--check", stdout=out)
    assert "no worker has shown itself within a day" in out.getvalue()
    presence.begin("worker@a", slots=2)
    call_command("status", "--check", stdout=out)
    assert "worker worker@a: alive, 0 of 2 jobs" in out.getvalue()


def test_the_page_takes_one_number_of_queries(cast: Cast, settings: Any, tmp_path: Any) -> None:
    client = client_of(cast.admin)
    a_busy_installation(cast, settings, tmp_path)
    client.get("/system/")  # the first visit is noted with the session
    with CaptureQueriesContext(connection) as few:
        client.get("/system/")
    for number in range(3):
        presence.begin(f"worker@{number}", slots=2)
        with transaction.atomic():
            job = jobs.enqueue("telemetry.add", actor="user:admin", key=f"more-{number}")
        jobs._take(job.pk, f"worker@{number}")
        ingest.store([line("a")], actor="x", detector=f"more-{number}")
    with CaptureQueriesContext(connection) as many:
        client.get("/system/")
    assert len(few) == len(many)


def test_the_banner_leads_administrators_here(cast: Cast) -> None:
    with transaction.atomic():
        jobs.enqueue("log.verify", actor="user:admin", key="whole")
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    for person, address in ((cast.admin, "/system/"), (cast.lead, "/log/chain/")):
        text = text_of(client_of(person).get("/log/"))
        assert "No worker shows itself, and work waits." in text
        assert f'<a href="{address}">See how the' in text
    assert "No worker" not in text_of(client_of(cast.reader).get("/log/"))
