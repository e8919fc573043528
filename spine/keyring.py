"""The log's public keys in order, and the statement by which one key hands over to the next (docs/formats/log.md, 6).

Knows no Django and no private key beyond the ones it is given: the signer, the verifier and the pages stand on it.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from spine import checkpoint
from spine.checkpoint import NotAccepted

MARK = "retort/log-key/1"
LINE = re.compile(r"([0-9a-f]{64}) ([0-9a-f]{64}) (0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class PublicKey:
    """One key of the log: it signs checkpoints of more than `after` entries, up to where the next one begins."""

    public: bytes
    after: int

    @property
    def fingerprint(self) -> str:
        """The 64 hexadecimal digits that stand on receipts and covers."""
        return checkpoint.fingerprint(self.public)

    @property
    def line(self) -> str:
        """Its line in the file of public keys."""
        return f"{self.public.hex()} {self.fingerprint} {self.after}\n"


@dataclass(frozen=True)
class Handover:
    """The old key's signed word that after `size` entries the new key signs, and the new key's that it is there."""

    origin: str
    size: int
    old: bytes
    new: bytes
    old_signature: bytes = b""
    new_signature: bytes = b""

    @property
    def text(self) -> str:
        """The signed text: five lines, each with its line feed."""
        return f"{MARK}\n{self.origin}\n{self.size}\n{self.old.hex()}\n{self.new.hex()}\n"


def hand_over(origin: str, size: int, old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Handover:
    """The statement, signed by both keys."""
    plain = Handover(origin, size, checkpoint.public_bytes(old), checkpoint.public_bytes(new))
    text = plain.text.encode()
    return Handover(origin, size, plain.old, plain.new, old.sign(text), new.sign(text))


def check(statement: Handover) -> None:
    """Both signatures hold over a text of the written form; raises NotAccepted."""
    if not checkpoint.ORIGIN.fullmatch(statement.origin) or statement.size < 1 or statement.old == statement.new:
        raise NotAccepted("the hand-over does not name an origin, a size and two keys")
    for whose, key, signature in (
        ("old", statement.old, statement.old_signature),
        ("new", statement.new, statement.new_signature),
    ):
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, statement.text.encode())
        except (InvalidSignature, ValueError):
            raise NotAccepted(f"the {whose} key's signature under the hand-over does not hold") from None


def read(path: Path) -> list[PublicKey]:
    """The keys in the file of public keys, oldest first. Raises NotAccepted, OSError."""
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = []
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        if not found or checkpoint.fingerprint(bytes.fromhex(found[1])) != found[2]:
            raise NotAccepted(f"{path.name}, line {number}: `<public key> <its fingerprint> <size>` is expected")
        keys.append(PublicKey(bytes.fromhex(found[1]), int(found[3])))
    if not keys or keys[0].after != 0 or any(a.after >= b.after for a, b in pairwise(keys)):
        raise NotAccepted(f"{path.name} does not list keys from size 0 upwards")
    return keys


def verify(note: str, keys: list[PublicKey]) -> checkpoint.Checkpoint:
    """Check a note by the one key that may sign its size; raises NotAccepted."""
    size = checkpoint.parse(note).size
    standing = [key for key in keys if key.after < size] or keys[:1]
    return checkpoint.verify(note, standing[-1].public)
