"""The same detectors on Spark as on DuckDB: the same findings of every scene, and the same run with its clusters.

Needs Java and the packages of requirements-spark.txt. Spark runs in this process's own JVM, on two threads, and listens
on the loopback address alone.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from detection import runs, sources
from detection.detectors import BY_NAME
from detection.models import Finding, Run, TelemetrySource
from detection.records import Outcome, Status
from detection.simulate import Scale, simulate
from detection.telemetry import sketch
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import Dataset, open_dataset
from spine.errors import Refused
from spine.ids import new_id
from tests.detection.detectors.scenes import SCENES, WINDOW, Scene
from tests.detection.telemetry.rows import file_of

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None or find_spec("pyspark") is None, reason="no Java or no PySpark"),
    # PySpark's own: a socket that its JVM keeps, modules that newer Pythons will lack
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]
OPTIONS = {
    "spark.master": "local[2]",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than so few rows
}

SAME = ("title", "assessment", "score", "assessment_detail", "signals", "account_count", "exchanges", "volume")


@pytest.fixture(scope="module", autouse=True)
def spark_stops() -> Iterator[None]:
    yield
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()


def test_detectors_on_spark_give_the_same_findings(tmp_path: Path) -> None:
    for name, scene in SCENES.items():
        one, other = on_both(tmp_path / name, name, scene)
        assert one.status is Status.FOUND
        assert one == other, name


def on_both(folder: Path, name: str, scene: Scene) -> list[Outcome]:
    folder.mkdir()
    rows, side = scene.found()
    path, root = file_of(folder / "rows.ndjson", rows), folder / "set"
    add_telemetry(path, root, sha256=file_sha256(path))
    for kind, own in side.items():
        add_side_table(kind, file_of(folder / f"{kind}.ndjson", own), root)
    found = []
    for spark in (None, OPTIONS):
        with open_dataset(root, spark=spark) as dataset:
            found.append(BY_NAME[name].detect(dataset, WINDOW))
    return found


def test_spark_gives_whole_numbers_beside_nulls_and_tables_without_rows(tmp_path: Path) -> None:
    made = file_of(tmp_path / "rows.ndjson", [*SCENES["reasoning-requests"].found()[0][:50], without_prompt()])
    add_telemetry(made, tmp_path / "set", sha256=file_sha256(made))
    answers = []
    for spark in (None, OPTIONS):
        with open_dataset(tmp_path / "set", spark=spark) as dataset:
            answers.append(numbers(dataset))
    assert answers[0] == answers[1]
    assert None in answers[0][0]
    assert any(abs(number) > 2**53 for number in answers[0][0] if number)


def without_prompt() -> dict[str, Any]:
    return {k: v for k, v in SCENES["reasoning-requests"].found()[0][60].items() if k != "prompt"}


def numbers(dataset: Dataset) -> tuple[list[int | None], int]:
    rows = dataset.arrow(dataset.exchanges.select("request_id", *sketch.COLUMNS).order_by("request_id"))
    return rows["sketch_text"].to_pylist(), len(dataset.arrow(dataset.networks))


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
def test_run_on_spark_finds_the_same_clusters(tmp_path: Path, settings: Any) -> None:
    settings.TELEMETRY_ROOT, settings.SEND_TASKS = tmp_path / "telemetry", False
    settings.SPARK_OPTIONS = OPTIONS
    made = simulate(Scale(accounts=300, exchanges=6_000, campaigns=1, seed=3), tmp_path / "raw")
    told = []
    for engine in ("duckdb", "spark"):
        settings.DETECTION_ENGINE = engine
        source = TelemetrySource.objects.create(name=f"on-{engine}", namespace=engine)
        for kind in ("accounts", "networks", "models"):
            sources.add_file(actor="user:lead", source=source, kind=kind, path=getattr(made, kind))
        sources.add_file(actor="user:lead", source=source, kind="exchanges", path=made.telemetry)
        told.append(told_by(runs.run_detectors(actor="user:lead", source=source, job_id=new_id())))
    assert told[0]["answers"] == told[1]["answers"]
    assert told[0]["clusters"] == told[1]["clusters"]
    assert told[0]["findings"] == told[1]["findings"]
    assert len(told[0]["findings"]) > 50
    assert any(cluster["assessment"] == "coordinated_extraction" for cluster in told[0]["clusters"])


def told_by(run: Run) -> dict[str, Any]:
    answers = run.answers.order_by("place").values_list(
        "detector_version__detector__name", "status", "reason", "counts"
    )
    findings = Finding.objects.filter(accounts__account__namespace=run.source.namespace).distinct()
    clusters = run.clusters.order_by("title", "score", "account_count")
    return {
        "answers": list(answers),
        "findings": sorted(findings.values_list("title", "summary", "score", "confidence", "account_count")),
        "clusters": [{name: getattr(cluster, name) for name in SAME} for cluster in clusters],
    }


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
def test_spark_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    """In a process of its own: this one has a session already."""
    asked = (
        "from pathlib import Path; import sys\n"
        "from detection.telemetry.dataset import open_dataset\n"
        "from detection.telemetry.engines import EngineError\n"
        "try:\n"
        "    with open_dataset(Path(sys.argv[1]), spark={'spark.master': 'nowhere'}): pass\n"
        "except EngineError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert said.stdout.startswith("No Spark session came up: ")


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
def test_run_without_spark_is_refused_in_words(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TELEMETRY_ROOT, settings.SEND_TASKS, settings.DETECTION_ENGINE = tmp_path, False, "spark"
    monkeypatch.setitem(sys.modules, "pyspark", None)
    source = TelemetrySource.objects.create(name="api-logs")
    with pytest.raises(Refused, match=r"requirements-spark\.txt"):
        runs.run_detectors(actor="user:lead", source=source, job_id=new_id())
