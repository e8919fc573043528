"""Bytes from outside to single documents, in constant memory: decompression under a cap, lines, items of an array.

Knows no framework; a request's body and a file are read alike.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import zstandard

LONGEST_LINE = 1024 * 1024
# A line this long ends the reading: whoever sends it does not send lines.
GIVEN_UP = 64 * LONGEST_LINE
CHUNK = 64 * 1024
ZSTD_WINDOW = 128 * 1024 * 1024
_SPACE = re.compile(r"[ \t\n\r]*")


class BrokenStream(Exception):  # noqa: N818 - what happened to it
    """The bytes end, or cannot be followed any further; what came before is whole."""


@dataclass(frozen=True)
class Unreadable:
    """A line that is there and cannot be a document."""

    reason: str


Line = bytes | Unreadable
TOO_LONG = Unreadable(f"longer than {LONGEST_LINE:,} bytes")


class _Machine(Protocol):
    """A decompressor of the standard library's shape."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _gunzip() -> _Machine:
    return zlib.decompressobj(wbits=31)


def _unzstd() -> _Machine:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()


# Encoding → how to make its decompressor, and how many bytes it is fed at once: one byte of gzip gives at most about
# 1,000 bytes, four of zstd 128 KiB, so that what a step produces stays within some 16 MiB.
ENCODINGS: dict[str, tuple[Callable[[], _Machine], int]] = {"gzip": (_gunzip, 16 * 1024), "zstd": (_unzstd, 512)}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def encoding_of(beginning: bytes) -> str:
    """The encoding that a file's first bytes show, empty for none."""
    return next((name for magic, name in MAGIC.items() if beginning.startswith(magic)), "")


def decoded(chunks: Iterable[bytes], encoding: str, *, limit: int) -> Iterator[bytes]:
    """The bytes behind a content encoding (empty: as they are), at most `limit` of them; raises BrokenStream."""
    produced = 0
    for chunk in _decompressed(chunks, *ENCODINGS[encoding]) if encoding else chunks:
        produced += len(chunk)
        if produced > limit:
            yield chunk[: limit - produced]
            raise BrokenStream(f"more than {limit:,} bytes after decompression")
        yield chunk


def _decompressed(chunks: Iterable[bytes], make: Callable[[], _Machine], step: int) -> Iterator[bytes]:
    machine: _Machine | None = None
    for chunk in chunks:
        for start in range(0, len(chunk), step):
            data = chunk[start : start + step]
            while data:
                machine = machine or make()
                try:
                    yield machine.decompress(data)
                except (zlib.error, zstandard.ZstdError) as error:
                    raise BrokenStream(f"the compression is damaged: {error}") from None
                data = b""
                if machine.eof:  # another member or frame may follow
                    data, machine = machine.unused_data, None
    if machine is not None:
        raise BrokenStream("the compressed bytes end too early")


def lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    """Lines without surrounding white space, blank ones left out. Never holds more than a chunk and the longest line.

    When the chunks break, the whole lines before are given first.
    """
    held = bytearray()
    dropped = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            line = bytes(held) + piece if held else piece
            held.clear()
            if dropped or len(line) > LONGEST_LINE:
                yield from _measured(line, dropped)
            elif line := line.strip():
                yield line
            dropped = 0
        held += rest
        if len(held) > LONGEST_LINE:
            dropped += len(held)
            held.clear()
            if dropped > GIVEN_UP:
                raise BrokenStream(f"a line is longer than {GIVEN_UP:,} bytes")
    if dropped or held:
        yield from _measured(bytes(held), dropped)


def _measured(line: bytes, dropped: int) -> Iterator[Line]:
    line = line.strip()
    if dropped or len(line) > LONGEST_LINE:
        yield TOO_LONG
    elif line:
        yield line


def guessed(chunks: Iterable[bytes], name: str = "") -> tuple[str, Iterator[bytes]]:
    """Whether this is `json` (one document or one array) or `ndjson`, and the chunks again, none missing.

    A name that ends in .jsonl or .ndjson (before .gz or .zst) decides; else the first line that is not blank, and where
    that is broken off, the second.
    """
    waiting = iter(chunks)
    head = b""
    try:
        for chunk in waiting:
            head += chunk
            if head.lstrip().count(b"\n") >= 2 or len(head) > LONGEST_LINE:
                break
    except BrokenStream as broken:  # told when what came before it has been read
        waiting = _broken(broken)
    again = chain([head], waiting)
    if name.removesuffix(".gz").removesuffix(".zst").endswith((".jsonl", ".ndjson")):
        return "ndjson", again
    first, second, *_ = *head.lstrip().split(b"\n", 2), b""
    return ("ndjson" if _is_object(first) or (_is_object(second) and not _goes_on(first)) else "json"), again


def _broken(broken: BrokenStream) -> Iterator[bytes]:
    yield b""
    raise broken


def _is_object(line: bytes) -> bool:
    return line.startswith(b"{") and line.rstrip().endswith(b"}")


def _goes_on(line: bytes) -> bool:
    """Whether a line may be the beginning of a document that the next line goes on with."""
    return line.startswith(b"[") or line.rstrip().endswith((b"{", b"[", b":", b","))


def whole(chunks: Iterable[bytes]) -> bytes:
    """All of it, white space around it removed; for bodies that are capped low."""
    return b"".join(chunks).strip()


def items(document: bytes, *, most: int) -> list[Line]:
    """The exact bytes of each item of a JSON array, or the one document when it is no array.

    Each item is read on its own later, so that one that is not acceptable does not take the others with it. Raises
    BrokenStream where the array itself cannot be followed, and for more than `most` items.
    """
    if not document.startswith(b"["):
        return [_within_limit(document)] if document else []
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenStream(f"not UTF-8 at byte {error.start}") from None
    found: list[Line] = []
    position = _skip(text, 1)
    if text[position : position + 1] == "]":
        return _ended(text, position, found)
    while True:
        start, position = position, _end_of_value(text, position)
        found.append(_within_limit(text[start:position].encode("utf-8")))
        if len(found) > most:
            raise BrokenStream(f"more than {most:,} findings in one array; send lines to the bulk address")
        position = _skip(text, position)
        if text[position : position + 1] == "]":
            return _ended(text, position, found)
        if text[position : position + 1] != ",":
            raise BrokenStream(f"not JSON: a comma or the array's end is missing at character {position}")
        position = _skip(text, position + 1)


def _within_limit(item: bytes) -> Line:
    return item if len(item) <= LONGEST_LINE else TOO_LONG


def _ended(text: str, position: int, found: list[Line]) -> list[Line]:
    if _skip(text, position + 1) != len(text):
        raise BrokenStream(f"not JSON: something follows the array at character {position + 1}")
    return found


_DECODER = json.JSONDecoder()


def _end_of_value(text: str, start: int) -> int:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        raise BrokenStream(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BrokenStream(f"nested too deeply at character {start}") from None
    except ValueError:  # an integer of thousands of digits
        raise BrokenStream(f"a number is too long at character {start}") from None


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
