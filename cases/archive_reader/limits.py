"""What the program that lists archives may do: caps on bytes, ratio, members, time and memory; and what it says."""

import resource
import time
from collections.abc import Callable
from typing import Any, BinaryIO, TypedDict

MOST_BYTES = 1024**3
MOST_RATIO = 100
RATIO_FROM = 1024 * 1024  # small files may pack well
MOST_MEMBERS = 10_000
MOST_NAMES = 4 * 1024 * 1024
MOST_DIRECTORY = 16 * 1024 * 1024
MEMORY = 256 * 1024 * 1024
SECONDS = 120
CHUNK = 256 * 1024
HEAD = 512
SHOWN_NAME = 1000
LARGEST = 2**53 - 1  # larger numbers do not survive JSON
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd", b"Rar!")


class Member(TypedDict):
    """One thing in an archive, as it stands in the list."""

    name: str
    type: str
    size: int | None
    produced: int | None
    modified: str | None
    target: str | None
    flags: list[str]


class Stop(Exception):  # noqa: N818 - what happens
    """A cap is reached, or the file is no archive that can be read; the message is for people."""


class Counted:
    """How much was read and how much came out, against the caps."""

    def __init__(self, told: Callable[["Counted"], None] = lambda counted: None) -> None:
        self.told = told
        self.packed = 0
        self.produced = 0
        self.names = 0
        self.began = time.process_time()

    def out(self, size: int) -> None:
        """So many bytes came out. Raises Stop."""
        self.produced += size
        if self.produced > MOST_BYTES:
            raise Stop(f"More than {MOST_BYTES:,} bytes came out of it; it was read no further.")
        if self.produced > RATIO_FROM and self.produced > MOST_RATIO * max(self.packed, 1):
            raise Stop(
                f"More than {MOST_RATIO} times the bytes it is packed in came out ({self.produced:,} of "
                f"{self.packed:,}): it may be made to fill a disk, and was read no further."
            )
        self.tick()

    def member(self, found: Member, before: int) -> None:
        """One more member, `before` of them standing in the list already. Raises Stop."""
        if before >= MOST_MEMBERS:
            raise Stop(f"It has more than {MOST_MEMBERS:,} members; the rest are not listed.")
        self.names += len(found["name"]) + len(found["target"] or "")
        if self.names > MOST_NAMES:
            raise Stop(f"The names in it are longer than {MOST_NAMES:,} characters; the rest are not listed.")
        self.tick()

    def tick(self) -> None:
        """Say how far it is. Raises Stop when the time is over."""
        self.told(self)
        if time.process_time() - self.began > SECONDS:
            raise Stop(f"Reading it takes more than {SECONDS} seconds; it was read no further.")


class Packed:
    """The archive's own bytes, counted as they are read."""

    def __init__(self, stream: BinaryIO, counted: Counted) -> None:
        self.stream = stream
        self.counted = counted

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most a chunk."""
        out = self.stream.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self.counted.packed += len(out)
        return out


def confine() -> None:
    """Take from this process what listing needs none of: writing files, starting others, more memory, more time."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 10, SECONDS + 10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def described(
    name: bytes | str,
    *,
    kind: str,
    size: int,
    flags: list[str],
    modified: str | None = None,
    produced: int | None = None,
    head: bytes = b"",
    target: str | None = None,
) -> Member:
    """A member as it is written down. Bytes that are no UTF-8, and NUL, are shown as `\\xNN`."""
    text = shown(name)
    flags = [*flags, *path_flags(text), *(path_flags(target) if target else [])]
    if (produced is not None and produced != size) or size > LARGEST:
        flags.append("size_untrue")
    if any(head.startswith(magic) for magic in ARCHIVES) or head[257:262] == b"ustar":
        flags.append("archive_inside")
    return {
        "name": text[:SHOWN_NAME],
        "type": kind,
        "size": size if 0 <= size <= LARGEST else None,
        "produced": produced,
        "modified": modified,
        "target": target[:SHOWN_NAME] if target is not None else None,
        "flags": sorted(set(flags)),
    }


def shown(name: bytes | str) -> str:
    """A name as text that JSON and a database take: no NUL, no half characters."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def path_flags(name: str) -> list[str]:
    """What an unpacking program could be led to by this name."""
    plain = name.replace("\\", "/")
    flags = []
    if plain.startswith("/") or (len(plain) > 1 and plain[1] == ":"):
        flags.append("absolute_name")
    if ".." in plain.split("/"):
        flags.append("leads_out")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name) or "\\x00" in name or len(name) > SHOWN_NAME:
        flags.append("odd_name")
    return flags


def found(members: list[Member], counted: Counted, stopped: str) -> dict[str, Any]:
    """The whole of what the program found."""
    return {"v": 1, "members": members, "produced": counted.produced, "packed": counted.packed, "stopped": stopped}
