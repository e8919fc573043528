"""The vault stores whole files under their digest and notices when they change."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spine import vault


@pytest.fixture(autouse=True)
def root(settings: Any, tmp_path: Path) -> Path:
    folder = {"BACKEND": "spine.storages.Folder", "OPTIONS": {"location": tmp_path / "vault"}}
    settings.STORAGES = {**settings.STORAGES, "evidence": folder}
    return tmp_path / "vault"


def test_put_gives_digest_and_size_and_reads_back() -> None:
    blob = vault.put([b"one ", b"two"])

    assert blob == vault.Blob(hashlib.sha256(b"one two").hexdigest(), 7)
    assert vault.read(blob.sha256) == b"one two"
    assert vault.check(blob.sha256) is True


def test_put_same_content_twice_is_one_file(root: Path) -> None:
    vault.put_bytes(b"same")
    vault.put_bytes(b"same")

    assert len([path for path in root.rglob("*") if path.is_file()]) == 1


def test_put_that_breaks_half_way_leaves_nothing(root: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        vault.put(chunks())
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_changed_file_is_noticed() -> None:
    blob = vault.put_bytes(b"as received")
    path = vault.path_of(blob.sha256)
    path.chmod(0o600)
    path.write_bytes(b"as changed!")

    assert vault.check(blob.sha256) is False
    with pytest.raises(vault.Missing):
        vault.read(blob.sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "/"])
def test_name_that_is_no_digest_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="vault name"):
        vault.path_of(name)
