"""Bodies made to harm, for any endpoint: what a plain reader lets through or dies of, and values no field expects."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

MEGABYTE = 1024 * 1024
# No JSON, or JSON that changes meaning in some reader: refused before any field is looked at. `@` is a field's name.
BROKEN: dict[str, bytes] = {
    "white space": b" \n\t ",
    "NUL alone": b"\x00",
    "cut in a text": b'{"@": "a',
    "cut in an object": b'{"@": 1',
    "cut in an escape": b'{"@": "\\u00',
    "comma at the end": b'{"@": 1,}',
    "no comma": b'{"@": 1 "b": 2}',
    "no colon": b'{"@" 1}',
    "single quotes": b"{'@': 'a'}",
    "name without quotes": b"{@: 1}",
    "a comment": b'{"@": 1 /* x */}',
    "another comment": b'// x\n{"@": 1}',
    "two documents": b'{"@": 1}{"@": 2}',
    "something after it": b'{"@": 1} x',
    "Python words": b'{"@": True, "b": None}',
    "undefined": b'{"@": undefined}',
    "NaN": b'{"@": NaN}',
    "Infinity": b'{"@": Infinity}',
    "minus Infinity": b'{"@": -Infinity}',
    "too large an exponent": b'{"@": 1e999}',
    "too small a number": b'{"@": -1e999}',
    "30 digits": b'{"@": ' + b"9" * 30 + b"}",
    "10,000 digits": b'{"@": ' + b"9" * 10_000 + b"}",
    "2^53": b'{"@": 9007199254740993}',
    "minus 2^53": b'{"@": -9007199254740993}',
    "a leading zero": b'{"@": 012}',
    "a plus sign": b'{"@": +1}',
    "a point in front": b'{"@": .5}',
    "a point at the end": b'{"@": 1.}',
    "hexadecimal": b'{"@": 0x1f}',
    "an escape that is none": b'{"@": "\\x41"}',
    "an escape of three digits": b'{"@": "\\u123"}',
    "a line end in a text": b'{"@": "a\nb"}',
    "a control character in a text": b'{"@": "a\x01b"}',
    "NUL": b'{"@": "a\\u0000b"}',
    "NUL in a name": b'{"\\u0000": 1}',
    "NUL deep inside": b'{"@": [{"b": ["\\u0000"]}]}',
    "NUL as it is": b'{"@": "a\x00b"}',
    "a lone high surrogate": b'{"@": "\\ud800"}',
    "a lone low surrogate": b'{"@": "\\udc00x"}',
    "surrogates turned round": b'{"@": "\\udc00\\ud800"}',
    "a lone surrogate in a name": b'{"\\ud83d": 1}',
    "surrogates in UTF-8": b'{"@": "\xed\xa0\x80"}',
    "overlong UTF-8": b'{"@": "\xc0\x80"}',
    "UTF-8 cut short": b'{"@": "\xe2\x82"}',
    "beyond Unicode": b'{"@": "\xf4\x90\x80\x80"}',
    "Latin-1": b'{"@": "caf\xe9"}',
    "UTF-16": '{"@": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"@": 1}'.encode("utf-16-be"),
    "UTF-32": '{"@": 1}'.encode("utf-32"),
    "a mark before it": b'\xef\xbb\xbf{"@": 1}',
    "65 arrays": b'{"@": ' + b"[" * 65 + b"]" * 65 + b"}",
    "65 objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "3,000 arrays": b'{"@": ' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    "200,000 arrays without end": b"[" * 200_000,
    "200,000 objects without end": b'{"a":' * 200_000,
    "a name twice": b'{"@": "a", "@": "b"}',
    "a name twice, written otherwise": b'{"ab": 1, "a\\u0062": 2}',
    "a name twice deep inside": b'{"x": [{"@": 1, "@": 2}]}',
    "packed": gzip.compress(b'{"@": 1}'),
    "a packed bomb": gzip.compress(b'{"@": "' + b"a" * 30 * MEGABYTE + b'"}'),
    "a form": b"@=1&b=2",
    "HTML": b"<html><body>x</body></html>",
    "XML with an entity": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": b"@: !!python/object/apply:os.system ['true']",
    "a pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "not an object: a text": b'"a"',
    "not an object: a number": b"7",
    "not an object: true": b"true",
    "not an object: null": b"null",
}
TOO_LARGE = b'{"@": "' + b"a" * 3 * MEGABYTE + b'"}'
# JSON whose values no field expects. All names are sent with the same value.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus one": -1,
    "one and a half": 1.5,
    "large and whole": 2**53 - 1,
    "the largest number": 1.7e308,
    "an empty text": "",
    "spaces": "  \u00a0\u3000 ",
    "a long text": "x" * 50_000,
    "an empty array": [],
    "arrays": [[[[]]]],
    "an empty object": {},
    "objects": {"a": {"b": [{}]}},
    "an array of mixed things": [None, 1, "a", {}, []],
    "10,000 names": {f"k{number}": number for number in range(10_000)},
    "10,000 items": list(range(10_000)),
    "year 1": "0001-01-01T00:00:00Z",
    "year 0": "0000-01-01T00:00:00Z",
    "the end of year 9999, ahead": "9999-12-31T23:59:59-14:00",
    "year 10000": "10000-01-01T00:00:00Z",
    "fourteen hours ahead": "2026-05-01T00:00:00+14:00",
    "24 hours ahead": "2026-05-01T00:00:00+24:00",
    "24 o'clock": "2026-05-01T24:00:00Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "30 February": "2026-02-30T00:00:00Z",
    "a time without a zone": "2026-05-01T00:00:00",
    "an id of zeros": "00000000-0000-0000-0000-000000000000",
    "an id in braces": "{01a2138c-a5f5-7006-aec2-37202736b53f}",
    "quotes of SQL": "x'); DROP TABLE cases_case; --",
    "wildcards of SQL": "%_\\%",
    "a template": "{{ 7*7 }}{% debug %}${7*7}#{7*7}<%= 7 %>",
    "formats": "%s%n%(a)s{0}{a.__class__}",
    "a path": "../../../../etc/passwd",
    "a file address": "file:///etc/passwd",
    "an address inside": "http://169.254.169.254/latest/meta-data/",
    "line ends": "a\r\nSet-Cookie: x=1\r\n\r\n<html>",
    "a terminal's escape": "\x1b[2J\x1b]0;x\x07",
    "turned round": "\u202egnp.exe\u2066\u200b\ufeff",
    "beyond the first plane": "\U0001f9ea" * 9_000,
    "combining marks": "a" + "\u0301" * 10_000,
    "a formula": '=HYPERLINK("https://x.example")',
    "a long number as text": "9" * 4_000,
    "not a number as text": "NaN",
    "a script": "<script>alert(1)</script>",
}
# Names that no endpoint takes and that would matter somewhere if it did.
FOREIGN = (
    *(
        "id",
        "pk",
        "case_id",
        "case",
        "ref",
        "actor",
        "author",
        "author_id",
        "decided_by",
        "added_by",
        "created_at",
        "at",
    ),
    *(
        "sha256",
        "storage",
        "path",
        "file_local_name",
        "role",
        "is_active",
        "password",
        "is_superuser",
        "state",
        "status",
    ),
    *(
        "__proto__",
        "constructor",
        "__class__",
        "entry_id",
        "salt",
        "place",
        "supersedes",
        "restricted",
        "number",
        "ref/../x",
    ),
)


def documents(fields: list[str], start: int = 0, every: int = 1) -> Iterator[tuple[str, bytes, bool]]:
    """(name, body, whether it must be refused as it stands) for an endpoint with these fields; each `every`th alone."""
    field = (fields or ["title"])[0].encode()
    whole = {**BROKEN, "three megabytes": TOO_LARGE}
    made = {
        **VALUES,
        "names of others": "x",
        "an array": [{"a": 1}] * 3,
    }
    for name in ["nothing", *whole, *made][start % every :: every]:
        if name in whole:
            yield name, whole[name].replace(b"@", field), True
        elif name == "nothing":
            yield name, b"", False  # where no field has to be given, this is an answer
        elif name == "an array":
            yield name, json.dumps(made[name]).encode(), False
        else:
            names = [*FOREIGN, *fields] if name == "names of others" else fields or ["title"]
            yield name, json.dumps(dict.fromkeys(names, made[name])).encode(), False
