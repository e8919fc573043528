"""Measured false-positive rates: kept with the version, shown on its page and in the API, printed with new findings."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from cases.actions import work
from detection import intervals, measures, measuring, naming, registry, runs, sources, tasks
from detection.detectors import BY_NAME, DETECTORS, POOL_DETECTORS
from detection.detectors.pool import Group
from detection.models import Answer, DetectorMeasure, DetectorVersion, Finding, TelemetrySource
from detection.population import Population
from detection.records import Unit
from detection.simulate import Scale, simulate
from people.models import User
from spine import log
from spine.errors import Refused
from spine.ids import new_id
from spine.jobs import Running
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, text_of
from tests.detection.detectors.scenes import elicited, explained
from tests.detection.registered import make_measure
from tests.detection.telemetry.rows import file_of
from tests.detection.worlds import crowd
from tests.factories import Cast, make_run, run_job

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
    assert f"{NAME} 1.0.0: 0 of 60 accounts: 0.0% (0.0% – 6.0%), benign-1, {today}" in lines
    assert len(lines) == len(BY_NAME)
    (row,) = DetectorMeasure.objects.filter(detector_version__detector__name=NAME)
    assert (row.named, row.active, row.unit, row.rate, round(row.high, 4)) == (0, 60, "accounts", 0.0, 0.0602)
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


@pytest.fixture
def benign(tmp_path: Path) -> TelemetrySource:
    """A simulated source of 193 active accounts, of which none is of a campaign or looks like one."""
    scale = Scale(accounts=240, exchanges=10_000, campaigns=0, seed=5, days=10, kinds=("all",), look_alikes="none")
    made, source = simulate(scale, tmp_path / "made"), sources.source_named("benign-1")
    files = {"accounts": made.accounts, "networks": made.networks, "models": made.models, "exchanges": made.telemetry}
    for kind, path in files.items():
        sources.add_file(actor="user:lead", source=source, kind=kind, path=path)
    return source


def test_every_detector_of_pools_is_measured_on_groups_drawn_at_random_and_twice_alike(benign: TelemetrySource) -> None:
    one, other = (measuring.measure(actor="user:lead", source=benign, job_id=new_id()) for _ in range(2))
    shown = {row.detector_version.detector.name: row for row in one.rows}
    pools = {name: shown.pop(name) for name in (detector.name for detector in POOL_DETECTORS)}
    assert {(row.unit, row.active) for row in shown.values()} == {("accounts", 193)}
    assert {row.unit for row in pools.values()} == {"groups"}
    assert (pools["load-balancing"].active, pools["capability-sweep"].active) == (45, 45)  # 5 draws of 9
    for row in pools.values():
        assert (row.low, row.high) == intervals.wilson(row.named / row.active, row.active, 95)
        assert 0 < row.high < 1
    assert [figures(row) for row in one.rows] == [figures(row) for row in other.rows]


def figures(row: DetectorMeasure) -> tuple[Any, ...]:
    return row.detector_version_id, row.unit, row.named, row.active, row.low, row.high


def test_a_source_too_small_for_drawn_groups_says_what_was_lacking(tmp_path: Path) -> None:
    source = source_of(tmp_path, "benign-1", explained()[0])
    measured = measuring.measure(actor="user:lead", source=source, job_id=new_id())
    reason = (
        "No group of 5 draws could be compared. Of the first draw, taken as pools: "
        "Only 30 accounts are left to compare with."
    )
    assert measured.untold["load-balancing"] == reason
    assert f"load-balancing: could not tell; {reason}" in measuring.lines(measured)
    assert measured.untold["reasoning-block-replay"].startswith("The telemetry has no")
    assert not DetectorMeasure.objects.filter(unit="groups").exists()


def test_drawn_groups_share_no_account_take_half_of_them_and_are_the_same_again() -> None:
    population = Population((), crowd(430))
    draws = naming.drawn(population)
    assert [len(groups) for groups in draws] == [21] * 5
    for groups in draws:
        assert {len(group.members) for group in groups} == {10}
        assert len({place for group in groups for place in group.members.tolist()}) == 210
    assert keyed(draws) == keyed(naming.drawn(population))
    assert len({str(draw) for draw in keyed(draws)}) == 5
    assert {len(groups) for groups in naming.drawn(Population((), crowd(2_000)))} == {40}


def keyed(draws: list[list[Group]]) -> list[list[tuple[str, list[int]]]]:
    return [[(group.key, group.members.tolist()) for group in groups] for groups in draws]


def test_measure_of_groups_is_told_as_one_on_pages_in_the_api_and_in_findings(cast: Cast) -> None:
    source, version = sources.source_named("benign-1"), registry.version_of("load-balancing", "1.1.0", "ab" * 32)
    row = make_measure(version, named=1, active=200, unit=Unit.GROUPS)
    words = "1 of 200 groups drawn at random: 0.5% (0.1% – 0.6%), benign-1"
    reader, api = client_of(cast.reader), api_of(cast.reader)
    assert words in text_of(reader.get(f"/detectors/{version.detector_id}/"))
    assert "200 groups drawn at random" in text_of(
        reader.get(reverse("detector_version", args=[version.detector_id, version.pk]))
    )
    assert "200 groups drawn at random" in text_of(reader.get(f"/sources/{source.pk}/runs/"))
    (listed,) = api.get(f"/api/v1/telemetry/{source.pk}/measures/").json()["results"]
    assert (listed["unit"], listed["named"], listed["active"], listed["rate"]) == ("groups", 1, 200, 0.005)
    assert measures.support_of(row)["measured_on"] == f"200 groups drawn at random from benign-1, {row.at:%Y-%m-%d}"
    assert "groups" not in str(measures.support_of(make_measure(version)))


def test_measure_from_before_there_were_units_is_of_accounts_and_its_row_in_the_log_is_what_it_was(cast: Cast) -> None:
    version = registry.version_of(NAME, "1.0.0", "ab" * 32)
    older, newer = make_measure(version, unit=None), make_measure(version)
    assert b'"unit"' not in log.row_bytes(older)
    assert b'"unit":"accounts"' in log.row_bytes(newer)
    rows = api_of(cast.reader).get(f"/api/v1/telemetry/{sources.source_named('benign-1').pk}/measures/").json()
    assert [row["unit"] for row in rows["results"]] == ["accounts", "accounts"]
    assert measures.in_words(older) == measures.in_words(newer)


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
    assert "3 of 1,516 accounts: 0.2% (0.1% – 0.6%), benign-1" in shown
    shown = text_of(client_of(cast.reader).get(reverse("detector_version", args=[version.detector_id, version.pk])))
    assert shown.count("benign-1") == 2
    (answered,) = api_of(cast.reader).get(f"/api/v1/detectors/{version.detector_id}/").json()["versions"]
    told = answered["false_positives"]
    assert (told["named"], told["active"], told["unit"], told["reference"]) == (3, 1516, "accounts", "benign-1")


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
    assert (one["version"], one["named"], one["active"], one["unit"]) == ("1.0.0", 0, 60, "accounts")
    assert one["rate"] == 0.0
    assert one["reference_sha256"] == measuring.reference_sha256(source)


def test_measuring_on_a_source_with_something_worth_a_look_warns_of_it(tmp_path: Path, cast: Cast, capsys: Any) -> None:
    make_run([f"known-{number}" for number in range(4)], worth_a_look=False)
    source = source_of(tmp_path, "api-logs", explained()[0])
    page = client_of(cast.admin).get(f"/sources/{source.pk}/runs/")
    assert (measuring.doubt(source), "unless all of that" in text_of(page)) == ("", False)

    make_run(*([f"held-{group}-{number}" for number in range(4)] for group in range(2)), worth_a_look=True)
    said = "The newest run found 2 clusters that are worth a look here"
    assert said in text_of(client_of(cast.admin).get(f"/sources/{source.pk}/runs/"))
    call_command("measure_detectors", "--source", "api-logs")
    assert said in capsys.readouterr().err


class Stopped(Running):
    """A job that the administrator stops as so much of it is done."""

    after: ClassVar[int]

    def progress(self, done: int, total: int, note: str = "") -> None:
        if done == self.after:
            work.stop_job(Job.objects.get(id=self.id), actor=User.objects.get(username="admin"))
        super().progress(done, total, note)


class StoppedBetweenDetectors(Stopped):
    after = 1


class StoppedBetweenDraws(Stopped):
    after = len(DETECTORS) + 2


def measured_until_a_detector(job: Running) -> dict[str, Any]:
    """The handler of the kind, on a job that is stopped as its second detector begins."""
    return tasks.measure_detectors(StoppedBetweenDetectors(**vars(job)))


def measured_until_a_draw(job: Running) -> dict[str, Any]:
    """The same, stopped as the third draw of groups for its first detector of pools begins."""
    return tasks.measure_detectors(StoppedBetweenDraws(**vars(job)))


@pytest.mark.parametrize(
    ("handler", "done", "note"),
    [
        ("measured_until_a_detector", 0, DETECTORS[0].title),
        ("measured_until_a_draw", len(DETECTORS) + 1, f"{POOL_DETECTORS[0].title}, draw 2 of 5"),
    ],
)
def test_a_measuring_that_is_stopped_stores_nothing_and_can_be_asked_for_again(
    tmp_path: Path, cast: Cast, settings: Any, handler: str, done: int, note: str
) -> None:
    source, kinds = source_of(tmp_path, "benign-1", explained()[0]), settings.JOB_KINDS
    settings.JOB_KINDS = kinds | {measuring.KIND: f"{__name__}.{handler}"}
    job = run_job(measuring.request_measure(actor="user:admin", source=source))
    assert (job.state, job.error) == (JobState.STOPPED, "stopped by admin; nothing of it was kept")
    assert (job.done, job.note, job.result) == (done, note, None)
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
    assert run_job(job).state == JobState.STOPPED
    assert not DetectorMeasure.objects.exists()


def test_the_page_of_a_version_that_was_never_measured_names_the_ways(cast: Cast) -> None:
    version = registry.version_of(NAME, "1.0.0", "ab" * 32)
    shown = text_of(client_of(cast.reader).get(reverse("detector_version", args=[version.detector_id, version.pk])))
    assert "<em>Measure detectors on this source</em>" in shown
    assert "manage.py measure_detectors --source NAME" in shown
