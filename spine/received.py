"""A JSON document as it was received: its value, and the canonical bytes (RFC 8785) by which content is compared.

Most documents are read and written by orjson, some ten times as fast as by the exact readers. It is used where its
answer is certainly theirs; every other document, and every one that is refused, goes to them.
"""

import re
from typing import Any

import orjson
import rfc8785

from spine.strict_json import DEEPEST, loads

__all__ = ["read"]

_AS_RFC_8785 = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SPACED_KEY = re.compile(rb'"\s+:')
_AFTER_QUOTE = (b'" ', b'"\n', b'"\t', b'"\r')
# An exponent, or something in a text that looks like one.
_EXPONENT = re.compile(rb"e[-+\d]")
_WHOLE_DOUBLE = re.compile(rb"\.0[,\]}]")
# Whatever is written as a double; texts may hold the same, then a number is looked at that is none.
_DOUBLE = re.compile(rb"[:\[,](-?\d+\.\d+(?:e[-+]?\d+)?|-?\d+e[-+]?\d+)")
_OUTSIDE_BMP = re.compile(rb"[\xf0-\xf4]")
# Between these a number that is not whole is written alike by orjson and by RFC 8785: digits, a point, digits.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e15


def read(raw: bytes) -> tuple[Any, bytes]:
    """The value of a document and its canonical bytes; raises strict_json.NotAccepted."""
    quickly = _quickly(raw)
    if quickly is not None:
        return quickly
    value = loads(raw)
    return value, rfc8785.dumps(value)


def _quickly(raw: bytes) -> tuple[Any, bytes] | None:
    """The same where it is plain, None where it may not be: then nothing is said about the document."""
    try:
        value = orjson.loads(raw)
        canonical = orjson.dumps(value, option=_AS_RFC_8785)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if canonical[:1] not in (b"{", b"[") or _names_a_key_twice(raw, value, canonical):
        return None
    if b"\\" in canonical and b"\\u0000" in canonical:
        return None
    if not canonical.isascii() and _OUTSIDE_BMP.search(canonical):
        return None  # orjson may order such keys otherwise than by UTF-16 units
    if _may_hold_an_odd_double(canonical) and not all(map(_is_plain, _DOUBLE.findall(canonical))):
        return None
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _deeper_than(value, DEEPEST):
        return None
    return value, canonical


def _names_a_key_twice(raw: bytes, value: Any, canonical: bytes) -> bool:
    """Whether a key stands twice in an object, or may. What is written again as it was read has lost none."""
    return orjson.dumps(value) != raw and _keys(raw) != _keys(canonical)


def _may_hold_an_odd_double(canonical: bytes) -> bool:
    """Whether a double may stand there that is whole, or large or small enough for orjson to write its exponent."""
    return _WHOLE_DOUBLE.search(canonical) is not None or _EXPONENT.search(canonical) is not None


def _keys(document: bytes) -> int:
    """How many keys stand in a document, those included that stand twice.

    A text that begins with a colon counts as one, in every way of writing the document.
    """
    if b"\\" in document:  # what could hide a quote inside a text, or look like one
        document = document.replace(b"\\\\", b"").replace(b'\\"', b"")
    count = document.count(b'":')
    if any(spaced in document for spaced in _AFTER_QUOTE):
        count += len(_SPACED_KEY.findall(document))
    return count


def _is_plain(digits: bytes) -> bool:
    number = float(digits)
    return _PLAIN_FROM <= abs(number) < _PLAIN_TO and not number.is_integer()


def _deeper_than(value: Any, most: int) -> bool:
    level, depth = [value], 0
    while level and depth <= most:
        held = [item for item in level if isinstance(item, dict | list)]
        level = [inner for item in held for inner in (item.values() if isinstance(item, dict) else item)]
        depth += bool(held)
    return depth > most
