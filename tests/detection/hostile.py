"""Documents that are made to harm, and that no door may take: what a plain reader lets through, or dies of."""

import json
from collections.abc import Callable

from tests.detection.samples import finding, line


def _with(text: str) -> bytes:
    """The sample with a member whose value is written as it stands."""
    return line()[:-1] + b', "z": ' + text.encode() + b"}"


# Name → the document, and the pointer that is told (None: wherever it is, one is told).
HOSTILE: dict[str, tuple[bytes, str | None]] = {
    "NUL": (_with(r'"a\u0000b"'), "/z"),
    "NUL in a key": (_with(r'{"\u0000": 1}'), "/z"),
    "lone surrogate": (_with(r'["\ud800"]'), "/z/0"),
    "depth": (_with("[" * 65 + "]" * 65), ""),
    "great depth": (_with('{"a":' * 900 + "1" + "}" * 900), ""),
    "duplicate keys": (_with('{"k": 1, "k": 2}'), "/k"),
    "duplicate keys at the top": (line()[:-1] + b', "uid": "again"}', "/uid"),
    "NaN": (_with("NaN"), ""),
    "infinity": (_with("-Infinity"), ""),
    "giant integer": (_with("9" * 30), ""),
    "giant exponent": (_with("1e999"), ""),
    "unsafe integer": (_with("9007199254740993"), ""),
    "NUL in the account": (line(accounts=[{"id": "a\x00"}]), "/accounts/0/id"),
    "control character in the account": (line(accounts=[{"id": "a\x01"}]), "/accounts/0/id"),
    "account too long": (line(accounts=[{"id": "a" * 201}]), "/accounts/0/id"),
    "scalar": (b"7", ""),
    "array of scalars in an item": (b'["a"]', ""),
    "100,000 bad accounts": (json.dumps(finding(accounts=[0] * 100_000)).encode(), "/accounts"),
    "over a mebibyte": (line(summary="x" * 1024 * 1024), ""),
    "time in year 0": (line(observed_at="0000-01-01T00:00:00Z"), "/observed_at"),
}
# Not even JSON or text: an array with one of these inside cannot be followed.
UNREADABLE: dict[str, bytes] = {
    "bad UTF-8": line()[:-1] + b', "z": "\xff\xfe"}',
    "overlong UTF-8": line()[:-1] + b', "z": "\xc0\x80"}',
    "not JSON": line()[:-1],
    "digits without end": b'{"z": ' + b"9" * 10_000 + b"}",
    "depth without end": b"[" * 200_000,
    "raw NUL": line()[:-1] + b', "z": "\x00"}',
    "byte order mark": b"\xef\xbb\xbf" + line(),
}
DOORS: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "single": ("findings/", "application/json", bytes),
    "array": ("findings/", "application/json", lambda raw: b"[" + raw + b"]"),
    "bulk": ("findings/bulk/", "application/x-ndjson", bytes),
}
