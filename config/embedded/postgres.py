"""The embedded PostgreSQL: made with page checksums and passwords, started, found, stopped, its roles kept in order."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import errors, sql

from config.embedded import binaries, processes
from config.home import DATABASE, POSTGRES_SOCKET, EmbeddedError, Home, locked, sync_folder, write_private

MAJOR = "18"
START_SECONDS = 60.0
ROLE_ATTEMPTS = 10
STARTS = 3
STOP_STEPS = [(signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0)]
RECOVERY_SECONDS = 1800.0  # a database that replays its log after a crash says so and is given this long

# One superuser connects locally only, for roles and repair; nothing is trusted without a password.
ACCESS_RULES = "local all all scram-sha-256\n"

SETTINGS = """\
# Written by Retort at every start: changes here are lost. ALTER SYSTEM keeps changes in postgresql.auto.conf.
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
port = 5432
max_connections = 100
password_encryption = 'scram-sha-256'
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
effective_cache_size = 1GB
random_page_cost = 1.1
huge_pages = off
max_wal_size = 1GB
wal_compression = on
fsync = on
full_page_writes = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %q%u '
log_min_error_statement = panic
log_error_verbosity = terse
log_min_duration_statement = -1
"""
# The last three: statements carry their values, and an error's details quote them; neither may stand in a log file.


def start(home: Home) -> None:
    """Start the server unless it runs, making its data folder first where there is none, and set its roles right.

    The caller holds the servers' lock. Returns when connections are accepted. A server that runs when it is looked at,
    and was killed a moment before, is started anew.

    Raises:
        EmbeddedError: the folder is not one of ours, the release differs, or the server does not come up.
    """
    for attempt in range(1, STARTS + 1):
        _bring_up(home)
        try:
            _keep_roles(home)
        except EmbeddedError:
            if running(home) is not None or attempt == STARTS:
                raise
        else:
            return


def _bring_up(home: Home) -> None:
    """Start the server unless it runs; returns when it says that it is ready."""
    _await_stray(home)
    if running(home) is None:
        binaries.require_reachable(binaries.program("postgres"), home.path)
        _remove_remains(home)
        _make_data_folder(home)
        _check_release(home)
        write_private(home.postgres / "pg_hba.conf", ACCESS_RULES)
        write_private(home.postgres / "postgresql.conf", SETTINGS.format(sockets=home.sockets))
        log = home.logs / "postgres.log"
        pid = processes.spawn(
            [*binaries.runner(), str(binaries.program("postgres")), "-D", str(home.postgres)], log=log
        )
        try:
            _wait_ready(home, pid, log)
        except BaseException:  # interrupted: a server that has not written down its process id yet would be lost
            processes.stop(pid, STOP_STEPS, lambda _: not processes.reap(pid) and processes.exists(pid))
            raise
    elif not processes.wait_until(lambda: _status(home) == "ready", START_SECONDS):
        raise EmbeddedError(
            f"PostgreSQL in {home.postgres} runs but does not accept connections: see {home.logs}/postgres.log"
        )


def running(home: Home) -> int | None:
    """The process id of this home's server, None when there is none or another program has that id."""
    pid = _recorded(home)
    return pid if pid in processes.working_in(home.postgres, "postgres") else None


def stop(home: Home) -> None:
    """Stop the server: fast shutdown with a checkpoint, after a minute the immediate one, at last by force."""
    pid = running(home)
    if pid is None:
        return
    processes.stop(pid, STOP_STEPS, lambda _: not processes.reap(pid) and running(home) == pid)


def connect(home: Home, role: str = "postgres", database: str = DATABASE) -> psycopg.Connection:
    """A connection of one of our roles, each statement a transaction of its own."""
    return psycopg.connect(
        host=str(home.sockets),
        port=5432,
        user=role,
        password=home.password(role),
        dbname=database,
        autocommit=True,
        connect_timeout=10,
    )


def _recorded(home: Home) -> int | None:
    lines = _pid_file(home)
    return int(lines[0]) if lines and lines[0].strip().isdigit() else None


def _status(home: Home) -> str:
    """What the server says about itself in its eighth line: starting, ready, stopping, standby; empty when nothing."""
    lines = _pid_file(home)
    return lines[7].strip() if len(lines) > 7 else ""


def _pid_file(home: Home) -> list[str]:
    try:
        return (home.postgres / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _await_stray(home: Home) -> None:
    """Give a server that a killed process has just started the time to write down its process id, or to leave."""
    processes.wait_until(lambda: running(home) is not None or not processes.working_in(home.postgres, "postgres"), 5.0)


def _remove_remains(home: Home) -> None:
    """Clear what a killed server left: its orphaned backends first, then the files that carry its process id.

    PostgreSQL looks at the process id alone, and refuses to start when another program (or a zombie) has it now.
    """

    for pid in processes.working_in(home.postgres, "postgres"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    processes.wait_until(lambda: not processes.working_in(home.postgres, "postgres"), 5.0)
    for path in [
        home.postgres / "postmaster.pid",
        home.sockets / POSTGRES_SOCKET,
        home.sockets / f"{POSTGRES_SOCKET}.lock",
    ]:
        path.unlink(missing_ok=True)


def _make_data_folder(home: Home) -> None:
    """Run initdb beside the final place and rename, so that a data folder is there whole or not at all."""
    for left in home.path.glob("postgres.new-*"):
        with locked(left / "lock"):  # an initdb that outlived whoever called it holds this to its end
            shutil.rmtree(left)
    if home.postgres.exists() and any(home.postgres.iterdir()):
        return
    folder = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.path))
    with locked(folder / "lock") as lock:
        _initdb(home, folder, lock)
        if home.postgres.exists():
            home.postgres.rmdir()
        (folder / "data").rename(home.postgres)
        sync_folder(home.path)
        shutil.rmtree(folder)


def _initdb(home: Home, folder: Path, lock: int) -> None:
    password = folder / "password"
    write_private(password, home.password("postgres"))
    command = [
        *binaries.runner(),
        str(binaries.program("initdb")),
        f"--pgdata={folder / 'data'}",
        "--data-checksums",
        "--username=postgres",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-instructions",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
        pass_fds=[lock],
    )
    if done.returncode != 0:
        shutil.rmtree(folder)
        raise EmbeddedError(f"PostgreSQL could not make its data folder in {home.path}: {_last_line(done.stderr)}")


def _check_release(home: Home) -> None:
    version = home.postgres / "PG_VERSION"
    if not version.exists() or not (home.postgres / "global" / "pg_control").exists():
        raise EmbeddedError(
            f"{home.postgres} holds files but no complete PostgreSQL database: move it away or restore your backup"
        )
    found = version.read_text(encoding="ascii").strip()
    if found != MAJOR:
        raise EmbeddedError(
            f"{home.postgres} was made by PostgreSQL {found} and this release of Retort brings {MAJOR}: "
            "dump it with the old release and restore it with this one (docs/operate.md)"
        )


def _wait_ready(home: Home, pid: int, log: Path) -> None:
    """Wait until the server says ready; a crash recovery may take long, as long as the process lives."""
    began = time.monotonic()
    while _recorded(home) != pid or _status(home) != "ready":
        if processes.reap(pid) or not processes.exists(pid):
            raise EmbeddedError(f"PostgreSQL did not start: {_last_line(log.read_text(errors='replace'))} (see {log})")
        limit = RECOVERY_SECONDS if _status(home) == "starting" else START_SECONDS
        if time.monotonic() - began > limit:
            raise EmbeddedError(f"PostgreSQL did not accept connections within {limit:.0f} seconds: see {log}")
        time.sleep(0.05)


def _last_line(text: str) -> str:
    """The last line that names the trouble: the last FATAL, PANIC or error line, else simply the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it gave no reason"]
    telling = [
        line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:", "denied", "unshare:"))
    ]
    return (telling or lines)[-1]


def _keep_roles(home: Home) -> None:
    """Make the database and its three roles, none of them a superuser or a member of another. Safe to repeat.

    What a killed command asked for may still be on its way in the server: then the statement is tried again.
    """
    for attempt in range(1, ROLE_ATTEMPTS + 1):
        try:
            _set_roles(home)
            return
        except psycopg.OperationalError as error:
            going = any(word in str(error) for word in ("server closed the connection", "accepting connections on"))
            if going and attempt < ROLE_ATTEMPTS and running(home) is not None:  # it came up this moment
                time.sleep(0.5)
                continue
            raise EmbeddedError(
                f"PostgreSQL in {home.postgres} refuses Retort: {_last_line(str(error))}; "
                f"{home.passwords_file.name} must be the one the database was made with"
            ) from None
        except (errors.UniqueViolation, errors.DuplicateDatabase, errors.DuplicateObject, errors.InternalError_):
            if attempt == ROLE_ATTEMPTS:
                raise
            time.sleep(0.2)


def _set_roles(home: Home) -> None:
    with connect(home, database="postgres") as connection:
        for role in ("retort_owner", "retort_app", "retort_audit"):
            _keep_role(connection, role, home.password(role))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(
                f"CREATE DATABASE {DATABASE} OWNER retort_owner TEMPLATE template0 ENCODING 'UTF8' "
                "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
            )
    with connect(home) as connection:
        for statement in ROLE_RULES:
            connection.execute(statement)


# Tables are granted by `migrate`, which knows which of them are only ever added to.
ROLE_RULES: list[str] = [
    "ALTER ROLE retort_audit BYPASSRLS",
    "ALTER ROLE retort_audit SET default_transaction_read_only = on",
    f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO retort_app",
    f"GRANT CONNECT ON DATABASE {DATABASE} TO retort_audit",
    "ALTER SCHEMA public OWNER TO retort_owner",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
]


def _keep_role(connection: psycopg.Connection, role: str, password: str) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(_scram(connection, role, password))
        )
    )


def _scram(connection: psycopg.Connection, role: str, password: str) -> str:
    """The verifier that the server stores, so that the password itself never stands in a statement or its log."""
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
