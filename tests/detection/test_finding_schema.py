"""Every bad field of a finding is named by a JSON Pointer; what the contract accepts is accepted."""

from datetime import UTC, datetime
from typing import Any

import pytest

from detection.finding_schema import ATTRIBUTE_TYPES, MOST_PROBLEMS, SIGNALS, NativeFinding, check, rfc3339
from tests.detection.samples import DETECTOR, finding


def pointers(**changes: Any) -> list[str]:
    outcome = check(finding(**changes), detector=DETECTOR)
    return [] if isinstance(outcome, NativeFinding) else [problem.pointer for problem in outcome]


def test_sample_is_accepted_with_its_unknown_fields() -> None:
    assert isinstance(check(finding(), detector=DETECTOR), NativeFinding)


@pytest.mark.parametrize("field", ["uid", "detector", "signal", "title", "score", "window", "accounts"])
def test_required_field_that_is_missing_is_named(field: str) -> None:
    document = finding()
    del document[field]
    outcome = check(document, detector=DETECTOR)
    assert isinstance(outcome, list)
    assert [(problem.pointer, problem.detail) for problem in outcome] == [(f"/{field}", "this field is required")]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"uid": ""}, "/uid"),
        ({"uid": "x" * 201}, "/uid"),
        ({"uid": "a\x1bb"}, "/uid"),
        ({"uid": 7}, "/uid"),
        ({"version": 0}, "/version"),
        ({"version": 1.5}, "/version"),
        ({"version": True}, "/version"),
        ({"version": 2**31}, "/version"),
        ({"detector": {"name": DETECTOR}}, "/detector/version"),
        ({"detector": {"name": DETECTOR, "version": "1", "config_sha256": "zz"}}, "/detector/config_sha256"),
        ({"detector": {"name": "other", "version": "1"}}, "/detector/name"),
        ({"signal": "made_up"}, "/signal"),
        ({"signal": "x-" + "a" * 60}, "/signal"),
        ({"title": ""}, "/title"),
        ({"title": None}, "/title"),
        ({"score": -0.1}, "/score"),
        ({"score": 1.01}, "/score"),
        ({"score": "0.5"}, "/score"),
        ({"confidence": "medium"}, "/confidence"),
        ({"tlp": "PURPLE"}, "/tlp"),
        ({"window": {"start": "2026-05-04"}}, "/window/start"),
        ({"window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-03T23:59:59Z"}}, "/window/end"),
        ({"window": {"start": "0001-01-01T00:00:00+14:00", "end": "2026-05-04T00:00:00Z"}}, "/window/start"),
        ({"window": {"start": "2026-05-04T00:00:00Z", "end": "9999-12-31T23:59:59-01:00"}}, "/window/end"),
        ({"observed_at": 1777777777}, "/observed_at"),
        ({"accounts": []}, "/accounts"),
        ({"accounts": [{"id": "a"}] * 10_001}, "/accounts"),
        ({"accounts": {}}, "/accounts"),
        ({"accounts": [{"id": "a"}, "b"]}, "/accounts/1"),
        ({"accounts": [{"id": "a"}, {"id": "b\x07"}]}, "/accounts/1/id"),
        ({"accounts": [{"id": "a"}, {"id": "b" * 201}]}, "/accounts/1/id"),
        ({"accounts": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, "/accounts/2/id"),
        ({"accounts": [{"id": "a", "exchanges": -1}]}, "/accounts/0/exchanges"),
        ({"accounts": [{"id": "a", "attributes": {}}]}, "/accounts/0/attributes"),
        ({"accounts": [{"id": "a", "attributes": [{"type": "shoe", "value": "1"}]}]}, "/accounts/0/attributes/0/type"),
        ({"accounts": [{"id": "a", "attributes": [{"type": "ip", "value": ""}]}]}, "/accounts/0/attributes/0/value"),
        ({"support": {"false_positive_rate": 2}}, "/support/false_positive_rate"),
        ({"evidence": [{"sha256": "no"}]}, "/evidence/0/sha256"),
        ({"techniques": "AML.T0024.002"}, "/techniques"),
    ],
)
def test_bad_value_is_named(changes: dict[str, Any], pointer: str) -> None:
    if changes.get("window", {}).keys() == {"start"}:
        changes["window"]["end"] = "2026-05-05T00:00:00Z"
    assert pointers(**changes) == [pointer]


def test_every_bad_field_is_named_at_once() -> None:
    assert pointers(score=2, title="", window={"start": 1, "end": 2}, accounts=[{"id": ""}]) == [
        "/title",
        "/score",
        "/window/start",
        "/window/end",
        "/accounts/0/id",
    ]


def test_problems_of_one_document_are_capped() -> None:
    assert len(pointers(accounts=[{} for _ in range(5000)])) == MOST_PROBLEMS


@pytest.mark.parametrize("document", [None, 7, "text", [], True])
def test_what_is_no_object_is_no_finding(document: Any) -> None:
    outcome = check(document, detector=DETECTOR)
    assert isinstance(outcome, list)
    assert [problem.pointer for problem in outcome] == [""]


@pytest.mark.parametrize("word", [*SIGNALS, "x-made.up_one"])
def test_signals_of_the_table_and_own_ones_are_accepted(word: str) -> None:
    assert pointers(signal=word) == []


@pytest.mark.parametrize("word", [*ATTRIBUTE_TYPES, "x-device"])
def test_attribute_types_of_the_table_and_own_ones_are_accepted(word: str) -> None:
    assert pointers(accounts=[{"id": "a", "attributes": [{"type": word, "value": "v"}]}]) == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-04T10:00:00Z", datetime(2026, 5, 4, 10, tzinfo=UTC)),
        ("2026-05-04t10:00:00.123456789z", datetime(2026, 5, 4, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-05-04T00:00:00+14:00", datetime(2026, 5, 3, 10, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T09:59:60.5+10:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_time_of_rfc_3339_is_read(text: str, moment: datetime) -> None:
    assert rfc3339(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04",
        "2026-05-04T10:00:00",
        "2026-05-04 10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-05-04T24:00:00Z",
        "2026-05-04T10:00:00+24:00",
        "2026-05-04T10:00:60Z",
        "9999-12-31T23:59:60Z",
        "２026-05-04T10:00:00Z",
        "2026-05-04T10:00:00Z\n",
        None,
    ],
)
def test_anything_else_is_no_time(text: Any) -> None:
    assert pointers(observed_at=text) == ([] if text is None else ["/observed_at"])
