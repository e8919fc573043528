"""Rendering: the same bytes from the frozen snapshot, whatever happened since; drafts; schedules; nothing raw."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.db import transaction

from cases.actions import dossiers
from cases.dossier import build, pdf
from cases.dossier.document import document
from cases.dossier.schedules import SCHEDULES, cell
from cases.dossier.verify import verify_package
from detection.models import DetectorVersion
from spine import log, vault
from tests.cases.dossier.story import ADDRESS, EXHIBIT, PAYMENT, Story, files_of, finding, package_of
from tests.factories import run_job


def test_sealed_package_is_accepted_by_independent_readers(story: Story, tmp_path: Path) -> None:
    version = story.freeze(recipient="Example Court", basis="order 7")
    story.approve(version)
    package = package_of(version, tmp_path)
    assert [line for line in verify_package(package.path).lines if not line.ok] == []
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(tmp_path / "out")
    bag = tmp_path / "out" / version.bag_name
    for command, where in [
        ([sys.executable, "-I", "-S", "verify.py"], bag),
        ([sys.executable, "-W", "ignore", "-m", "bagit", "--validate", str(bag)], tmp_path),
        (["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"], bag),
        (["sha256sum", "--check", "--strict", "--quiet", f"{package.path.name}.sha256"], tmp_path),
    ]:
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rebuild_after_everything_rendered_is_gone_and_more_was_said_gives_the_same_bytes(
    story: Story, tmp_path: Path
) -> None:
    version = story.freeze()
    story.approve(version)
    first = package_of(version, tmp_path / "first")
    shutil.rmtree(tmp_path / "first")
    story.decide(3)
    with transaction.atomic():
        more = finding(DetectorVersion.objects.earliest("pk"), "F-2", story.accounts, 0.1, number=2)
        log.record(actor="system:test", action="findings.received", data={"count": 1}, rows=[more])
    again = package_of(story.freeze(as_of=version.cut_at), tmp_path / "again")
    assert (again.sha256, again.path.name) == (first.sha256, first.path.name)


def test_draft_says_so_and_has_no_seal(story: Story, tmp_path: Path) -> None:
    version = story.freeze()
    package = package_of(version, tmp_path)
    files = files_of(package)
    assert package.path.name == f"{version.bag_name}-draft.zip"
    assert [path for path in files if path.startswith("seal/")] == []
    assert json.loads(files["data/dossier.json"])["package"] == {"draft": True, "name": f"{version.bag_name}-draft"}
    assert not verify_package(package.path).accepted
    assert package_of(version, tmp_path / "again").sha256 == package.sha256


def test_package_has_the_files_its_recipient_gets(story: Story, tmp_path: Path) -> None:
    version = story.freeze()
    files = files_of(package_of(version, tmp_path))
    assert sorted(path for path in files if path.startswith("data/")) == sorted(
        [
            *("data/dossier.json", "data/dossier.pdf", "data/snapshot.json"),
            "data/evidence/exhibit-001-extract-final.csv",
            *(f"data/schedules/{name}.csv" for name in SCHEDULES),
        ]
    )
    assert files["data/evidence/exhibit-001-extract-final.csv"] == EXHIBIT
    assert files["data/snapshot.json"] == vault.read(version.snapshot_sha256)


def test_raw_ids_and_payloads_are_in_no_byte(story: Story, tmp_path: Path) -> None:
    version = story.freeze(recipient="Example Court", basis="order 7")
    files = files_of(package_of(version, tmp_path))
    raw = [one.provider_id for one in story.accounts] + [one.pseudonym for one in story.accounts] + [PAYMENT, ADDRESS]
    assert [(path, value) for path, content in files.items() for value in raw if value.encode() in content] == []
    printed = json.dumps(pdf.view(document(version)))
    assert [value for value in raw if value in printed] == []


def test_schedules_have_a_row_for_each_item(story: Story, tmp_path: Path) -> None:
    files = files_of(package_of(story.freeze(), tmp_path))

    def rows(name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(files[f"data/schedules/{name}.csv"].decode(), newline="")))

    counts = {
        name: len(rows(name)) for name in ("accounts", "verdicts", "shared_values", "links", "findings", "exhibits")
    }
    assert counts == {"accounts": 6, "verdicts": 2, "shared_values": 3, "links": 18, "findings": 2, "exhibits": 1}
    assert [row["action"] for row in rows("custody")] == ["acquired", "received", "hashed"]
    assert rows("accounts")[0]["verdict"] == "actor-controlled"


@pytest.mark.parametrize(
    ("value", "guarded"),
    [
        ("=1+1", "'=1+1"),
        ("+491", "'+491"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        (" =1", "' =1"),
        ("plain", "plain"),
        (-2, -2),
        (0.5, 0.5),
        (None, ""),
        (True, "yes"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\t=1", "⟨U+0009⟩=1"),
    ],
)
def test_cell_is_guarded_and_numbers_stay_numbers(value: object, guarded: object) -> None:
    assert cell(value) == guarded


def test_damaged_exhibit_is_not_packed(story: Story, tmp_path: Path) -> None:
    version = story.freeze()
    path = vault.path_of(story.case.evidence.get().sha256)
    path.chmod(0o600)
    path.write_bytes(b"something else")
    with pytest.raises(vault.Missing, match="exhibit 1 no longer has"):
        package_of(version, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_render_job_puts_draft_then_sealed_package_where_pages_find_it(story: Story) -> None:
    version = story.freeze()
    assert build.rendered(version) is None
    draft = run_job(dossiers.render(version, actor="user:analyst"))
    first = build.rendered(version)
    story.approve(version)
    sealed = run_job(dossiers.render(version, actor="user:counsel"))
    second = build.rendered(version)
    assert [job.state for job in (draft, sealed)] == ["done", "done"]
    assert [path and path.name for path in (first, second)] == [
        f"{version.bag_name}-draft.zip",
        f"{version.bag_name}.zip",
    ]
