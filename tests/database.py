"""Pytest plugin of the test database: migrated once by its owner, brought back to that state after committed tests.

`tests.servers` loads it after pytest-django, so that its `django_db_setup` is the one that is used.
"""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql

from config.embedded import postgres
from config.home import VALKEY_SOCKET, Home
from spine import principal
from tests.servers import HOME

# Tests write and look as a system principal of their own, in every thread; a request acts as whoever sent it, as ever.
TEST_PRINCIPAL = "system:test"
principal._current = ContextVar("principal", default=TEST_PRINCIPAL)


@pytest.fixture(scope="session")
def django_db_setup(servers: Home, django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Migrate once, as `manage.py migrate` does, and let transactional tests be followed by `clean`."""
    from django.core.management import call_command
    from django.db import connections
    from django.test import TransactionTestCase

    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        connections.close_all()
    with postgres.connect(HOME) as connection:
        _keep_migrated_rows(connection)
    with pytest.MonkeyPatch.context() as patch:  # Django would TRUNCATE, which the application role may not
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: clean())
        yield


def clean() -> None:
    """Bring every table back to what the migrations left, triggers asleep; empty the queue and the kept checkpoints."""
    with postgres.connect(HOME) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL lock_timeout = '20s'")
        kept = _tables(connection, "kept")
        tables = [name for name in _tables(connection, "public") if name != "django_migrations"]
        for name in [*kept, *_with_rows(connection, [name for name in tables if name not in kept])]:
            connection.execute(sql.SQL("DELETE FROM public.{}").format(sql.Identifier(name)))
            if name in kept:
                connection.execute(
                    sql.SQL("INSERT INTO public.{0} SELECT * FROM kept.{0}").format(sql.Identifier(name))
                )
    for checkpoint in (HOME.path / "checkpoints").glob("*.txt"):  # of a log that is gone now
        checkpoint.unlink()
    (HOME.signer / "state.json").unlink(missing_ok=True)
    client = redis.Redis(unix_socket_path=str(HOME.sockets / VALKEY_SOCKET), password=HOME.password("valkey"))
    client.flushall()
    client.close()


@pytest.fixture
def clean_database(transactional_db: None) -> Callable[[], None]:
    """The function that empties database and queue in mid-test; after a transactional test it is called anyway."""
    return clean


def _keep_migrated_rows(connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA kept")
    for name in _with_rows(connection, _tables(connection, "public")):
        if name != "django_migrations":
            connection.execute(sql.SQL("CREATE TABLE kept.{0} AS TABLE public.{0}").format(sql.Identifier(name)))


def _tables(connection: psycopg.Connection, schema: str) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
    return [row[0] for row in connection.execute(query, [schema])]


def _with_rows(connection: psycopg.Connection, tables: list[str]) -> list[str]:
    """Those of the tables that have a row, in one question."""
    asked = sql.SQL("SELECT {0} WHERE EXISTS (SELECT 1 FROM public.{1})")
    each = [asked.format(sql.Literal(name), sql.Identifier(name)) for name in tables]
    return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(each))]
