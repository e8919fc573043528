"""Redaction of text: what is marked is taken out of the data and replaced by one constant, never covered. Pure.

Offsets count code points of the exhibit's text, which is UTF-8. The replacement has the same length for every mark, so
its width tells nothing of what stood there. What is marked is found in other spellings too (`cases.escaped`).
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cases import escaped
from spine.errors import Refused

REPLACEMENT = "[redacted]"
REASONS = {
    "third_party": "personal data of somebody who is not suspected",
    "privilege": "privileged, or work product",
    "secret": "a trade secret or a security measure",
    "credential": "a credential or a key",
    "unrelated": "not part of this case",
    "order": "by order or agreement",
}
WIDENED = 4  # a marked text of so many characters is taken out wherever it stands
MOST_BYTES = 16 * 1024 * 1024
MOST_MARKS = 20_000


@dataclass(frozen=True, order=True)
class Mark:
    """A stretch of text to be taken out, from `start` up to `end`, and the code of the reason."""

    start: int
    end: int
    code: str


def text_of(content: bytes) -> str:
    """The exhibit's text. Raises Refused for what is no UTF-8 or too large."""
    if len(content) > MOST_BYTES:
        raise Refused(f"Text of more than {MOST_BYTES:,} bytes is not redacted here: make an extract first.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"This is no UTF-8 text: byte {error.start:,} cannot be read.") from None


def marks_for(text: str, given: Iterable[Mark], media_type: str) -> list[Mark]:
    """The marks as they will be carried out: in order, and every other place where a marked text stands added.

    Raises Refused for a mark outside the text, empty, overlapping another, of an unknown reason, or that would leave a
    JSON or CSV exhibit unreadable.
    """
    marks = sorted(set(given))
    if not marks:
        raise Refused("Nothing is marked.", field="marks")
    for mark in marks:
        if mark.code not in REASONS:
            raise Refused(f"The reason {mark.code!r} is not known: accepted are {', '.join(REASONS)}.", field="marks")
        if not 0 <= mark.start < mark.end <= len(text):
            raise Refused(f"A mark from {mark.start:,} to {mark.end:,} is not within the text.", field="marks")
    for first, second in pairwise(marks):
        if second.start < first.end:
            raise Refused(f"The marks at {first.start:,} and {second.start:,} overlap.", field="marks")
    whole = _widened(text, marks)
    if len(whole) > MOST_MARKS:
        raise Refused(f"{len(whole):,} places would be marked; at most {MOST_MARKS:,} are.", field="marks")
    _demand_readable(text, redacted(text, whole), media_type)
    return whole


def found(text: str, needles: Iterable[str], code: str) -> list[Mark]:
    """A mark at every place where one of these texts stands, however it is spelled; longer ones first, so that none is
    cut in two.
    """
    taken: list[Mark] = []
    covered = bytearray(len(text))
    readings = escaped.readings(text)
    for needle in sorted({needle for needle in needles if needle}, key=lambda needle: (-len(needle), needle)):
        at = text.find(needle)
        while at >= 0:
            if not any(covered[at : at + len(needle)]):
                covered[at : at + len(needle)] = b"\x01" * len(needle)
                taken.append(Mark(at, at + len(needle), code))
            at = text.find(needle, at + 1)
        for start, end in _elsewhere(readings, [needle, *_other(needle)]):
            if not any(covered[start:end]):
                covered[start:end] = b"\x01" * (end - start)
                taken.append(Mark(start, end, code))
    return sorted(taken)


def _other(needle: str) -> list[str]:
    """What the needle reads as where it is spelled with escapes itself, if that is long enough to look for."""
    return sorted(one for one in escaped.spelled_out(needle) - {needle} if len(one.strip()) >= WIDENED)


def _elsewhere(readings: Iterable[escaped.Layers], needles: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The stretches of the text that read as one of these."""
    for needle in needles:
        for layers in readings:
            yield from layers.stretches(needle)


def redacted(text: str, marks: Sequence[Mark]) -> str:
    """The text without what is marked; marks are in order and do not overlap."""
    parts, at = [], 0
    for mark in marks:
        parts += [text[at : mark.start], REPLACEMENT]
        at = mark.end
    return "".join([*parts, text[at:]])


def pieces(text: str, marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """The text cut at its marks for showing: (piece, code of the mark or empty)."""
    cut, at = [], 0
    for mark in marks:
        cut += [(text[at : mark.start], ""), (text[mark.start : mark.end], mark.code)]
        at = mark.end
    return [piece for piece in [*cut, (text[at:], "")] if piece[0]]


def _widened(text: str, marks: list[Mark]) -> list[Mark]:
    covered = bytearray(len(text))
    for mark in marks:
        covered[mark.start : mark.end] = b"\x01" * (mark.end - mark.start)
    more: list[Mark] = []
    seen: set[str] = set()
    readings = escaped.readings(text)
    for mark in marks:
        needle = text[mark.start : mark.end]
        if len(needle.strip()) < WIDENED or needle in seen:
            continue
        seen.add(needle)
        for place in _everywhere(text, readings, needle):
            for start, end in _open(covered, *place):
                covered[start:end] = b"\x01" * (end - start)
                more.append(Mark(start, end, mark.code))
    return sorted([*marks, *more])


def _everywhere(text: str, readings: Iterable[escaped.Layers], needle: str) -> Iterator[tuple[int, int]]:
    """Where the needle stands, as it is and in any other spelling."""
    others = _other(needle)
    for one in (needle, *others):
        at = text.find(one)
        while at >= 0:
            yield at, at + len(one)
            at = text.find(one, at + 1)
    yield from _elsewhere(readings, [needle, *others])


def _open(covered: bytearray, start: int, end: int) -> list[tuple[int, int]]:
    """The stretches between two places that no mark covers yet."""
    parts, at = [], start
    while at < end:
        if covered[at]:
            at += 1
            continue
        stop = covered.find(1, at, end)
        stop = end if stop < 0 else stop
        parts.append((at, stop))
        at = stop
    return parts


def _demand_readable(before: str, after: str, media_type: str) -> None:
    """Raise Refused when a document that could be read as its type could not be any more."""
    if media_type in {"application/json", "application/x-ndjson", "application/jsonl"}:
        lines = media_type != "application/json"
        if _is_json(before, lines) and not _is_json(after, lines):
            raise Refused("The exhibit would no longer be JSON: mark inside the quotation marks.", field="marks")
    if media_type == "text/csv" and _shape(before) != _shape(after):
        raise Refused("The exhibit would lose or gain cells or rows: mark inside one cell.", field="marks")


def _is_json(text: str, lines: bool) -> bool:
    try:
        for part in text.splitlines() if lines else [text]:
            if part.strip() or not lines:
                json.loads(part)
    except (ValueError, RecursionError):
        return False
    return True


def _shape(text: str) -> list[int] | None:
    try:
        return [len(row) for row in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error:
        return None
