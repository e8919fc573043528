"""Where a text stands in another spelling: JSON escapes, percent-encoding, HTML references, one inside another. Pure.

A `Reading` is the text with its escapes read, which still knows where each character came from.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from html.entities import html5

DEPTH = 3  # how many spellings inside one another are read: HTML in JSON in a JSON string, and so on
_JSON = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r'|u(?P<four>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}|x(?P<two>[0-9a-fA-F]{2})|(?P<short>["\\/bfnrt]))'
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_HTML = re.compile(r"&(?:#[xX](?P<hex>[0-9a-fA-F]{1,6})|#(?P<ten>[0-9]{1,7})|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}));?")
_PLUS = re.compile(r"\+")
Piece = tuple[int, int, str]  # from, up to, and what that stretch of the text reads as
Spelling = Callable[[str], Iterator[Piece]]


def _character(number: int) -> str | None:
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else None


def _json(text: str) -> Iterator[Piece]:
    for one in _JSON.finditer(text):
        if one["high"]:
            number = 0x10000 + (int(one["high"], 16) - 0xD800) * 0x400 + int(one["low"], 16) - 0xDC00
            read: str | None = chr(number)
        elif one["short"]:
            read = _SHORT.get(one["short"], one["short"])
        else:
            read = _character(int(one["four"] or one["braced"] or one["two"], 16))
        if read is not None:
            yield one.start(), one.end(), read


def _percent(text: str) -> Iterator[Piece]:
    """UTF-8, and where the bytes are not that, Latin-1."""
    for run in _PERCENT.finditer(text):
        raw, at = bytes.fromhex(run[0].replace("%", "")), 0
        while at < len(raw):
            size = next((size for size in (1, 2, 3, 4) if _is_utf8(raw[at : at + size])), 0)
            read = raw[at : at + size].decode() if size else chr(raw[at])
            yield run.start() + 3 * at, run.start() + 3 * (at + (size or 1)), read
            at += size or 1


def _is_utf8(raw: bytes) -> bool:
    try:
        return len(raw.decode()) == 1
    except UnicodeDecodeError:
        return False


def _html(text: str) -> Iterator[Piece]:
    for one in _HTML.finditer(text):
        if one["name"]:
            yield from _named(one)
        elif (read := _character(int(one["hex"], 16) if one["hex"] else int(one["ten"]))) is not None:
            yield one.start(), one.end(), read


def _named(one: re.Match[str]) -> Iterator[Piece]:
    """A name with its semicolon, or the longest of the old names that browsers read without one: `&aringrd`."""
    name = one["name"]
    if one[0].endswith(";") and (read := html5.get(f"{name};")):
        yield one.start(), one.end(), read
        return
    size = next((size for size in range(len(name), 1, -1) if name[:size] in html5), 0)
    if size:
        yield one.start(), one.start() + 1 + size + (one[0][1 + size :] == ";"), html5[name[:size]]


def _form(text: str) -> Iterator[Piece]:
    """Percent-encoding as forms send it, where a space is a plus."""
    yield from _together(
        text, (_percent, lambda given: ((one.start(), one.end(), " ") for one in _PLUS.finditer(given)))
    )


def _together(text: str, spellings: tuple[Spelling, ...]) -> Iterator[Piece]:
    """The pieces of several spellings; of two that overlap, the first."""
    at = 0
    for start, end, read in sorted(piece for spelling in spellings for piece in spelling(text)):
        if start >= at:
            yield start, end, read
            at = end


def _any(text: str) -> Iterator[Piece]:
    yield from _together(text, (_json, _percent, _html))


class Reading:
    """A text with its escapes read once."""

    def __init__(self, text: str, spelling: Spelling) -> None:
        parts, done, length = [], 0, 0
        # For each piece: where it stands as read, how long it is there, and its stretch of the text.
        self._at, self._size, self._start, self._end = array("q"), array("q"), array("q"), array("q")
        for start, end, read in spelling(text):
            length += start - done
            parts += [text[done:start], read]
            for kept, value in (
                (self._at, length),
                (self._size, len(read)),
                (self._start, start),
                (self._end, end),
            ):
                kept.append(value)
            length, done = length + len(read), end
        self.text = "".join([*parts, text[done:]])

    def __bool__(self) -> bool:
        """Whether anything was escaped."""
        return len(self._at) > 0

    def stretch(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the text that reads as these characters; escapes are taken whole."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, index: int) -> tuple[int, int]:
        place = bisect_right(self._at, index) - 1
        if place < 0:
            return index, index + 1
        over = index - self._at[place] - self._size[place]
        if over < 0:
            return self._start[place], self._end[place]
        return self._end[place] + over, self._end[place] + over + 1


class Layers:
    """Readings of readings: where something stands in the last, told in places of the first text."""

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.text = readings[-1].text

    def stretches(self, needle: str) -> Iterator[tuple[int, int]]:
        """Every stretch of the first text that reads as this."""
        at = self.text.find(needle) if needle else -1
        while at >= 0:
            start, end = at, at + len(needle)
            for reading in reversed(self.readings):
                start, end = reading.stretch(start, end)
            yield start, end
            at = self.text.find(needle, at + 1)


def readings(text: str) -> list[Layers]:
    """The text as each spelling reads it, as all of them together do, and that again; none where nothing is escaped."""
    found = [Layers([read]) for spelling in (_json, _percent, _html, _form) if (read := Reading(text, spelling))]
    layers: list[Reading] = []
    inner = text
    for _ in range(DEPTH):
        read = Reading(inner, _any)
        if not read:
            break
        layers.append(read)
        inner = read.text
        found.append(Layers([*layers]))
    return found


def spelled_out(text: str) -> set[str]:
    """What the text may mean: itself, and each way its escapes can be read."""
    return {text, *(one.text for one in readings(text))}
