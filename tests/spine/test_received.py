"""Received documents: the quick reader says exactly what the exact ones say, or nothing."""

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from spine import received, strict_json
from spine.strict_json import LARGEST, NotAccepted

NUMBERS = (
    st.integers(-LARGEST, LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(-1_000_000, 1_000_000, places=4).map(float)
)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ['":', '": ', ":x", '\\":', "\\", '"', "", "a.b", ",1.0", "[1e5", "\U0001f600"]
)
KEYS = st.text(max_size=4) | st.sampled_from(["a", "b", ":", "", "￿", "\U00010000"])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def exactly(raw: bytes) -> Any:
    try:
        value = strict_json.loads(raw)
    except NotAccepted as refused:
        return refused.reason, refused.pointer
    return value, rfc8785.dumps(value)


def outcome(raw: bytes) -> Any:
    try:
        return received.read(raw)
    except NotAccepted as refused:
        return refused.reason, refused.pointer


@settings(max_examples=600, deadline=None)
@given(
    VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]), st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")])
)
def test_any_document_in_any_spelling_is_read_as_by_the_exact_reader(
    value: Any, ascii_only: bool, indent: Any, separators: tuple[str, str]
) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators).encode(
        "utf-8", "surrogatepass"
    )
    assert outcome(raw) == exactly(raw)


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]":,\\ eu0-.19ab', max_size=40).map(str.encode))
def test_any_bytes_are_refused_or_read_as_by_the_exact_reader(raw: bytes) -> None:
    assert outcome(raw) == exactly(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{"a" :1,"a":":2"}',
        b'{"a":":x","a" :2,"b":1}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a\\u0062":1,"ab":2}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"a":9007199254740992}',
        b'{"a":12345678901234567890123}',
        b'{"a":-0}',
        b'{"a":-0.0}',
        b'{"a":1.0}',
        b'{"a":1e400}',
        b'{"a":1E2}',
        b'{"a":0.00001}',
        b'{"a":123456789012345680000.5}',
        b'{"a":NaN}',
        b"\xef\xbb\xbf{}",
        b'{"\xf0\x90\x80\x80":1,"\xef\xbf\xbf":2}',
        b"[" * 64 + b"]" * 64,
        b"[" * 65 + b"]" * 65,
        b"[" * 3000 + b"]" * 3000,
        b'{"a":"' + b"[" * 70 + b'"}',
        b"[" + b"[]," * 70 + b"[]]",
    ],
)
def test_what_readers_disagree_about(raw: bytes) -> None:
    assert outcome(raw) == exactly(raw)


def test_ordinary_document_is_read_quickly() -> None:
    raw = b'{"uid": "x-1", "score": 0.93, "n": [1, 2, {"t": "say \\"no\\": done"}], "version": 3}'
    assert received._quickly(raw) == exactly(raw)
