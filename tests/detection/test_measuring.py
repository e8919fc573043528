"""Measured false-positive rates: kept with the version, shown on its page and in the API, printed with new findings."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from cases.actions import work
from detection import measuring, registry, runs, sources, tasks
from detection.detectors import BY_NAME
from detection.models import Answer, DetectorMeasure, DetectorVersion, Finding, TelemetrySource
from people.models import User
from spine.errors import Refused
from spine.ids import new_id
from spine.jobs import Running
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.detection.detectors.scenes import elicited, explained
from tests.detection.registered import make_measure
from tests.detection.telemetry.rows import file_of
from tests.factories import Cast, run_job

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


def test_a_measuring_asked_for_on_the_page_is_done_by_a_worker_and_shown_there(tmp_path: Path, cast: Cast) -> None:
    source = source_of(tmp_path, "benign-1", explained()[0])
    client, address = client_of(cast.admin), f"/sources/{source.pk}/runs/"
    client.post(f"/sources/{source.pk}/measure/")
    job = run_job(Job.objects.get())
    assert (job.state, job.done) == (JobState.DONE, job.total)
    assert not Finding.objects.exists()

    page = client.get(address)
    shown = {one["version"].detector.name: one for one in page.context["measures"]}
    told, untold = DetectorMeasure.objects.count(), (job.result or {})["untold"]
    assert set(shown) == set(BY_NAME) - set(untold)
    assert (shown[NAME]["measure"].named, shown[NAME]["measure"].active) == (0, 60)
    assert (shown[NAME]["rate"], shown[NAME]["interval"]) == ("0.0%", "0.0% – 6.0%")
    came_to = f"{told} detectors measured; {len(untold)} could not tell: {', '.join(untold)}."
    assert came_to in text_of(page)
    progress = text_of(client.get(f"/jobs/{job.pk}/"))
    assert came_to in progress
    assert f'href="{address}#measures"' in progress

    listed = api_of(cast.reader).get(f"/api/v1/telemetry/{source.pk}/measures/", {"page_size": 500}).json()["results"]
    (one,) = [row for row in listed if row["detector"] == NAME]
    assert len(listed) == told
    assert (one["version"], one["named"], one["active"], one["rate"]) == ("1.0.0", 0, 60, 0.0)
    assert one["reference_sha256"] == measuring.reference_sha256(source)


class StoppedHalfway(Running):
    """A job that the administrator stops as its second detector begins."""

    def progress(self, done: int, total: int, note: str = "") -> None:
        if done == 1:
            work.stop_job(Job.objects.get(id=self.id), actor=User.objects.get(username="admin"))
        super().progress(done, total, note)


def measured_until_stopped(job: Running) -> dict[str, Any]:
    """The handler of the kind, on such a job."""
    return tasks.measure_detectors(StoppedHalfway(**vars(job)))


def test_a_measuring_that_is_stopped_stores_nothing_and_can_be_asked_for_again(
    tmp_path: Path, cast: Cast, settings: Any
) -> None:
    source, kinds = source_of(tmp_path, "benign-1", explained()[0]), settings.JOB_KINDS
    settings.JOB_KINDS = kinds | {measuring.KIND: f"{__name__}.measured_until_stopped"}
    job = run_job(measuring.request_measure(actor="user:admin", source=source))
    assert (job.state, job.error) == (JobState.FAILED, "stopped by admin; nothing of it was kept")
    assert (job.done, job.result) == (0, None)
    assert not DetectorMeasure.objects.exists()
    assert not DetectorVersion.objects.exists()
    assert not LogEntry.objects.filter(action="detectors.measured").exists()

    settings.JOB_KINDS = kinds
    again = measuring.request_measure(actor="user:admin", source=source)
    assert again.pk != job.pk
    assert run_job(again).state == JobState.DONE
    assert DetectorMeasure.objects.exists()


def test_a_measuring_that_is_stopped_while_it_waits_is_taken_by_no_worker(tmp_path: Path, cast: Cast) -> None:
    source = source_of(tmp_path, "benign-1", explained()[0])
    job = measuring.request_measure(actor="user:admin", source=source)
    work.stop_job(job, actor=cast.admin)
    assert run_job(job).state == JobState.FAILED
    assert not DetectorMeasure.objects.exists()


def test_the_page_of_a_version_that_was_never_measured_names_the_ways(cast: Cast) -> None:
    version = registry.version_of(NAME, "1.0.0", "ab" * 32)
    shown = text_of(client_of(cast.reader).get(reverse("detector_version", args=[version.detector_id, version.pk])))
    assert "<em>Measure detectors on this source</em>" in shown
    assert "manage.py measure_detectors --source NAME" in shown
