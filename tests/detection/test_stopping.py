"""A run and a measuring that are stopped end in the middle of a query, not after it."""

import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import ibis
import pytest
from django.db import connection

from cases.actions import work
from detection import detectors as table
from detection import measuring, runs, sources
from detection.detectors.base import Detector
from detection.models import DetectorMeasure, Finding, Run, TelemetrySource
from detection.records import Outcome, Window
from detection.stopping import unless_wanted
from detection.telemetry.dataset import Dataset, open_dataset
from people.models import User
from spine.jobs import LeaseLost
from spine.models import Job, JobState
from tests.detection.telemetry.rows import file_of, row
from tests.factories import Cast, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


def lasting() -> Any:
    """A question that takes any machine of today minutes: of each of a million million pairs something small."""
    one, other = (ibis.range(0, 1_000_000).unnest().name(name).as_table() for name in "ij")
    pairs = one.cross_join(other)
    return pairs.aggregate(n=((pairs.i * 31 + pairs.j) % 7).sum())


class Slow(Detector):
    """Asks its engine something that takes minutes, then says that it came to its end."""

    name: ClassVar[str] = "slow"
    signal: ClassVar[str] = "x-slow"
    version: ClassVar[str] = "1.0.0"
    title: ClassVar[str] = "A detector that takes its time"
    idea: ClassVar[str] = "None."
    came_to_its_end = False

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        dataset.arrow(lasting())
        self.came_to_its_end = True
        return self.outcome([], {}, [], "Nothing.")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """The one detector that runs."""
    detector = Slow()
    monkeypatch.setattr(table, "DETECTORS", (detector,))
    return detector


@pytest.fixture
def source(settings: Any, tmp_path: Path) -> TelemetrySource:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    source = sources.source_named("api-logs")
    path = file_of(tmp_path / "a.jsonl", [row(number) for number in range(9)])
    sources.add_file(actor="user:admin", source=source, kind="exchanges", path=path)
    return source


def stop_at_work(job: Job) -> threading.Thread:
    """Stop the job, as the administrator does, a second after its detector began."""

    def look() -> None:
        try:
            while Slow.title not in Job.objects.get(pk=job.pk).note:
                time.sleep(0.05)
            time.sleep(1)
            work.stop_job(job, actor=User.objects.get(username="admin"))
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_a_run_that_is_stopped_ends_in_the_middle_of_a_detector(
    slow: Slow, source: TelemetrySource, cast: Cast
) -> None:
    job = runs.request_run(actor="user:admin", source=source)
    stopping = stop_at_work(job)
    job = run_job(job)
    stopping.join()
    assert (job.state, job.error.startswith("stopped by admin")) == (JobState.STOPPED, True)
    assert (slow.came_to_its_end, Run.objects.count(), Finding.objects.count()) == (False, 0, 0)


def test_a_measuring_that_is_stopped_ends_in_the_middle_of_a_detector(
    slow: Slow, source: TelemetrySource, cast: Cast
) -> None:
    job = measuring.request_measure(actor="user:admin", source=source)
    stopping = stop_at_work(job)
    job = run_job(job)
    stopping.join()
    assert (job.state, job.error) == (JobState.STOPPED, "stopped by admin; nothing of it was kept")
    assert (slow.came_to_its_end, DetectorMeasure.objects.count()) == (False, 0)


def test_what_goes_wrong_while_the_work_is_wanted_is_told_as_it_is(source: TelemetrySource) -> None:
    with (
        open_dataset(sources.root_of(source)) as dataset,
        pytest.raises(ValueError, match="wrong"),
        unless_wanted(lambda: True, dataset.engine.interrupt),
    ):
        raise ValueError("wrong")


def test_an_engine_that_was_interrupted_answers_the_next_question(source: TelemetrySource) -> None:
    with open_dataset(sources.root_of(source)) as dataset:
        with pytest.raises(LeaseLost), unless_wanted(lambda: False, dataset.engine.interrupt):
            dataset.arrow(lasting())
        assert dataset.arrow(dataset.exchanges.count().as_table())[0][0].as_py() == 9
