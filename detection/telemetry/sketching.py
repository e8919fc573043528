"""Sketches batches of prompts: the numbers of `sketch.sketch`, prompt by prompt the same, several times as fast.

A prompt of plain ASCII is cut into tokens by translation and splitting where the expression of `sketch` would walk it
character by character; masks are looked up; MinHashes are made for a whole batch at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rensa import RMinHash

from detection.telemetry import sketch

MOST_MASKS = 200_000  # tokens whose mask is remembered; ids in prompts must not fill the memory
MANY_BREAKS = 30
_QUOTED, _NUMBER, _NEWLINE = "\x02", "\x03", "\x01"  # stand for what was masked while a prompt is split
_QUOTES = re.compile(r"\"[^\"\n]{1,300}\"|`[^`\n]{1,300}`")
_DECIMAL = re.compile(r"[.,/-]\d", re.ASCII)
_LONG_NUMBER = re.compile(r"[\w']+[.,/-]\d[\w.,/-]*", re.ASCII)
_KEPT = "'_:\x02\x03"
_SPACES = bytes(
    ord(_NEWLINE) if code == ord("\n") else code if chr(code).isalnum() or chr(code) in _KEPT else ord(" ")
    for code in range(256)
)
_BREAKS = frozenset({":", "\n"})
_STAND_INS = {_QUOTED: "‹text›", _NUMBER: "‹number›", _NEWLINE: "\n"}


class _Masks(dict[str, tuple[str, bool, bool, bool]]):
    """What is shown for a token; whether a sentence goes on behind it, it folds with its like, and it is a break."""

    def __init__(self, inside: bool) -> None:
        super().__init__()
        self.inside = inside

    def __missing__(self, token: str) -> tuple[str, bool, bool, bool]:
        shown = _STAND_INS.get(token) or sketch.shown(token, self.inside)
        if len(self) >= MOST_MASKS:
            self.clear()
        found = self[token] = (shown, sketch.goes_on(shown), shown[0] in "‹\n", shown in _BREAKS)
        return found


_START, _INSIDE = _Masks(inside=False), _Masks(inside=True)


def sketch_batch(prompts: pa.Array) -> list[pa.Array]:
    """Sketch a batch of prompts into the arrays of `sketch.COLUMNS`, in their order; absent prompts give nulls.

    Each distinct prompt is sketched once.
    """
    encoded = prompts.dictionary_encode()
    texts = encoded.dictionary
    frames = _Frames()
    for text in texts.to_pylist():
        frames.add(text)
    made = [*frames.arrays(), *lengths(texts)]
    return [array.take(encoded.indices) for array in made]


def lengths(texts: pa.Array) -> list[pa.Array]:
    """Give the words and the characters of each text."""
    trimmed = pc.utf8_trim_whitespace(texts)
    words = pc.if_else(pc.equal(trimmed, ""), 0, pc.list_value_length(pc.utf8_split_whitespace(trimmed)))
    return [words.cast(pa.int32()), pc.utf8_length(texts).cast(pa.int32())]


class _Frames:
    """Collects what `sketch.sketch` gives for one prompt after another."""

    def __init__(self) -> None:
        self.heads: list[bytes | None] = []
        self.tails: list[bytes | None] = []
        self.texts: list[bytes | None] = []
        self.pairs: list[list[str]] = []
        self.hashed = _remembered(_hashed)

    def add(self, text: str) -> None:
        out, breaks = _masked(text)
        words = [token for token in out if token not in _BREAKS] if breaks else out
        self.texts.append(_hashed(" ".join(out)) if out else None)
        if len(words) < sketch.FEWEST_WORDS:
            self.heads.append(None)
            self.tails.append(None)
            return
        self.heads.append(self.hashed(" ".join(_head(out, words, breaks))))
        self.tails.append(self.hashed(" ".join(_tail(out, words, breaks))))
        self.pairs.append([f"{first} {second}" for first, second in pairwise(words)])

    def arrays(self) -> list[pa.Array]:
        return [*(_numbers(part) for part in (self.heads, self.tails, self.texts)), self._bands()]

    def _bands(self) -> pa.Array:
        kind = sketch.COLUMNS["sketch_bands"]
        there = pa.array([head is not None for head in self.heads], pa.bool_())
        if not self.pairs:
            return pa.nulls(len(self.heads), kind)
        digests = RMinHash.digest_matrix_from_token_sets(self.pairs, sketch.PERMUTATIONS, sketch.SEED).to_rows()
        flat = pa.array(sketch.bands(digests).reshape(-1))
        bands = pa.FixedSizeListArray.from_arrays(flat, sketch.BANDS).cast(kind)
        places = pc.if_else(there, pc.subtract(pc.cumulative_sum(there.cast(pa.int64())), 1), None)
        return bands.take(places)


def _masked(text: str) -> tuple[list[str], list[int]]:
    """Give `sketch.masked` of a text, and the places of its breaks."""
    out: list[str] = []
    breaks: list[int] = []
    inside, last = False, "."
    for token in _tokens(sketch.shortened(text)):
        shown, inside, folds, is_break = (_INSIDE if inside else _START)[token]
        if folds:
            if shown == last:
                continue
            if is_break:
                breaks.append(len(out))
        elif is_break:
            breaks.append(len(out))
        out.append(shown)
        last = shown
    return out, breaks


def _tokens(text: str) -> list[str]:
    """Cut a text as `sketch.TOKEN` does; stand-ins for what is masked anyway."""
    text = text.strip()
    if not text.isascii() or "@" in text or "://" in text or _QUOTED in text or _NUMBER in text:
        found: list[str] = sketch.TOKEN.findall(text)
        return found
    if '"' in text or "`" in text:
        text = _QUOTES.sub(" \x02 ", text)
    if _DECIMAL.search(text):
        text = _LONG_NUMBER.sub(" \x03 ", text)
    text = text.encode().translate(_SPACES).decode()
    if ":" in text:
        text = text.replace(":", " : ")
    if _NEWLINE in text:
        text = text.replace(_NEWLINE, " \x01 ")
    return text.split()


def _head(out: list[str], words: list[str], breaks: list[int]) -> list[str]:
    """Give `sketch.head` from the places of the breaks."""
    for place in breaks:
        if place:
            if place > sketch.HEAD_LONGEST:
                break
            return out[1 if out[0] == ":" else 0 : place + 1]
    return words[: sketch.FRAME_WORDS]


def _tail(out: list[str], words: list[str], breaks: list[int]) -> list[str]:
    """Give `sketch.tail` from the places of the breaks."""
    if len(breaks) > MANY_BREAKS:
        return sketch.tail(out)
    last = len(out) - 1
    for place in reversed(breaks):
        if out[place] == "\n":
            if place == last or last - place > sketch.HEAD_LONGEST:
                break
            return ["\n", *(word for word in out[place + 1 :] if word != ":")]
    return words[-sketch.FRAME_WORDS :]


def _hashed(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def _numbers(digests: Sequence[bytes | None]) -> pa.Array:
    """Give digests as `sketch.number` reads them."""
    packed = pa.array(digests, pa.binary(8))
    zero = packed.fill_null(bytes(8))
    values = np.frombuffer(zero.buffers()[1], dtype=">i8", count=len(zero), offset=8 * zero.offset).astype(np.int64)
    return pa.array(values, mask=packed.is_null().to_numpy(zero_copy_only=False))


def _remembered(function: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Remember what was given for as long as a batch lasts: heads and tails of templates come again and again."""
    known: dict[str, bytes] = {}

    def looked_up(text: str) -> bytes:
        found = known.get(text)
        if found is None:
            found = known[text] = function(text)
        return found

    return looked_up
