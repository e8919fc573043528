"""Telemetry sources in the page and over the API: what they hold and lack, reading more, stopping, what went wrong."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from detection import contents, sources
from detection.models import BadLine, TelemetryFile, TelemetrySource
from detection.retention import set_retention
from spine import allowlist
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of
from tests.detection.telemetry.rows import START, file_of, row
from tests.factories import Cast, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    """A folder on the list, with two days of exchanges, three lines that do not fit and a file that is no table."""
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    folder = tmp_path / "logs"
    folder.mkdir()
    settings.OUTGOING_ALLOWED = [allowlist.parse(folder.as_uri())]
    rows = [row(n, hours=24 * (n % 3 == 0), colour="red", prompt="Sort the lamps") for n in range(9)]
    path = file_of(folder / "a.jsonl", rows)
    path.write_bytes(path.read_bytes() + b"no line\n" * 3)
    (folder / "b.parquet").write_bytes(b"PAR1")
    return folder


@pytest.fixture
def filled(committed_cast: Cast, place: Path) -> TelemetrySource:
    source = sources.source_named("gateway-logs")
    for job in sources.request_all(actor="user:admin", source=source, uri=str(place), kind="exchanges"):
        run_job(job)
    return source


def test_contents_tell_days_columns_and_detectors_left_without_an_answer(filled: TelemetrySource) -> None:
    held = contents.contents(filled)
    assert [(one.day.isoformat(), one.rows) for one in held.days] == [("2026-03-02", 6), ("2026-03-03", 3)]
    assert (held.totals.rows, held.totals.bad, held.totals.files) == (9, 3, 1)
    assert held.present == ("request_id", "ts", "account_id", "model", "prompt")
    assert held.unknown == (("colour", 9),)
    assert "logit-probing" in [one.name for one in held.unanswered]
    assert "template-reuse" not in [one.name for one in held.unanswered]


def test_contents_tell_when_the_logs_of_the_source_expire(filled: TelemetrySource) -> None:
    assert contents.contents(filled).expires == "nobody has said how long request logs are kept"
    set_retention(filled, actor="user:admin", data_class="request_logs", days=30)
    held = contents.contents(filled, now=START + timedelta(days=28))
    assert (held.expires, held.next_loss) == ("request logs expire in 2 d", START + timedelta(days=30))


def test_an_exchange_dated_far_ahead_puts_off_no_expiry(filled: TelemetrySource, tmp_path: Path) -> None:
    set_retention(filled, actor="user:admin", data_class="request_logs", days=30)
    path = file_of(tmp_path / "ahead.ndjson", [row(100, hours=24 * 365 * 70)])
    sources.add_file(actor="user:admin", source=filled, kind="exchanges", path=path)
    held = contents.contents(filled, now=START + timedelta(days=31))
    assert held.days[-1].day.year == 2096
    assert held.expires.endswith("until 3 Apr 2026")


def test_page_shows_what_is_here_what_failed_and_lines_not_kept(filled: TelemetrySource, committed_cast: Cast) -> None:
    client = client_of(committed_cast.lead)
    page = client.get(f"/sources/{filled.pk}/").content.decode()
    file = TelemetryFile.objects.get()
    lines = client.get(f"/sources/{filled.pk}/files/{file.pk}/").content.decode()

    assert "9 exchanges from 1 file" in page
    assert "2 Mar 2026" in page
    assert "b.parquet is no Parquet file that can be read, or was cut off" in page
    assert "could not tell" in page
    assert "Read more" not in page
    assert lines.count("invalid JSON at column 1") == 3
    assert '<th scope="row" class="num">10</th>' in lines
    assert client.get(f"/sources/{filled.pk}/files/{filled.pk}/").status_code == 404


@pytest.mark.parametrize("rows", [1, 3])
def test_list_takes_one_number_of_queries(rows: int, committed_cast: Cast, django_assert_num_queries: Any) -> None:
    client = client_of(committed_cast.lead)
    for number in range(rows):
        sources.source_named(f"logs-{number}")
    client.get("/sources/")
    with django_assert_num_queries(16):
        client.get("/sources/")


def test_administrator_reads_a_folder_and_a_file_from_here(place: Path, committed_cast: Cast) -> None:
    client = client_of(committed_cast.admin)
    asked = client.post("/sources/add/", {"name": "fresh", "path": f"{place}/*.jsonl", "kind": "exchanges"})
    source = TelemetrySource.objects.get(name="fresh")
    body = gzip.compress(json.dumps(row(100)).encode())
    file = SimpleUploadedFile("../c d.gz", body)
    sent = client.post("/sources/add/", {"name": "fresh", "file": file, "kind": "exchanges"})
    for job in Job.objects.filter(kind="telemetry.add"):
        assert run_job(job).error == ""

    assert (asked.status_code, sent.status_code, asked["Location"]) == (302, 302, f"/sources/{source.pk}/")
    assert sorted(source.files.values_list("name", "rows")) == [("a.jsonl", 9), ("c_d.gz", 1)]
    assert list((place.parent / "incoming" / "telemetry").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": "/etc/passwd"}, "not on the list of allowed destinations"),
        ({"path": "nothing-here"}, "not on the list of allowed destinations"),
        ({}, "one of the two"),
        ({"path": "s3://bucket/x"}, "RETORT_TELEMETRY_S3_ENDPOINT"),
    ],
)
def test_page_refuses_what_is_not_on_the_list(given: dict[str, str], said: str, committed_cast: Cast) -> None:
    client = client_of(committed_cast.admin)
    answer = client.post("/sources/add/", {"name": "fresh", "kind": "exchanges", **given})
    assert answer.status_code in {409, 422}
    assert said in answer.content.decode()
    assert (TelemetrySource.objects.count(), Job.objects.count()) == (0, 0)


def test_reading_is_stopped_and_adds_nothing(place: Path, committed_cast: Cast) -> None:
    source = sources.source_named("gateway-logs")
    job = sources.request_all(actor="user:admin", source=source, uri=f"{place}/a.jsonl", kind="exchanges")[0]
    admin, lead = client_of(committed_cast.admin), client_of(committed_cast.lead)
    shown = admin.get(f"/sources/{source.pk}/").content.decode()
    answers = [client.post(f"/sources/{source.pk}/stop/", {"job": job.pk}) for client in (lead, admin, admin)]

    assert "Stop reading" in shown
    assert [answer.status_code for answer in answers] == [403, 302, 422]
    job.refresh_from_db()
    assert (job.state, source.files.count()) == (JobState.STOPPED, 0)
    assert LogEntry.objects.filter(action="job.stopped").count() == 1


def test_api_makes_a_source_reads_files_tells_contents_and_stops(place: Path, committed_cast: Cast) -> None:
    api = api_of(committed_cast.admin)
    made = api.post("/api/v1/telemetry/", {"name": "by-api"}, format="json").json()
    base = f"/api/v1/telemetry/{made['id']}/"
    asked = api.post(f"{base}files/", {"path": f"{place}/a.jsonl", "format": "ndjson"}, format="json")
    status = api.get(asked.json()[0]["status_url"]).json()
    run_job(Job.objects.get(pk=asked.json()[0]["job_id"]))
    held = api_of(committed_cast.reader).get(f"{base}contents/").json()
    refused = api.post(f"{base}files/", {"path": "/etc"}, format="json")
    ended = api.post(f"{base}stop/", {"job": asked.json()[0]["job_id"]}, format="json")

    assert (asked.status_code, status["state"], refused.status_code, ended.status_code) == (202, "queued", 400, 400)
    assert (held["rows"], held["bad"], held["days"][0]) == (9, 3, {"day": "2026-03-02", "rows": 6})
    assert held["unanswered"][0].keys() == {"name", "title", "reason"}


def test_source_without_anything_says_so(committed_cast: Cast) -> None:
    source = sources.source_named("empty")
    page = client_of(committed_cast.lead).get(f"/sources/{source.pk}/").content.decode()
    assert "No exchange yet" in page
    assert "nothing is here yet, so nothing expires" in page
    assert BadLine.objects.count() == 0
