"""Canonical bytes: the written form of every kind of value, and forms that survive storage and reading back."""

import hashlib
import json
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spine import canonical

ID = UUID("019a0000-0000-7000-8000-000000000001")
SALT = bytes(range(32))


class Colour(StrEnum):
    CALM = "calm"


def written(value):
    row = canonical.row_bytes(table="t", row_id=ID, fields={"c": value})
    return json.loads(row)["fields"]["c"]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("Zoë\n", "Zoë\n"),
        (Colour.CALM, "calm"),
        ("", ""),
        (True, True),
        (7, 7),
        (2**53 - 1, 9007199254740991),
        (-(2**53), "-9007199254740992"),
        (2**63 - 1, "9223372036854775807"),
        (0.93, 0.93),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.500"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.00"), "0"),
        (Decimal("100"), "100"),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (ID, "019a0000-0000-7000-8000-000000000001"),
        (datetime(2026, 5, 4, 10, tzinfo=UTC), "2026-05-04T10:00:00.000000Z"),
        (datetime(2026, 5, 4, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))), "2026-05-04T08:00:00.000005Z"),
        (datetime(33, 1, 1, tzinfo=UTC), "0033-01-01T00:00:00.000000Z"),
        (date(2026, 5, 4), "2026-05-04"),
        (b"\x00\xff", "00ff"),
        (memoryview(b"\x0a"), "0a"),
        ([], []),
        (["a", None, ID], ["a", None, str(ID)]),
        ({"b": 1.0, "a": [None, {"x": 1e16}]}, {"a": [None, {"x": 10**16}], "b": 1}),
    ],
)
def test_value_has_its_written_form(value, form):
    assert written(value) == form


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 5, 4, 10),  # noqa: DTZ001 - the point
        "\ud800",
        {1: "key"},
        {"at": datetime(2026, 5, 4, tzinfo=UTC)},
        {"x": float("nan")},
        [float("inf")],
        timedelta(1),
        {1, 2},
        object(),
    ],
)
def test_value_without_a_form_is_refused(value):
    with pytest.raises(ValueError):
        written(value)


def test_row_is_canonical_json_of_its_columns_without_null():
    row = canonical.row_bytes(table="cases_verdict", row_id=ID, fields={"z": None, "b": 2, "a": "é"})
    assert row == f'{{"fields":{{"a":"é","b":2}},"id":"{ID}","table":"cases_verdict","v":1}}'.encode()


def test_row_binds_to_personal_columns_by_a_commitment_alone():
    row = canonical.row_bytes(table="t", row_id=ID, fields={}, personal={"mail": "a@example.com", "n": None}, salt=SALT)
    commitment = hashlib.sha256(b"\x02" + SALT + b'{"mail":"a@example.com"}').digest()
    assert row == f'{{"fields":{{}},"id":"{ID}","personal":"{commitment.hex()}","table":"t","v":1}}'.encode()
    assert row == canonical.row_bytes_from_commitment(table="t", row_id=ID, fields={}, personal=commitment)
    assert commitment == canonical.personal_commitment(SALT, {"mail": "a@example.com", "n": None})


@pytest.mark.parametrize(("personal", "salt"), [({}, None), (None, SALT), ({}, SALT[:31]), ({}, b"")])
def test_personal_columns_without_a_whole_salt_are_refused(personal, salt):
    with pytest.raises(ValueError, match="salt"):
        canonical.row_bytes(table="t", row_id=ID, fields={}, personal=personal, salt=salt)


def entry(**changed):
    given = {
        "entry_id": ID,
        "at": datetime(2026, 5, 4, 10, tzinfo=UTC),
        "actor": "user:lead",
        "action": "case.opened",
        "about": "",
        "scope": None,
        "data": {},
        "salt": SALT,
        "row_count": 0,
        "rows_root": hashlib.sha256(b"").digest(),
    }
    return canonical.entry_bytes(**given | changed)


def test_entry_is_the_written_form():
    details = hashlib.sha256(b"\x02" + SALT + b'{"new":"open"}').hexdigest()
    nothing = hashlib.sha256(b"").hexdigest()
    expected = (
        f'{{"action":"case.opened","actor":"user:lead","at":"2026-05-04T10:00:00.000000Z","data":"{details}","id":"{ID}",'
        f'"object":"cases.case:{ID}","rows":{{"count":0,"root":"{nothing}"}},"scope":"{ID}","v":1}}'
    )
    assert entry(about=f"cases.case:{ID}", scope=ID, data={"new": "open"}) == expected.encode()
    assert b"scope" not in entry()


def test_published_numbers_have_their_published_form():
    """RFC 8785, appendix B."""
    published = {
        0x0000000000000000: "0",
        0x8000000000000000: "0",
        0x0000000000000001: "5e-324",
        0x7FEFFFFFFFFFFFFF: "1.7976931348623157e+308",
        0x4340000000000000: "9007199254740992",
        0xC340000000000000: "-9007199254740992",
        0x4430000000000000: "295147905179352830000",
        0x44B52D02C7E14AF5: "9.999999999999997e+22",
        0x44B52D02C7E14AF6: "1e+23",
        0x444B1AE4D6E2EF4E: "999999999999999700000",
        0x444B1AE4D6E2EF50: "1e+21",
        0x3EB0C6F7A0B5ED8C: "9.999999999999997e-7",
        0x3EB0C6F7A0B5ED8D: "0.000001",
        0x41B3DE4355555555: "333333333.3333333",
        0xBECBF647612F3696: "-0.0000033333333333333333",
    }
    for bits, text in published.items():
        double = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
        assert canonical.canonical_json(double).decode() == text


def test_keys_are_ordered_by_utf_16_units():
    assert canonical.canonical_json({"\ufb33": 1, "\U0001f600": 2, "\u00f6": 3}) == '{"ö":3,"😀":2,"\ufb33":1}'.encode()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
doubles = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(st.integers(-(2**53) + 1, 2**53 - 1), doubles)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
columns = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.binary(max_size=20),
    st.decimals(),
    st.dictionaries(texts, json_values, max_size=4),
    st.lists(json_values, max_size=4),
)


def as_jsonb_gives_it_back(value):
    """What a jsonb column does to a value: numbers become exact decimals, keys lose their order."""
    if isinstance(value, float):
        exact = Decimal(repr(value))
        return int(exact) if exact == exact.to_integral_value() and abs(exact) >= 10**16 else float(exact)
    if isinstance(value, list):
        return [as_jsonb_gives_it_back(item) for item in value]
    if isinstance(value, dict):
        return {key: as_jsonb_gives_it_back(item) for key, item in sorted(value.items(), reverse=True)}
    return value


@given(json_values)
def test_json_value_stored_and_read_back_keeps_its_bytes(value):
    assert canonical.canonical_json(as_jsonb_gives_it_back(value)) == canonical.canonical_json(value)


@given(json_values)
def test_canonical_json_read_and_written_again_is_the_same(value):
    once = canonical.canonical_json(value)
    assert canonical.canonical_json(json.loads(once)) == once


@given(st.dictionaries(texts, st.none() | columns, max_size=5))
def test_row_read_and_written_again_is_the_same(fields):
    once = canonical.row_bytes(table="t", row_id=ID, fields=fields)
    assert canonical.canonical_json(json.loads(once)) == once
    assert json.loads(once)["fields"].keys() == {name for name, value in fields.items() if value is not None}


def normal(value):
    """Equal exactly when two JSON values mean the same: JSON knows numbers, not kinds of them."""
    if isinstance(value, bool) or value is None:
        return (type(value).__name__, value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, list):
        return ("list", [normal(item) for item in value])
    if isinstance(value, dict):
        return ("object", sorted((key, normal(item)) for key, item in value.items()))
    return ("text", value)


@given(json_values, json_values)
def test_json_values_that_differ_give_different_bytes(one, other):
    same = canonical.canonical_json(one) == canonical.canonical_json(other)
    assert same == (normal(one) == normal(other))


@given(st.data())
def test_columns_of_one_kind_that_differ_give_different_bytes(data):
    kinds = [texts, st.integers(-(2**63), 2**63 - 1), doubles, st.binary(), st.uuids(), st.dates()]
    kinds += [st.datetimes(timezones=st.just(UTC)), st.decimals(allow_nan=False, places=4), st.lists(texts)]
    kind = data.draw(st.sampled_from(kinds))
    one, other = data.draw(kind), data.draw(kind)
    assume(one != other)
    assert written(one) != written(other)


def test_integer_too_long_for_a_double_is_its_digits():
    assert canonical.canonical_json([2**53 + 1, 10**16, 10**300, 10**400]) == (
        f'["9007199254740993",10000000000000000,1e+300,"{10**400}"]'.encode()
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | TEXTS | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, JSON, max_size=5))
def test_commitment_is_over_the_librarys_canonical_json(value):
    expected = hashlib.sha256(b"\x02" + SALT + canonical.canonical_json(value)).digest()
    assert canonical.commitment(SALT, value) == expected


@given(TEXTS, TEXTS, st.integers(0, 2**40), JSON)
def test_row_and_entry_bytes_are_what_the_library_writes_of_them(one, other, number, value):
    fields = {
        "b_text": one,
        "a_number": number,
        "c": other,
        "at": datetime(2026, 5, 4, tzinfo=UTC),
        "j": value,
        "n": None,
    }
    shown = {"b_text": one, "a_number": number, "c": other, "at": "2026-05-04T00:00:00.000000Z"}
    if value is not None:
        shown["j"] = value
    body = {"fields": shown, "id": str(ID), "table": "t", "v": 1}
    if not isinstance(value, float | int) or isinstance(value, bool):
        assert canonical.row_bytes(table="t", row_id=ID, fields=fields) == canonical.canonical_json(body)
    entry = canonical.entry_bytes(
        entry_id=ID,
        at=datetime(2026, 5, 4, tzinfo=UTC),
        actor=one,
        action=other,
        about=one,
        scope=ID if number % 2 else None,
        data={},
        salt=SALT,
        row_count=number,
        rows_root=SALT,
    )
    expected = {
        "action": other,
        "actor": one,
        "at": "2026-05-04T00:00:00.000000Z",
        "data": canonical.commitment(SALT, {}).hex(),
        "id": str(ID),
        "object": one,
        "rows": {"count": number, "root": SALT.hex()},
        "v": 1,
        **({"scope": str(ID)} if number % 2 else {}),
    }
    assert entry == canonical.canonical_json(expected)


NAMES = st.text(max_size=3) | st.sampled_from(["a", "b", "title", "\uffff", "\U00010000", "\ud800"])
ODD = st.sampled_from([Colour.CALM, memoryview(b"ab"), bytearray(b"c"), "\ud800", -0.0, 1e16, 1.0, 2**53, 10**30])
AWRY = st.datetimes() | st.datetimes(timezones=st.timezones()) | st.just(object())


def outcome(make):
    try:
        return make()
    except (ValueError, TypeError) as refused:
        return type(refused)


@given(st.dictionaries(NAMES, st.tuples(st.none() | columns | ODD | AWRY, st.booleans()), max_size=6), st.booleans())
def test_form_of_many_rows_writes_each_as_it_is_written_alone(row, salted):
    values = [value for value, _ in row.values()]
    fields = {name: value for name, (value, hidden) in row.items() if not hidden}
    personal = {name: value for name, (value, hidden) in row.items() if hidden}
    salt = SALT if salted else None
    form = canonical.row_form("t", list(row), personal.keys())
    alone = outcome(
        lambda: canonical.row_bytes(
            table="t", row_id=ID, fields=fields, personal=personal if personal or salted else None, salt=salt
        )
    )
    if salted and not personal:  # such a table has no salts
        alone = ValueError
    assert outcome(lambda: form(ID, salt, values)) == alone
