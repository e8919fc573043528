"""/metrics: for its token and for listed addresses alone; what it says is in docs/operate.md, all of it and no more."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings as in_force
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from detection import ingest
from detection.models import Feed
from people.actions import create_detector_key, create_token
from spine import conditions, counting, jobs, outbox, presence, sequencer
from tests.cases.pages import client_of
from tests.detection.samples import DETECTOR, line
from tests.factories import Cast, make_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
TOKEN = "metrics-token-of-the-tests"
OPERATE = Path(__file__).resolve().parent.parent / "docs" / "operate.md"


def scrape(**headers: str) -> Any:
    return Client().get("/metrics", headers=headers)


@pytest.fixture
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN


def families() -> dict[str, Any]:
    """What a scraper with the token reads, by name."""
    answer = scrape(Authorization=f"Bearer {TOKEN}")
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def samples(name: str) -> dict[tuple[str, ...], float]:
    return {tuple(one.labels.values()): one.value for one in families()[name].samples if "_created" not in one.name}


def value(name: str) -> float:
    [found] = samples(name).values()
    return found


# Who may read it


def same_as_a_missing_page(client: Client, **headers: str) -> bool:
    """Status, headers but the request's id, and every byte but the form's secrets."""
    found = []
    for path in ("/metrics", "/metricz"):
        for method in ("get", "head", "post", "put", "delete", "options"):
            answer = getattr(client, method)(path, headers=headers)
            body = re.sub(r'(csrfmiddlewaretoken" value=")[^"]+|/metric[sz]', r"\1", answer.text)
            told = {name: value for name, value in answer.items() if name != "X-Request-Id"}
            found.append((path, method, answer.status_code, told, body))
    half = len(found) // 2
    return [one[1:] for one in found[:half]] == [one[1:] for one in found[half:]] and found[0][2] == 404


def test_without_token_and_addresses_it_is_a_missing_page_for_everybody(cast: Cast) -> None:
    for client in (Client(), client_of(cast.admin), client_of(cast.reader)):
        assert same_as_a_missing_page(client)
        assert same_as_a_missing_page(client, Authorization="Bearer ")
        assert same_as_a_missing_page(client, Authorization=f"Bearer {TOKEN}")


@pytest.mark.usefixtures("token")
def test_with_a_token_set_it_is_a_missing_page_for_every_other_key(cast: Cast) -> None:
    own = create_token(actor="system:test", username=cast.admin.username)
    detector = create_detector_key(actor="system:test", detector=DETECTOR)
    for given in ("", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "ä", own, detector):
        assert same_as_a_missing_page(Client(), Authorization=f"Bearer {given}"), given
    assert same_as_a_missing_page(Client(), Authorization=f"Basic {TOKEN}")
    assert scrape(Authorization=f"Bearer {TOKEN}").status_code == 200
    assert Client().post("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404


def test_from_a_listed_address_no_token_is_needed(settings: Any) -> None:
    settings.METRICS_FROM = ["10.1.0.0/16", "127.0.0.1/32"]
    assert scrape().status_code == 200
    settings.METRICS_FROM = ["10.1.0.0/16"]
    assert same_as_a_missing_page(Client())


def test_an_address_that_a_stranger_may_have_written_is_not_believed(settings: Any) -> None:
    settings.METRICS_FROM = ["127.0.0.1/32"]
    assert scrape(**{"X-Forwarded-For": "127.0.0.1"}).status_code == 404  # through a proxy that nobody told us of
    settings.BEHIND_PROXY = True
    assert scrape(**{"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}).status_code == 404
    assert scrape(**{"X-Forwarded-For": "203.0.113.9, 127.0.0.1"}).status_code == 200


@pytest.mark.usefixtures("token")
def test_a_token_in_the_clear_is_taken_on_this_machine_alone(settings: Any) -> None:
    settings.SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    bearer = f"Bearer {TOKEN}"
    assert scrape(Authorization=bearer).status_code == 200
    settings.BEHIND_PROXY = True
    proxied = {"Authorization": bearer, "X-Forwarded-For": "203.0.113.9"}
    assert scrape(**proxied, **{"X-Forwarded-Proto": "https"}).status_code == 200
    assert scrape(**proxied, **{"X-Forwarded-Proto": "http"}).status_code == 404


@pytest.mark.usefixtures("token")
def test_openmetrics_is_written_when_asked_for() -> None:
    answer = scrape(Authorization=f"Bearer {TOKEN}", Accept="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


# What it says


@pytest.mark.usefixtures("token")
def test_jobs_leases_and_follow_ups_are_told_by_kind(settings: Any) -> None:
    settings.JOB_KINDS = {"telemetry.add": "x", "log.verify": "x"}
    settings.OUTBOX_HANDLERS = {"run.finished": settings.OUTBOX_HANDLERS["run.finished"]}
    with transaction.atomic():
        jobs.enqueue("log.verify", actor="user:admin", key="whole")
        outbox.put("run.finished", {"run": "x"})
    counting.add(counting.EXPIRED, "log.verify", 2)
    counting.add(counting.FINISHED, "log.verify done", 5)
    outbox.relay_all()

    assert samples("retort_jobs")["log.verify", "queued"] == 1
    assert samples("retort_jobs")["telemetry.add", "queued"] == 0
    assert 0 <= samples("retort_jobs_oldest_queued_seconds")["log.verify",] < 60
    assert samples("retort_job_leases_expired") == {("log.verify",): 2, ("telemetry.add",): 0}
    assert samples("retort_jobs_finished") == {("log.verify", "done"): 5}
    assert (samples("retort_outbox_waiting"), samples("retort_outbox_failing")) == (
        {("run.finished",): 1},
        {("run.finished",): 1},
    )


@pytest.mark.usefixtures("token")
def test_a_failed_job_is_told_until_the_same_work_is_done() -> None:
    with transaction.atomic():
        job = jobs.enqueue("feed.pull", actor="user:admin", key="x", args={"feed": "x"})
    jobs.run(job.id)
    assert samples("retort_jobs")["feed.pull", "failed"] == 1
    with transaction.atomic():
        jobs.enqueue("feed.pull", actor="user:admin", key="x", args={"feed": "x"})
    assert samples("retort_jobs")["feed.pull", "failed"] == 0


@pytest.mark.usefixtures("token")
def test_workers_schedule_log_and_conditions_are_told(cast: Cast) -> None:
    assert samples("retort_workers") == {(): 0}
    assert samples("retort_worker_silent_seconds") == {}
    presence.begin("worker@a", slots=2)
    presence.ran("spine.tasks.sweep")
    conditions.tell("feed:0198b6a0-0000-7000-8000-000000000001", "A feed is stalled.")
    make_case(cast)
    waiting = value("retort_log_unnumbered")
    assert waiting > 0
    sequencer.sequence()

    assert samples("retort_workers") == {(): 1}
    assert list(samples("retort_schedule_last_run_seconds")) == [("spine.tasks.sweep",)]
    assert samples("retort_conditions")["feed",] == 1
    assert (value("retort_log_unnumbered"), value("retort_log_entries")) == (0, waiting)
    assert (value("retort_log_unsigned"), value("retort_log_unnumbered_oldest_seconds")) == (0, 0)
    assert value("retort_log_head_seconds") == pytest.approx(value("retort_log_checkpoint_seconds"), abs=5)


@pytest.mark.usefixtures("token")
def test_findings_are_counted_by_what_became_of_them() -> None:
    for documents in ([line("a"), b"{}"], [line("a"), line("a", version=2)]):
        ingest.store(documents, actor=f"detector:{DETECTOR}", detector=DETECTOR)
    told = {outcome: total for (_, outcome), total in samples("retort_findings").items()}
    assert told == {"created": 1, "duplicate": 1, "superseded": 1, "rejected": 1}


@pytest.mark.usefixtures("token")
def test_requests_are_counted_by_the_pattern_of_their_address(cast: Cast) -> None:
    ref = make_case(cast).ref
    client = client_of(cast.lead)
    before = samples("retort_http_requests")
    for path in (f"/cases/{ref}/?q=acct_canary", f"/cases/{ref}/", "/acct_canary/", "/static/acct_canary.css"):
        client.get(path)
    after = samples("retort_http_requests")

    assert after["GET", "cases/<str:ref>/", "200"] - before.get(("GET", "cases/<str:ref>/", "200"), 0) == 2
    assert after["GET", "unmatched", "404"] - before.get(("GET", "unmatched", "404"), 0) == 1
    assert "acct_canary" not in str(after)


@pytest.mark.usefixtures("token")
def test_a_scrape_asks_a_fixed_number_of_queries_and_reads_no_finding() -> None:
    counts = []
    for size in (1, 3):
        for number in range(size):
            name = f"feed-{size}-{number}"
            detector = f"detector-{size}-{number}"
            ingest.store(
                [line(f"f-{number}", detector={"name": detector, "version": "1"})], actor="x", detector=detector
            )
            made = Feed.objects.create(name=name, kind="folder", detector_id=_detector(detector))
            with transaction.atomic():
                jobs.enqueue("feed.pull", actor="x", key=str(made.pk), args={"feed": str(made.pk)})
            presence.begin(f"worker@{size}-{number}")
        with CaptureQueriesContext(connection) as asked:
            scrape(Authorization=f"Bearer {TOKEN}")
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 20
    read = " ".join(one["sql"] for one in asked.captured_queries)
    tables = set(re.findall(r"\b(?:detection|spine|cases|people)_[a-z]+", read))
    assert tables == {
        *("spine_job", "spine_outbox", "spine_seen", "spine_counted", "spine_condition", "spine_pending"),
        *("spine_sequence", "spine_logentry", "spine_checkpoint", "spine_departure"),
        *("detection_received", "detection_feed", "detection_feedpull"),
    }


def _detector(name: str) -> Any:
    from detection.models import Detector

    return Detector.objects.get(name=name).pk


@pytest.mark.usefixtures("token")
def test_a_database_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert value("retort_database_up") == 1
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    found = families()
    assert [one.value for one in found["retort_database_up"].samples] == [0]
    assert "retort_jobs" not in found


# The documents


def documented() -> dict[str, str]:
    """Each metric of the table with its type."""
    rows = re.findall(r"^\| `(retort_\w+)` \| (gauge|counter|histogram) \|", OPERATE.read_text("utf-8"), re.M)
    return dict(rows)


@pytest.mark.usefixtures("token")
def test_the_table_names_every_metric_and_no_other() -> None:
    Client().get("/healthz")
    written = {
        f"{name}_total" if family.type == "counter" else name: family.type
        for name, family in families().items()
        if not name.endswith("_created")
    }
    assert documented() == written


def test_the_examples_are_yaml_and_name_metrics_that_exist() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", OPERATE.read_text("utf-8"), re.S)
    read = [yaml.safe_load(example) for example in examples]
    assert [next(iter(one)) for one in read] == ["scrape_configs", "groups"]
    rules = [rule for group in read[1]["groups"] for rule in group["rules"]]
    assert len(rules) >= 3
    named = {name for rule in rules for name in re.findall(r"retort_\w+", rule["expr"])}
    assert named <= set(documented())
    assert in_force.METRICS_TOKEN == ""
