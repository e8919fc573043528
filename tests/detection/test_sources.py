"""Reading telemetry files into a source: once, with bad lines kept, also when two ask at once."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from detection import fetching, sources
from detection.models import BadLine, ModelRelease, TelemetryFile, TelemetrySource
from detection.telemetry.dataset import open_dataset
from spine import allowlist, waiting
from spine.errors import Refused
from spine.models import Job, LogEntry
from tests.detection.feeds.test_files import bucket  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


@pytest.fixture(autouse=True)
def telemetry_apart(settings: Any, tmp_path: Path) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    settings.SEND_TASKS = False


def exchange(number: int) -> dict[str, Any]:
    return {
        "request_id": f"req_{number}",
        "ts": f"2026-05-{4 + number % 3:02d}T00:00:{number % 60:02d}Z",
        "account_id": f"acct_{number % 7}",
        "model": "alder-1",
        "prompt": f"Say {number}",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "exchanges.jsonl.gz"
    lines = [json.dumps(exchange(number)) for number in range(100)]
    lines[10:10] = ["{not json", json.dumps({"request_id": "req_x"})]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def add(path: Path, kind: str = "exchanges") -> tuple[TelemetryFile, bool]:
    return sources.add_file(actor="user:lead", source=sources.source_named("api-logs"), kind=kind, path=path)


def stored_rows() -> int:
    with open_dataset(sources.root_of(TelemetrySource.objects.get())) as dataset:
        return int(dataset.exchanges.count().to_pyarrow().as_py())


def test_file_is_read_with_its_bad_lines_counted_and_kept(file: Path) -> None:
    record, new = add(file)

    assert (new, record.rows, record.bad, record.repeated, stored_rows()) == (True, 100, 2, 0, 100)
    assert list(BadLine.objects.order_by("line").values_list("line", flat=True)) == [11, 12]
    assert not any("not json" in line.reason or "req_x" in line.reason for line in BadLine.objects.all())
    assert LogEntry.objects.get().data["rows"] == 100


def test_same_file_twice_adds_nothing(file: Path) -> None:
    add(file)
    record, new = add(file)

    assert (new, record.rows, stored_rows(), TelemetryFile.objects.count()) == (False, 100, 100, 1)
    assert LogEntry.objects.count() == 1


def test_same_file_from_two_threads_is_read_once(file: Path) -> None:
    outcomes: list[bool] = []

    def one() -> None:
        outcomes.append(add(file)[1])
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False, True]
    assert (stored_rows(), TelemetryFile.objects.count()) == (100, 1)


def test_overlapping_file_adds_only_what_is_new(file: Path, tmp_path: Path) -> None:
    add(file)
    later = tmp_path / "later.jsonl"
    later.write_text("\n".join(json.dumps(exchange(number)) for number in range(90, 120)))

    record, _ = add(later)

    assert (record.rows, record.repeated, stored_rows()) == (20, 10, 120)


def test_model_releases_are_recorded_once(tmp_path: Path) -> None:
    models = tmp_path / "models.jsonl"
    models.write_text('{"model": "alder-1", "released_at": "2026-05-12T16:00:00Z"}\n')
    add(models, "models")
    models.write_text(models.read_text() + '{"model": "alder-2", "released_at": "2026-06-01T16:00:00Z"}\n')
    add(models, "models")

    assert list(ModelRelease.objects.order_by("model").values_list("model", flat=True)) == ["alder-1", "alder-2"]


def test_source_of_another_namespace_is_refused() -> None:
    sources.source_named("api-logs", "east")

    with pytest.raises(Refused, match="belongs to the namespace east"):
        sources.source_named("api-logs", "west")


def test_command_reads_reports_and_reads_again(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("add_telemetry", "api-logs", str(file))
    call_command("add_telemetry", "api-logs", str(file))

    assert capsys.readouterr().out.splitlines() == [
        "exchanges.jsonl.gz: added; 100 rows, 2 bad lines, 0 repeated",
        "exchanges.jsonl.gz: was there already; 100 rows, 2 bad lines, 0 repeated",
    ]


def test_command_without_such_a_file_says_which(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"missing\.jsonl: no such file"):
        call_command("add_telemetry", "api-logs", str(tmp_path / "missing.jsonl"))
    assert TelemetrySource.objects.count() == 0


def folder_of(tmp_path: Path) -> Path:
    """Three files, the second of which ends in the middle; a table cut off, and what is passed over."""
    folder = tmp_path / "logs"
    (folder / "day=2").mkdir(parents=True)
    for number, name in enumerate(("a.jsonl.gz", "b.jsonl.gz", "day=2/c.jsonl.gz")):
        lines = "\n".join(json.dumps(exchange(n)) for n in range(number * 500, number * 500 + 500)).encode()
        (folder / name).write_bytes(gzip.compress(lines)[: -2000 if number == 1 else None])
    (folder / "aa.parquet").write_bytes(b"PAR1 and no more")
    (folder / ".hidden").write_text("{}")
    return folder


def test_command_with_broken_files_in_a_folder_adds_the_others_and_fails_naming_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match=r"2 of 4 files were not read whole\. What is named as added stands\."):
        call_command("add_telemetry", "api-logs", str(folder_of(tmp_path)))

    said = capsys.readouterr()
    cut = TelemetryFile.objects.get(name="b.jsonl.gz")
    assert said.out.splitlines() == [
        "a.jsonl.gz: added; 500 rows, 0 bad lines, 0 repeated",
        f"b.jsonl.gz: added; {cut.rows} rows, 0 bad lines, 0 repeated",
        "c.jsonl.gz: added; 500 rows, 0 bad lines, 0 repeated",
    ]
    assert 0 < cut.rows < 500
    assert "aa.parquet is no Parquet file that can be read, or was cut off" in said.err
    assert "b.jsonl.gz: gzip stream is damaged or ends early" in said.err
    assert str(tmp_path) not in said.err
    assert stored_rows() == 1000 + cut.rows


def test_files_are_named_by_path_pattern_folder_and_address(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    everything = [str(folder / name) for name in ("a.jsonl.gz", "aa.parquet", "b.jsonl.gz", "day=2/c.jsonl.gz")]
    assert fetching.named(str(folder)) == everything
    assert fetching.named(f"file://{folder}/a.jsonl.gz") == everything[:1]
    assert fetching.named(f"{folder}/**/*.gz") == [everything[0], *everything[2:]]
    for nothing in (f"{folder}/*.csv", "https://example.com/x", "s3://bucket/x"):
        with pytest.raises(Refused):
            fetching.named(nothing)


def test_page_names_only_what_lies_in_a_folder_on_the_list(tmp_path: Path, settings: Any) -> None:
    folder = folder_of(tmp_path)
    settings.OUTGOING_ALLOWED = [allowlist.parse(f"file://{folder}")]
    (folder / "way-out").symlink_to(tmp_path)
    for good in (f"{folder}/a.jsonl.gz", str(folder), f"{folder}/*.gz", f"{folder}/day=2"):
        assert fetching.permitted(good) == good
    for bad in (f"{tmp_path}/x", f"{tmp_path}/*/a.jsonl.gz", f"{folder}/../x", f"{folder}/way-out", "/etc/passwd"):
        with pytest.raises(Refused, match="not on the list"):
            fetching.permitted(bad)


def test_objects_of_a_bucket_are_read_when_its_endpoint_is_on_the_list(
    bucket: tuple[str, Any],  # noqa: F811
    settings: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, client = bucket
    for number in range(2):
        body = gzip.compress(json.dumps(exchange(number)).encode())
        client.put_object(Bucket="findings", Key=f"telemetry/d={number}/part?.gz", Body=body)
    keys = {"region": "us-east-1", "access_key": "feed", "secret_key": "feed-secret"}
    settings.TELEMETRY_S3 = {"endpoint": url, **keys}

    with pytest.raises(CommandError, match="not on the list"):
        call_command("add_telemetry", "api-logs", "s3://findings/telemetry/")
    settings.OUTGOING_ALLOWED = [allowlist.parse(url)]
    call_command("add_telemetry", "api-logs", "s3://findings/telemetry/")
    call_command("add_telemetry", "api-logs", "s3://findings/telemetry/*1/part?.gz")

    assert [line.split(";")[0] for line in capsys.readouterr().out.splitlines()] == [
        "part?.gz: added",
        "part?.gz: added",
        "part?.gz: was there already",
    ]
    assert stored_rows() == 2


def test_bar_tells_share_rate_and_time_left() -> None:
    job = Job(kind="telemetry.add", state="running", done=25_000_000, total=100_000_000, note="1,000 exchanges read")
    shown = "██████░░░░░░░░░░░░░░░░░░ 25% · 1,000 exchanges read"
    assert waiting.bar(job, 10.0) == f"{shown} · 2.5 MB a second, less than a minute left"
    assert waiting.bar(job, 1.0) == shown
    assert waiting.bar(Job(kind="telemetry.add", state="queued"), 10.0) == "telemetry.add: queued"
