"""Pseudonyms: always the same for one key, of one form, and apart for every namespace."""

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from detection.pseudonyms import ALPHABET, pseudonym


@pytest.fixture(autouse=True)
def key(tmp_path: Path, settings: Any) -> bytes:
    settings.PSEUDONYM_KEY_FILE = str(tmp_path / "key")
    (tmp_path / "key").write_text("07" * 32, encoding="ascii")
    return bytes([7] * 32)


@pytest.mark.parametrize("provider_id", ["acct_1", "", "账户", "x" * 200])
def test_pseudonym_is_the_first_sixty_bits_in_base_32(key: bytes, provider_id: str) -> None:
    bits = "".join(f"{byte:08b}" for byte in hmac.digest(key, f"default\0{provider_id}".encode(), hashlib.sha256))
    words = [ALPHABET[int(bits[start : start + 5], 2)] for start in range(0, 60, 5)]
    assert pseudonym("default", provider_id) == "acc-" + "".join(words)


def test_pseudonyms_of_many_accounts_and_namespaces_are_apart() -> None:
    made = {pseudonym(namespace, str(number)) for namespace in ("a", "b") for number in range(2_000)}
    assert len(made) == 4_000
    assert all(re.fullmatch("acc-[0-9a-hjkmnp-tv-z]{12}", name) for name in made)
