"""The same window again: the same is known, what rows that came late change supersedes; another source is another."""

from pathlib import Path
from typing import Any

import pytest

from detection import runs, sources
from detection.models import Answer, Finding, Run, TelemetrySource
from spine.ids import new_id
from tests.detection.detectors.scenes import SCENES, WINDOW
from tests.detection.telemetry.rows import file_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
NAME = "reasoning-requests"
FROM, TO = WINDOW.start.isoformat(), WINDOW.end.isoformat()


@pytest.fixture(autouse=True)
def telemetry_apart(settings: Any, tmp_path: Path) -> None:
    settings.TELEMETRY_ROOT, settings.SEND_TASKS = tmp_path / "telemetry", False


def add(source: TelemetrySource, path: Path, rows: list[dict[str, Any]]) -> None:
    sources.add_file(actor="user:lead", source=source, kind="exchanges", path=file_of(path, rows))


def run(source: TelemetrySource) -> tuple[Run, dict[str, int]]:
    made = runs.run_detectors(actor="user:lead", source=source, job_id=new_id(), window=runs.window_from(FROM, TO))
    counts = Answer.objects.get(run=made, detector_version__detector__name=NAME).counts
    return made, {name: counts[name] for name in ("new", "known")}


def test_rows_that_come_late_make_a_higher_version_and_the_same_again_none(tmp_path: Path) -> None:
    source, rows = sources.source_named("api-logs"), SCENES[NAME].found()[0]
    late = [one for one in rows if one["account_id"] in SCENES[NAME].named][-4:]
    add(source, tmp_path / "first.ndjson", [one for one in rows if one not in late])
    assert run(source)[1] == {"new": 1, "known": 0}
    assert run(source)[1] == {"new": 0, "known": 1}

    add(source, tmp_path / "late.ndjson", late)
    made, counts = run(source)
    assert counts == {"new": 1, "known": 0}
    old, new = Finding.objects.filter(detector__name=NAME).order_by("version")
    assert (old.uid, old.version, new.uid, new.version) == (new.uid, 1, old.uid, 2)
    cited = {finding.finding_id for cluster in made.clusters.all() for finding in cluster.findings.all()}
    assert old.pk not in cited
    assert run(source)[1] == {"new": 0, "known": 1}


def test_two_sources_may_say_the_same_or_otherwise_of_one_window(tmp_path: Path) -> None:
    rows = SCENES[NAME].found()[0]
    one, other = (sources.source_named(name, name) for name in ("logs-a", "logs-b"))
    add(one, tmp_path / "a.ndjson", rows)
    add(other, tmp_path / "b.ndjson", rows[:-10])
    assert run(one)[1] == run(other)[1] == {"new": 1, "known": 0}
    uids = Finding.objects.filter(detector__name=NAME).values_list("uid", "version")
    assert len(set(uids)) == 2
    assert {version for _, version in uids} == {1}
