"""Text that others wrote, made safe to print: what cannot be seen or could deceive is shown as ⟨U+202E⟩.

The original stays in `dossier.json`; `printable` is for the reading copy alone, whose fonts have Latin, Greek and
Cyrillic letters.
"""

import re
import unicodedata
from typing import Any

# What the fonts inside the typst wheel can draw, less what is invisible. PDF/A refuses a character without a glyph.
SHOWN = (
    *((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x2FF), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A), (0x38C, 0x38C)),
    *((0x38E, 0x3A1), (0x3A3, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2071)),
    *((0x2074, 0x208E), (0x20A0, 0x20C0), (0x2100, 0x211E), (0x2126, 0x2126), (0x2190, 0x22FF), (0x2500, 0x25FF)),
    *((0x27E8, 0x27E9),),
)
NOT_SHOWN = {0x2041, 0x2043, 0x2053}
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
LONGEST_WORD, PIECE = 28, 8  # a run of characters as long as this may be broken after every piece
WORD = re.compile(r"\w+")
IDENTIFIER = re.compile(r"[0-9a-f]{64}|[a-z]+\.[a-z]+:[0-9a-z-]{12,36}|retort/log/[0-9a-f]{16}|[0-9T:.-]{26}Z")
LONG_RUN = re.compile(rf"[^\s-]{{{LONGEST_WORD},}}")  # a line may break at a hyphen anyway


def printable(text: str) -> str:
    """The text with every character escaped that is invisible, reorders its neighbours, or imitates another script.

    Line feeds stay, other white space becomes a space. Greek or Cyrillic letters inside a word with Latin ones are
    escaped; words wholly in one script stay as they are.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    seen = WORD.sub(lambda match: _one_script(match.group()), composed)
    return "".join(c if c == "\n" or _is_shown(c) else _escaped(c) for c in seen)


def visible(text: str) -> str:
    """The text with what is invisible or reorders its neighbours escaped; every script and line feeds stay."""
    return "".join(_escaped(c) if unicodedata.category(c) in INVISIBLE and c != "\n" else c for c in text)


def breakable(text: str) -> str:
    """Very long words get places where a line may break (zero-width spaces); digests and item ids stay whole."""
    return text if IDENTIFIER.fullmatch(text) else LONG_RUN.sub(lambda match: _pieces(match.group()), text)


def _pieces(run: str) -> str:
    return "\u200b".join(run[start : start + PIECE] for start in range(0, len(run), PIECE))


def printable_all(value: Any) -> Any:
    """A JSON value with every string in it printable and breakable; keys are ours and stay."""
    if isinstance(value, str):
        return breakable(printable(value))
    if isinstance(value, list):
        return [printable_all(item) for item in value]
    if isinstance(value, dict):
        return {key: printable_all(item) for key, item in value.items()}
    return value


def _one_script(word: str) -> str:
    if word.isascii() or not any(_script(character) == "LATIN" for character in word):
        return word
    return "".join(_escaped(c) if _script(c) in {"GREEK", "CYRILLIC"} else c for c in word)


def _script(character: str) -> str:
    """`LATIN`, `GREEK`, `CYRILLIC` or something else; the micro sign and the like count as no script."""
    return unicodedata.name(character, "").split(" ", 1)[0] if character.isalpha() else ""


def _is_shown(character: str) -> bool:
    point = ord(character)
    return point not in NOT_SHOWN and any(first <= point <= last for first, last in SHOWN)


def _escaped(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
