"""Checkpoints: the signed note that states the log's size and root (C2SP checkpoint form, docs/formats/log.md, 4)."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
ORIGIN = re.compile(r"retort/log/[0-9a-f]{16}")
SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
SIGNATURE_MARK = "— "


class NotAccepted(ValueError):  # noqa: N818 - what the note is
    """Why a note, a signature or a key file is refused."""


@dataclass(frozen=True)
class Checkpoint:
    """A note that has the right form. Whether its signature holds is another question: `verify`."""

    origin: str
    size: int
    root: bytes
    key_id: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The signed text: three lines, each with its line feed."""
        return _text(self.origin, self.size, self.root)

    @property
    def note(self) -> str:
        """The whole note, byte for byte what was parsed."""
        signed = base64.b64encode(self.key_id + self.signature).decode()
        return f"{self.text}\n{SIGNATURE_MARK}{self.origin} {signed}\n"


def sign(origin: str, size: int, root: bytes, key: Ed25519PrivateKey) -> str:
    """The note that states this size and root. Raises NotAccepted for what no note can carry."""
    signature = key.sign(_text(origin, size, root).encode())
    note = Checkpoint(origin, size, root, key_id(origin, public_bytes(key)), signature).note
    parse(note)
    return note


def parse(note: str) -> Checkpoint:
    """Read a note, accepting exactly the written form and no other line, space or spelling; raises NotAccepted."""
    lines = note.split("\n")
    if len(lines) != 6 or lines[3] or lines[5]:
        raise NotAccepted("a checkpoint is three lines, an empty one and one signature, each ended by one line feed")
    origin, size, root, _, signed, _ = lines
    if not ORIGIN.fullmatch(origin):
        raise NotAccepted("the first line is not an origin `retort/log/<16 hex>`")
    if not SIZE.fullmatch(size):
        raise NotAccepted("the second line is not a size in decimal")
    mark, _, encoded = signed.rpartition(" ")
    if f"{mark} " != f"{SIGNATURE_MARK}{origin} ":
        raise NotAccepted("the signature line does not begin with the origin's mark")
    blob = _decode(encoded, 68, "signature")
    return Checkpoint(origin, int(size), _decode(root, 32, "root"), blob[:4], blob[4:])


def verify(note: str, public_key: bytes) -> Checkpoint:
    """Parse a note and check its signature by this 32-byte public key; raises NotAccepted."""
    found = parse(note)
    if found.key_id != key_id(found.origin, public_key):
        raise NotAccepted("the checkpoint names another key")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(found.signature, found.text.encode())
    except (InvalidSignature, ValueError):
        raise NotAccepted("the checkpoint's signature does not hold") from None
    return found


def key_id(origin: str, public_key: bytes) -> bytes:
    """The four bytes by which a note names its key."""
    return hashlib.sha256(origin.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def fingerprint(public_key: bytes) -> str:
    """The 64 hexadecimal digits that stand on receipts and covers."""
    return hashlib.sha256(ED25519 + public_key).hexdigest()


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of the public key that belongs to a private one."""
    return key.public_key().public_bytes_raw()


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """The log's signing key from its file, PKCS #8 PEM without a password. Raises NotAccepted, OSError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NotAccepted(f"{path.name} is not a private key in PEM form without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NotAccepted(f"{path.name} is not an Ed25519 key")
    return key


def _text(origin: str, size: int, root: bytes) -> str:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def _decode(text: str, length: int, name: str) -> bytes:
    """Base64 in its one canonical spelling and of this length."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotAccepted(f"the {name} is not base64") from None
    if len(value) != length or base64.b64encode(value).decode() != text:
        raise NotAccepted(f"the {name} is not {length} bytes in canonical base64")
    return value
