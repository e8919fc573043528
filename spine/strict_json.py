"""A JSON reader for documents from outside: refuses what silently changes meaning or breaks storage (RFC 7493).

Refused, each with a reason and where possible a pointer: invalid UTF-8, NUL, lone surrogates, duplicate keys, NaN and
infinities, integers beyond ±(2^53 − 1), numbers that overflow, depth over 64.
"""

import json
import math
import re
from typing import Any

DEEPEST = 64
LARGEST = 2**53 - 1


class NotAccepted(ValueError):  # noqa: N818 - what the document is
    """Why a document is refused, and the JSON Pointer of the place where it is known."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer


def loads(raw: bytes) -> Any:
    """The value of a JSON document; raises NotAccepted."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotAccepted(f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise NotAccepted("begins with a byte order mark")
    _refuse_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_safe_integer,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise NotAccepted(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotAccepted(f"nested deeper than {DEEPEST}") from None
    if "\\u" in text or "\x00" in text:
        refuse_text(value)
    return value


# A string, also one that never ends, as one token, so that brackets inside it do not count and nothing is read twice.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)|[\[{]|[\]}]', flags=re.DOTALL)


def _refuse_depth(text: str) -> None:
    """Count brackets outside strings; ordinary documents, which never have 65 opening brackets, are not read for it."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > DEEPEST:
                raise NotAccepted(f"nested deeper than {DEEPEST} at character {token.start()}")
        elif first in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotAccepted("a key stands twice", pointer=f"/{escape(key)}")
            seen.add(key)
    return found


def _refuse_constant(name: str) -> Any:
    raise NotAccepted(f"{name} is not a JSON number")


def _safe_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > LARGEST:
        raise NotAccepted("an integer beyond ±(2^53 − 1) loses digits in other readers; send it as a string")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise NotAccepted("a number too large to hold")
    return value


def refuse_text(value: Any, pointer: str = "") -> None:
    """Raise NotAccepted at the first text or key with a NUL or a lone surrogate, which a database cannot hold."""
    if isinstance(value, str):
        _refuse_characters(value, pointer)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_characters(key, pointer)
            refuse_text(item, f"{pointer}/{escape(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_text(item, f"{pointer}/{index}")


def _refuse_characters(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise NotAccepted("a NUL character", pointer)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotAccepted("a lone surrogate", pointer)


def escape(key: str) -> str:
    """A key as a reference token of a JSON Pointer (RFC 6901)."""
    return key.encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")
