"""The time stamp in a sealed package: there where an authority is configured, the same for ever, never a wrong one."""

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cases.dossier.verify import verify_package
from cases.models import DossierProof, DossierSeal, DossierVersion
from spine import sequencer, timestamps
from spine.models import TimeStamp
from spine.timestamps import NotStamped
from tests.authority import Authority
from tests.cases.dossier.story import Story, files_of, package_of


@pytest.fixture
def approved(story: Story) -> DossierVersion:
    version = story.freeze()
    story.approve(version)
    return version


def test_sealed_package_carries_a_token_that_openssl_and_verify_confirm(
    approved: DossierVersion, authority: Authority, tmp_path: Path
) -> None:
    package = package_of(approved, tmp_path / "one")
    files = files_of(package)
    assert files["seal/tsa-chain.pem"] == authority.roots.read_bytes()
    assert "Time-Stamp-Token: seal/timestamp.tsr" in files["bag-info.txt"].decode()
    report = verify_package(package.path)
    assert report.accepted
    assert any("openssl confirms its signature" in line.text for line in report.lines) or not shutil.which("openssl")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(tmp_path / "bag")
    (folder,) = (tmp_path / "bag").iterdir()
    names = ["-data", "seal/checkpoint.txt", "-in", "seal/timestamp.tsr", "-CAfile", "seal/tsa-chain.pem"]
    done = subprocess.run(["openssl", "ts", "-verify", *names], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_built_again_without_the_authority_it_is_the_same_to_the_byte(
    approved: DossierVersion, authority: Authority, settings: Any, tmp_path: Path
) -> None:
    first = package_of(approved, tmp_path / "one")
    settings.TSA_URL, settings.TSA_CA_FILE = "", ""
    assert package_of(approved, tmp_path / "two").sha256 == first.sha256
    assert (authority.asked, TimeStamp.objects.count()) == (1, 1)


def test_authority_that_is_away_keeps_the_package_back_and_nothing_else(
    approved: DossierVersion, authority: Authority, tmp_path: Path
) -> None:
    authority.mood = "out of order"
    with pytest.raises(NotStamped, match="gives no answer"):
        package_of(approved, tmp_path / "one")
    assert (DossierSeal.objects.count(), DossierProof.objects.count()) == (1, 0)
    authority.mood = "honest"
    files = files_of(package_of(approved, tmp_path / "two"))
    assert files["seal/timestamp.tsr"] == bytes(TimeStamp.objects.get().response)


def test_quarantined_token_seals_no_package(approved: DossierVersion, authority: Authority, tmp_path: Path) -> None:
    authority.skew = "+1d"
    with pytest.raises(NotStamped, match="is quarantined"):
        package_of(approved, tmp_path / "one")
    assert DossierProof.objects.count() == 0


def test_later_stamped_checkpoint_serves_a_seal_whose_own_was_not_stamped(
    approved: DossierVersion, authority: Authority, tmp_path: Path
) -> None:
    authority.mood = "out of order"
    with pytest.raises(NotStamped):
        package_of(approved, tmp_path / "one")
    authority.mood = "honest"
    sequencer.sequence()
    assert timestamps.stamp_due() == 1
    assert verify_package(package_of(approved, tmp_path / "two").path).accepted
    assert authority.asked == 2


def test_without_an_authority_the_package_carries_no_token(approved: DossierVersion, tmp_path: Path) -> None:
    files = files_of(package_of(approved, tmp_path))
    assert [name for name in files if "timestamp" in name or "chain" in name] == []
    assert DossierSeal.objects.get().chain_sha256 is None
