"""HTTP APIs that give findings as JSON or NDJSON, page by page.

The state of a walk through the pages is its cursor alone. `since` is the newest moment a whole walk has seen: the next
walk asks from there, less the overlap, so that what arrives late or has the same moment is not passed over; findings
that come twice are known by their uid. Without it, `order` says where the next walk begins: `any` reads everything
again, `oldest_first` goes on at the last page, `newest_first` stops at the row that was newest before.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from detection import streams
from detection.feeds.base import (
    Broken,
    Cursor,
    Kind,
    Opening,
    Page,
    Plain,
    Pointer,
    Settings,
    at,
    fitting,
    moment,
    moves,
    stamp_of,
    wait_in,
    written,
)
from detection.feeds.paging import PAGING, POSITIONS, SAME_PAGE, Came, Step, stored
from detection.feeds.slices import slice_at
from detection.streams import BrokenStream, Line
from spine import strict_json
from spine.outgoing import Answer, Outgoing

MOST_ROWS = 100_000
HEADERS = "at most 60 letters, digits and hyphens are accepted"


class HttpSettings(Settings):
    """Settings of an HTTP feed."""

    url: Annotated[str, Field(min_length=1, max_length=1000)]
    body: Literal["auto", "json", "ndjson"] = "auto"
    items: Pointer = ""
    auth: Literal["none", "bearer", "basic", "header", "oauth2"] = "none"
    username: Plain = ""
    auth_header: Annotated[str, written(r"^[A-Za-z0-9-]{0,60}$", HEADERS)] = ""
    token_url: Annotated[str, Field(max_length=1000)] = ""
    scope: Plain = ""
    paging: Literal["none", "page", "cursor", "link", "since"] = "none"
    page_parameter: Plain = ""
    first_page: Annotated[int, Field(ge=0, le=1)] = 1
    order: Literal["any", "oldest_first", "newest_first"] = "any"
    next_at: Pointer = ""
    size_parameter: Plain = ""
    page_size: Annotated[int, Field(ge=0, le=10_000)] = 0
    since_parameter: Plain = ""
    until_parameter: Plain = ""
    since_at: Pointer = ""
    since_form: Literal["rfc3339", "seconds", "milliseconds"] = "rfc3339"
    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86400)] = 60

    @model_validator(mode="after")
    def _whole(self) -> "HttpSettings":
        needs = {
            "auth": {"basic": ["username"], "header": ["auth_header"], "oauth2": ["username", "token_url"]},
            "paging": {
                "page": ["page_parameter"],
                "cursor": ["page_parameter", "next_at"],
                "since": ["since_parameter", "since_at", "page_size"],
            },
        }
        for name, choices in needs.items():
            for needed in choices.get(getattr(self, name), []):
                if not getattr(self, needed):
                    raise PydanticCustomError("needed", f"{name} {getattr(self, name)} needs {needed}")
        if bool(self.since_parameter) != bool(self.since_at):
            raise PydanticCustomError("needed", "since_parameter and since_at are needed together")
        return self


@dataclass
class HttpSource:
    """One pull from an HTTP API."""

    settings: HttpSettings
    secret: str
    opening: Opening
    token: str = ""
    seen: set[str] = field(default_factory=set)
    pages: int = 0

    def fetch(self, cursor: Cursor) -> Page:
        """Ask for the page behind the cursor."""
        self.pages += 1
        url = self._address(cursor)
        answer = self._asked(url)
        rows = self._rows(answer)
        self._refuse_repetition(answer, rows)
        times = self._times(rows)
        high = max([t for t in times if moves(t) and t] + [stored(cursor, "high")], key=_or_least)
        kept = {**_without_position(cursor), **({"high": stamp_of(high)} if high else {})}
        digests = [_digest(row) for row in rows] if self.settings.order == "newest_first" else []
        if digests and not POSITIONS & cursor.keys():
            kept["newest"] = digests[0]
        step = PAGING[self.settings.paging](Came(self.settings, cursor, rows, times, answer, url, self._same_place))
        more = step.position is not None and kept.get("mark") not in digests and not self._past(step)
        following = {**kept, **(step.position or {})} if more else self._ended(kept, step)
        return Page(
            self._wanted(rows, times), following, more, f"page {self.pages}", reached=high, trouble=step.trouble
        )

    def _wanted(self, rows: list[Line], times: list[datetime | None]) -> tuple[Line, ...]:
        """In a window of the past, the rows of the window; a row without a moment is taken."""
        window = self.opening.window
        if window is None or not self.settings.since_at:
            return tuple(rows)
        inside = [t is None or window.start <= t < window.end for t in times]
        return tuple(row for row, wanted in zip(rows, inside, strict=True) if wanted)

    def _past(self, step: Step) -> bool:
        """Whether a walk by moments has left the window that was asked for."""
        window, at_moment = self.opening.window, stored(step.position or {}, "at")
        return window is not None and at_moment is not None and at_moment >= window.end

    # what is asked

    def _address(self, cursor: Cursor) -> str:
        if "url" in cursor:
            return str(cursor["url"])
        given: dict[str, str] = {}
        if self.settings.since_parameter:
            given |= self._moments(cursor)
        if self.settings.size_parameter and self.settings.page_size:
            given[self.settings.size_parameter] = str(self.settings.page_size)
        if self.settings.paging == "page":
            given[self.settings.page_parameter] = str(cursor.get("page", self.settings.first_page))
        elif self.settings.paging == "cursor" and cursor.get("next"):
            given[self.settings.page_parameter] = str(cursor["next"])
        return _with(self.settings.url, given)

    def _moments(self, cursor: Cursor) -> dict[str, str]:
        window, overlap = self.opening.window, timedelta(seconds=self.settings.overlap_seconds)
        since = stored(cursor, "since")
        start = stored(cursor, "at") or (since - overlap if since else window.start if window else None)
        given = {self.settings.since_parameter: self._said(start)} if start else {}
        if window and self.settings.until_parameter:
            given[self.settings.until_parameter] = self._said(window.end)
        return given

    def _said(self, value: datetime) -> str:
        if self.settings.since_form == "rfc3339":
            return stamp_of(value)
        seconds = value.timestamp()
        return str(int(seconds) if self.settings.since_form == "seconds" else int(seconds * 1000))

    def _asked(self, url: str) -> Answer:
        answer = self._sent(url)
        if answer.status == 401 and self.settings.auth == "oauth2":  # a token that ended sooner than it said
            self.token = ""
            answer = self._sent(url)
        if answer.status not in {200, 204}:
            raise _refused(answer)
        return answer

    def _sent(self, url: str) -> Answer:
        reach = self.opening.reach
        headers = {"Accept": "application/json, application/x-ndjson", **self._credentials()}
        return reach.outgoing.send("GET", url, headers=headers, largest=reach.page_bytes, seconds=reach.seconds)

    def _credentials(self) -> dict[str, str]:
        if self.settings.auth == "bearer":
            return {"Authorization": f"Bearer {self.secret}"}
        if self.settings.auth == "basic":
            return {"Authorization": _basic(self.settings.username, self.secret)}
        if self.settings.auth == "header":
            return {self.settings.auth_header: self.secret}
        if self.settings.auth == "oauth2":
            self.token = self.token or self._granted()
            return {"Authorization": f"Bearer {self.token}"}
        return {}

    def _granted(self) -> str:
        """A token of the client credentials grant (RFC 6749, section 4.4)."""
        given = {"grant_type": "client_credentials"} | ({"scope": self.settings.scope} if self.settings.scope else {})
        headers = {
            "Authorization": _basic(quote(self.settings.username, safe=""), quote(self.secret, safe="")),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        outgoing = self.opening.reach.outgoing
        answer = outgoing.send(
            "POST", self.settings.token_url, headers=headers, body=urlencode(given).encode(), largest=100_000
        )
        if answer.status != 200:
            raise Broken(f"the token was not granted (status {answer.status})", wait=wait_in(answer.headers))
        try:
            token = at(strict_json.loads(answer.body), "/access_token")
        except strict_json.NotAccepted:
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise Broken("the token's answer has no access_token")
        return token

    # what came

    def _rows(self, answer: Answer) -> list[Line]:
        try:
            body = self.settings.body
            if body != "ndjson" and answer.body.strip()[:1] not in {b"", b"{", b"["}:
                raise Broken("the answer is not JSON")
            if body == "auto":
                lines = streams.guessed([answer.body])[0] == "ndjson" and not self.settings.items
                body = "ndjson" if lines and b"\n" in answer.body.strip() else "json"
            if body == "ndjson":
                found = list(streams.lines([answer.body]))
            else:
                document = answer.body.strip()
                part = slice_at(document, self.settings.items) if self.settings.items and document else document
                if part is None:
                    raise Broken(f"nothing stands at {self.settings.items} in the answer")
                if part == b"null":
                    return []
                found = streams.items(part, most=MOST_ROWS)
        except BrokenStream as broken:
            raise Broken(f"the answer cannot be read: {broken}") from None
        return [row if isinstance(row, streams.Unreadable) else fitting(row) for row in found]

    def _refuse_repetition(self, answer: Answer, rows: list[Line]) -> None:
        digest = hashlib.sha256(answer.body).hexdigest()
        if rows and digest in self.seen and self.settings.paging != "since":
            raise Broken(SAME_PAGE)
        self.seen.add(digest)

    def _times(self, rows: list[Line]) -> list[datetime | None]:
        return [self._time(row) for row in rows] if self.settings.since_at else [None] * len(rows)

    def _time(self, row: Line) -> datetime | None:
        if isinstance(row, streams.Unreadable):
            return None
        try:
            return moment(at(json.loads(row), self.settings.since_at))
        except (ValueError, RecursionError):
            return None

    # how it goes on

    def _ended(self, kept: Cursor, step: Step) -> Cursor:
        """The cursor behind a whole walk: where the next one begins."""
        if step.trouble:
            return {name: kept[name] for name in ("since",) if name in kept}
        if self.settings.since_parameter:
            return {"since": kept["high"], "high": kept["high"]} if "high" in kept else {}
        if self.settings.order == "newest_first":
            mark = kept.get("newest") or kept.get("mark")
            return {"mark": mark} if mark else {}
        return step.stay if self.settings.order == "oldest_first" else {}

    def _same_place(self, url: str) -> str:
        """The address of the next page, when it is at the same place."""
        outgoing = self.opening.reach.outgoing
        absolute = urljoin(self.settings.url, url)
        if outgoing.place(absolute).origin != outgoing.place(self.settings.url).origin:
            raise Broken("its next page is at another place, which is not followed")
        return absolute


def _without_position(cursor: Cursor) -> Cursor:
    return {name: value for name, value in cursor.items() if name not in POSITIONS}


def _with(url: str, given: dict[str, str]) -> str:
    """The address with parameters put in place of those of the same name."""
    if not given:
        return url
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in given]
    return parts._replace(query=urlencode([*kept, *given.items()])).geturl()


def _or_least(value: datetime | None) -> datetime:
    return value or datetime.min.replace(tzinfo=UTC)


def _digest(row: Line) -> str:
    return hashlib.sha256(row if isinstance(row, bytes) else row.reason.encode()).hexdigest()


def _basic(name: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"


def _refused(answer: Answer) -> Broken:
    wait = wait_in(answer.headers)
    if 300 <= answer.status < 400:
        return Broken("it answers with a redirect, which is not followed", wait=wait)
    if answer.status in {401, 403}:
        return Broken(f"it refuses the credentials (status {answer.status})", wait=wait)
    if answer.status == 429:
        return Broken("it asks to come less often (status 429)", wait=wait)
    return Broken(f"it answers with status {answer.status}", wait=wait)


@contextmanager
def _open(opening: Opening) -> Iterator[HttpSource]:
    yield HttpSource(opening.settings, opening.secret, opening)


def _check(settings: HttpSettings, outgoing: Outgoing) -> None:
    outgoing.place(settings.url)
    if settings.auth == "oauth2":
        outgoing.place(settings.token_url)


def _place(settings: HttpSettings) -> str:
    """Where the secret goes: scheme, host and port, in whatever spelling."""
    parts = urlsplit(settings.token_url if settings.auth == "oauth2" else settings.url)
    granted = urlsplit(settings.url).netloc if settings.auth == "oauth2" else ""
    return f"{settings.auth} {parts.scheme}://{parts.netloc} {granted} {settings.auth_header}".lower()


def _windowed(settings: HttpSettings) -> str:
    return "" if settings.since_parameter else "This feed has no time to ask from: set since_parameter and since_at."


KIND = Kind(
    name="http",
    title="HTTP API",
    meaning="JSON or NDJSON from an address, page by page",
    secret="token, password, header value or client secret",  # noqa: S106 - what it is called
    settings=HttpSettings,
    open=_open,
    check=_check,
    place=_place,
    start=("url", "items", "paging", "page_parameter", "first_page", "order", "next_at", "since_parameter"),
    windowed=_windowed,
)
