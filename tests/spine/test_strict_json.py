"""The strict JSON reader: what it refuses and where, and that it reads everything else as the standard reader does."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine import strict_json
from spine.strict_json import DEEPEST, LARGEST, NotAccepted, loads

SCALARS = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30)


@given(VALUES, st.booleans())
def test_json_that_is_acceptable_is_read_as_the_standard_reader_does(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert loads(raw) == json.loads(raw) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        assert loads(raw) == json.loads(raw)
    except NotAccepted as refused:
        assert refused.reason


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"a": ["x", "\\u0000"]}', "/a/1"),
        (b'{"a/b": {"~": "\\ud800"}}', "/a~1b/~0"),
        (b'{"a": {"\\udc00": 1}}', "/a"),
        (b'{"a": 1, "b": 2, "a": 3}', "/a"),
        (b"\xff", ""),
        (b"\xef\xbb\xbf{}", ""),
        (b"NaN", ""),
        (b"[-Infinity]", ""),
        (b"1e309", ""),
        (b"9007199254740992", ""),
        (b"-" + b"9" * 5000, ""),
        (b"[1,]", ""),
        (b"", ""),
    ],
)
def test_what_changes_meaning_or_breaks_storage_is_refused_with_its_place(raw: bytes, pointer: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        loads(raw)
    assert refused.value.pointer == pointer


def test_surrogate_pair_is_a_character() -> None:
    assert loads(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_counted_to_the_level(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    assert loads((opening * DEEPEST + "1" + closing * DEEPEST).encode())
    with pytest.raises(NotAccepted, match="deeper"):
        loads((opening * (DEEPEST + 1) + "1" + closing * (DEEPEST + 1)).encode())


def test_brackets_in_strings_are_no_depth() -> None:
    value = ["[" * 100, '\\"[' * 100, {"{" * 70: ["]"]}]
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize("raw", ['["' + '\\"' * 500_000, "[" * 66 + "\\" * 1_000_000, '"["' * 300_000])
def test_broken_strings_do_not_take_long(raw: str) -> None:
    with pytest.raises(NotAccepted):
        loads(raw.encode())


def test_wide_documents_are_not_deep() -> None:
    assert len(loads(b"[" + b",".join([b'{"a": []}'] * 20_000) + b"]")) == 20_000


def test_numbers_keep_their_kind() -> None:
    assert [type(value) for value in loads(b"[1, 1.0, 1e2, -0]")] == [int, float, float, int]
    assert math.copysign(1, loads(b"-0.0")) == -1
    assert strict_json.escape("a/b~c") == "a~1b~0c"
