"""PostgreSQL with a full disk: 503 and when to come again, nothing acknowledged lost, no half batch, back by itself."""

import itertools
import json
import resource
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from config.embedded import postgres
from detection import feed_verbs, registry, runs, sources
from detection.models import Feed, Finding, FindingAccount, Sighting, TelemetrySource
from detection.simulate import Scale, simulate
from spine import jobs, verification
from spine.allowlist import parse
from spine.models import Job, JobState, LogEntry
from tests.cases.pages import client_of
from tests.cases.test_views_case_records import NOTE
from tests.detection.feeds.made import given
from tests.detection.samples import DETECTOR, line
from tests.factories import Cast, make_case
from tests.full_disk import Disk, small_disk
from tests.killing import finished
from tests.servers import HOME, Worker

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
LINES = 8_000
FULL = (503, "30", "application/problem+json")


@pytest.fixture
def disk(transactional_db: None, tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as found:
        yield found
        connection.close()


class Sender:
    """A detector that sends to the running server."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.key = registry.create_detector(actor="user:admin", name=DETECTOR)[1]

    def bulk(self, body: bytes) -> requests.Response:
        return self._post("findings/bulk/", body, "application/x-ndjson")

    def one(self, uid: str) -> requests.Response:
        return self._post("findings/", line(uid), "application/json")

    def _post(self, path: str, body: bytes, kind: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        return requests.post(f"{self.site}/api/v1/{path}", data=body, headers=headers, timeout=60)


def said(answer: requests.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.headers.get("Retry-After", ""), answer.headers["Content-Type"]


def test_what_is_sent_to_a_full_database_is_told_and_taken_when_there_is_room(live_site: str, disk: Disk) -> None:
    sender, body = Sender(live_site), b"\n".join(line(f"f-{number:05}") for number in range(LINES))
    disk.fill(left=4 * 1024 * 1024)
    answer = sender.bulk(body)
    assert said(answer) == FULL
    kept = answer.json()["created"]
    assert "no room left" in answer.json()["detail"]
    assert 0 < kept < LINES
    assert stored() == kept

    disk.fill()
    acknowledged = set[str]()
    for number in range(500):
        answer = sender.one(f"one-{number:05}")
        if answer.status_code != 201:
            break
        acknowledged.add(f"one-{number:05}")
    assert said(answer) == FULL
    assert set(Finding.objects.filter(uid__startswith="one-").values_list("uid", flat=True)) == acknowledged

    disk.make_room()
    answer = sender.bulk(body)
    counts = answer.json()
    assert (answer.status_code, counts["created"], counts["duplicate"]) == (201, LINES - kept, kept)
    assert sender.one("one-after").status_code == 201
    assert stored() == LINES + len(acknowledged) + 1
    assert [str(problem) for problem in verification.verify().problems] == []


def stored() -> int:
    """How many findings there are, each whole: with its accounts, its sightings, and its place in the log."""
    count = Finding.objects.count()
    rows = sum(LogEntry.objects.filter(action="findings.received").values_list("row_count", flat=True))
    assert (rows, FindingAccount.objects.count(), Sighting.objects.count()) == (count, 2 * count, 3 * count)
    return count


def test_page_that_writes_to_a_full_database_says_so_and_goes_on_when_there_is_room(
    live_site: str, committed_cast: Cast, disk: Disk
) -> None:
    case = make_case(committed_cast)
    browser = requests.Session()
    for name, morsel in client_of(committed_cast.analyst).cookies.items():
        browser.cookies.set(name, morsel.value)
    address = f"{live_site}{reverse('case_timeline', args=[case.ref])}"
    browser.get(address, timeout=60)
    numbers = itertools.count(1)

    def add() -> requests.Response:
        sent = {
            **NOTE,
            "text": f"Note {next(numbers)}",
            "csrfmiddlewaretoken": browser.cookies[settings.CSRF_COOKIE_NAME],
        }
        return browser.post(address, data=sent, headers={"Referer": address}, allow_redirects=False, timeout=60)

    disk.fill()
    added = 0
    while (answer := add()).status_code == 302 and added < 200:
        added += 1
    assert said(answer) == (503, "30", "text/html; charset=utf-8")
    assert "no room left" in answer.text
    assert case.timeline_notes.count() == LogEntry.objects.filter(action="timeline.added").count() == added
    assert browser.get(address, timeout=60).status_code == 200
    disk.make_room()
    assert add().status_code == 302
    assert case.timeline_notes.count() == added + 1


def test_server_out_of_connections_is_told_and_passes(transactional_db: None) -> None:
    key = registry.create_detector(actor="user:admin", name=DETECTOR)[1]
    connection.close()
    with postgres.connect(HOME) as owner:
        owner.execute("ALTER ROLE retort_app CONNECTION LIMIT 0")
        try:
            answer = push(key)
        finally:
            owner.execute("ALTER ROLE retort_app CONNECTION LIMIT -1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert push(key).status_code == 201


def test_server_out_of_memory_is_told_and_passes(transactional_db: None) -> None:
    """The server's process that stores gets no more memory, which it answers as on a machine that has none left."""
    key = registry.create_detector(actor="user:admin", name=DETECTOR)[1]
    connection.ensure_connection()
    server = connection.connection.info.backend_pid
    resource.prlimit(server, resource.RLIMIT_AS, (4096, resource.RLIM_INFINITY))
    try:
        answer = push(key, lines=3_000)
    finally:
        resource.prlimit(server, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    kept = answer.json().get("created", 0)  # not told where memory lacked before anything was read
    assert Finding.objects.count() == kept
    answer = push(key, lines=3_000)
    assert (answer.status_code, answer.json()["duplicate"]) == (201, kept)


def push(key: str, lines: int = 1) -> Any:
    body = b"\n".join(line(f"f-{number}") for number in range(lines))
    headers = {"Authorization": f"Bearer {key}"}
    return Client(raise_request_exception=False).post(
        "/api/v1/findings/bulk/", body, content_type="application/x-ndjson", headers=headers
    )


def test_jobs_wait_for_room_and_are_done_when_there_is(worker: Worker, disk: Disk, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.ndjson").write_text("\n".join(json.dumps(one) for one in given(3_000)))
    worker.restart(RETORT_OUTGOING_ALLOWED=drop.as_uri())
    feed = a_feed(drop)
    source = telemetry(tmp_path)
    disk.fill()
    asked = [feed_verbs.request_pull(feed, actor="system:feeds"), runs.request_run(actor="user:lead", source=source)]
    for job in asked:
        until(lambda job=job: Job.objects.get(pk=job.pk).not_before is not None)
    waiting = Job.objects.filter(pk__in=[job.pk for job in asked])
    assert set(waiting.values_list("state", "note")) <= {(JobState.QUEUED, jobs.LACKED), (JobState.RUNNING, "")}
    assert not Finding.objects.exists()
    feed.refresh_from_db()
    assert (feed.cursor, feed.failures > 0) == ({}, True)

    disk.make_room()
    for job in asked:
        assert finished(job).attempts == 1
    feed.refresh_from_db()
    assert Finding.objects.filter(detector__name=DETECTOR).count() == 3_000
    assert (feed.failures, feed.last_error) == (0, "")
    assert [str(problem) for problem in verification.verify().problems] == []


def a_feed(drop: Path) -> Feed:
    """A feed that is pulled when asked alone: a new one is due at once, and beat would pull before the disk is full."""
    with override_settings(OUTGOING_ALLOWED=[parse(drop.as_uri())]), transaction.atomic():
        feed = feed_verbs.create_feed(
            actor="user:admin",
            name="Drop",
            detector=DETECTOR,
            kind="folder",
            settings={"folder": str(drop), "settle_seconds": 0},
            mapping={"as": "native"},
        )
        Feed.objects.filter(pk=feed.pk).update(next_pull_at=timezone.now() + timedelta(days=1))
    return feed


def telemetry(folder: Path) -> TelemetrySource:
    made = simulate(Scale(accounts=200, exchanges=5_000, seed=5), folder / "telemetry")
    source = TelemetrySource.objects.create(name="api-logs")
    for kind in ("accounts", "networks", "models"):
        sources.add_file(actor="user:lead", source=source, kind=kind, path=getattr(made, kind))
    sources.add_file(actor="user:lead", source=source, kind="exchanges", path=made.telemetry)
    return source


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, list(Job.objects.values("kind", "state", "note", "error"))
        time.sleep(0.05)
