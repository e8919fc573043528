"""A PostgreSQL database, by a query that only reads.

The session is read-only, each statement has a time limit, rows come through a server-side cursor in the order of the
since-column. The database's own rights are the first wall: give the feed a role that may SELECT and nothing else.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import psycopg
from psycopg import sql
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from detection.feeds.base import (
    Broken,
    Cursor,
    Kind,
    Opening,
    Page,
    Plain,
    Settings,
    fitting,
    moment,
    moves,
    stamp_of,
    written,
)
from spine import allowlist
from spine.outgoing import NoAnswer, Outgoing

CLOSING_SECONDS = 5.0
# What the first two characters of an error's code mean to who set the feed up.
CLASSES = {"42": "the query is not accepted", "28": "the database refuses the role or its password"}
NAMES = "control characters are not accepted here"
QUERIES = "the character of code zero is not accepted"


class SqlSettings(Settings):
    """Settings of a query. `document` names a column whose JSON is the row; without it the whole row is."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5432
    database: Annotated[str, written(r"^[^\x00-\x1f]+$", NAMES, least=1, most=63)]
    username: Annotated[str, written(r"^[^\x00-\x1f]+$", NAMES, least=1, most=63)]
    tls: Literal["verify-full", "disable"] = "verify-full"
    query: Annotated[str, written(r"^[^\x00]+$", QUERIES, least=1, most=20_000)]
    since: Plain = ""
    since_type: Literal["time", "number", "text"] = "time"
    overlap: Annotated[int, Field(ge=0, le=10**12)] = 60
    document: Plain = ""

    @model_validator(mode="after")
    def _whole(self) -> "SqlSettings":
        if len(self.since.encode()) > 63 or len(self.document.encode()) > 63:
            raise PydanticCustomError("column", "a column's name has at most 63 bytes")
        return self


@dataclass
class SqlSource:
    """One pull by a query."""

    settings: SqlSettings
    opening: Opening
    connection: psycopg.Connection[Any]
    answers: psycopg.ServerCursor[Any] | None = None
    pages: int = 0

    def fetch(self, cursor: Cursor) -> Page:
        """The next rows of the query behind the cursor."""
        self.pages += 1
        most = self.opening.reach.rows
        with _guarded(self.connection, self.opening.reach.seconds):
            if self.answers is None:
                self.answers = self.connection.cursor(name="retort_feed")
                self.answers.execute(*self._query(cursor))
            found = self.answers.fetchmany(most)
        rows = tuple(fitting(b"null" if text is None else str(text).encode()) for _, text in found)
        after, reached = self._after(cursor, [since for since, _ in found])
        return Page(rows, after, len(found) == most, f"part {self.pages}", reached=reached)

    def close(self) -> None:
        """End the query and the connection, whatever state they are in."""
        if self.answers is not None:
            with suppress(psycopg.Error, OSError, NoAnswer, Broken), self._closing():
                self.answers.close()
        self.connection.close()

    def _closing(self) -> AbstractContextManager[None]:
        return nullcontext() if self.connection.closed else _guarded(self.connection, CLOSING_SECONDS)

    def _query(self, cursor: Cursor) -> tuple[sql.Composed, list[Any]]:
        """The user's query in one that chooses and orders; it cannot be followed by another statement."""
        given = self.settings.query.strip().rstrip(";").replace("%", "%%")
        since = sql.Identifier("feed_row", self.settings.since) if self.settings.since else None
        row = (
            sql.SQL("{}::text").format(sql.Identifier("feed_row", self.settings.document))
            if self.settings.document
            else sql.SQL("row_to_json(feed_row)::text")
        )
        said = sql.SQL("{}::text").format(since) if since else sql.SQL("NULL::text")
        text = sql.SQL("SELECT {}, {} FROM (\n{}\n) AS feed_row").format(said, row, sql.SQL(given))
        if since is None:
            return text, []
        where, values = self._where(since, cursor)
        return sql.SQL("{}{} ORDER BY {}").format(text, where, since), values

    def _where(self, since: sql.Identifier, cursor: Cursor) -> tuple[sql.Composable, list[Any]]:
        window = self.opening.window
        if window is not None:
            inside = sql.SQL(" WHERE {0} >= %s::timestamptz AND {0} < %s::timestamptz").format(since)
            return inside, [cursor.get("since", window.start.isoformat()), window.end.isoformat()]
        if "since" not in cursor:
            return sql.SQL(""), []
        start = {
            "time": sql.SQL(" WHERE {} >= %s::timestamptz - make_interval(secs => %s)"),
            "number": sql.SQL(" WHERE {} >= %s::numeric - %s"),
            "text": sql.SQL(" WHERE {} >= %s"),
        }[self.settings.since_type]
        values: list[Any] = [cursor["since"]]
        return start.format(since), values if self.settings.since_type == "text" else [*values, self.settings.overlap]

    def _after(self, cursor: Cursor, values: list[str | None]) -> tuple[Cursor, datetime | None]:
        """The cursor behind these rows; a value of the future, or none at all, moves nothing."""
        known = [value for value in values if value is not None]
        if self.settings.since_type == "time":
            moments = [found for value in known if (found := moment(value)) is not None and moves(found)]
            before = moment(cursor["since"]) if "since" in cursor else None
            newest = max([*moments, *([before] if before else [])], default=None)
            return ({"since": stamp_of(newest)} if newest else cursor), newest
        usable = [value for value in known if value.lower() not in {"nan", "infinity", "-infinity"}]
        if not usable:
            return cursor, None
        return self._highest(cursor, usable[-1]), None

    def _highest(self, cursor: Cursor, last: str) -> Cursor:
        """Rows of the overlap come again and must not lead the cursor back."""
        if self.settings.since_type == "number" and "since" in cursor and float(last) < float(cursor["since"]):
            return cursor
        return {"since": last}


@contextmanager
def _guarded(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection when the block takes longer; say what the database said without its detail."""
    held, late = socket.socket(fileno=socket.dup(connection.fileno())), threading.Event()

    def cut() -> None:
        late.set()
        try:
            held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error as error:
        raise NoAnswer("it takes too long") if late.is_set() else _said(error) from None
    finally:
        timer.cancel()
        timer.join(timeout=1)
        held.close()


def _said(error: psycopg.Error) -> Broken:
    """What went wrong, by its class and code: messages may repeat rows."""
    code = error.sqlstate or ""
    if code == "57014":
        return Broken("the query takes too long")
    if code == "25006":
        return Broken("the query writes, which is refused")
    if code:
        words = CLASSES.get(code[:2], "the database refuses")
        return Broken(f"{words} ({type(error).__name__}, {code})")
    return Broken(f"the connection to the database broke ({type(error).__name__})")


@contextmanager
def _open(opening: Opening) -> Iterator[SqlSource]:
    settings: SqlSettings = opening.settings
    connection = _connected(settings, opening)
    source = SqlSource(settings, opening, connection)
    try:
        yield source
    finally:
        source.close()


def _connected(settings: SqlSettings, opening: Opening) -> psycopg.Connection[Any]:
    outgoing = opening.reach.outgoing
    place = allowlist.permitted(outgoing.allowed, _url(settings), schemes=("postgresql",))
    trouble: psycopg.Error | None = None
    for address in allowlist.resolved(place, outgoing.resolve):
        try:
            connection = psycopg.connect(**_arguments(settings, opening, place.host, address))
        except psycopg.Error as error:
            trouble = error
            continue
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection
    raise _refused(trouble)


def _arguments(settings: SqlSettings, opening: Opening, host: str, address: str) -> dict[str, Any]:
    """Every parameter that could come from elsewhere is given here; the password goes to a checked server alone."""
    milliseconds = int(opening.reach.seconds * 1000)
    limits = {
        "default_transaction_read_only": "on",
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": 600_000,
        "timezone": "UTC",
    }
    secure = settings.tls == "verify-full"
    return {
        "host": host,
        "hostaddr": address,
        "port": settings.port,
        "dbname": sql_name(settings.database),
        "user": settings.username,
        "password": opening.secret,
        "passfile": "/dev/null",
        "connect_timeout": max(2, int(min(10.0, opening.reach.seconds))),
        "sslmode": settings.tls,
        "sslrootcert": (opening.reach.outgoing.ca_file or "system") if secure else "",
        "gssencmode": "disable",
        "require_auth": "scram-sha-256,md5,password,none" if secure else "scram-sha-256,none",
        "application_name": "retort-feed",
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }


def sql_name(database: str) -> str:
    """A database's name; libpq would read one with = or :// as a whole connection string."""
    if "=" in database or "://" in database:
        raise Broken("the database's name is not accepted")
    return database


def _refused(error: psycopg.Error | None) -> Broken:
    text = str(error)
    if "authentication" in text:
        return Broken("the database refuses the role or its password")
    if "certificate" in text or "SSL" in text:
        return Broken("the secure connection to the database failed")
    return Broken(f"the database is not reached ({type(error).__name__})")


def _url(settings: SqlSettings) -> str:
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"postgresql://{shown}:{settings.port}"


def _check(settings: SqlSettings, outgoing: Outgoing) -> None:
    allowlist.permitted(outgoing.allowed, _url(settings), schemes=("postgresql",))


def _windowed(settings: SqlSettings) -> str:
    timed = settings.since and settings.since_type == "time"
    return "" if timed else "This feed has no column of times to ask by: set since, of the type time."


KIND = Kind(
    name="sql",
    title="SQL query",
    meaning="a query that reads a PostgreSQL database",
    secret="password",  # noqa: S106 - what it is called
    settings=SqlSettings,
    open=_open,
    check=_check,
    place=lambda settings: f"{_url(settings)} {settings.tls} {settings.username}".lower(),
    start=("host", "port", "database", "query", "since", "since_type"),
    windowed=_windowed,
)
