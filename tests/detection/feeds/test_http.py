"""HTTP feeds against a server that misbehaves on purpose: nothing is lost, nothing runs on, everything is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detection.feeds import FEEDS
from detection.feeds.base import Broken, Opening, Window
from detection.feeds.paging import ONE_TIME, SAME_PAGE, UNORDERED
from spine.outgoing import NoAnswer, NotAllowed
from tests.detection.feeds.reading import opening, uids, walk
from tests.lying_server import Lying

MAY = datetime(2026, 5, 4, tzinfo=UTC)


def items(count: int, start: int = 0) -> list[dict[str, Any]]:
    moments = [MAY + timedelta(minutes=n) for n in range(start, start + count)]
    return [
        {"uid": f"f-{n}", "updated_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")} for n, at in enumerate(moments, start=start)
    ]


def names(count: int, start: int = 0) -> list[str]:
    return [f"f-{n}" for n in range(start, start + count)]


PAGE = {"items": "/data", "paging": "page", "page_parameter": "page"}
CURSOR = {"items": "/data", "paging": "cursor", "page_parameter": "cursor", "next_at": "/meta/next"}
LINK = {"paging": "link"}
SINCE = {
    "paging": "since",
    "since_parameter": "since",
    "since_at": "/updated_at",
    "size_parameter": "limit",
    "page_size": 3,
    "until_parameter": "until",
}
KINDS = {"page": PAGE, "cursor": CURSOR, "link": LINK, "since": SINCE}


def of(lying: Lying, kind: str, **given: Any) -> Opening:
    own = {name: given.pop(name) for name in ("window", "secret", "reach") if name in given}
    return opening("http", lying.url, **own, **{**KINDS[kind], "url": f"{lying.url}/{kind}", **given})


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_comes_through_every_kind_of_pages(kind: str, lying: Lying) -> None:
    lying.control(items=items(10))
    assert set(uids(walk("http", of(lying, kind)))) == set(names(10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["any", "oldest_first"])
def test_next_walk_finds_what_is_new_and_a_walk_goes_on_where_one_was_cut(kind: str, order: str, lying: Lying) -> None:
    lying.control(items=items(10))
    opened = of(lying, kind, order=order)
    begun = walk("http", opened, most=2)
    rest = walk("http", opened, begun[-1].cursor)
    assert set(uids(begun) + uids(rest)) == set(names(10))
    lying.control(items=items(14))
    assert set(names(4, 10)) <= set(uids(walk("http", opened, rest[-1].cursor)))


def test_oldest_first_goes_on_at_the_last_page_and_newest_first_stops_at_what_it_knows(lying: Lying) -> None:
    lying.control(items=items(30))
    old, new = of(lying, "page", order="oldest_first"), of(lying, "page", order="newest_first")
    first = walk("http", old)
    lying.control(items=items(31))
    assert uids(walk("http", old, first[-1].cursor)) == ["f-27", "f-28", "f-29", "f-30"]
    lying.control(items=items(30), newest_first=True)
    first = walk("http", new)
    lying.control(items=items(32))
    pages = walk("http", new, first[-1].cursor)
    assert (uids(pages), len(pages)) == (["f-31", "f-30", "f-29"], 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mood", "says"),
    [
        ("500", "it answers with status 500"),
        ("401", r"it refuses the credentials \(status 401\)"),
        ("redirect", "it answers with a redirect, which is not followed"),
        ("garbage", "the answer is not JSON"),
        ("truncated", "the answer ends too early"),
        ("cut", "the answer ends too early"),
        ("slow", "it takes too long"),
        ("bomb", "it is longer than"),
        ("big", "it is longer than"),
    ],
)
def test_bad_answer_ends_the_pull_with_a_reason_and_moves_nothing(
    mood: str, says: str, kind: str, lying: Lying
) -> None:
    lying.control(items=items(10))
    opened = of(lying, kind, reach={"seconds": 1.5, "page_bytes": 1_000_000})
    begun = walk("http", opened, most=1)
    lying.control(mood=mood, times=1, elsewhere=f"{lying.url}/page")
    with pytest.raises((Broken, NoAnswer), match=says):
        walk("http", opened, begun[-1].cursor)
    again = walk("http", opened, begun[-1].cursor)
    assert set(uids(begun) + uids(again)) == set(names(10))


def test_too_many_requests_says_how_long_to_wait(lying: Lying) -> None:
    lying.control(items=items(3), mood="429")
    with pytest.raises(Broken, match="come less often") as told:
        walk("http", of(lying, "page"))
    assert told.value.wait == 120


def test_giver_of_tokens_that_asks_to_wait_is_told_with_how_long(lying: Lying) -> None:
    lying.control(items=items(3), mood="429", where="/token")
    oauth = {"auth": "oauth2", "username": "us", "token_url": f"{lying.url}/token"}
    with pytest.raises(Broken, match="the token was not granted") as told:
        walk("http", of(lying, "page", secret="s", **oauth))
    assert (told.value.wait, len(lying.asked())) == (120, 1)


@pytest.mark.parametrize("kind", ["page", "cursor"])
def test_page_that_comes_again_ends_the_walk(kind: str, lying: Lying) -> None:
    lying.control(items=items(10), mood="repeat")
    with pytest.raises(Broken, match=SAME_PAGE):
        walk("http", of(lying, kind))


@pytest.mark.parametrize("kind", ["page", "cursor"])
def test_pages_without_end_are_taken_one_by_one_with_a_cursor_behind_each(kind: str, lying: Lying) -> None:
    lying.control(items=items(1), mood="endless")
    pages = walk("http", of(lying, kind), most=20)
    assert (len(pages), len(set(uids(pages))), pages[-1].more) == (20, 60, True)
    assert pages[-1].cursor != pages[-2].cursor


def test_changed_order_loses_nothing_where_every_walk_reads_everything(lying: Lying) -> None:
    lying.control(items=items(10))
    opened = of(lying, "page")
    first = walk("http", opened)
    lying.control(items=items(12), mood="changed order")
    assert set(uids(walk("http", opened, first[-1].cursor))) == set(names(12))


def test_changed_order_of_moments_is_told_and_does_not_lead_the_cursor_past_anything(lying: Lying) -> None:
    lying.control(items=items(10), mood="changed order")
    pages = walk("http", of(lying, "since"))
    assert (pages[-1].trouble, pages[-1].cursor, len(pages)) == (UNORDERED, {}, 1)
    lying.control(mood="")
    assert set(uids(walk("http", of(lying, "since"), pages[-1].cursor))) == set(names(10))


def test_page_full_of_one_moment_is_told(lying: Lying) -> None:
    same = [{**one, "updated_at": "2026-05-04T00:00:00Z"} for one in items(9)]
    lying.control(items=same)
    assert walk("http", of(lying, "since"))[-1].trouble == ONE_TIME


def test_moment_of_the_future_moves_no_cursor(lying: Lying) -> None:
    lying.control(items=[*items(2), {"uid": "late", "updated_at": "9999-01-01T00:00:00Z"}])
    opened = of(lying, "since", page_size=10, until_parameter="")
    first = walk("http", opened)
    assert uids(first) == ["f-0", "f-1", "late"]
    lying.control(items=items(4))
    assert {"f-2", "f-3"} <= set(uids(walk("http", opened, first[-1].cursor)))


def test_late_row_within_the_overlap_is_found(lying: Lying) -> None:
    lying.control(items=items(5))
    opened = of(lying, "since", overlap_seconds=600)
    first = walk("http", opened)
    lying.control(items=[*items(5), {"uid": "late", "updated_at": "2026-05-04T00:01:30Z"}])
    assert "late" in uids(walk("http", opened, first[-1].cursor))


def test_window_of_the_past_is_asked_for_alone(lying: Lying) -> None:
    lying.control(items=items(10))
    window = Window(MAY + timedelta(minutes=2), MAY + timedelta(minutes=6))
    assert uids(walk("http", of(lying, "since", window=window, page_size=10))) == ["f-2", "f-3", "f-4", "f-5"]
    without = of(lying, "since", window=window, until_parameter="")
    assert sorted(set(uids(walk("http", without)))) == ["f-2", "f-3", "f-4", "f-5"]


def test_next_page_at_another_place_is_not_followed(lying: Lying) -> None:
    lying.control(items=items(10), mood="link elsewhere", elsewhere="http://127.0.0.1:1/link")
    with pytest.raises((Broken, NotAllowed)):
        walk("http", of(lying, "link"))
    assert len(lying.asked()) == 1


AUTHS = {
    "bearer": ({"auth": "bearer"}, ("Authorization", "Bearer s3cret")),
    "basic": ({"auth": "basic", "username": "us"}, ("Authorization", "Basic dXM6czNjcmV0")),
    "header": ({"auth": "header", "auth_header": "X-Api-Key"}, ("X-Api-Key", "s3cret")),
    "oauth2": ({"auth": "oauth2", "username": "us", "scope": "read"}, ("Authorization", "Bearer granted")),
}


@pytest.mark.parametrize("auth", AUTHS)
def test_each_kind_of_credentials_opens_the_source(auth: str, lying: Lying) -> None:
    given, header = AUTHS[auth]
    lying.control(items=items(4), auth=header)
    token = {"token_url": f"{lying.url}/token"} if auth == "oauth2" else {}
    assert uids(walk("http", of(lying, "page", secret="s3cret", **given, **token))) == names(4)
    assert not any("s3cret" in one["path"] for one in lying.asked())
    if auth == "oauth2":
        granted = lying.asked()[0]
        assert granted["body"] == "grant_type=client_credentials&scope=read"
        assert granted["headers"]["Authorization"] == "Basic dXM6czNjcmV0"


def test_token_that_ended_early_is_asked_for_once_more(lying: Lying) -> None:
    lying.control(items=items(2), mood="401", times=1)
    oauth = {"auth": "oauth2", "username": "us", "token_url": f"{lying.url}/token"}
    assert uids(walk("http", of(lying, "page", secret="s", **oauth))) == names(2)


def test_array_at_a_place_keeps_each_items_exact_bytes(lying: Lying) -> None:
    lying.control(raw='{"a": [1, {"data": 2}], "data" : [ {"uid": "x",  "n": 1e2} , {"uid":"y"} ], "data": 1}')
    pages = walk("http", opening("http", lying.url, url=f"{lying.url}/raw", items="/data"))
    assert pages[0].rows == (b'{"uid": "x",  "n": 1e2}', b'{"uid":"y"}')


@pytest.mark.parametrize("raw", ["", "[]", '{"data": []}', '{"data": null}', "\n\n"])
def test_empty_answer_is_no_row(raw: str, lying: Lying) -> None:
    lying.control(raw=raw)
    given = {"items": "/data"} if "data" in raw else {}
    assert walk("http", opening("http", lying.url, url=f"{lying.url}/raw", **given))[0].rows == ()


def test_place_that_is_not_in_the_answer_is_told(lying: Lying) -> None:
    lying.control(raw='{"result": []}')
    with pytest.raises(Broken, match="nothing stands at /data"):
        walk("http", opening("http", lying.url, url=f"{lying.url}/raw", items="/data"))


def test_secret_is_bound_to_where_it_is_sent() -> None:
    place = FEEDS["http"].place
    one = opening("http", url="https://a.example.com/x", auth="bearer").settings
    assert place(one) == place(opening("http", url="https://A.example.com/other", auth="bearer").settings)
    assert place(one) != place(opening("http", url="https://b.example.com/x", auth="bearer").settings)
