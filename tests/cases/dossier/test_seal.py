"""The seal: made once, proven to stand in the log, and refused for anything else."""

import json
from pathlib import Path

import pytest

from cases.actions import dossiers
from cases.dossier import bag, build
from cases.dossier.document import document
from cases.dossier.render import bag_info, payload
from cases.models import DossierProof, DossierSeal, DossierVersion
from spine import checkpoint, sequencer
from spine.errors import Refused
from spine.jobs import LeaseLost
from spine.models import Checkpoint, LogEntry
from tests.cases.dossier.story import Story, files_of, package_of


@pytest.fixture
def approved(story: Story) -> DossierVersion:
    version = story.freeze()
    story.approve(version)
    return version


def plan_of(version: DossierVersion, **more: bytes) -> bag.BagPlan:
    whole = document(version)
    files = {**payload(version, whole), **{f"data/{name}": content for name, content in more.items()}}
    return bag.plan_bag(whole["package"]["name"], version.snapshot_sha256, files, bag_info(version, whole))


def test_seal_is_made_once_however_often_it_is_built(approved: DossierVersion, tmp_path: Path) -> None:
    packages = [package_of(approved, tmp_path / name) for name in ("one", "two")]
    acts = list(
        LogEntry.objects.filter(action__in=["dossier.sealed", "dossier.proved"]).values_list("action", flat=True)
    )
    assert packages[0].sha256 == packages[1].sha256 == DossierProof.objects.get().package_sha256
    assert sorted(acts) == ["dossier.proved", "dossier.sealed"]


def test_seal_of_a_version_nobody_approved_is_refused(story: Story) -> None:
    version = story.freeze()
    with pytest.raises(Refused, match="after a second person"):
        dossiers.seal(version, plan_of(version), actor="system:test")


def test_rendering_that_differs_from_the_sealed_one_is_refused_with_both_digests(approved: DossierVersion) -> None:
    sealed = dossiers.seal(approved, plan_of(approved), actor="system:test")
    other = plan_of(approved, extra=b"x")
    with pytest.raises(Refused) as refused:
        dossiers.seal(approved, other, actor="system:test")
    assert sealed.manifest_sha256 in refused.value.message
    assert other.manifest_sha256 in refused.value.message
    assert DossierSeal.objects.get() == sealed


def test_proof_leads_to_a_signed_checkpoint_of_this_log(approved: DossierVersion, tmp_path: Path) -> None:
    files = files_of(package_of(approved, tmp_path))
    proof = json.loads(files["seal/log-proof.json"])
    stated = checkpoint.verify(proof["checkpoint"], bytes.fromhex(proof["key"]))
    assert Checkpoint.objects.get(size=stated.size).note == files["seal/checkpoint.txt"].decode()
    assert json.loads(proof["row"]["canonical"])["table"] == "cases_dossierseal"
    assert proof["entry"]["index"] == LogEntry.objects.get(action="dossier.sealed").sequence.index


def test_build_goes_on_where_a_killed_one_stopped(approved: DossierVersion, tmp_path: Path) -> None:
    dossiers.seal(approved, plan_of(approved), actor="system:test")
    sequencer.sequence()
    package = package_of(approved, tmp_path)
    assert DossierProof.objects.get().package_sha256 == package.sha256
    assert LogEntry.objects.filter(action="dossier.sealed").count() == 1


def test_proof_that_stands_beats_a_slower_build(approved: DossierVersion, tmp_path: Path) -> None:
    first = package_of(approved, tmp_path / "one")
    kept = DossierProof.objects.get()
    other = bag.Package(first.path, "0" * 64, 1)
    found = dossiers.prove(kept.seal, proof="{}", checkpoint="", package=other, actor="system:test")
    assert found == kept


def test_attempt_that_lost_its_lease_seals_nothing(approved: DossierVersion, tmp_path: Path) -> None:
    def lost() -> None:
        raise LeaseLost("held by another attempt")

    with pytest.raises(LeaseLost):
        build.build(approved, tmp_path / "out", actor="system:test", confirm=lost)
    assert (DossierSeal.objects.count(), list((tmp_path / "out").iterdir())) == (0, [])


def test_download_is_logged_with_its_exhibits_and_moves_no_cut(
    story: Story, approved: DossierVersion, tmp_path: Path
) -> None:
    package = package_of(approved, tmp_path)
    dossiers.record_download(approved, actor=story.cast.reader, sha256=package.sha256)
    events = list(story.case.evidence.get().custody.order_by("at").values_list("action", "who"))
    assert events[-1] == ("exported", "reader")
    assert LogEntry.objects.get(action="dossier.downloaded").data["package"] == package.sha256
    assert story.freeze() == approved
