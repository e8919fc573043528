"""ZIP, by its central directory (APPNOTE 4.3): each member inflated from where that says it lies, and counted.

A member that lies where another one does, or where the directory does, is named and not followed: that is how small
files are made to hold petabytes. When a cap is reached the names that are left are still listed, without their content.
"""

import bisect
import io
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cases.archive_reader.limits import CHUNK, HEAD, MOST_DIRECTORY, MOST_MEMBERS, Counted, Member, Stop, described

FULL = 0xFFFFFFFF
READ = {0, 8}  # stored, deflated
ENCRYPTED, FIRST_OF_UNIX = 1, 16


@dataclass(frozen=True)
class Entry:
    """A member as the central directory has it."""

    name: bytes
    flags: int
    method: int
    packed: int
    size: int
    attributes: int
    offset: int
    modified: str | None

    @property
    def kind(self) -> str:
        """What it is, by its name and the Unix mode it may carry."""
        mode = self.attributes >> FIRST_OF_UNIX
        if stat.S_ISLNK(mode):
            return "link"
        if self.name.endswith(b"/") or stat.S_ISDIR(mode):
            return "folder"
        special = (stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK)
        return "device" if any(test(mode) for test in special) else "file"


def of_zip(stream: BinaryIO, counted: Counted) -> Iterator[Member]:
    """The members of a ZIP file; the stream can seek. Raises Stop when all that can be listed has been."""
    size = stream.seek(0, io.SEEK_END)
    directory, start, claimed = directory_of(stream, size)
    taken = Stretches([(start, size)])
    seen: set[bytes] = set()
    stopped = ""
    at, listed = 0, 0
    while listed < min(claimed, MOST_MEMBERS + 1) and at < len(directory):
        entry, at = entry_at(directory, at)
        flags = ["name_twice"] if entry.name in seen else []
        seen.add(entry.name)
        try:
            produced, head, more = (None, b"", []) if stopped else content(stream, entry, taken, counted)
        except Stop as stop:
            stopped = str(stop)
            produced, head, more = None, b"", ["broken_off"]
        except zlib.error:
            produced, head, more = None, b"", ["damaged"]
        yield member(entry, produced, head, [*flags, *more])
        listed += 1
    if stopped:
        raise Stop(stopped)
    if listed < claimed:
        raise Stop(f"Its directory claims {claimed:,} members and names {listed:,}.")


def member(entry: Entry, produced: int | None, head: bytes, flags: list[str]) -> Member:
    """An entry as it is written down; what a link points to is its content."""
    target = (
        head.decode("utf-8", "backslashreplace").replace("\x00", "\\x00") if entry.kind == "link" and head else None
    )
    return described(
        entry.name,
        kind=entry.kind,
        size=entry.size,
        flags=flags,
        modified=entry.modified,
        produced=produced,
        head=head,
        target=target,
    )


def content(
    stream: BinaryIO, entry: Entry, taken: "Stretches", counted: Counted
) -> tuple[int | None, bytes, list[str]]:
    """What comes out of a member: how much, its first bytes, and what is wrong with it."""
    stream.seek(entry.offset)
    local = stream.read(30)
    if len(local) < 30 or local[:4] != b"PK\x03\x04":
        return None, b"", ["not_where_it_says"]
    name_size, extra_size = struct.unpack("<2H", local[26:30])
    flags = [] if stream.read(name_size) == entry.name else ["two_names"]
    begin = entry.offset + 30 + name_size + extra_size
    if not taken.take(entry.offset, begin + entry.packed):
        return None, b"", [*flags, "overlaps"]
    if entry.flags & ENCRYPTED:
        return None, b"", [*flags, "encrypted"]
    if entry.method not in READ:
        return None, b"", [*flags, "method_not_read"]
    stream.seek(begin)
    produced, head = 0, b""
    for out in outputs(stream, entry.method, entry.packed, counted):
        produced += len(out)
        head = (head + out)[:HEAD] if len(head) < HEAD else head
        counted.out(len(out))
    return produced, head, flags


def outputs(stream: BinaryIO, method: int, packed: int, counted: Counted) -> Iterator[bytes]:
    """What comes out of a member, at most a chunk at a time."""
    made = zlib.decompressobj(-zlib.MAX_WBITS)
    left = packed
    while left and not made.eof and (piece := stream.read(min(CHUNK, left))):
        left -= len(piece)
        counted.packed += len(piece)
        if method == 0:
            yield piece
            continue
        yield made.decompress(piece, CHUNK)
        while made.unconsumed_tail and not made.eof:
            yield made.decompress(made.unconsumed_tail, CHUNK)
    while method != 0 and not made.eof and (out := made.decompress(b"", CHUNK)):
        yield out


class Stretches:
    """Which bytes of the file belong to somebody already."""

    def __init__(self, taken: list[tuple[int, int]]) -> None:
        self.taken = sorted(taken)

    def take(self, begin: int, end: int) -> bool:
        """Take these bytes; False when one of them is taken."""
        at = bisect.bisect_right(self.taken, (begin, begin))
        before = at > 0 and self.taken[at - 1][1] > begin
        after = at < len(self.taken) and self.taken[at][0] < end
        if before or after:
            return False
        self.taken.insert(at, (begin, end))
        return True


def directory_of(stream: BinaryIO, size: int) -> tuple[bytes, int, int]:
    """The central directory, where it begins, and how many members it claims. Raises Stop."""
    tail_size = min(size, 65_557)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) - found < 22:
        raise Stop("It has no end record: it is no whole ZIP file.")
    entries, length, offset = struct.unpack("<HLL", tail[found + 10 : found + 20])
    locator = tail.rfind(b"PK\x06\x07", 0, found)
    if locator >= 0 and (entries == 0xFFFF or FULL in (length, offset)):
        entries, length, offset = _large_end(stream, tail[locator : locator + 20])
    if length > MOST_DIRECTORY or entries > 1_000_000:
        raise Stop(f"Its directory claims {entries:,} members in {length:,} bytes, more than is read.")
    if offset + length > size:
        raise Stop("Its directory is not where the end record says.")
    stream.seek(offset)
    return stream.read(length), offset, entries


def _large_end(stream: BinaryIO, locator: bytes) -> tuple[int, int, int]:
    """Members, length and offset from the end record of ZIP64."""
    stream.seek(min(struct.unpack("<Q", locator[8:16])[0], 2**62))
    record = stream.read(56)
    if len(record) < 56 or record[:4] != b"PK\x06\x06":
        raise Stop("Its large end record is damaged.")
    entries, length, offset = struct.unpack("<QQQ", record[32:56])
    return entries, length, offset


def entry_at(directory: bytes, at: int) -> tuple[Entry, int]:
    """The entry at this place of the directory, and where the next one begins. Raises Stop."""
    if directory[at : at + 4] != b"PK\x01\x02" or len(directory) - at < 46:
        raise Stop("Its directory is damaged; what follows was not read.")
    flags, method, clock, day, _, packed, size, name_size, extra_size, comment, _, _, attributes, offset = (
        struct.unpack("<4H3L5H2L", directory[at + 8 : at + 46])
    )
    name = directory[at + 46 : at + 46 + name_size]
    extra = directory[at + 46 + name_size : at + 46 + name_size + extra_size]
    size, packed, offset = _large(extra, size, packed, offset)
    entry = Entry(name, flags, method, packed, size, attributes, min(offset, 2**62), _moment(day, clock))
    return entry, at + 46 + name_size + extra_size + comment


def _large(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset from the ZIP64 field, where the small ones are full."""
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack("<2H", extra[at : at + 4])
        values = extra[at + 4 : at + 4 + length]
        if tag == 1:
            found, place = [size, packed, offset], 0
            for index, value in enumerate(found):
                if value == FULL and place + 8 <= len(values):
                    found[index] = struct.unpack("<Q", values[place : place + 8])[0]
                    place += 8
            return found[0], found[1], found[2]
        at += 4 + length
    return size, packed, offset


def _moment(day: int, clock: int) -> str | None:
    """The time of a member in the packer's own clock, whose zone nobody states; None for no time at all."""
    if day == 0:
        return None
    date = f"{1980 + (day >> 9):04}-{day >> 5 & 15:02}-{day & 31:02}"
    return f"{date}T{clock >> 11:02}:{clock >> 5 & 63:02}:{2 * (clock & 31):02}"
