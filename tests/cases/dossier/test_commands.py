"""`build_dossier` and `verify_dossier` from the command line."""

import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from cases.models import DossierVersion
from tests.cases.dossier.story import Story

Capture = pytest.CaptureFixture[str]


def build(story: Story, out: Path, capsys: Capture, *options: str) -> Path:
    capsys.readouterr()
    call_command("build_dossier", story.case.ref, "--edition", "counsel", "--out", str(out), *options)
    return Path(capsys.readouterr().out.strip())


def test_build_dossier_freezes_in_the_assignees_name_and_writes_a_draft(
    story: Story, tmp_path: Path, capsys: Capture
) -> None:
    path = build(story, tmp_path / "new" / "folder", capsys)
    version = DossierVersion.objects.get()
    assert (path.name, version.preparer) == (f"{story.case.ref}-counsel-v1-draft.zip", story.cast.lead)
    assert path.with_name(f"{path.name}.sha256").read_text("ascii").endswith(f"  {path.name}\n")


def test_build_dossier_again_finds_the_version_and_renders_it_again(
    story: Story, tmp_path: Path, capsys: Capture
) -> None:
    version = story.freeze()
    story.approve(version)
    first = build(story, tmp_path / "one", capsys)
    again = build(story, tmp_path / "two", capsys, "--as-of", version.cut_at.isoformat())
    assert first.read_bytes() == again.read_bytes()
    assert DossierVersion.objects.count() == 1


def test_build_dossier_for_a_recipient_is_a_version_of_its_own(story: Story, tmp_path: Path, capsys: Capture) -> None:
    story.freeze()
    build(story, tmp_path, capsys, "--recipient", "Example Court", "--basis", "order 7", "--actor", "analyst")
    latest = DossierVersion.objects.latest("number")
    assert (latest.number, latest.recipient, latest.preparer) == (2, "Example Court", story.cast.analyst)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--actor", "nobody"], "Nobody active is called nobody."),
        (["--actor", "reader"], "reader may not prepare dossiers: name another --actor."),
        (
            ["--recipient", "Example Court"],
            "A basis is missing: a dossier for somebody needs both, an internal copy neither.",
        ),
        (["--as-of", "2001-01-01"], " has no act in the log by then."),
    ],
)
def test_build_dossier_says_what_it_will_not_do(
    story: Story, tmp_path: Path, capsys: Capture, options: list[str], message: str
) -> None:
    with pytest.raises(CommandError) as refused:
        build(story, tmp_path / "out", capsys, *options)
    assert str(refused.value).removeprefix(story.case.ref) == message
    assert not (tmp_path / "out").exists()


def test_verify_dossier_accepts_and_names_what_fails(story: Story, tmp_path: Path, capsys: Capture) -> None:
    story.approve(story.freeze())
    path = build(story, tmp_path, capsys)
    call_command("verify_dossier", str(path))
    assert "ACCEPTED" in capsys.readouterr().out
    with pytest.raises(CommandError, match="the key does not have the fingerprint"):
        call_command("verify_dossier", str(path), "--key", "0" * 64)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    changed = tmp_path / path.stem / "data" / "schedules" / "accounts.csv"
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(CommandError, match=r"data/schedules/accounts\.csv"):
        call_command("verify_dossier", str(changed.parents[2]))
