"""SQL feeds on another database of the tests' PostgreSQL: read-only, in order, cut and stalled on purpose."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from config.home import Home
from detection.feeds.base import Broken, Opening, Window
from spine.outgoing import NoAnswer, NotAllowed
from tests.detection.feeds import databases
from tests.detection.feeds.databases import Line
from tests.detection.feeds.reading import opening, uids, walk

TABLE = """
DROP TABLE IF EXISTS flagged;
CREATE TABLE flagged (id bigint PRIMARY KEY, uid text, at timestamptz, risk numeric, doc jsonb);
INSERT INTO flagged SELECT n, 'f-' || n, timestamptz '2026-05-04 00:00Z' + n * interval '1 minute', n / 100.0,
    jsonb_build_object('uid', 'd-' || n) FROM generate_series(0, 24) n
"""


@pytest.fixture(scope="module")
def owner(servers: Home) -> Iterator[psycopg.Connection]:
    with databases.database() as connection:
        connection.execute("SET lock_timeout = '20s'")
        yield connection


@pytest.fixture
def line(owner: psycopg.Connection) -> Iterator[Line]:
    owner.execute(TABLE)
    with databases.line() as made:
        yield made


def of(line: Line, query: str = "SELECT uid, at, id, risk, doc FROM flagged", **given: Any) -> Opening:
    own = {name: given.pop(name) for name in ("window", "reach") if name in given}
    settings = {"host": "127.0.0.1", "port": line.port, "database": databases.NAME, "username": databases.ROLE}
    return opening(
        "sql",
        f"postgresql://127.0.0.1:{line.port}",
        secret=given.pop("secret", databases.PASSWORD),
        **own,
        **{**settings, "tls": "disable", "query": query, **given},
    )


def names(*numbers: int) -> list[str]:
    return [f"f-{n}" for n in numbers]


def test_rows_come_in_order_in_parts_and_the_next_pull_begins_behind_them(
    line: Line, owner: psycopg.Connection
) -> None:
    opened = of(line, since="at", reach={"rows": 10}, overlap=0)
    first = walk("sql", opened)
    assert uids(first) == names(*range(25))
    assert [len(page.rows) for page in first] == [10, 10, 5]
    assert uids(walk("sql", opened, first[-1].cursor)) == names(24)
    owner.execute("INSERT INTO flagged VALUES (25, 'f-25', '2026-05-05Z', 0, '{}')")
    assert uids(walk("sql", opened, first[0].cursor))[0] == "f-9"
    assert uids(walk("sql", opened, first[-1].cursor)) == names(24, 25)


def test_row_is_the_databases_own_json_and_a_column_may_be_the_document(line: Line) -> None:
    [page] = walk("sql", of(line, "SELECT uid, at, risk FROM flagged WHERE id = 7"))
    assert json.loads(page.rows[0]) == {"uid": "f-7", "at": "2026-05-04T00:07:00+00:00", "risk": 0.07}  # type: ignore[arg-type]
    [page] = walk("sql", of(line, "SELECT doc FROM flagged WHERE id = 7; ", document="doc"))
    assert page.rows == (b'{"uid": "d-7"}',)


def test_percent_and_comment_in_the_query_mean_what_they_say(line: Line) -> None:
    assert uids(walk("sql", of(line, "SELECT uid, id FROM flagged WHERE uid LIKE 'f-%4' -- even", since="id",
                               since_type="number"))) == names(4, 14, 24)  # fmt: skip


def test_numbers_and_overlap_bring_rows_that_were_committed_late(line: Line, owner: psycopg.Connection) -> None:
    owner.execute("DELETE FROM flagged WHERE id = 22")
    opened = of(line, since="id", since_type="number", overlap=5)
    first = walk("sql", opened)
    owner.execute("INSERT INTO flagged VALUES (22, 'f-22', '2026-05-04Z', 0, '{}')")
    again = walk("sql", opened, first[-1].cursor)
    assert uids(again) == names(19, 20, 21, 22, 23, 24)
    assert again[-1].cursor == first[-1].cursor


def test_moments_of_the_future_and_without_end_move_no_cursor(line: Line, owner: psycopg.Connection) -> None:
    owner.execute("INSERT INTO flagged VALUES (98, 'f-98', 'infinity', 0, '{}'), (99, 'f-99', '9999-01-01Z', 0, '{}')")
    [page] = walk("sql", of(line, since="at"))
    assert page.cursor == {"since": "2026-05-04T00:24:00.000000Z"}
    assert len(page.rows) == 27


def test_window_of_the_past_is_read_alone(line: Line) -> None:
    window = Window(datetime(2026, 5, 4, 0, 2, tzinfo=UTC), datetime(2026, 5, 4, 0, 5, tzinfo=UTC))
    assert uids(walk("sql", of(line, since="at", window=window))) == names(2, 3, 4)


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO flagged VALUES (77) RETURNING uid",
        "SELECT uid FROM flagged) AS x; INSERT INTO flagged VALUES (77); SELECT * FROM (SELECT 1",
        "SELECT uid FROM flagged; DELETE FROM flagged",
        "WITH gone AS (DELETE FROM flagged RETURNING uid) SELECT uid FROM gone",
        "SELECT set_config('transaction_read_only', 'off', false) AS uid, (SELECT 1 FROM flagged LIMIT 1)",
        "COPY flagged TO PROGRAM 'id'",
        "SELECT uid FROM flagged FOR UPDATE",
        "SELECT pg_read_file('/etc/passwd') AS uid",
        "SELECT no_such_column FROM flagged",
        "",
        "   ",
    ],
)
def test_query_that_does_not_only_read_is_refused(query: str, line: Line, owner: psycopg.Connection) -> None:
    try:
        opened = of(line, query)
    except AssertionError:
        assert query == ""
        return
    with pytest.raises(Broken, match=r"refused|not accepted|refuses"):
        walk("sql", opened)
    assert owner.execute("SELECT count(*) FROM flagged").fetchone() == (25,)


def test_query_that_takes_too_long_is_ended(line: Line) -> None:
    began = time.monotonic()
    with pytest.raises((Broken, NoAnswer), match="too long"):
        walk("sql", of(line, "SELECT pg_sleep(60)::text AS uid", reach={"seconds": 2.0}))
    assert time.monotonic() - began < 8


def test_line_that_stalls_or_is_cut_is_told_and_the_next_pull_has_the_rest(line: Line) -> None:
    opened = of(line, since="at", reach={"rows": 10, "seconds": 3.0})
    begun = walk("sql", opened, most=1)
    for mood, says in (("cut", "broke"), ("stall", "takes too long|not reached")):
        line.mood, line.after, line.passed = mood, 900, 0
        with pytest.raises((Broken, NoAnswer), match=says):
            walk("sql", opened, begun[-1].cursor)
    line.mood = ""
    assert set(uids(begun) + uids(walk("sql", opened, begun[-1].cursor))) == set(names(*range(25)))


def test_wrong_password_and_nobody_there_are_told_without_a_secret(line: Line) -> None:
    with pytest.raises(Broken, match="refuses the role or its password") as told:
        walk("sql", of(line, secret="wrong-secret"))
    assert "wrong-secret" not in str(told.value)
    nowhere = opening("sql", "postgresql://127.0.0.1:1", host="127.0.0.1", port=1, database="x", username="y",
                      tls="disable", query="SELECT 1")  # fmt: skip
    with pytest.raises(Broken, match="not reached"):
        walk("sql", nowhere)


def test_server_without_tls_is_refused_where_tls_is_asked_for(line: Line) -> None:
    with pytest.raises(Broken, match="secure connection"):
        walk("sql", of(line, tls="verify-full"))


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "127.1", "/var/run/postgresql", "a,b", "127.0.0.1 port=1"])
def test_other_places_are_not_connected_to(host: str, line: Line) -> None:
    with pytest.raises(NotAllowed):
        walk("sql", of(line, host=host))


@pytest.mark.parametrize("name", ["x host=evil", "postgresql://evil/x"])
def test_database_name_is_no_connection_string(name: str, line: Line) -> None:
    with pytest.raises(Broken, match="name is not accepted"):
        walk("sql", of(line, database=name))
