"""Real processes: one id from a request to its follow-up, a killed worker that is noticed, logs without content."""

import json
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as in_force
from django.db import transaction
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from config import launch
from detection import sources
from detection.models import TelemetrySource
from detection.simulate import Scale, simulate
from people.actions import create_detector_key, create_token
from spine import counting, jobs
from spine.models import Job, JobState, Outbox
from tests.cases.pages import client_of, text_of
from tests.detection.samples import DETECTOR, finding, line
from tests.factories import Cast
from tests.servers import HOME, Program, Worker, _answers, _end_connections

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "metrics-token-of-the-tests"
AS_JSON = {"RETORT_LOG_FORMAT": "json"}
SILENT = 6
FOLLOW_UP = "follow-up run.finished: done"


class Site:
    """A web server of this test's own, and what it answers."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        variables = {"PORT": str(self.port), "RETORT_PUBLIC_URL": self.url, "RETORT_METRICS_TOKEN": TOKEN, **AS_JSON}
        self.program = Program("web", launch.command("web", port=self.port), variables)
        self.program.start(lambda: _answers(f"{self.url}/healthz"))

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body; a redirect is not followed."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        opener = urllib.request.build_opener(_Stay())
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def metric(self, name: str) -> dict[tuple[str, ...], float]:
        """What a scrape says."""
        _, body = self.ask("/metrics", Authorization=f"Bearer {TOKEN}")
        [family] = [one for one in text_string_to_metric_families(body.decode()) if one.name == name]
        return {tuple(one.labels.values()): one.value for one in family.samples}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    made = Site()
    try:
        yield made
    finally:
        made.program.kill()


@pytest.fixture
def json_worker(transactional_db: None) -> Iterator[Worker]:
    handle = Worker({**AS_JSON, "RETORT_WORKER_SILENT_SECONDS": str(SILENT)})
    try:
        handle.restart()
        yield handle
    finally:
        handle.kill()
        _end_connections(handle.variables["PGAPPNAME"])


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.1)


def lines(program: Program, request_id: str) -> list[dict[str, Any]]:
    """What a program has logged under this id; every line it writes is an object."""
    found = [json.loads(line) for line in program.output.splitlines()]
    return [one for one in found if one.get("request_id") == request_id]


def test_one_id_leads_from_a_request_through_job_and_follow_up(
    site: Site, json_worker: Worker, committed_cast: Cast, tmp_path: Any
) -> None:
    made = simulate(Scale(accounts=60, exchanges=600, seed=5), tmp_path)
    source = TelemetrySource.objects.create(name="api-logs")
    for kind, path in (("accounts", made.accounts), ("exchanges", made.telemetry)):
        sources.add_file(actor="user:lead", source=source, kind=kind, path=path)
    failed = Job.objects.create(
        kind="detectors.run", key="x", actor="user:admin", state=JobState.FAILED, args={"source": str(source.id)}
    )
    named, secret = f"trace-{secrets.token_hex(8)}", secrets.token_hex(16)
    session = client_of(committed_cast.admin).cookies[in_force.SESSION_COOKIE_NAME].value
    cookies = f"{in_force.SESSION_COOKIE_NAME}={session}; {in_force.CSRF_COOKIE_NAME}={secret}"
    status, _ = site.ask(
        f"/jobs/{failed.pk}/start-again/",
        f"csrfmiddlewaretoken={secret}".encode(),
        **{"X-Request-ID": named, "Cookie": cookies},
    )
    assert status == 302

    job = Job.objects.get(request_id=named)
    until(lambda: Job.objects.filter(pk=job.pk, state=JobState.DONE).exists())
    until(lambda: Outbox.objects.filter(request_id=named).exclude(handled_at=None).exists())
    until(lambda: FOLLOW_UP in [one["message"] for one in lines(json_worker, named)])
    [asked] = [one for one in lines(site.program, named) if one["logger"] == "gunicorn.access"]
    assert (asked["method"], asked["path"], asked["status"]) == ("POST", "jobs/<uuid:pk>/start-again/", 302)
    assert asked["principal"] == "user"
    told = [(one["message"].partition(" after ")[0], one.get("job_id")) for one in lines(json_worker, named)]
    begun, *_ = of_the_job = [one for one in told if one[1] == str(job.pk)]
    assert begun == told[0] == ("job detectors.run begins, attempt 1", str(job.pk))
    assert ("job detectors.run: done", str(job.pk)) in of_the_job
    assert (FOLLOW_UP, None) in told


def test_a_push_is_found_under_the_id_it_came_with_and_under_one_of_ours(site: Site) -> None:
    key = create_detector_key(actor="system:test", detector=DETECTOR)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    body = b"\n".join([line("a"), line("b"), b"{}"])
    site.ask("/api/v1/findings/bulk/", body, **headers, **{"X-Request-ID": "push-0001"})
    site.ask("/api/v1/findings/bulk/", body, **headers, **{"X-Request-ID": "not plain!"})
    until(lambda: len(lines(site.program, "push-0001")) == 2)

    pushed, answered = lines(site.program, "push-0001")
    assert (pushed["received"], pushed["created"], pushed["rejected"], pushed["principal"]) == (3, 2, 1, "detector")
    assert (answered["path"], answered["status"], answered["principal"]) == ("api/v1/findings/bulk/", 207, "detector")
    assert "not plain" not in site.program.output


def test_two_web_processes_are_counted_as_one(site: Site) -> None:
    for _ in range(40):
        site.ask("/healthz")
    counted = site.metric("retort_http_requests")["GET", "healthz", "200"]
    assert counted >= 41
    assert [site.metric("retort_http_requests")["GET", "healthz", "200"] for _ in range(10)] == [counted] * 10


def test_a_killed_worker_is_noticed_on_the_page_and_by_metrics_and_its_lease_is_counted(
    site: Site, json_worker: Worker, committed_cast: Cast, settings: Any
) -> None:
    settings.WORKER_SILENT_SECONDS = SILENT
    admin = client_of(committed_cast.admin)
    until(lambda: site.metric("retort_workers") == {(): 1})
    until(lambda: ("spine.tasks.sweep",) in site.metric("retort_schedule_last_run_seconds"))
    assert "alive" in text_of(admin.get("/system/"))

    json_worker.kill()
    with transaction.atomic():
        held = jobs.enqueue("log.verify", actor="user:admin", key="whole")
    assert jobs._take(held.pk, "worker@that-died") is not None
    with transaction.atomic():
        jobs.enqueue("vault.compare", actor="user:admin", key="whole", args={"all": True})
    until(lambda: "No worker shows itself" in text_of(admin.get("/system/")), 30)
    assert site.metric("retort_worker_silent_seconds")[()] >= SILENT
    assert Client().get("/readyz").json()["conditions"] == ["work.no_worker"]

    Job.objects.filter(pk=held.pk).update(lease_until="2026-01-01T00:00:00Z")
    json_worker.restart()
    until(lambda: not Job.objects.exclude(state=JobState.DONE).exists())
    assert counting.totals()[counting.EXPIRED] == {"log.verify": 1}
    assert site.metric("retort_job_leases_expired")["log.verify",] == 1
    until(lambda: "No worker" not in text_of(admin.get("/system/")))


# What must be in no log file: a prompt, an account's id, a key, a password, what somebody typed.
CANARIES = {name: f"canary-{name}-{secrets.token_hex(6)}" for name in ("prompt", "account", "value", "typed", "secret")}


def hostile_document(uid: str, **changes: Any) -> dict[str, Any]:
    attributes = [{"type": "ip", "value": "203.0.113.7"}, {"type": "payment_fingerprint", "value": CANARIES["value"]}]
    accounts = [{"id": CANARIES["account"], "attributes": attributes}]
    return finding(uid, title=CANARIES["prompt"], summary=CANARIES["prompt"], accounts=accounts, **changes)


def test_logs_of_a_hostile_run_hold_no_content_no_account_and_no_secret(
    site: Site, json_worker: Worker, committed_cast: Cast, tmp_path: Any
) -> None:
    key = create_detector_key(actor="system:test", detector=DETECTOR)
    token = create_token(actor="system:test", username=committed_cast.lead.username)
    as_detector, as_lead = ({"Authorization": f"Bearer {one}"} for one in (key, token))
    typed, account = CANARIES["typed"], CANARIES["account"]
    bad = [hostile_document("a", score=account), hostile_document("b", window=account), {account: account}]
    documents = [hostile_document("a"), hostile_document("a"), hostile_document("a", signal="other"), *bad]
    body = b"\n".join([*(json.dumps(one).encode() for one in documents), f'{{"{account}": '.encode()])
    ndjson = {"Content-Type": "application/x-ndjson"}
    site.ask("/api/v1/findings/bulk/", body, **as_detector, **ndjson)
    site.ask("/api/v1/findings/bulk/", body, **as_detector, **ndjson, **{"Content-Encoding": typed})
    site.ask("/api/v1/findings/", f"[{account}".encode(), **as_detector, **{"Content-Type": "application/json"})
    lookup = json.dumps({"provider_ids": [account], "ids": [account], account: 1}).encode()
    site.ask("/api/v1/accounts/lookup/", lookup, **as_lead, **{"Content-Type": "application/json"})
    for path in (
        f"/{typed}/",
        f"/cases/{typed}/?q={typed}",
        f"/api/v1/{typed}/?{typed}={typed}",
        f"/log/?q={typed}%00",
    ):
        site.ask(path, **as_lead)
        site.ask(path, Authorization=f"Bearer {CANARIES['secret']}", Cookie=f"retort_session={typed}")
        site.ask(path, f"password={CANARIES['secret']}&x={typed}".encode(), Referer=f"http://x.example/?{typed}")
    site.ask("/sign-in/", f"username={typed}&password={CANARIES['secret']}".encode(), Origin=f"http://{typed}")
    site.ask("/", Host=typed)
    raw_request(site, f"GET /?{typed} HTTP/9.{typed}\r\nAuthorization {typed}\r\n\r\n")
    raw_request(site, f"{typed.upper()} / HTTP/1.1\r\nHost: a\r\n{typed} {typed}: b\r\n\r\n")
    broken_jobs(tmp_path)
    until(lambda: not Job.objects.filter(state__in=["queued", "running"]).exists())
    assert Job.objects.filter(
        state=JobState.FAILED, error__contains="canary"
    ).exists()  # who may see the job may see it

    logged = {path.name: path.read_text(errors="replace") for path in HOME.logs.iterdir() if path.is_file()}
    assert {"postgres.log", "valkey.log", site.program.log.name, json_worker.log.name} <= set(logged)
    assert "Traceback" in logged[json_worker.log.name]
    wanted = [*CANARIES.values(), key, token, TOKEN, *(word.upper() for word in CANARIES.values())]
    assert [(name, word) for name, text in logged.items() for word in wanted if word in text] == []


def broken_jobs(folder: Any) -> None:
    """Jobs that fail with errors that quote what they were given."""
    source = TelemetrySource.objects.create(name="api-logs")
    spoilt = folder / "exchanges.ndjson"
    spoilt.write_text(f'{{"prompt": "{CANARIES["prompt"]}", "account_id": \n{CANARIES["account"]}\n')
    with transaction.atomic():
        jobs.enqueue("detectors.run", actor="user:admin", key="a", args={"source": CANARIES["account"]})
        jobs.enqueue("dossier.freeze", actor=f"user:{CANARIES['typed']}", key="a", args={})
        for path in (spoilt, folder / CANARIES["typed"]):
            args = {"source": str(source.id), "kind": "exchanges", "path": str(path)}
            jobs.enqueue("telemetry.add", actor="user:admin", key=str(path)[-250:], args=args)


def raw_request(site: Site, text: str) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as wire:
        wire.sendall(text.encode())
        wire.settimeout(10)
        while wire.recv(4096):
            pass
