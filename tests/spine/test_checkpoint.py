"""Checkpoint notes: one written form, one signature that holds, and nothing that is nearly so."""

import base64
import hashlib
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from spine import checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = checkpoint.public_bytes(KEY)
ORIGIN = "retort/log/0123456789abcdef"
ROOT = hashlib.sha256(b"root").digest()
NOTE = checkpoint.sign(ORIGIN, 42, ROOT, KEY)


def test_note_has_the_written_form():
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + PUBLIC).digest()[:4]
    text = f"{ORIGIN}\n42\n{base64.b64encode(ROOT).decode()}\n"
    signed = base64.b64encode(key_id + KEY.sign(text.encode())).decode()
    assert f"{text}\n\u2014 {ORIGIN} {signed}\n" == NOTE


def test_note_is_read_back_and_verified():
    found = checkpoint.verify(NOTE, PUBLIC)
    assert (found.origin, found.size, found.root, found.note) == (ORIGIN, 42, ROOT, NOTE)


def test_fingerprint_is_the_hash_of_the_key_with_its_kind():
    assert checkpoint.fingerprint(PUBLIC) == hashlib.sha256(b"\x01" + PUBLIC).hexdigest()


def test_note_changed_in_any_byte_is_refused():
    raw = NOTE.encode()
    for position in range(len(raw)):
        for bit in (1, 32, 128):
            changed = bytes([*raw[:position], raw[position] ^ bit, *raw[position + 1 :]])
            with pytest.raises(ValueError):  # UnicodeDecodeError is one too
                checkpoint.verify(changed.decode(), PUBLIC)


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE[:-1],
        NOTE + "\n",
        NOTE + NOTE.splitlines()[-1] + "\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("\n42\n", "\n042\n"),
        NOTE.replace("\n42\n", "\n+42\n"),
        NOTE.replace("\n42\n", "\n٤٢\n"),
        NOTE.replace("\n42\n", "\n4_2\n"),
        NOTE.replace("\n42\n", "\n42\nextension\n"),
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE.replace(ORIGIN, ORIGIN.upper()),
        NOTE.replace("=\n\n", "\n\n"),
        " " + NOTE,
    ],
)
def test_note_in_another_form_is_refused(note):
    with pytest.raises(checkpoint.NotAccepted):
        checkpoint.parse(note)


def test_base64_with_loose_bits_is_refused():
    encoded = NOTE.splitlines()[2]
    loose = encoded[:-2] + chr(ord(encoded[-2]) + 1) + "="
    assert base64.b64decode(loose) == ROOT
    with pytest.raises(checkpoint.NotAccepted, match="canonical base64"):
        checkpoint.parse(NOTE.replace(encoded, loose))


def test_note_of_another_key_is_refused():
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(checkpoint.NotAccepted, match="another key"):
        checkpoint.verify(checkpoint.sign(ORIGIN, 42, ROOT, other), PUBLIC)


@pytest.mark.parametrize(("origin", "size", "root"), [("log", 1, ROOT), (ORIGIN, -1, ROOT), (ORIGIN, 1, ROOT[:31])])
def test_what_no_note_can_carry_is_not_signed(origin, size, root):
    with pytest.raises(checkpoint.NotAccepted):
        checkpoint.sign(origin, size, root, KEY)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_key_file_is_read(tmp_path):
    path = tmp_path / "log_ed25519"
    path.write_bytes(pem(KEY))
    assert checkpoint.public_bytes(checkpoint.load_private_key(path)) == PUBLIC


@pytest.mark.parametrize("content", [b"", b"not a key", bytes(range(32)), pem(X25519PrivateKey.generate())])
def test_file_that_is_no_signing_key_is_refused(tmp_path, content):
    path = tmp_path / "log_ed25519"
    path.write_bytes(content)
    with pytest.raises(checkpoint.NotAccepted, match="log_ed25519 is not"):
        checkpoint.load_private_key(path)


@given(
    st.one_of(
        st.text(), st.text(alphabet="\n— =42abRrqK+/"), st.lists(st.sampled_from(NOTE.split("\n"))).map("\n".join)
    )
)
def test_arbitrary_text_is_the_note_itself_or_refused(text):
    with suppress(checkpoint.NotAccepted):
        assert checkpoint.parse(text).note == text
