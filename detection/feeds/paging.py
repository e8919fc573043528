"""Where the next page of an HTTP source is: by number, by a cursor in the answer, by a Link header, by a moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from detection.feeds.base import Broken, Cursor, moment, moves, stamp_of
from detection.feeds.links import next_of
from detection.feeds.slices import slice_at
from detection.streams import BrokenStream, Line
from spine import strict_json
from spine.outgoing import Answer

if TYPE_CHECKING:
    from detection.feeds.http import HttpSettings

SAME_PAGE = "the same page came again: the source does not follow its own pagination"
UNORDERED = "its rows are not in the order of their times: nothing behind this page was read"
ONE_TIME = "a whole page has one and the same time: ask for larger pages"
# What in a cursor says where in a walk one is; the rest is about walks as a whole.
POSITIONS = {"page", "next", "url", "at"}


@dataclass(frozen=True)
class Came:
    """A page that came, with what was asked for it."""

    settings: "HttpSettings"
    cursor: Cursor
    rows: list[Line]
    times: list[datetime | None]
    answer: Answer
    url: str
    same_place: Callable[[str], str]


@dataclass(frozen=True)
class Step:
    """The next position, None at the walk's end; `stay` is where a source that only grows will have more."""

    position: Cursor | None
    stay: Cursor = field(default_factory=dict)
    trouble: str = ""


def by_nothing(came: Came) -> Step:
    """There is one page."""
    return Step(None)


def by_page(came: Came) -> Step:
    """Until a page is empty, or shorter than asked for."""
    page = int(came.cursor.get("page", came.settings.first_page))
    if came.rows and len(came.rows) >= came.settings.page_size:
        return Step({"page": page + 1})
    kept = page if came.rows else max(came.settings.first_page, page - 1)  # the last one with rows may get more
    return Step(None, {"page": kept})


def by_cursor(came: Came) -> Step:
    """Until the answer has no next cursor, or no rows."""
    here: Cursor = {name: came.cursor[name] for name in ("next", "url") if name in came.cursor}
    following = _next_cursor(came)
    if following in (None, "", False):
        return Step(None, here)
    if not isinstance(following, str | int) or len(str(following)) > 2000:
        raise Broken("the next cursor is neither a text nor a number")
    if str(following).startswith(("http://", "https://")):
        return _to(came, str(following))
    if not came.rows:  # it tells where it will go on
        return Step(None, {"next": str(following)})
    if str(following) == came.cursor.get("next"):
        raise Broken(SAME_PAGE)
    return Step({"next": str(following)})


def _next_cursor(came: Came) -> Any:
    try:
        part = slice_at(came.answer.body, came.settings.next_at) if came.answer.body.strip() else None
        return None if part is None else strict_json.loads(part)
    except (BrokenStream, strict_json.NotAccepted):
        raise Broken("the next cursor cannot be read") from None


def by_link(came: Came) -> Step:
    """Until there is no link with the relation next."""
    following = next_of(came.answer.headers.get("link", ""))
    return _to(came, urljoin(came.url, following)) if following else Step(None, {"url": came.url})


def _to(came: Came, following: str) -> Step:
    absolute = came.same_place(following)
    if absolute == came.url:
        raise Broken(SAME_PAGE)
    return Step({"url": absolute})


def by_since(came: Came) -> Step:
    """On from the newest moment of a full page; a page that is not full is the last one."""
    if len(came.rows) < came.settings.page_size:
        return Step(None)
    known = [one for one in came.times if one is not None]
    if known != sorted(known):
        return Step(None, trouble=UNORDERED)
    newest = next((one for one in reversed(known) if moves(one)), None)
    before = stored(came.cursor, "at") or stored(came.cursor, "since")
    overlap = timedelta(seconds=0 if "at" in came.cursor else came.settings.overlap_seconds)
    if newest is None or (before is not None and newest <= before - overlap):
        return Step(None, trouble=ONE_TIME)
    return Step({"at": stamp_of(newest)})


def stored(cursor: Cursor, name: str) -> datetime | None:
    """A moment that a cursor has."""
    return moment(cursor[name]) if cursor.get(name) else None


PAGING: dict[str, Callable[[Came], Step]] = {
    "none": by_nothing,
    "page": by_page,
    "cursor": by_cursor,
    "link": by_link,
    "since": by_since,
}
