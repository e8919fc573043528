"""Content-addressed files: the name is the SHA-256 of the bytes. Written whole or not at all, never changed.

Where they lie is Django's storage `evidence` (`spine.storages`), chosen by `RETORT_EVIDENCE_STORAGE`.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.core.files.storage import storages
from django.db import transaction

from spine.errors import no_room_told
from spine.storages import About, Folder, Spooled

if TYPE_CHECKING:
    from spine.models import Destruction

CHUNK = 1024 * 1024
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Blob:
    """What the vault holds: digest in hex, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Stored:
    """A file of the vault, to be read by `pieces` when its bytes are needed."""

    sha256: str


@dataclass(frozen=True)
class Compared:
    """What became of stored bytes: `same`, `differs` or `missing`; the digest and size that were found."""

    result: str
    sha256: str = ""
    size: int = 0


class Missing(Exception):  # noqa: N818 - a fact about the vault
    """The vault has no such file, or its bytes no longer have the digest they are named by."""


def name_of(sha256: str) -> str:
    """A digest's name in the store. Raises ValueError for what is no digest."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("a vault name is 64 lower-case hexadecimal digits")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def path_of(sha256: str) -> Path:
    """Where a digest's file lies when the store is a folder; it need not exist. Raises LookupError for a bucket."""
    name, store = name_of(sha256), _store()
    if not isinstance(store, Folder):
        raise LookupError("the evidence store is no folder of this machine")
    return Path(store.path(name))


def put(chunks: Iterable[bytes]) -> Blob:
    """Store bytes: temporary name, fsync, then under their digest. The same content again is the same file.

    Raises spine.errors.NoRoom when the disk is full; nothing is left half.
    """
    store = _store()
    digest, size = hashlib.sha256(), 0
    with no_room_told(), _spool(store.workshop()) as temporary:
        with temporary.open("wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        blob = Blob(digest.hexdigest(), size)
        _save(store, blob, temporary)
    return blob


def put_bytes(content: bytes) -> Blob:
    """Store one bytes object."""
    return put([content])


def put_file(path: Path, expected: Blob) -> None:
    """Store a file that was hashed and synchronised already; nobody may be writing to it. It stays where it is."""
    with no_room_told():
        _save(_store(), expected, path)


def open_blob(sha256: str) -> IO[bytes]:
    """Open a stored file for reading; raises Missing."""
    try:
        stream: IO[bytes] = _store().open(name_of(sha256), "rb")
    except FileNotFoundError:
        raise Missing(f"the vault has no file {sha256[:12]}…") from None
    return stream


def pieces(sha256: str) -> Iterator[bytes]:
    """The content of a stored file in pieces; raises Missing."""
    with open_blob(sha256) as stream:
        while piece := stream.read(CHUNK):
            yield piece


def read(sha256: str) -> bytes:
    """The whole content, checked against its name; raises Missing."""
    content = b"".join(pieces(sha256))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Missing(f"the vault's file {sha256[:12]}… no longer has the bytes it is named by")
    return content


def head(sha256: str, size: int) -> bytes:
    """The first bytes of a stored file, not checked; raises Missing."""
    with open_blob(sha256) as stream:
        return stream.read(size)


def check(sha256: str) -> bool:
    """Whether the stored bytes still have their digest; raises Missing when the file is gone."""
    found = compare(sha256)
    if found.result == "missing":
        raise Missing(f"the vault has no file {sha256[:12]}…")
    return found.result == "same"


def compare(sha256: str, told: Progress | None = None) -> Compared:
    """Read a stored file to its end and compare; `told` hears how many bytes were read."""
    digest, size = hashlib.sha256(), 0
    try:
        for piece in pieces(sha256):
            digest.update(piece)
            size += len(piece)
            if told:
                told(len(piece))
    except Missing:
        return Compared("missing")
    except OSError:  # the medium gives an error where the bytes should be
        return Compared("differs", "", size)
    found = digest.hexdigest()
    return Compared("same" if found == sha256 else "differs", found, size)


def has(sha256: str) -> bool:
    """Whether a file of this name is stored, whatever its bytes are by now."""
    return bool(_store().exists(name_of(sha256)))


def remove(certificate: "Destruction") -> None:
    """Remove the bytes a certificate of destruction names; the one way in which bytes leave the vault.

    Call it last in the transaction that writes the certificate, which the database refuses while a hold covers them.
    Bytes that are gone already are no error. Raises RuntimeError without a certificate, Refused when the store is
    locked.
    """
    from spine.models import Destruction  # the packages' writer and verifier import this module without a database

    named = Destruction.objects.filter(pk=certificate.pk, kind=Destruction.Kind.BLOB, key=certificate.key).exists()
    if not transaction.get_connection().in_atomic_block or not named:
        raise RuntimeError("bytes leave the vault for a certificate alone, in the transaction that writes it")
    _store().destroy(name_of(certificate.key))


def stored() -> Iterator[tuple[str, int]]:
    """Digest and size of everything in the store."""
    found: Iterator[tuple[str, int]] = _store().stored()
    return found


def about() -> About:
    """Kind, place, lock and free bytes of the store. Raises spine.errors.Unreachable."""
    found: About = _store().about()
    return found


def _store() -> Any:
    return storages["evidence"]


def _save(store: Any, blob: Blob, temporary: Path) -> None:
    with temporary.open("rb") as stream:
        store.save(name_of(blob.sha256), Spooled(temporary, stream))


@contextmanager
def _spool(folder: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=folder)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
