"""Reading telemetry files into a source: once, with bad lines kept, also when two ask at once."""

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from detection import sources
from detection.models import BadLine, ModelRelease, TelemetryFile, TelemetrySource
from detection.telemetry.dataset import open_dataset
from spine.errors import Refused
from spine.models import LogEntry

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
