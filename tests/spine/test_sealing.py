"""Sealed secrets are read again for their own purpose and under their own key, and for nothing else."""

from pathlib import Path
from typing import Any

import pytest

from spine import sealing


def test_sealed_text_is_read_again_and_says_nothing_of_it() -> None:
    stored = sealing.seal("a-token", purpose="feeds")
    assert sealing.unseal(stored, purpose="feeds") == "a-token"
    assert "a-token" not in stored
    assert sealing.seal("a-token", purpose="feeds") != stored


def test_other_purpose_other_key_and_changed_text_are_unreadable(settings: Any, tmp_path: Path) -> None:
    stored = sealing.seal("a-token", purpose="feeds")
    for wrong in (stored[:-4] + "AAAA", "", "x"):
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(wrong, purpose="feeds")
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(stored, purpose="second factors")
    (tmp_path / "key").write_text("ab" * 32)
    settings.SECOND_FACTOR_KEY_FILE = str(tmp_path / "key")
    with pytest.raises(sealing.Unreadable, match="stored under the key"):
        sealing.unseal(stored, purpose="feeds")
