"""Reduces a prompt to a few numbers that survive changed fillings: its frame (head, tail) and a MinHash of its words.

Numbers, quoted strings, code, links and names are masked first, so that a template filled a thousand times keeps one
head and one tail. Shingling and min-wise hashing after Broder, "On the resemblance and containment of documents", 1997.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pyarrow as pa
from rensa import RMinHash

VERSION = "1"
FRAME_WORDS = 5
HEAD_LONGEST = 40
PERMUTATIONS, BANDS = 32, 8
FEWEST_WORDS = 6
SEED = 42
_CUT = 250
_MIXER = np.uint64(0x9E3779B97F4A7C15)

COLUMNS: Mapping[str, pa.DataType] = {
    "sketch_head": pa.int64(),
    "sketch_tail": pa.int64(),
    "sketch_text": pa.int64(),
    "sketch_bands": pa.list_(pa.int64(), BANDS),
    "sketch_words": pa.int32(),
    "sketch_chars": pa.int32(),
}

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
TOKEN = re.compile(
    r"\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|`[^`\n]{1,300}`"  # quoted text and code
    r"|[\w'’]+(?:://\S+|[.+-]?[\w.+-]*@[\w.-]+|[.,/-]\d[\w.,/-]*)?"  # words; links, addresses and numbers as one token
    r"|\n\s*|:"
)
_MASKS = {'"': "‹text›", "“": "‹text›", "`": "‹text›", "\n": "\n", ":": ":"}
_DIGIT = re.compile(r"\d")
Row = tuple[int | None, int | None, int | None, list[int] | None]


def shortened(text: str) -> str:
    """Give what of a prompt is looked at: of a long one the first and last 250 characters; fenced code masked."""
    if len(text) > 2 * _CUT:
        text = f"{text[:_CUT]}\n{text[-_CUT:]}"
    return _FENCED.sub(" `code` ", text) if "```" in text else text


def masked(text: str) -> list[str]:
    """Give the masked tokens of a prompt, `shortened`. Line breaks are tokens."""
    out: list[str] = []
    last = "."
    for token in TOKEN.findall(shortened(text).strip()):
        now = shown(token, goes_on(last))
        if now != last or now[0] not in "‹\n":
            out.append(now)
        last = now
    return out


def shown(token: str, inside: bool) -> str:
    """Mask one token: digits, links and capitalised words inside a sentence say nothing about the template."""
    if token[0] in _MASKS:
        return _MASKS[token[0]]
    if token.isalpha():
        return "‹name›" if token[0].isupper() and inside else token.lower()
    if _DIGIT.search(token):
        return "‹number›"
    return "‹link›" if "/" in token or "@" in token else token.lower()


def goes_on(last: str) -> bool:
    """Whether a word behind this one stands inside a sentence."""
    return last[-1].isalpha() or last[-1] == "›"


def head(tokens: Sequence[str]) -> list[str]:
    """Give what comes before the filling: up to the first colon or line break, else the first five words."""
    for place, token in enumerate(tokens[: HEAD_LONGEST + 1]):
        if token in (":", "\n") and place:
            return [t for t in tokens[:place] if t != ":"] + [token]
    return [t for t in tokens if t not in (":", "\n")][:FRAME_WORDS]


def tail(tokens: Sequence[str]) -> list[str]:
    """Give what comes after the filling: the last line when there is one, else the last five words."""
    reverse = list(reversed(tokens))[: HEAD_LONGEST + 1]
    if "\n" in reverse and (place := reverse.index("\n")):
        return ["\n", *(t for t in reversed(reverse[:place]) if t != ":")]
    return list(reversed([t for t in reverse if t not in (":", "\n")][:FRAME_WORDS]))


def number(tokens: Sequence[str]) -> int:
    """Hash tokens to a signed 64-bit number, the same on every machine."""
    return int.from_bytes(blake2b(" ".join(tokens).encode(), digest_size=8).digest(), "big", signed=True)


def sketch(text: str) -> Row:
    """Sketch one prompt: head, tail, whole text, MinHash. A prompt too short to have a frame has at most the third."""
    tokens = masked(text)
    words = [token for token in tokens if token not in (":", "\n")]
    if len(words) < FEWEST_WORDS:
        return None, None, number(tokens) if tokens else None, None
    return number(head(tokens)), number(tail(tokens)), number(tokens), minhash(words)


def minhash(words: Sequence[str]) -> list[int]:
    """Give the MinHash of the word pairs: 32 unsigned numbers, an agreeing share of which estimates the resemblance."""
    made = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
    made.update([f"{first} {second}" for first, second in pairwise(words)])
    digest: list[int] = made.digest()
    return digest


def bands(digests: Sequence[Sequence[int]]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Fold MinHashes into eight bands of four numbers each; two prompts that resemble by 0.6 or so agree in one."""
    rows = np.asarray(digests, dtype=np.uint64).reshape(len(digests), BANDS, PERMUTATIONS // BANDS)
    folded = np.zeros(rows.shape[:2], dtype=np.uint64)
    for place in range(rows.shape[2]):
        folded = (folded ^ rows[:, :, place]) * _MIXER
        folded ^= folded >> np.uint64(29)
    return folded.view(np.int64)
