"""Measured false-positive rates: kept with the version, shown on its page and in the API, printed with new findings."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from detection import measuring, registry, runs, sources
from detection.detectors import BY_NAME
from detection.models import Answer, DetectorMeasure, Finding, TelemetrySource
from spine.errors import Refused
from spine.ids import new_id
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.detection.detectors.scenes import elicited, explained
from tests.detection.registered import make_measure
from tests.detection.telemetry.rows import file_of
from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
NAME = "reasoning-requests"


@pytest.fixture(autouse=True)
def telemetry_apart(settings: Any, tmp_path: Path) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    settings.SEND_TASKS = False


def source_of(folder: Path, name: str, rows: list[dict[str, Any]]) -> TelemetrySource:
    source = sources.source_named(name)
    sources.add_file(actor="user:lead", source=source, kind="exchanges", path=file_of(folder / f"{name}.ndjson", rows))
    return source


def run(source: TelemetrySource) -> dict[str, int]:
    """What a run over the source stored of the detector's findings."""
    made = runs.run_detectors(actor="user:lead", source=source, job_id=new_id())
    counts: dict[str, int] = Answer.objects.get(run=made, detector_version__detector__name=NAME).counts
    return {"new": counts["new"], "known": counts["known"]}


def test_measure_counts_accounts_named_of_accounts_active_and_is_printed_with_new_findings(
    tmp_path: Path, capsys: Any
) -> None:
    pool = source_of(tmp_path, "pool", elicited()[0])
    reference = source_of(tmp_path, "benign-1", explained()[0])
    assert run(pool) == {"new": 1, "known": 0}
    assert "false_positive_rate" not in support(version=1)

    call_command("measure_detectors", "--benign", "benign-1")
    lines = capsys.readouterr().out.splitlines()
    today = LogEntry.objects.get(action="detectors.measured").at.date()
    assert f"{NAME} 1.0.0: 0 of 60: 0.0% (0.0% – 6.0%), benign-1, {today}" in lines
    assert len(lines) == len(BY_NAME)
    (row,) = DetectorMeasure.objects.filter(detector_version__detector__name=NAME)
    assert (row.named, row.active, row.rate, round(row.high, 4)) == (0, 60, 0.0, 0.0602)
    assert row.reference_sha256 == measuring.reference_sha256(reference)

    assert run(pool) == {"new": 1, "known": 0}
    assert run(pool) == {"new": 0, "known": 1}
    assert support(version=2) == support(version=1) | {
        "false_positive_rate": 0.0,
        "false_positive_low": 0.0,
        "false_positive_high": 0.060172,
        "measured_on": f"benign-1, {today}",
    }


def support(version: int) -> dict[str, Any]:
    found = Finding.objects.get(detector__name=NAME, version=version)
    stated: dict[str, Any] = json.loads(bytes(found.payload))["support"]
    return stated


def test_measure_of_the_same_job_is_made_once(tmp_path: Path) -> None:
    reference, job = source_of(tmp_path, "benign-1", explained()[0]), new_id()
    one = measuring.measure(actor="user:lead", source=reference, job_id=job)
    other = measuring.measure(actor="user:lead", source=reference, job_id=job)
    assert {row.pk for row in one.rows} == {row.pk for row in other.rows}
    assert "logit-probing" in one.untold
    assert not Finding.objects.exists()


def test_measure_of_a_source_without_exchanges_is_refused() -> None:
    with pytest.raises(Refused):
        measuring.measure(actor="user:lead", source=sources.source_named("empty"), job_id=new_id())


def test_measure_detectors_with_an_unknown_source_says_so() -> None:
    with pytest.raises(CommandError, match="No such source"):
        call_command("measure_detectors", "--source", "nowhere")


def test_page_and_api_show_the_newest_measure_of_a_version(cast: Cast) -> None:
    version = registry.version_of(NAME, "1.0.0", "ab" * 32)
    page = f"/detectors/{version.detector_id}/"
    assert "not measured" in text_of(client_of(cast.reader).get(page))
    make_measure(version, named=30)
    make_measure(version)
    shown = text_of(client_of(cast.reader).get(page))
    assert "3 of 1,516: 0.2% (0.1% – 0.6%), benign-1" in shown
    shown = text_of(client_of(cast.reader).get(reverse("detector_version", args=[version.detector_id, version.pk])))
    assert shown.count("benign-1") == 2
    (answered,) = api_of(cast.reader).get(f"/api/v1/detectors/{version.detector_id}/").json()["versions"]
    told = answered["false_positives"]
    assert (told["named"], told["active"], told["reference"]) == (3, 1516, "benign-1")
