"""Simulated telemetry that is asked for: a source whole or not at all, called what it is, and joined with nothing."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cases.actions import work
from detection import runs, simulating, sources, tasks
from detection.models import Account, Cluster, Finding, ModelRelease, TelemetryFile, TelemetrySource
from detection.simulate import Scale, simulate
from detection.telemetry.dataset import open_dataset
from people.models import User
from spine import jobs
from spine.errors import Conflict, Refused
from spine.jobs import Running
from spine.models import Job, JobState, LogEntry
from tests.factories import Cast, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
SMALL = Scale(accounts=300, exchanges=4_000, days=8, campaigns=1, kinds=("hydra",), look_alikes="few", seed=3)


@pytest.fixture(autouse=True)
def root(settings: Any, tmp_path: Path) -> Path:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    return tmp_path / "telemetry"


def asked(name: str = "trial", **numbers: Any) -> Job:
    return simulating.request_simulation(actor="user:admin", name=name, scale=replace(SMALL, **numbers))


def stored_rows(source: TelemetrySource) -> int:
    with open_dataset(sources.root_of(source)) as dataset:
        return int(dataset.exchanges.count().to_pyarrow().as_py())


def test_telemetry_that_is_asked_for_becomes_a_source_that_says_it_is_simulated(root: Path, tmp_path: Path) -> None:
    job = run_job(asked())
    source = TelemetrySource.objects.get()
    made = simulate(replace(SMALL, format="parquet", files="day"), tmp_path / "again")
    rows = {"exchanges": made.rows, "accounts": 300}
    assert (job.state, job.error, job.done, job.total) == (JobState.DONE, "", 1000, 1000)
    assert job.result == {"source": str(source.pk), **rows, "campaigns": 1, "kinds": {"hydra": 1}}
    assert (source.name, source.namespace, source.is_simulated) == ("simulated: trial", "simulated: trial", True)
    assert stored_rows(source) == made.rows
    assert sorted(source.files.values_list("kind", flat=True)) == ["accounts", *["exchanges"] * 8, "models", "networks"]
    entry = LogEntry.objects.get(action="telemetry.simulated")
    assert (entry.actor, entry.data["source"], entry.data["exchanges"]) == ("user:admin", source.name, made.rows)
    assert [path.name for path in root.iterdir() if path.name != ".simulated"] == [str(source.pk)]
    assert list(simulating.workshop().iterdir()) == []


def test_what_is_found_in_it_says_so_and_is_of_accounts_of_its_own() -> None:
    run_job(asked())
    source = TelemetrySource.objects.get()
    run = runs.run_detectors(actor="user:admin", source=source, job_id=uuid4())
    titles = [*Cluster.objects.values_list("title", flat=True), *Finding.objects.values_list("title", flat=True)]
    assert run.clusters.count() > 0
    assert [title for title in titles if not title.startswith("Simulated: ")] == []
    assert set(Account.objects.values_list("namespace", flat=True)) == {source.name}
    assert not ModelRelease.objects.exists()


def test_the_same_asked_for_again_is_the_same_while_it_waits_and_when_it_is_done() -> None:
    job = asked()
    assert asked().pk == job.pk
    run_job(job)
    assert asked(" trial ").pk == job.pk
    assert (Job.objects.count(), TelemetrySource.objects.count()) == (1, 1)


def test_other_numbers_under_a_name_are_refused_while_it_is_made_and_afterwards() -> None:
    job = asked()
    with pytest.raises(Conflict, match="being made under this name"):
        asked(seed=4)
    run_job(job)
    with pytest.raises(Conflict, match="of other numbers already"):
        asked(seed=4)
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "numbers"),
    [
        ("accounts", {"accounts": 0}),
        ("accounts", {"accounts": 5_001}),
        ("accounts", {"accounts": 5}),
        ("exchanges", {"exchanges": 60_001}),
        ("days", {"days": 6}),
        ("days", {"days": 367}),
        ("seed", {"seed": -1}),
        ("campaigns", {"campaigns": 201}),
        ("kinds", {"kinds": ("kraken",)}),
        ("kinds", {"kinds": ()}),
        ("campaign_accounts", {"campaign_accounts": float("nan")}),
        ("campaign_accounts", {"campaign_accounts": 301.0}),
        ("campaign_exchanges", {"campaign_exchanges": 1.0}),
        ("look_alikes", {"look_alikes": "many"}),
        ("columns", {"columns": "x"}),
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 50}),
    ],
)
def test_what_cannot_be_made_is_refused_at_its_field(field: str, numbers: dict[str, Any], settings: Any) -> None:
    settings.SIMULATE_MOST = {"accounts": 5_000, "exchanges": 60_000}
    with pytest.raises(Refused) as refused:
        asked(**numbers)
    assert (refused.value.field, Job.objects.count()) == (field, 0)


def test_nothing_real_gets_a_simulated_name_or_into_a_simulated_source(tmp_path: Path) -> None:
    run_job(asked())
    source, path = TelemetrySource.objects.get(), tmp_path / "real.jsonl"
    path.write_text("{}")
    files = TelemetryFile.objects.count()
    for name in ("simulated: trial", "Simulated: other", " simulated:x"):
        with pytest.raises(Refused, match="made up here"):
            sources.source_named(name)
    with pytest.raises(Refused, match="This source is simulated"):
        sources.request_telemetry(actor="user:admin", source=source, kind="exchanges", path=path)
    with pytest.raises(Refused, match="This source is simulated"):
        sources.add_file(actor="user:admin", source=source, kind="exchanges", path=path)
    assert (TelemetryFile.objects.count(), TelemetrySource.objects.count()) == (files, 1)


class StoppedAt(Running):
    """A job that the administrator stops at a place of its progress."""

    AT = 0

    def progress(self, done: int, total: int, note: str = "") -> None:
        if done >= self.AT:
            work.stop_job(Job.objects.get(id=self.id), actor=User.objects.get(username="admin"))
        super().progress(done, total, note)


class WhileMade(StoppedAt):
    AT = 100


class WhileRead(StoppedAt):
    AT = 800


def stopped_while_made(job: Running) -> dict[str, Any]:
    return tasks.simulate_telemetry(WhileMade(**vars(job)))


def stopped_while_read(job: Running) -> dict[str, Any]:
    return tasks.simulate_telemetry(WhileRead(**vars(job)))


@pytest.mark.parametrize("handler", ["stopped_while_made", "stopped_while_read"])
def test_work_that_is_stopped_leaves_no_source_and_no_file_and_can_be_asked_for_again(
    handler: str, root: Path, cast: Cast, settings: Any
) -> None:
    kinds = settings.JOB_KINDS
    settings.JOB_KINDS = kinds | {simulating.KIND: f"{__name__}.{handler}"}
    job = run_job(asked())
    assert (job.state, job.error) == (JobState.STOPPED, "stopped by admin; nothing of it was kept")
    assert (TelemetrySource.objects.count(), TelemetryFile.objects.count()) == (0, 0)
    assert [path for path in root.rglob("*") if path.name != ".simulated"] == []
    settings.JOB_KINDS = kinds
    again = run_job(asked())
    assert (again.state, again.pk == job.pk, TelemetrySource.objects.count()) == (JobState.DONE, False, 1)


def test_a_second_attempt_takes_away_what_a_killed_one_left(root: Path) -> None:
    job = asked()
    left = [simulating.workshop() / str(job.pk) / str(uuid4()) / "made", root / str(job.pk) / "exchanges"]
    for folder in left:  # as an attempt leaves them that is killed before its transaction ends
        folder.mkdir(parents=True)
        (folder / "part.parquet").write_bytes(b"PAR1")
    assert run_job(job).state == JobState.DONE
    assert [folder.exists() for folder in left] == [False, True]
    assert not (left[1] / "part.parquet").exists()
    assert list(simulating.workshop().iterdir()) == []
    assert stored_rows(TelemetrySource.objects.get()) == (job_result(job)["exchanges"])


def job_result(job: Job) -> dict[str, Any]:
    return dict(Job.objects.get(pk=job.pk).result or {})


def test_a_job_done_again_after_its_source_was_written_adds_nothing() -> None:
    job = run_job(asked())
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, result=None, finished_at=None)
    again = run_job(job)
    assert (again.state, again.attempts, again.result is not None) == (JobState.DONE, 2, True)
    assert TelemetrySource.objects.count() == 1
    assert LogEntry.objects.filter(action="telemetry.simulated").count() == 1


def test_tidying_removes_what_work_left_that_is_over_and_nothing_else(root: Path) -> None:
    done, over, going = run_job(asked("done")), asked("over"), asked("going")
    jobs.stop(over, why="stopped")
    holder = uuid4()
    Job.objects.filter(pk=going.pk).update(state=JobState.RUNNING, holder=holder)
    for job in (done, over, going):
        (simulating.workshop() / str(job.pk) / str(uuid4())).mkdir(parents=True)
    current = simulating.workshop() / str(going.pk) / str(holder)
    current.mkdir()
    (root / str(over.pk)).mkdir()
    (simulating.workshop() / "other").mkdir()
    assert simulating.tidy() == 3
    assert [path.name for path in simulating.workshop().iterdir()] == [str(going.pk)]
    assert list(current.parent.iterdir()) == [current]
    assert sorted(path.name for path in root.iterdir()) == sorted([".simulated", str(done.pk)])


def test_numbers_of_which_no_exchange_comes_fail_the_job_in_words() -> None:
    job = run_job(asked(accounts=1, exchanges=1, days=7, campaigns=0, seed=2))
    assert (job.state, job.error) == (JobState.FAILED, "Nothing was made: no exchange came of so few.")
    assert TelemetrySource.objects.count() == 0


def test_days_without_an_exchange_are_no_files() -> None:
    job = run_job(asked(accounts=20, exchanges=12, days=30, campaigns=0))
    source = TelemetrySource.objects.get()
    files = source.files.filter(kind="exchanges")
    assert job.state == JobState.DONE
    assert 0 < files.count() < 30
    assert sum(files.values_list("rows", flat=True)) == stored_rows(source) == job_result(job)["exchanges"]


def test_a_disk_that_is_full_fails_the_job_in_words_and_leaves_nothing(root: Path) -> None:
    job = asked()
    root.mkdir()
    (root / ".simulated").write_text("no folder")
    assert "Nothing was made" in run_job(job).error
    assert (Job.objects.get().state, TelemetrySource.objects.count()) == (JobState.FAILED, 0)


def test_the_command_that_the_page_names_writes_the_same_telemetry(tmp_path: Path) -> None:
    from django.core.management import call_command

    run_job(asked(kinds=("all",), campaigns=None, campaign_accounts=90.0))
    source = TelemetrySource.objects.get()
    scale = simulating.made_as(source)
    assert scale is not None
    words = simulating.command(scale).split()[2:-1]
    call_command("simulate", *words, str(tmp_path / "again"))
    days = sorted((tmp_path / "again" / "telemetry").iterdir())
    digests = [sources.adapters.file_sha256(day) for day in days]
    assert sorted(source.files.filter(kind="exchanges").values_list("sha256", flat=True)) == sorted(digests)
    shutil.rmtree(tmp_path / "again")
