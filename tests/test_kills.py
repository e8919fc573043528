"""For each kind of job: SIGKILL to the worker's whole process group at five moments; every count as undisturbed."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.test import override_settings
from django.utils import timezone

from cases import actions
from cases.actions import dossiers
from cases.filters import AccountFilter
from cases.models import Case, DossierVersion, Lead, VersionPrecision
from detection import detector_verbs, feed_verbs, ingest, pulling, runs, simulating, sources
from detection.models import Cluster, Feed, FeedPull, Finding, GroupingDue, ReceivedHour, TelemetrySource
from detection.simulate import Scale, simulate
from detection.telemetry.dataset import open_dataset
from spine import verification
from spine.allowlist import parse
from spine.models import Job, JobState, LogEntry, Outbox
from tests.database import clean
from tests.detection.feeds.made import START, given
from tests.detection.registered import ADMIN, make_detector
from tests.detection.samples import DETECTOR, finding
from tests.factories import make_case, make_cast
from tests.killing import KILLS_A_JOB, MOMENTS, finished, kill_at, undisturbed
from tests.lying_server import running
from tests.servers import HOME, Worker

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
SOURCE = UUID("0198b6a0-0000-7000-8000-000000000001")
MakeJob = Callable[[], Job]
MOST_ROUNDS = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return simulate(Scale(accounts=400, exchanges=20_000, seed=5), tmp_path_factory.mktemp("telemetry"))


def survives(
    worker: Worker,
    prepare: Callable[[], MakeJob],
    extra: Callable[[], Any] = lambda: None,
    moments: Sequence[float] = MOMENTS,
) -> None:
    """Run once in peace, then kill at each moment, two a job; what there is afterwards must be the same.

    A kill that came after the job was done is tried again earlier: each of the moments meets the job at work.
    """
    empty_folder(Path(settings.CHECKPOINT_FOLDER))
    make_job = prepare()
    seconds = undisturbed(make_job)
    expected = census(), extra()
    waiting = [moment * seconds for moment in moments]
    for _ in range(MOST_ROUNDS):
        settle()
        clean()
        empty_folder(Path(settings.CHECKPOINT_FOLDER))
        make_job = prepare()
        delays, waiting = waiting[:KILLS_A_JOB], waiting[KILLS_A_JOB:]
        met = kill_at(worker, make_job, delays)
        waiting += [delay / 2 for delay, hit in zip(delays, met, strict=True) if not hit]
        found = census(), extra()
        assert found == expected, set(expected[0].items()) ^ set(found[0].items())
        assert [str(problem) for problem in verification.verify().problems] == []
        if not waiting:
            return
    raise AssertionError(f"{len(waiting)} of {len(moments)} kills never met the job at work")


def settle(timeout: float = 60) -> None:
    """Wait until no job and no message is under way and every entry has its number."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        jobs = Job.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists()
        messages = Outbox.objects.filter(handled_at=None).exists()
        if not jobs and not messages and not LogEntry.objects.filter(sequence=None).exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"still at work: {list(Job.objects.values('kind', 'state', 'note', 'error'))}")


def census() -> dict[str, Any]:
    """How many rows each table of ours has, and how many acts of each kind the log has, when all work is done."""
    settle()
    models = [m for label in ("detection", "cases") for m in apps.get_app_config(label).get_models()]
    # What came in before and after a full hour are two rows, and precision is measured when its minute comes.
    counted = [m for m in models if m not in {ReceivedHour, VersionPrecision}]
    acts = LogEntry.objects.order_by().values_list("action").annotate(n=Count("id"))
    return {m._meta.db_table: m._default_manager.count() for m in counted} | dict(acts) | {"jobs": Job.objects.count()}


def stored_rows() -> int:
    with open_dataset(sources.root_of(TelemetrySource(id=SOURCE))) as dataset:
        return int(dataset.exchanges.count().to_pyarrow().as_py())


def empty_folder(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def test_telemetry_add_survives_its_worker(worker: Worker, made: Any) -> None:
    def prepare() -> MakeJob:
        empty_folder(Path(settings.TELEMETRY_ROOT))
        source = TelemetrySource.objects.create(id=SOURCE, name="api-logs")
        return lambda: sources.request_telemetry(
            actor="user:lead", source=source, kind="exchanges", path=made.telemetry
        )

    survives(worker, prepare, stored_rows)


def test_telemetry_simulate_survives_its_worker(worker: Worker) -> None:
    def prepare() -> MakeJob:
        shutil.rmtree(settings.TELEMETRY_ROOT, ignore_errors=True)
        scale = replace(simulating.USUAL, accounts=400, exchanges=12_000, days=10)
        return lambda: simulating.request_simulation(actor="user:lead", name="killed", scale=scale)

    def held() -> tuple[int, list[Path], int]:
        source = TelemetrySource.objects.get()
        folders = [path for path in Path(settings.TELEMETRY_ROOT).glob("*") if path.name != str(source.pk)]
        with open_dataset(sources.root_of(source)) as dataset:
            rows = int(dataset.exchanges.count().to_pyarrow().as_py())
        return rows, folders, len(list(simulating.workshop().glob("*")))

    survives(worker, prepare, held)


def test_detectors_run_survives_its_worker(worker: Worker, made: Any) -> None:
    def prepare() -> MakeJob:
        empty_folder(Path(settings.TELEMETRY_ROOT))
        source = TelemetrySource.objects.create(id=SOURCE, name="api-logs")
        for kind in ("accounts", "networks", "models"):
            sources.add_file(actor="user:lead", source=source, kind=kind, path=getattr(made, kind))
        sources.add_file(actor="user:lead", source=source, kind="exchanges", path=made.telemetry)
        return lambda: runs.request_run(actor="user:lead", source=source)

    survives(worker, prepare)


def test_verdicts_set_survives_its_worker(worker: Worker) -> None:
    def prepare() -> MakeJob:
        cast = make_cast()
        case = make_case(cast, accounts=3000)
        return lambda: actions.set_verdicts_matching(
            case, AccountFilter(), actor=cast.analyst, value="actor_controlled", reason="Alike.", expected_count=3000
        )

    survives(worker, prepare)


def test_dossier_freeze_survives_its_worker(worker: Worker) -> None:
    def prepare() -> MakeJob:
        cast = make_cast()
        case = make_case(cast, stage="escalated", accounts=400)
        return lambda: dossiers.prepare(case, actor=cast.analyst, edition="counsel")

    survives(worker, prepare)


def test_dossier_render_survives_its_worker(worker: Worker) -> None:
    def prepare() -> MakeJob:
        empty_folder(HOME.path / "renders")
        cast = make_cast()
        case = make_case(cast, stage="escalated", accounts=300)
        finished(dossiers.prepare(case, actor=cast.analyst, edition="counsel"))
        settle()
        version = DossierVersion.objects.get()

        def seal() -> Job:
            with transaction.atomic():
                dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
                return Job.objects.get(kind="dossier.render", key__endswith=":sealed")

        return seal

    def package() -> tuple[int, bool]:
        version = DossierVersion.objects.select_related("case").get()
        return Case.objects.count(), version.seal.proof.package_size > 0

    survives(worker, prepare, package)


def test_pull_over_http_survives_its_worker(worker: Worker) -> None:
    with running() as lying:
        lying.control(items=given(120), size=4)
        worker.restart(RETORT_OUTGOING_ALLOWED=lying.url)

        def prepare() -> MakeJob:
            feed = feed_of(
                lying.url, "http", {"url": f"{lying.url}/page", "items": "/data", "paging": "page", **OLDEST_FIRST}
            )
            return lambda: feed_verbs.request_pull(feed, actor="user:admin")

        survives(worker, prepare, pulled)


def test_pull_of_a_folder_survives_its_worker(worker: Worker, tmp_path: Path) -> None:
    for part in range(20):
        lines = [json.dumps(one) for one in given(25, 25 * part)]
        (tmp_path / f"{part:02}.ndjson").write_text("\n".join([*lines, "no finding"]))
    worker.restart(RETORT_OUTGOING_ALLOWED=tmp_path.as_uri())

    def prepare() -> MakeJob:
        feed = feed_of(tmp_path.as_uri(), "folder", {"folder": str(tmp_path), "settle_seconds": 0})
        return lambda: feed_verbs.request_pull(feed, actor="user:admin")

    survives(worker, prepare, pulled, moments=(0.4, 0.7))


def test_backfill_of_a_feed_survives_its_worker(worker: Worker) -> None:
    with running() as lying:
        lying.control(items=given(120))
        worker.restart(RETORT_OUTGOING_ALLOWED=lying.url)

        def prepare() -> MakeJob:
            feed = feed_of(lying.url, "http", {"url": f"{lying.url}/since", **SINCE})
            Feed.objects.update(next_pull_at=timezone.now() + timedelta(days=1))  # the schedule adds no pull of its own
            window = {"start": START, "end": START + timedelta(minutes=100)}

            def ask() -> Job:
                with override_settings(OUTGOING_ALLOWED=[parse(lying.url)]):
                    return feed_verbs.request_backfill(feed, actor="user:admin", **window)

            return ask

        survives(worker, prepare, pulled)


def test_findings_group_survives_its_worker(worker: Worker) -> None:
    """All findings come in one batch, as a sender's would: the job that groups them is asked for with them."""

    def prepare() -> MakeJob:
        make_cast()
        detector = detector_verbs.set_grouping(make_detector()[0], actor=ADMIN, revision=1, grouping=RULE)

        def send() -> Job:
            documents = [document for value in range(80) for document in sharing(f"pf_{value}", 60)]
            counts = ingest.store(
                documents, actor=f"detector:{detector.name}", detector=detector.name, origin=ingest.Origin()
            )
            assert not counts.rejected, counts.errors
            return Job.objects.get(kind="findings.group")

        return send

    def joined() -> tuple[int, int, int]:
        return Cluster.objects.count(), Lead.objects.count(), GroupingDue.objects.count()

    survives(worker, prepare, joined)


RULE = {"by": ["payment_fingerprint"], "window_hours": 24, "least_findings": 2, "least_accounts": 3}


def sharing(value: str, accounts: int) -> list[dict[str, Any]]:
    """Two findings of so many accounts each that all show the value."""
    shown = [{"type": "payment_fingerprint", "value": value, "count": 2}]
    return [
        finding(
            f"{value}-{part}",
            accounts=[{"id": f"{value}-{part}-{n}", "exchanges": 10, "attributes": shown} for n in range(accounts)],
            detector={"name": "outside", "version": "1.0"},
        )
        for part in range(2)
    ]


SINCE = {
    "items": "",
    "paging": "since",
    "since_parameter": "since",
    "since_at": "/updated_at",
    "until_parameter": "until",
    "size_parameter": "limit",
    "page_size": 4,
}
OLDEST_FIRST = {"page_parameter": "page", "order": "oldest_first"}


def feed_of(allowed: str, kind: str, where: dict[str, Any]) -> Feed:
    make_cast()
    with override_settings(OUTGOING_ALLOWED=[parse(allowed)]):
        return feed_verbs.create_feed(
            actor="user:admin",
            name="Gateway",
            detector=DETECTOR,
            kind=kind,
            settings=where,
            mapping={"as": "native"},
        )


def pulled() -> tuple[Any, ...]:
    """Every finding once, and a cursor and counts that say just that: each page's cursor committed with its findings.

    What an attempt had not committed is asked for again by the next one, so nothing counts as a duplicate.
    """
    feed, record = Feed.objects.get(), FeedPull.objects.get()
    uids = Counter(Finding.objects.values_list("uid", flat=True))
    counted = [getattr(record, name) for name in pulling.COUNTS]
    return max(uids.values()), len(uids), counted, record.pages, record.state, feed.cursor, feed.failures
