"""What the application role may not do to any protected table, however it asks: every statement, every table."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from config.embedded import postgres
from spine import protection
from tests.servers import HOME

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])

# {t} is the table, {c} one of its columns, {k} its key; each is refused, and refused for want of a right.
STATEMENTS = {
    "update": "UPDATE {t} SET {c} = {c}",
    "update of no row": "UPDATE {t} SET {c} = {c} WHERE false",
    "update from": "UPDATE {t} SET {c} = other.{c} FROM {t} other",
    "delete": "DELETE FROM {t}",
    "delete using": "DELETE FROM {t} USING {t} other",
    "truncate": "TRUNCATE {t}",
    "truncate cascade": "TRUNCATE {t} RESTART IDENTITY CASCADE",
    "merge update": "MERGE INTO {t} USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET {c} = {t}.{c}",
    "merge delete": "MERGE INTO {t} USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    "upsert": "INSERT INTO {t} SELECT * FROM {t} ON CONFLICT ({k}) DO UPDATE SET {c} = EXCLUDED.{c}",
    "data-changing with": "WITH gone AS (DELETE FROM {t} RETURNING *) SELECT count(*) FROM gone",
    "for update": "SELECT * FROM {t} FOR UPDATE",
    "for no key update": "SELECT * FROM {t} FOR NO KEY UPDATE",
    "for share": "SELECT * FROM {t} FOR SHARE",
    "for key share": "SELECT * FROM {t} FOR KEY SHARE",
    "lock exclusive": "LOCK TABLE {t} IN EXCLUSIVE MODE",
    "lock access exclusive": "LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE",
    "lock share": "LOCK TABLE {t} IN SHARE MODE",
    "add column": "ALTER TABLE {t} ADD COLUMN mine int",
    "drop column": "ALTER TABLE {t} DROP COLUMN {c}",
    "change type": "ALTER TABLE {t} ALTER COLUMN {c} TYPE text",
    "set default": "ALTER TABLE {t} ALTER COLUMN {c} DROP DEFAULT",
    "rename": "ALTER TABLE {t} RENAME TO mine",
    "rename column": "ALTER TABLE {t} RENAME COLUMN {c} TO mine",
    "new owner": "ALTER TABLE {t} OWNER TO retort_app",
    "other schema": "ALTER TABLE {t} SET SCHEMA pg_temp",
    "unlogged": "ALTER TABLE {t} SET UNLOGGED",
    "autovacuum off": "ALTER TABLE {t} SET (autovacuum_enabled = off)",
    "triggers off": "ALTER TABLE {t} DISABLE TRIGGER ALL",
    "user triggers off": "ALTER TABLE {t} DISABLE TRIGGER USER",
    "one trigger off": "ALTER TABLE {t} DISABLE TRIGGER retort_append_only",
    "drop trigger": "DROP TRIGGER retort_append_only ON {t}",
    "rename trigger": "ALTER TRIGGER retort_append_only ON {t} RENAME TO mine",
    "own trigger": "CREATE TRIGGER mine BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION retort_refuse()",
    "row security off": "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
    "row security forced off": "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
    "own policy": "CREATE POLICY mine ON {t} USING (true)",
    "replica identity": "ALTER TABLE {t} REPLICA IDENTITY NOTHING",
    "inherit": "ALTER TABLE {t} INHERIT pg_catalog.pg_class",
    "drop": "DROP TABLE {t}",
    "drop cascade": "DROP TABLE {t} CASCADE",
    "rule instead": "CREATE RULE mine AS ON INSERT TO {t} DO INSTEAD NOTHING",
    "rule on select": 'CREATE RULE "_RETURN" AS ON SELECT TO {t} DO INSTEAD SELECT 1',
    "index": "CREATE INDEX ON {t} ({c})",
    "statistics": "CREATE STATISTICS mine ON {c}, {k} FROM {t}",
    "comment": "COMMENT ON TABLE {t} IS 'nothing was here'",
    "security label": "SECURITY LABEL ON TABLE {t} IS 'x'",
    "cluster": "CLUSTER {t} USING {t}_pkey",
    "copy over": "COPY {t} FROM '/etc/passwd'",
    "copy from program": "COPY {t} FROM PROGRAM 'cat /etc/passwd'",
    "copy to program": "COPY {t} TO PROGRAM 'cat'",
    "copy to file": "COPY {t} TO '/tmp/x'",
    "as the owner": "SET LOCAL ROLE retort_owner; DELETE FROM {t}",
    "as the superuser": "SET LOCAL ROLE postgres; DELETE FROM {t}",
    "as the auditor": "SET LOCAL ROLE retort_audit; SELECT * FROM {t}",
    "another session": "SET SESSION AUTHORIZATION retort_owner; DELETE FROM {t}",
    "triggers asleep": "SET LOCAL session_replication_role = replica; DELETE FROM {t}",
    "by set_config": "SELECT set_config('session_replication_role', 'replica', true); DELETE FROM {t}",
    "row security as a way round": "SET LOCAL row_security = off; DELETE FROM {t}",
    "in a block": "DO $$ BEGIN EXECUTE 'DELETE FROM {t}'; END $$",
    "in a function": "CREATE FUNCTION pg_temp.m() RETURNS void LANGUAGE sql AS 'DELETE FROM {t}'; SELECT pg_temp.m()",
    "as a definer": "CREATE FUNCTION public.mine() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM {t}'",
    "through a view": "CREATE TEMPORARY VIEW mine AS SELECT * FROM {t}; DELETE FROM mine",
    "prepared": "PREPARE mine_{t} AS DELETE FROM {t}; EXECUTE mine_{t}",
    "catalogue owner": "UPDATE pg_catalog.pg_class SET relowner = 'retort_app'::regrole WHERE relname = '{t}'",
    "catalogue grants": "UPDATE pg_catalog.pg_class SET relacl = NULL WHERE relname = '{t}'",
    "catalogue triggers": "DELETE FROM pg_catalog.pg_trigger WHERE tgrelid = '{t}'::regclass",
    "publication": "CREATE PUBLICATION mine FOR TABLE {t}",
    "in another schema of the same name": "CREATE SCHEMA mine; CREATE TABLE mine.{t} (id int)",
}
# What names no table: refused once.
ELSEWHERE = {
    "refusing function": "CREATE OR REPLACE FUNCTION retort_refuse() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
    "drop refusing function": "DROP FUNCTION retort_refuse() CASCADE",
    "new table": "CREATE TABLE public.mine (id int)",
    "default privileges": "ALTER DEFAULT PRIVILEGES FOR ROLE retort_owner GRANT ALL ON TABLES TO retort_app",
    "superuser": "ALTER ROLE retort_app SUPERUSER",
    "member of the owner": "GRANT retort_owner TO retort_app",
    "bypass": "ALTER ROLE retort_app BYPASSRLS",
    "new role": "CREATE ROLE mine LOGIN SUPERUSER",
    "owner's password": "ALTER ROLE retort_owner PASSWORD 'x'",
    "extension": "CREATE EXTENSION dblink",
    "language": "CREATE LANGUAGE plpython3u",
    "large object of the server": "SELECT lo_import('/etc/passwd')",
    "large object to the server": "SELECT lo_export(1, '/tmp/x')",
    "read the server's files": "SELECT pg_read_file('postgresql.conf')",
    "list the server's files": "SELECT pg_ls_dir('.')",
    "database settings": "ALTER DATABASE retort SET session_replication_role = replica",
    "owner's settings": "ALTER ROLE retort_owner SET session_replication_role = replica",
    "reload": "SELECT pg_reload_conf()",
    "drop schema": "DROP SCHEMA public CASCADE",
    "owner of the schema": "ALTER SCHEMA public OWNER TO retort_app",
    "migrations": "DELETE FROM django_migrations",
    "reassign": "REASSIGN OWNED BY retort_owner TO retort_app",
    "drop owned": "DROP OWNED BY retort_owner",
    "event trigger": "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION retort_refuse()",
    "server": "CREATE SERVER mine FOREIGN DATA WRAPPER postgres_fdw",
    "checkpointing": "CHECKPOINT",
    "load": "LOAD '/tmp/mine.so'",
}
# What no role but the owner gets past, that does not say `insufficient_privilege`: the words of each.
OTHER_REFUSALS = {
    "security label": "no security label providers",
    "inherit": "permission denied|must be owner|cannot",
    "language": "permission denied|must be|not (available|found)|could not",
    "extension": "permission denied|not available|could not",
    "new owner": "must be",
    "in a function": "permission denied",
    "server": "permission denied|does not exist",
}


@pytest.fixture(scope="module")
def application(django_db_setup: None) -> Iterator[psycopg.Connection]:
    """The application role's own connection, each statement in a savepoint that is undone."""
    with postgres.connect(HOME, "retort_app") as connection:
        connection.autocommit = False
        connection.execute("SET lock_timeout = '5s'")
        yield connection


def tables() -> list[tuple[str, str, str]]:
    """Each protected table with a column and its key."""
    found = []
    for model in protection.protected_models():
        key = model._meta.pk
        keys = ["level", "index"] if model._meta.db_table == "spine_node" else [str(key.column)]
        column = next(f.column for f in model._meta.concrete_fields if f.column and f.column not in keys)
        found.append((model._meta.db_table, column, ", ".join(f'"{one}"' for one in keys)))
    return found


def refusal(connection: psycopg.Connection, statement: str) -> psycopg.Error | None:
    """What the database says to a statement, and as if it had not been said; None when it did it."""
    connection.execute("SAVEPOINT before")
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        return error
    finally:
        connection.execute("ROLLBACK TO SAVEPOINT before")
    return None


def is_refusal(name: str, error: psycopg.Error | None) -> bool:
    if error is None:
        return False
    words = OTHER_REFUSALS.get(name)
    return isinstance(error, psycopg.errors.InsufficientPrivilege) or bool(words and re.search(words, str(error)))


def test_the_list_is_long_enough() -> None:
    assert len(set(STATEMENTS.values())) >= 25
    assert len(tables()) == len(protection.protected_tables())


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_is_refused_on_every_protected_table(application: psycopg.Connection, name: str) -> None:
    done: list[Any] = []
    for table, column, key in tables():
        statement = STATEMENTS[name].format(t=table, c=f'"{column}"', k=key)
        error = refusal(application, statement)
        if not is_refusal(name, error):
            done.append((table, error))
    assert done == []


@pytest.mark.parametrize("name", ELSEWHERE)
def test_statement_about_the_server_is_refused(application: psycopg.Connection, name: str) -> None:
    error = refusal(application, ELSEWHERE[name])
    assert is_refusal(name, error), error


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SYSTEM SET fsync = off",
        "DROP DATABASE retort",
        "CREATE DATABASE mine",
        "CREATE SUBSCRIPTION mine CONNECTION 'host=127.0.0.1' PUBLICATION x",
        "CREATE TABLESPACE mine LOCATION '/tmp'",
    ],
)
def test_statement_outside_a_transaction_is_refused(statement: str) -> None:
    with postgres.connect(HOME, "retort_app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("command", ["VACUUM FULL {t}", "VACUUM {t}", "ANALYZE {t}", "REINDEX TABLE {t}"])
def test_upkeep_of_a_protected_table_is_the_owners(command: str) -> None:
    with postgres.connect(HOME, "retort_app") as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda note: notices.append(str(note.message_primary)))
        for table, _, _ in tables():
            before = len(notices)
            try:
                connection.execute(sql.SQL(command).format(t=sql.Identifier(table)))
            except psycopg.errors.InsufficientPrivilege:
                continue
            assert "permission denied" in notices[before], table  # skipped with a warning


def test_revoking_and_granting_change_nothing(application: psycopg.Connection) -> None:
    grants = "SELECT relname, relacl::text FROM pg_class WHERE relname = ANY(%s) ORDER BY 1"
    names = protection.protected_tables()
    before = application.execute(grants, [names]).fetchall()
    for table in names:
        for statement in (
            f"GRANT ALL ON {table} TO retort_app WITH GRANT OPTION",
            f"GRANT UPDATE ON {table} TO PUBLIC",
            f"REVOKE ALL ON {table} FROM retort_audit",
            f"REVOKE SELECT ON {table} FROM PUBLIC",
        ):
            application.execute("SAVEPOINT before")
            try:
                application.execute(statement.encode())  # PostgreSQL warns and does nothing
            except psycopg.errors.InsufficientPrivilege:
                application.execute("ROLLBACK TO SAVEPOINT before")
    assert application.execute(grants, [names]).fetchall() == before
    application.rollback()


def test_triggers_refuse_the_owner_too() -> None:
    with postgres.connect(HOME, "retort_owner") as owner:
        for table, _, _ in tables():
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever added"):
                owner.execute(f"TRUNCATE {table} CASCADE".encode())
