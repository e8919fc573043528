"""Content-addressed files: the name is the SHA-256 of the bytes. Written whole or not at all, never changed."""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True)
class Blob:
    """What the vault holds: digest in hex, size in bytes."""

    sha256: str
    size: int


class Missing(Exception):  # noqa: N818 - a fact about the vault
    """The vault has no such file, or its bytes no longer have the digest they are named by."""


def path_of(sha256: str) -> Path:
    """Where a digest's file lies; it need not exist."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("a vault name is 64 lower-case hexadecimal digits")
    return Path(settings.VAULT_ROOT) / sha256[:2] / sha256[2:4] / sha256


def put(chunks: Iterable[bytes]) -> Blob:
    """Store bytes: temporary name, fsync, rename, fsync of the folder. The same content again is the same file."""
    root = Path(settings.VAULT_ROOT)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=root)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        blob = Blob(digest.hexdigest(), size)
        final = path_of(blob.sha256)
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.chmod(0o400)
        temporary.replace(final)
        for folder in (final.parent, final.parent.parent, root):
            _sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)
    return blob


def put_bytes(content: bytes) -> Blob:
    """Store one bytes object."""
    return put([content])


def open_blob(sha256: str) -> BufferedReader:
    """Open a stored file for reading; raises Missing."""
    try:
        return path_of(sha256).open("rb")
    except FileNotFoundError:
        raise Missing(f"the vault has no file {sha256[:12]}…") from None


def read(sha256: str) -> bytes:
    """The whole content, checked against its name; raises Missing."""
    with open_blob(sha256) as stream:
        content = stream.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Missing(f"the vault's file {sha256[:12]}… no longer has the bytes it is named by")
    return content


def check(sha256: str) -> bool:
    """Whether the stored bytes still have their digest; raises Missing when the file is gone."""
    with open_blob(sha256) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
