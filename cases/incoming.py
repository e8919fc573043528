"""The file of an upload: appended to by one request at a time, known to the byte after any kill.

What counts is the row's `offset`, written after fsync. Bytes behind it, left by a killed process, are cut off by the
next request. A lock of the operating system keeps two writers apart and is gone with the process that held it.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

from django.conf import settings

from spine.errors import Conflict, NoRoom, Refused, is_no_room
from spine.storages import sync_folder
from spine.vault import Blob

CHUNK = 1024 * 1024
PART = 16 * CHUNK  # as much of a long request as a kill can cost


class Busy(Conflict):
    """Another request is writing to this upload."""


@dataclass(frozen=True)
class Part:
    """A stretch of the file and the digest it arrived with."""

    offset: int
    size: int
    sha256: str


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at its end."""


Keep = Callable[[Part], None]


def path_of(upload_id: UUID) -> Path:
    """The file of an upload; it need not exist."""
    return Path(settings.INCOMING_ROOT) / f"{upload_id}.part"


@contextmanager
def locked(upload_id: UUID, *, wait: bool = False) -> Iterator[IO[bytes]]:
    """The file, open for reading and writing and locked. Raises Busy when another process has it and `wait` is off."""
    path = path_of(upload_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Busy("Another request is sending to this upload. Ask for its offset and go on from there.") from None
        yield file


def append(file: IO[bytes], body: Readable, *, offset: int, length: int, keep: Keep, digest: str = "") -> int:
    """Write at most `length` bytes behind `offset` and give the new offset.

    `keep` is called after each stretch is on disk for certain. With a digest the whole body is one stretch, kept only
    if it has that digest; else what arrived before a break is kept. Raises Refused for another digest, NoRoom for a
    full disk; both leave the file as it was at the last stretch kept. Conflict when what was kept before is gone.
    """
    if os.fstat(file.fileno()).st_size < offset:
        raise Conflict("What had arrived is no longer on the disk: give this upload up and begin again.")
    file.truncate(offset)
    file.seek(offset)
    sync_folder(Path(settings.INCOMING_ROOT))
    start, stretch, seen = offset, 0, hashlib.sha256()
    try:
        while length and (piece := _read(body, min(CHUNK, length))):
            _write(file, piece)
            seen.update(piece)
            stretch, length = stretch + len(piece), length - len(piece)
            if stretch >= PART and not digest:
                start = _kept(file, Part(start, stretch, seen.hexdigest()), keep)
                stretch, seen = 0, hashlib.sha256()
        if digest and (length or seen.hexdigest() != digest):
            raise Refused("These bytes do not have the digest that was sent with them; send them again.")
        if stretch:
            start = _kept(file, Part(start, stretch, seen.hexdigest()), keep)
    except OSError as error:
        if is_no_room(error):
            raise NoRoom(NoRoom.message) from error
        raise
    finally:
        with suppress(OSError):
            file.truncate(start)
    return start


def digest(file: IO[bytes], parts: list[Part], told: Callable[[int], None]) -> Blob:
    """Digest and size of the whole file, read once; each part is compared with what arrived.

    Raises Refused naming the stretch whose bytes are no longer those that arrived.
    """
    whole, size = hashlib.sha256(), 0
    file.seek(0)
    for part in parts:
        if part.offset != size:
            raise Refused(f"Between byte {size:,} and byte {part.offset:,} nothing is known to have arrived.")
        seen, left = hashlib.sha256(), part.size
        while left and (piece := file.read(min(CHUNK, left))):
            whole.update(piece)
            seen.update(piece)
            left -= len(piece)
        size += part.size
        if left or seen.hexdigest() != part.sha256:
            raise Refused(
                f"The bytes from {part.offset:,} to {size:,} are no longer those that arrived: send it again."
            )
        told(size)
    return Blob(whole.hexdigest(), size)


def remove(upload_id: UUID) -> None:
    """Remove the file of an upload that is over; no harm when it is gone."""
    path_of(upload_id).unlink(missing_ok=True)


def left_over() -> Iterator[tuple[UUID, float]]:
    """Every upload's file that lies there: the id, and when it was last written to (POSIX time)."""
    for path in Path(settings.INCOMING_ROOT).glob("*.part"):
        with suppress(ValueError, FileNotFoundError):
            yield UUID(path.stem), path.stat().st_mtime


def _kept(file: IO[bytes], part: Part, keep: Keep) -> int:
    os.fsync(file.fileno())
    keep(part)
    return part.offset + part.size


def _read(body: Readable, size: int) -> bytes:
    """The next piece; a sender who is gone has sent the end."""
    try:
        return body.read(size)
    except OSError:  # Django's UnreadablePostError among them
        return b""


def _write(file: IO[bytes], piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]
