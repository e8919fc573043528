"""The whole story through the real queue: telemetry, finding, cluster, lead, case, sealed dossier that verifies."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command

from cases import actions, sample_story
from cases.models import Case, CaseAccount, DossierVersion, Lead
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from detection import ingest
from detection.models import AssessmentLabel, Finding
from spine import verification
from tests.servers import HOME, Worker

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


def test_story_from_telemetry_to_a_dossier_that_verifies(
    worker: Worker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("first_run")
    version = sample_story.tell(lambda line: None)

    assert_outcomes()
    package = build(version, tmp_path / "first", capsys)
    assert_independent_readers_agree(package, tmp_path / "unpacked")
    assert_log_verifies_and_holds_the_acts()
    assert_same_bytes_after_everything_rendered_is_gone(version, package, tmp_path)
    assert_same_bytes_after_a_finding_and_a_verdict(version, package, tmp_path, capsys)
    assert sample_story.tell(lambda line: None) == version  # told again, nothing is added


def assert_outcomes() -> None:
    case = Case.objects.get()
    assert case.status == CaseStatus.ESCALATED
    found = {(lead.cluster.assessment, lead.state) for lead in Lead.objects.select_related("cluster")}
    assert (AssessmentLabel.COORDINATED_EXTRACTION, LeadState.IN_CASE) in found
    assert (AssessmentLabel.BENIGN_AUTOMATION, LeadState.REJECTED) in found
    assert (AssessmentLabel.RESELLER_POOL, LeadState.WAITING) in found


def build(version: DossierVersion, out: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    capsys.readouterr()
    call_command("build_dossier", version.case.ref, "--edition", "counsel", "--out", str(out))
    path = Path(capsys.readouterr().out.strip())
    assert path.name == f"{version.bag_name}.zip"
    return path


def assert_independent_readers_agree(package: Path, folder: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    bag = folder / package.stem
    document = json.loads((bag / "data" / "dossier.json").read_text("utf-8"))
    checks = [
        ([sys.executable, "-I", "-S", "verify.py"], bag),
        ([sys.executable, "-W", "ignore", "-m", "bagit", "--validate", str(bag)], Path.cwd()),
        (["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"], bag),
        (["sha256sum", "--check", "--strict", "--quiet", "tagmanifest-sha256.txt"], bag),
        (["sha256sum", "--check", "--strict", "--quiet", f"{package.name}.sha256"], package.parent),
    ]
    for command, where in checks:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert document


def assert_log_verifies_and_holds_the_acts() -> None:
    report = verification.verify()
    assert [str(problem) for problem in report.problems] == []
    assert report.entries > 20
    assert report.rows > Finding.objects.count()


def assert_same_bytes_after_everything_rendered_is_gone(version: DossierVersion, package: Path, tmp_path: Path) -> None:
    for path in sorted((HOME.path / "renders").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    again = tmp_path / "again" / package.name
    argv = [sys.executable, "manage.py", "build_dossier", version.case.ref, "--edition", "counsel"]
    subprocess.run([*argv, "--out", str(again.parent)], check=True, capture_output=True, timeout=120)  # another process
    assert digest(again) == digest(package) == version.seal.proof.package_sha256


def assert_same_bytes_after_a_finding_and_a_verdict(
    version: DossierVersion, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = CaseAccount.objects.filter(case=version.case).select_related("account").order_by("pk")[0]
    document = {
        "uid": "late-1",
        "detector": {"name": "late-detector", "version": "1"},
        "signal": "no_human_cadence",
        "title": "A finding after the cut",
        "score": 0.5,
        "window": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
        "accounts": [{"id": held.account.provider_id, "exchanges": 9}],
    }
    assert ingest.store([document], actor="detector:late-detector", detector="late-detector").created == 1
    actions.set_verdict(
        version.case,
        held.account,
        actor=sample_story.person("lead"),
        value="benign",
        reason="Decided after the cut.",
        expected=held.verdict_id,
    )
    out = tmp_path / "late"
    call_command(
        "build_dossier",
        version.case.ref,
        "--edition",
        "counsel",
        "--as-of",
        version.cut_at.isoformat(),
        "--out",
        str(out),
    )
    assert digest(out / package.name) == digest(package)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
