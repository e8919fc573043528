"""For each kind of job on telemetry and cases: SIGKILL to the worker's whole process group at five moments."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import transaction

from cases import actions
from cases.actions import dossiers
from cases.filters import AccountFilter
from cases.models import Case, DossierVersion
from detection import runs, simulating, sources
from detection.models import TelemetrySource
from detection.simulate import Scale, simulate
from detection.telemetry.dataset import open_dataset
from spine.models import Job
from tests.factories import make_case, make_cast
from tests.killing import finished
from tests.servers import HOME, Worker
from tests.surviving import MakeJob, empty_folder, settle, survives

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
SOURCE = UUID("0198b6a0-0000-7000-8000-000000000001")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return simulate(Scale(accounts=400, exchanges=20_000, seed=5), tmp_path_factory.mktemp("telemetry"))


def stored_rows() -> int:
    with open_dataset(sources.root_of(TelemetrySource(id=SOURCE))) as dataset:
        return int(dataset.exchanges.count().to_pyarrow().as_py())


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
