"""The quick schema says what the exact one says, or nothing; and nearly always it says it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection import quick_schema
from detection.finding_schema import NativeFinding, check
from detection.stated import Stated, stated
from tests.detection.samples import DETECTOR, finding


def quickly(document: Any, detector: str = DETECTOR) -> Stated | None:
    found = quick_schema.check(document, detector=detector)
    return None if found is None else stated(found, quick_schema.moment)


def exactly(document: Any, detector: str = DETECTOR) -> Stated | None:
    found = check(document, detector=detector)
    return None if isinstance(found, list) else stated(found, lambda time: time)


TIMES = st.sampled_from(
    [
        *("2026-05-04T00:00:00Z", "2026-05-05t01:02:03.5z", "2026-05-04T23:59:59.1234567+02:00"),
        *("2016-12-31T23:59:60Z", "2016-12-31T22:59:60Z", "2016-12-31T23:59:60.5-00:00", "2026-05-04 00:00:00Z"),
        *("2026-05-04T00:00:00", "2026-05-04", "2026-05-04T24:00:00Z", "0001-01-01T00:00:00+14:00"),
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-01:00", "2026-02-30T00:00:00Z"),
        *("2026-05-04T00:00:00+0200", "2026-05-04T00:00Z", "2026-W19-1T00:00:00Z", "2026-05-04T00:00:00,5Z"),
        *("２026-05-04T00:00:00Z", "", "now", "2026-05-04T00:00:00Z ", "2026-05-04T00:00:00.Z"),
    ]
)
NUMBERS = st.sampled_from([0, 1, 7, -1, 2**31 - 1, 2**31, 2**53 - 1, 0.5, 1.0, 100.0, -0.0, 1.5, True, False, "1"])
TEXTS = st.text(max_size=3) | st.sampled_from(
    [
        *("a", "x-own", "x-", "x-Own", "x-a\n", "ip", "ip ", "shared_attribute", "high", "RED", "AMBER+STRICT", "red"),
        *("a\x7fb", "a\x85b", "a\x1bb", "a\u00adb", "a\u200bb", "\u2028", "\U0001f600", "a\nb", DETECTOR, "ab" * 32),
        *("AB" * 32, "ab" * 32 + "\n", "x" * 40, "x" * 41, "x" * 60, "x-" + "a" * 58, "x-" + "a" * 59, "x" * 61),
        *("x" * 120, "x" * 121, "é" * 200, "é" * 201, "\U0001f600" * 200, "x" * 300, "x" * 301, "x" * 500, "x" * 501),
    ]
)
VALUES = (
    st.none()
    | TIMES
    | NUMBERS
    | TEXTS
    | st.sampled_from([[], {}, [[]], [{}], ["a", "b"], [None], ["x" * 61], {"a": [1.5, None]}, {"exchanges": 2}])
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, item in inner for place in places(item, (*path, key))]


def whole() -> dict[str, Any]:
    """A finding that has every field somewhere."""
    document = finding()
    document["accounts"][0] |= {
        "input_tokens": 5,
        "output_tokens": 6,
        "first_seen": "2026-05-01T00:00:00Z",
        "last_seen": "2026-05-04T10:00:00+02:00",
    }
    document["accounts"][0]["attributes"][0] |= {"last_seen": "2026-05-06T00:00:00Z"}
    document["accounts"][0]["attributes"].append({"type": "ip", "value": "203.0.113.7", "count": 3})
    return document | {
        "summary": "",
        "observed_at": "2026-05-05T01:00:00Z",
        "support": {"exchanges": 3, "false_positive_rate": 0, "measured_on": "2026"},
        "evidence": [{"kind": "rows", "uri": "u", "query": "q", "rows": 4, "sha256": "AB" * 32}, {}],
        "reproduction": {"command": ["x"], "n": 1},
        "techniques": ["AML.T0024.002"],
        "innocent_explanations": ["course exercise"],
        "tlp": "AMBER",
    }


PLACES = places(whole())


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | st.just(...)), max_size=3))
def test_any_change_of_any_field_is_judged_as_by_the_exact_schema(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = whole()
    for path, value in changes:
        holder: Any = document
        try:
            for step in path[:-1]:
                holder = holder[step]
            if value is ...:
                del holder[path[-1]]
            else:
                holder[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took its place away
    quick = quickly(document)
    assert quick is None or quick == exactly(document)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: "/".join(map(str, path)))
def test_each_field_with_each_value_is_judged_as_by_the_exact_schema(path: tuple[Any, ...]) -> None:
    @settings(max_examples=60, deadline=None)
    @given(VALUES)
    def one_changed(value: Any) -> None:
        test_any_change_of_any_field_is_judged_as_by_the_exact_schema.hypothesis.inner_test([(path, value)])

    one_changed()


@pytest.mark.parametrize("name", ["other", "", "a" * 121, "a\x85b", "é"])
def test_only_the_senders_own_name_is_accepted(name: str) -> None:
    document = finding() | {"detector": {"name": name, "version": "1"}}
    for sender in (name, DETECTOR):
        quick = quickly(document, sender)
        assert quick is None or quick == exactly(document, sender)


@pytest.mark.parametrize("document", [7, None, [], "", True, 1.5, {}, [finding()]])
def test_what_is_no_finding_is_left_to_the_exact_schema(document: Any) -> None:
    assert quickly(document) is None


def test_account_that_stands_twice_is_left_to_the_exact_schema() -> None:
    assert quickly(finding(accounts=[{"id": "a"}, {"id": "b"}, {"id": "a"}])) is None


@pytest.mark.parametrize("document", [finding(), whole(), finding(signal="x-mine", version=7, title="Zoë \U0001f600")])
def test_ordinary_findings_are_judged_quickly(document: dict[str, Any]) -> None:
    quick = quickly(json.loads(json.dumps(document)))
    assert quick is not None and quick == exactly(document)


def test_both_schemas_have_the_same_fields() -> None:
    def fields(exact: Any) -> set[str]:
        return set(exact.model_fields)

    from detection import finding_schema

    assert set(quick_schema.Finding.__struct_fields__) == fields(NativeFinding)
    for name in ("StatedBy", "Span", "SeenAttribute", "SeenAccount", "Support", "EvidenceReference"):
        quick = getattr(quick_schema, name)
        assert set(quick.__struct_fields__) == fields(getattr(finding_schema, name))
