"""Text that others wrote, made safe to print: what cannot be seen or could deceive is shown as ⟨U+202E⟩.

The original stays in `dossier.json`; `printable` is for the reading copy alone, whose fonts have Latin, Greek and
Cyrillic letters.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

# What the fonts inside the typst wheel can draw, less what is invisible. PDF/A refuses a character without a glyph.
SHOWN = (
    *((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x2FF), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A), (0x38C, 0x38C)),
    *((0x38E, 0x3A1), (0x3A3, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x205E), (0x2070, 0x2071)),
    *((0x2074, 0x208E), (0x20A0, 0x20C0), (0x2100, 0x211E), (0x2126, 0x2126), (0x2190, 0x22FF), (0x2500, 0x25FF)),
    *((0x27E8, 0x27E9),),
)
NOT_SHOWN = {0x2041, 0x2043, 0x2053}
# Fixed ranges and not the categories of the running Python, so that every version writes the same schedules: controls
# but the line feed, the soft hyphen, joiners and fillers, everything that turns direction, line and paragraph
# separators, variation selectors, interlinear marks, shorthand and musical controls, surrogates, tags.
HIDDEN_RANGES = (
    *((0x00, 0x09), (0x0B, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x034F, 0x034F), (0x0600, 0x0605), (0x061C, 0x061C)),
    *((0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164)),
    *((0xD800, 0xDFFF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x110BD, 0x110BD)),
    *((0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A)),
    *((0xE0000, 0xE0FFF),),
)
# Letters that imitate Latin ones: Greek, Coptic, Cyrillic, Armenian, Cherokee, Lisu, full-width and mathematical Latin.
IMITATING_RANGES = (
    *((0x0370, 0x03FF), (0x0400, 0x052F), (0x0531, 0x0587), (0x13A0, 0x13FF), (0x1C80, 0x1C8F), (0x1F00, 0x1FFF)),
    *((0x2C80, 0x2CFF), (0x2DE0, 0x2DFF), (0xA4D0, 0xA4FF), (0xA640, 0xA69F), (0xAB70, 0xABBF), (0xFF21, 0xFF3A)),
    *((0xFF41, 0xFF5A), (0x1D400, 0x1D7CB)),
)
COMBINING_RANGES = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
)
MOST_MARKS = 3  # combining marks on one letter; more would cover what stands around it
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
    seen = WORD.sub(lambda match: _one_script(match.group()), composed)
    return "".join(c if c == "\n" or _is_shown(c) else _escaped(c) for c in seen)


def _of(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"\\U{first:08X}-\\U{last:08X}" for first, last in ranges)


HIDDEN = re.compile(f"[{_of(HIDDEN_RANGES)}]")
IMITATING = re.compile(f"[{_of(IMITATING_RANGES)}]")
LATIN = re.compile(r"[A-Za-z\u00C0-\u024F\u1E00-\u1EFF]")
PILE = re.compile(f"(?<=[{_of(COMBINING_RANGES)}]{{{MOST_MARKS}}})[{_of(COMBINING_RANGES)}]+")


def visible(text: str) -> str:
    """The text with what cannot be seen, or could deceive, shown as its code; every script and line feeds stay.

    Escaped is what is invisible or reorders its neighbours. A letter that imitates a Latin one inside a word with Latin
    letters keeps standing and its code follows (Unicode TR 39, mixed scripts); words wholly in one script stay as they
    are. Of more than three combining marks on one letter the rest is escaped.
    """
    if text.isascii() and text.isprintable():
        return text
    marked = WORD.sub(lambda match: _told_apart(match.group()), text)
    fewer = PILE.sub(lambda match: "".join(map(_escaped, match.group())), marked)
    return HIDDEN.sub(lambda match: _escaped(match.group()), fewer)


def _told_apart(word: str) -> str:
    if word.isascii() or not LATIN.search(word):
        return word
    return IMITATING.sub(lambda match: f"{match.group()}{_escaped(match.group())}", word)


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
