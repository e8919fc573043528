"""Rows become findings field by field; what cannot become one is said, never guessed."""

import json
from typing import Any

import pytest

from detection.feeds.base import checked
from detection.feeds.folder import FolderSettings
from detection.feeds.http import HttpSettings
from detection.feeds.links import next_of
from detection.feeds.mapping import RowMapping, mapped
from detection.feeds.s3 import S3Settings
from detection.feeds.slices import slice_at
from detection.finding_schema import NativeFinding, check
from detection.streams import BrokenStream, Unreadable

RULES: dict[str, Any] = {
    "/uid": {"from": "/id"},
    "/detector/version": {"value": "1.0"},
    "/signal": {"value": "x-heuristic"},
    "/title": {"from": "/name", "value": "No name"},
    "/score": {"from": "/risk", "divide": 100.0},
    "/window/start": {"from": "/from"},
    "/window/end": {"from": "/to"},
}
ROW: dict[str, Any] = {
    "id": 17,
    "name": "Burst",
    "risk": "85",
    "from": "2026-05-04 00:00:00+00",
    "to": 1777939200000,
    "user": "acct_1",
    "ip": "203.0.113.7",
    "users": [{"id": "u1", "n": "3", "ips": ["203.0.113.1", "203.0.113.2"]}, {"id": "u2", "ips": []}, {"n": 1}],
}


def put_together(rules: dict[str, Any], row: dict[str, Any] | bytes) -> Any:
    found = checked(RowMapping, {"as": "mapped", "fields": {**RULES, **rules}})
    assert isinstance(found, RowMapping), found
    line = mapped(row if isinstance(row, bytes) else json.dumps(row).encode(), found, detector="heuristics")
    return line if isinstance(line, Unreadable) else json.loads(line)


def test_row_with_one_account_becomes_a_finding_and_stays_in_it() -> None:
    document = put_together(
        {
            "/accounts/0/id": {"from": "/user"},
            "/accounts/0/attributes/0/type": {"value": "ip"},
            "/accounts/0/attributes/0/value": {"from": "/ip"},
            "/accounts/0/attributes/1/type": {"value": "ja4"},
            "/accounts/0/attributes/1/value": {"from": "/ja4"},
        },
        ROW,
    )
    assert document == {
        "uid": "17",
        "detector": {"name": "heuristics", "version": "1.0"},
        "signal": "x-heuristic",
        "title": "Burst",
        "score": 0.85,
        "window": {"start": "2026-05-04T00:00:00.000000Z", "end": "2026-05-05T00:00:00.000000Z"},
        "accounts": [{"id": "acct_1", "attributes": [{"type": "ip", "value": "203.0.113.7"}]}],
        "source_row": ROW,
    }
    assert isinstance(check(document, detector="heuristics"), NativeFinding)


def test_star_makes_one_account_for_each_element_of_the_rows_array() -> None:
    document = put_together(
        {
            "/accounts/*/id": {"from": "/users/*/id"},
            "/accounts/*/exchanges": {"from": "/users/*/n"},
            "/accounts/*/attributes/*/type": {"value": "ip"},
            "/accounts/*/attributes/*/value": {"from": "/users/*/ips/*"},
        },
        ROW,
    )
    assert [one["id"] for one in document["accounts"]] == ["u1", "u2"]
    assert document["accounts"][0]["exchanges"] == 3
    assert [one["value"] for one in document["accounts"][0]["attributes"]] == ["203.0.113.1", "203.0.113.2"]


def test_constant_and_value_of_the_row_go_into_every_element_that_others_make() -> None:
    document = put_together(
        {
            "/accounts/*/attributes/0/type": {"value": "ip"},
            "/accounts/*/attributes/0/value": {"from": "/ip"},
            "/accounts/*/attributes/*/type": {"value": "ip"},
            "/accounts/*/attributes/*/value": {"from": "/users/*/ips/*"},
            "/accounts/*/exchanges": {"from": "/users/*/n", "value": 1},
            "/accounts/*/id": {"from": "/users/*/id"},
        },
        ROW,
    )
    assert document["accounts"] == [
        {
            "id": "u1",
            "exchanges": 3,
            "attributes": [{"type": "ip", "value": "203.0.113.7"}, {"type": "ip", "value": "203.0.113.2"}],
        },
        {"id": "u2", "exchanges": 1, "attributes": [{"type": "ip", "value": "203.0.113.7"}]},
    ]


def test_constant_under_a_star_that_nothing_else_fills_makes_one_element() -> None:
    document = put_together({"/accounts/*/id": {"value": "acct_1"}}, ROW)
    assert document["accounts"] == [{"id": "acct_1"}]


def test_uid_that_is_not_mapped_is_the_rows_digest() -> None:
    rules = {name: rule for name, rule in RULES.items() if name != "/uid"}
    found = checked(RowMapping, {"as": "mapped", "fields": rules})
    assert isinstance(found, RowMapping)
    one, same, other = (
        json.loads(mapped(row, found, detector="d"))  # type: ignore[arg-type]
        for row in (b'{"a": 1, "b": 2}', b'{"b":2,"a":1}', b'{"a": 1}')
    )
    assert one["uid"] == same["uid"] != other["uid"]


def test_missing_value_takes_the_constant_and_an_odd_one_stays_to_be_refused() -> None:
    document = put_together({"/accounts/0/id": {"from": "/user"}}, {"risk": "high", "user": "u", "from": "yesterday"})
    assert (document["title"], document["score"], document["window"]) == ("No name", "high", {"start": "yesterday"})
    assert {one.pointer for one in check(document, detector="heuristics")} >= {"/score", "/window/start"}  # type: ignore[union-attr]


@pytest.mark.parametrize("row", [b"not json", b"[1]", b'"x"', b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}'])
def test_row_that_is_no_object_is_told(row: bytes) -> None:
    assert isinstance(put_together({}, row), Unreadable)


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"as": "sideways"}, "/as"),
        ({"as": "mapped", "fields": {"/nothing": {"value": 1}}}, "/fields"),
        ({"as": "mapped", "fields": {"/uid": {}}}, "/fields"),
        ({"as": "mapped", "fields": {"/uid": {"from": "no pointer"}}}, "/fields/~1uid/from"),
        ({"as": "mapped", "fields": {"/title": {"from": "/a/*/b"}}}, "/fields"),
        ({"as": "mapped", "fields": {"/detector/name": {"value": "somebody"}}}, "/fields"),
        ({"as": "mapped", "fields": {"/score": {"from": "/a", "divide": 0.0}}}, "/fields/~1score/divide"),
        ({"more": 1}, "/more"),
    ],
)
def test_mapping_that_cannot_be_used_is_told_with_its_place(given: dict[str, Any], pointer: str) -> None:
    found = checked(RowMapping, given)
    assert isinstance(found, list)
    assert [one.pointer for one in found] == [pointer]


def test_rows_that_are_findings_keep_their_bytes() -> None:
    found = checked(RowMapping, {"as": "ocsf"})
    assert isinstance(found, RowMapping)
    assert mapped(b'{"x":  1e2}', found, detector="d") == b'{"x":  1e2}'


@pytest.mark.parametrize(
    ("document", "pointer", "slice_"),
    [
        (b'{"a":{"b" : [1, 2] }}', "/a/b", b"[1, 2]"),
        (b'{"a/b": {"~": 1e2}}', "/a~1b/~0", b"1e2"),
        (b' {"a": "\\"}", "b": 2}', "/b", b"2"),
        (b'{"a": 1}', "/b", None),
        (b"[1]", "/a", None),
        (b'{"a": null}', "/a", b"null"),
        (b" 1 ", "", b"1"),
    ],
)
def test_part_of_a_document_is_given_byte_for_byte(document: bytes, pointer: str, slice_: bytes | None) -> None:
    assert slice_at(document, pointer) == slice_


@pytest.mark.parametrize("document", [b"{", b'{"a"', b'{"a":', b'{"b": 1', b"{1: 2}", b'{"a": }', b"\xff", b'{"b" 1}'])
def test_document_that_breaks_is_told(document: bytes) -> None:
    with pytest.raises(BrokenStream):
        slice_at(document, "/a")


def test_link_header_is_read_as_the_rule_says() -> None:
    assert next_of('<https://a/?p=1,2>; rel="prev", </b?x=1>; title="n"; rel="last next"') == "/b?x=1"
    assert next_of("</c>; rel=next") == "/c"
    for none in ("", "</c>; rel=nextish", "</c>", "rel=next", "<" * 50_000):
        assert next_of(none) == ""


@pytest.mark.parametrize(
    ("model", "given", "pointer", "detail"),
    [
        (S3Settings, {"endpoint": "https://s3.example", "bucket": "b"}, "/bucket", "3 to 63 small letters"),
        (S3Settings, {"endpoint": "https://s3.example", "bucket": "bucket", "region": "?"}, "/region", "1 to 40 small"),
        (HttpSettings, {"url": "https://a.example", "auth_header": "X_Api Key"}, "/auth_header", "at most 60 letters"),
        (FolderSettings, {"folder": "/drop", "pattern": "a/b"}, "/pattern", "a pattern for names of files"),
    ],
)
def test_setting_that_is_written_otherwise_is_told_what_is_accepted(
    model: Any, given: dict[str, Any], pointer: str, detail: str
) -> None:
    problems = checked(model, given)
    assert isinstance(problems, list)
    assert [(one.pointer, detail in one.detail) for one in problems] == [(pointer, True)]
