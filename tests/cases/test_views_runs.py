"""The pages and the API of runs: a source's schedule, starting and stopping, and each detector's answer."""

import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from cases.actions import work
from cases.actions.runs import export_clusters
from cases.context import failed_jobs
from detection import measuring, registry, runs
from detection.models import Answer, DetectorMeasure, DetectorVersion, Run, TelemetrySource
from spine import log
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.detection.registered import make_measure
from tests.factories import Cast, make_run, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture
def source() -> TelemetrySource:
    return TelemetrySource.objects.create(name="api-logs")


def test_a_source_without_a_run_says_what_to_do(cast: Cast, source: TelemetrySource) -> None:
    page = client_of(cast.reader).get(f"/sources/{source.pk}/runs/")
    assert "No finished run yet" in text_of(page)
    assert "there is nothing to look at yet" in text_of(page)
    assert forms_of(page) == set()


@pytest.mark.parametrize("rows", [1, 3])
def test_runs_of_a_source_take_one_number_of_queries(
    cast: Cast, source: TelemetrySource, rows: int, django_assert_num_queries: Any
) -> None:
    for number in range(rows):
        make_run(provider_ids(3, f"a{number}"), provider_ids(4, f"b{number}"))
    client = client_of(cast.admin)
    client.get("/sources/")
    with django_assert_num_queries(21):
        page = client.get(f"/sources/{source.pk}/runs/")
    assert len(page.context["runs"]) == rows
    first = page.context["runs"][0]["run"]
    assert (first.cluster_count, first.worth_a_look) == (2, 2)


def test_the_schedule_is_set_and_a_refusal_keeps_what_was_typed(cast: Cast, source: TelemetrySource) -> None:
    client, address = client_of(cast.admin), f"/sources/{source.pk}/runs/"
    sent = sent_by(client.get(address).context["schedule_form"]) | {"every": "hourly", "days": "30"}
    assert client.post(f"{address}schedule/", sent).url == address
    assert "every hour" in text_of(client.get(address))
    late = client.post(f"{address}schedule/", sent)
    assert (late.status_code, late.context["schedule_form"]["days"].value()) == (409, "30")
    assert client.post(f"{address}schedule/", sent | {"days": "0"}).status_code == 422


def test_a_run_is_started_watched_stopped_and_started_again(cast: Cast, source: TelemetrySource) -> None:
    client, address = client_of(cast.admin), f"/sources/{source.pk}/runs/"
    assert client.post(f"{address}start/", {"days": ""}).url == address
    job = Job.objects.get()
    page = client.get(address)
    assert f"/jobs/{job.pk}/stop/" in forms_of(page)
    assert f"/jobs/{job.pk}/stop/" not in forms_of(client_of(cast.analyst).get(address))
    assert client.post(f"{address}start/", {"days": "3"}).status_code == 409

    client.post(f"/jobs/{job.pk}/stop/")
    job.refresh_from_db()
    assert job.state == JobState.STOPPED
    assert not failed_jobs().exists()  # what somebody stopped waits for nobody
    assert LogEntry.objects.filter(action="job.stopped", data__job=str(job.pk)).count() == 1
    page = client.get(address)
    assert "Stopped by admin; findings that were stored by then stay" in text_of(page)
    assert f"/jobs/{job.pk}/start-again/" in forms_of(page)


def test_only_who_adds_telemetry_stops_a_run_and_only_once(cast: Cast, source: TelemetrySource) -> None:
    job = runs.request_run(actor="user:admin", source=source)
    for person in (cast.analyst, cast.lead, cast.reader):
        with pytest.raises(PermissionDenied):
            work.stop_job(job, actor=person)
    assert client_of(cast.analyst).post(f"/jobs/{job.pk}/stop/").status_code == 403
    work.stop_job(job, actor=cast.admin)
    with pytest.raises(Refused, match="ended already"):
        work.stop_job(job, actor=cast.admin)


def test_a_measuring_is_asked_for_once_watched_stopped_and_asked_for_again(cast: Cast, source: TelemetrySource) -> None:
    client, address = client_of(cast.admin), f"/sources/{source.pk}/runs/"
    ask = f"/sources/{source.pk}/measure/"
    assert "No detector was measured on this source." in text_of(client.get(address))
    assert ask in forms_of(client.get(address))
    assert client.post(ask).url == address
    job = Job.objects.get()
    page = client.get(address)
    assert "The measuring is asked for." in text_of(page)
    assert f"/jobs/{job.pk}/stop/" in forms_of(page)
    client.post(ask)
    assert "A measuring on this source waits or goes on already." in text_of(client.get(address))
    assert Job.objects.get() == job

    client.post(f"/jobs/{job.pk}/stop/")
    assert LogEntry.objects.filter(action="job.stopped", data__job=str(job.pk)).count() == 1
    page = client.get(address)
    assert "Stopped by admin; nothing of it was kept" in text_of(page)
    assert f"/jobs/{job.pk}/start-again/" in forms_of(page)
    client.post(ask)
    assert measuring.jobs_of(source).count() == 2


def test_only_who_adds_telemetry_asks_for_a_measuring_and_stops_it(cast: Cast, source: TelemetrySource) -> None:
    address, ask = f"/sources/{source.pk}/runs/", f"/sources/{source.pk}/measure/"
    for person in (cast.analyst, cast.lead, cast.counsel, cast.reader):
        assert client_of(person).post(ask).status_code == 403
        assert client_of(person).get(ask).url == address
        assert token_of(person).post(f"/api/v1/telemetry/{source.pk}/measures/").status_code == 403
    assert not Job.objects.exists()
    job = measuring.request_measure(actor="user:admin", source=source)
    for person in (cast.analyst, cast.lead, cast.counsel, cast.reader):
        page = client_of(person).get(address)
        assert "Waiting for a worker." in text_of(page)
        assert forms_of(page) == set()
        assert client_of(person).post(f"/jobs/{job.pk}/stop/").status_code == 403
        assert token_of(person).post(f"/api/v1/jobs/{job.pk}/stop/").status_code == 403
    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_api_gives_the_measuring_that_waits_and_stops_it(cast: Cast, source: TelemetrySource) -> None:
    admin, address = token_of(cast.admin), f"/api/v1/telemetry/{source.pk}/measures/"
    asked, repeated = admin.post(address), admin.post(address)
    assert (asked.status_code, repeated.status_code) == (202, 202)
    assert asked.json() == repeated.json()
    job = asked.json()["job_id"]
    assert asked["Location"] == asked.json()["status_url"]
    assert admin.get(asked["Location"]).json()["state"] == "queued"
    assert admin.post(f"/api/v1/jobs/{job}/stop/").json()["state"] == "stopped"
    assert admin.post(f"/api/v1/jobs/{job}/stop/").status_code == 409
    assert admin.post(address).json()["job_id"] != job
    assert admin.get(address).json()["results"] == []
    nowhere = f"/api/v1/telemetry/{cast.admin.pk}/measures/"
    assert (admin.get(nowhere).status_code, admin.post(nowhere).status_code) == (404, 404)


def measured(*names: str) -> list[DetectorMeasure]:
    """A measure of each of these detectors, in this order."""
    return [make_measure(registry.version_of(name, "1.0.0")) for name in names]


def test_measures_of_a_source_are_its_own_newest_first_and_of_each_detector_the_newest_on_the_page(cast: Cast) -> None:
    source, other = (TelemetrySource.objects.create(name=name) for name in ("benign-1", "benign-2"))
    first, second, third = measured("b", "a", "b")
    reader, address = token_of(cast.reader), f"/api/v1/telemetry/{source.pk}/measures/"
    page = reader.get(address, {"page_size": 2}).json()
    rest = reader.get(page["next"]).json()
    assert [one["id"] for one in page["results"]] == [str(third.pk), str(second.pk)]
    assert ([one["id"] for one in rest["results"]], rest["next"]) == ([str(first.pk)], None)
    shown = client_of(cast.reader).get(f"/sources/{source.pk}/runs/").context["measures"]
    assert [one["measure"] for one in shown] == [second, third]
    assert reader.get(f"/api/v1/telemetry/{other.pk}/measures/").json()["results"] == []
    assert client_of(cast.reader).get(f"/sources/{other.pk}/runs/").context["measures"] == []


@pytest.mark.parametrize("rows", [1, 3])
def test_measures_of_a_source_take_one_number_of_queries(cast: Cast, rows: int, django_assert_num_queries: Any) -> None:
    source = TelemetrySource.objects.create(name="benign-1")
    measured(*"abc"[:rows])
    client, reader = client_of(cast.admin), token_of(cast.reader)
    client.get("/sources/")
    with django_assert_num_queries(21):
        client.get(f"/sources/{source.pk}/runs/")
    with django_assert_num_queries(6):
        assert len(reader.get(f"/api/v1/telemetry/{source.pk}/measures/").json()["results"]) == rows


def answered(*versions: DetectorVersion) -> Run:
    """A run in which these versions answered."""
    run = make_run()
    given = {"run": run, "status": "nothing_found", "reason": "None.", "counts": {}}
    with transaction.atomic():
        rows = [Answer(detector_version=one, **given) for one in versions]
        log.record(
            actor="system:test", action="run.finished", about=run, data={"source": "s", "clusters": 0}, rows=rows
        )
    return run


def test_a_run_says_what_was_measured_last_of_each_version(cast: Cast) -> None:
    one, other = registry.version_of("a", "1.0.0"), registry.version_of("a", "2.0.0")
    run = answered(one, other)
    make_measure(one, named=30)
    make_measure(one)
    page = client_of(cast.reader).get(f"/runs/{run.pk}/")
    words = [answer["false_positives"] for answer in page.context["answers"]]
    assert words[1] == "not measured"
    assert words[0].startswith("3 of 1,516 accounts: 0.2% (0.1% – 0.6%), benign-1, ")
    assert words[0] in text_of(page)
    whole = token_of(cast.reader).get(f"/api/v1/runs/{run.pk}/").json()
    assert [answer["false_positives_in_words"] for answer in whole["answers"]] == words


@pytest.mark.parametrize("rows", [1, 3])
def test_answers_of_a_run_take_one_number_of_queries(cast: Cast, rows: int, django_assert_num_queries: Any) -> None:
    versions = [registry.version_of(name, "1.0.0") for name in "abc"[:rows]]
    run = answered(*versions)
    for version in versions:
        make_measure(version)
    client, reader = client_of(cast.reader), token_of(cast.reader)
    client.get("/sources/")
    with django_assert_num_queries(13):
        client.get(f"/runs/{run.pk}/")
    with django_assert_num_queries(8):
        assert len(reader.get(f"/api/v1/runs/{run.pk}/").json()["answers"]) == rows


def test_one_run_shows_answers_and_clusters_to_who_may_read_them(cast: Cast) -> None:
    run = make_run(provider_ids(3))
    page = client_of(cast.analyst).get(f"/runs/{run.pk}/")
    assert "1 finding." in text_of(page)
    assert run.clusters.get().title in text_of(page)
    assert page.context["answers"][0]["words"] == "found"
    administrator = text_of(client_of(cast.admin).get(f"/runs/{run.pk}/"))
    assert run.clusters.get().title not in administrator
    assert "shown to people who may read leads" in administrator


def test_api_lists_reads_starts_and_stops_runs(cast: Cast) -> None:
    run = make_run(provider_ids(3))
    admin, reader = token_of(cast.admin), token_of(cast.reader)
    source = run.source_id
    listed = reader.get("/api/v1/runs/", {"source_id": source}).json()["results"]
    assert [(one["id"], one["clusters"], one["worth_a_look"]) for one in listed] == [(str(run.pk), 1, 1)]
    assert reader.get("/api/v1/runs/", {"source_id": "no"}).status_code == 400
    whole = reader.get(f"/api/v1/runs/{run.pk}/").json()
    assert [(one["detector"], one["status"]) for one in whole["answers"]] == [("shared_attribute", "found")]
    asked = admin.post(f"/api/v1/telemetry/{source}/runs/", {"days": 5}, format="json")
    assert asked.status_code == 202
    job = asked.json()["job_id"]
    assert admin.post(f"/api/v1/telemetry/{source}/runs/", {"days": 6}, format="json").status_code == 409
    assert admin.post(f"/api/v1/jobs/{job}/stop/").json()["state"] == "stopped"
    elsewhere = admin.post(f"/api/v1/telemetry/{source}/runs/", {"from": "2026-05-04T00:00:00Z"}, format="json")
    assert (elsewhere.status_code, elsewhere.json()["errors"]) == (
        400,
        [{"pointer": "/from", "detail": "This is not known here; known are days, start, end."}],
    )
    half = admin.post(f"/api/v1/telemetry/{source}/runs/", {"start": timezone.now().isoformat()}, format="json")
    assert half.status_code == 400


def test_api_reads_and_sets_the_schedule(cast: Cast, source: TelemetrySource) -> None:
    admin, address = token_of(cast.admin), f"/api/v1/telemetry/{source.pk}/runs/schedule/"
    before = admin.get(address).json()
    assert (before["every"], before["days"], before["next_at"], before["behind"]) == ("off", 45, None, False)
    body = {"every": "daily", "days": 20, "revision": before["revision"]}
    after = admin.put(address, body, format="json").json()
    assert (after["every"], after["days"], after["revision"]) == ("daily", 20, before["revision"] + 1)
    assert after["next_at"] is not None
    assert admin.put(address, body, format="json").status_code == 409


def test_page_and_api_say_what_changed_and_the_file_is_in_the_log(cast: Cast) -> None:
    first, second = make_run(provider_ids(4)), make_run(provider_ids(6))
    page = client_of(cast.analyst).get(f"/runs/{second.pk}/changes/")
    assert [(one["label"], one["change"].joined) for one in page.context["changes"]] == [("accounts joined", 2)]
    assert "download" not in str(forms_of(client_of(cast.reader).get(f"/runs/{second.pk}/changes/")))
    whole = token_of(cast.reader).get(f"/api/v1/runs/{second.pk}/changes/", {"since": first.pk}).json()
    assert (whole["by_kind"]["joined"], whole["accounts_joined"], whole["accounts_left"]) == (1, 2, 0)
    assert whole["changes"][0]["joined_accounts"] == list(page.context["changes"][0]["change"].joined_accounts)

    sent = client_of(cast.analyst).post(f"/runs/{second.pk}/changes/download/", {"since": str(first.pk)})
    asked = token_of(cast.analyst).get(f"/api/v1/runs/{second.pk}/changes/accounts/")
    lines = b"".join(sent.streaming_content).decode().splitlines()
    assert b"".join(asked.streaming_content).decode().splitlines() == lines
    assert {line.split(",")[2] for line in lines[1:]} == set(provider_ids(2, start=4))
    entries = LogEntry.objects.filter(action="run.changes_exported")
    assert [one.data["since"] for one in entries] == [str(first.pk)] * 2
    assert token_of(cast.reader).get(f"/api/v1/runs/{second.pk}/changes/accounts/").status_code == 403


def test_clusters_of_a_run_are_given_out_as_the_command_writes_them_and_it_is_in_the_log(
    cast: Cast, tmp_path: Path
) -> None:
    run = make_run(provider_ids(3, "a"), provider_ids(4, "b"))
    page = client_of(cast.analyst).get(f"/runs/{run.pk}/")
    assert f"/runs/{run.pk}/clusters/download/" in str(forms_of(page))
    sent = client_of(cast.analyst).post(f"/runs/{run.pk}/clusters/download/")
    asked = token_of(cast.counsel).get(f"/api/v1/runs/{run.pk}/clusters/download/")
    call_command("export_clusters", out=tmp_path / "clusters.json", stderr=StringIO())
    written = (tmp_path / "clusters.json").read_bytes()
    assert [b"".join(one.streaming_content) for one in (sent, asked)] == [written, written]
    assert [set(one["accounts"]) for one in json.loads(written)] == [
        set(provider_ids(3, "a")),
        set(provider_ids(4, "b")),
    ]
    assert sent["Content-Length"] == str(len(written))
    assert sent["Content-Disposition"] == f'attachment; filename="run-clusters-{run.finished_at:%Y%m%d-%H%M}.json"'
    entries = LogEntry.objects.filter(action="run.clusters_exported").order_by("at")
    counts = {"source": "api-logs", "run": str(run.pk), "clusters": 2, "accounts": 7}
    assert [(one.actor, one.data) for one in entries] == [
        ("user:analyst", counts),
        ("user:counsel", counts),
        ("system:command", counts),
    ]


def test_who_may_not_see_the_providers_ids_gets_no_clusters(cast: Cast) -> None:
    run = make_run(provider_ids(3))
    for person in (cast.reader, cast.admin):
        with pytest.raises(PermissionDenied):
            export_clusters(run, actor=person, out=BytesIO())
        assert "clusters/download" not in str(forms_of(client_of(person).get(f"/runs/{run.pk}/")))
        assert client_of(person).post(f"/runs/{run.pk}/clusters/download/").status_code == 403
        assert token_of(person).get(f"/api/v1/runs/{run.pk}/clusters/download/").status_code == 403
    assert not LogEntry.objects.filter(action="run.clusters_exported").exists()
    assert token_of(cast.analyst).get(f"/api/v1/runs/{cast.admin.pk}/clusters/download/").status_code == 404


@pytest.mark.parametrize("groups", [1, 3])
def test_clusters_of_a_run_are_given_out_with_one_number_of_queries(
    cast: Cast, groups: int, django_assert_num_queries: Any
) -> None:
    run = make_run(*(provider_ids(3, f"g{number}") for number in range(groups)))
    client = token_of(cast.analyst)
    client.get("/api/v1/runs/")
    with django_assert_num_queries(10):
        answer = client.get(f"/api/v1/runs/{run.pk}/clusters/download/")
    assert len(json.loads(answer.getvalue())) == groups


def test_the_first_run_is_compared_with_nothing(cast: Cast) -> None:
    run = make_run(provider_ids(4))
    assert "Nothing to compare with" in text_of(client_of(cast.reader).get(f"/runs/{run.pk}/changes/"))
    assert token_of(cast.reader).get(f"/api/v1/runs/{run.pk}/changes/").status_code == 409
    assert client_of(cast.analyst).post(f"/runs/{run.pk}/changes/download/").status_code == 422
