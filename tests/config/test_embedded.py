"""The embedded servers, really started: where they live, who may do what, and what survives a kill."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from kombu import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import embedded
from config.embedded import postgres, processes, valkey
from config.home import CHECKOUT, POSTGRES_SOCKET, EmbeddedError, Home, environment


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home in a folder with a space that only its owner may enter; its servers are gone afterwards."""
    place = tmp_path / "only mine"
    place.mkdir(mode=0o700)
    made = Home(place / "home")
    yield made
    embedded.stop(made)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home with running servers, for tests that leave them running."""
    made = Home(tmp_path_factory.mktemp("running") / "a home")
    with embedded.attach(made):
        yield made


def ask(home: Home, role: str, query: str) -> list[tuple]:
    with postgres.connect(home, role) as connection:
        return connection.execute(query).fetchall()


def test_database_has_checksums_and_waits_for_the_disk(running):
    names = "data_checksums", "synchronous_commit", "fsync", "full_page_writes", "listen_addresses", "server_encoding"
    values = [ask(running, "retort_app", f"SHOW {name}")[0][0] for name in names]
    assert values == ["on", "on", "on", "on", "", "UTF8"]


def test_roles_are_apart(running):
    query = """SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls,
                 (SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid)
               FROM pg_roles WHERE rolname LIKE 'retort%' ORDER BY 1"""
    assert ask(running, "retort_app", query) == [
        ("retort_app", False, False, False, False, 0),
        ("retort_audit", False, False, False, True, 0),
        ("retort_owner", False, False, False, False, 0),
    ]


@pytest.mark.parametrize("role", ["retort_app", "retort_audit"])
def test_role_other_than_the_owner_cannot_create_a_table(running, role):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        ask(running, role, "CREATE TABLE mine (id int)")


def test_wrong_password_is_refused(running):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=str(running.sockets), user="retort_app", password="guess", dbname="retort")


def test_broker_answers_at_its_url(running):
    with Connection(environment(running)["BROKER_URL"]) as broker:
        assert broker.default_channel.client.ping()


def test_broker_without_the_password_refuses(running):
    client = redis.Redis(unix_socket_path=str(running.sockets / "valkey.sock"), retry=Retry(NoBackoff(), 0))
    with client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_attach_while_running_leaves_the_servers_to_the_first_user(running):
    before = embedded.status(running)
    with embedded.attach(running):
        assert embedded.status(running) == before
    assert embedded.status(running) == before


def test_servers_live_in_sessions_of_their_own(running):
    now = embedded.status(running)
    assert [os.getsid(pid) for pid in (now.postgres, now.valkey)] == [now.postgres, now.valkey]


def test_last_user_stops_the_servers_and_nothing_is_left(home):
    with embedded.attach(home):
        found = embedded.status(home)
        assert None not in (found.postgres, found.valkey)
    assert embedded.status(home) == embedded.Status(None, None)
    assert processes.working_in(home.postgres, "") == processes.working_in(home.valkey, "") == []


def test_long_path_works(tmp_path):
    home = Home(tmp_path / ("long" * 30))
    with embedded.attach(home):
        assert ask(home, "retort_app", "SELECT 1") == [(1,)]
    home.sockets.rmdir()


def test_killed_servers_start_again_with_their_data(home):
    embedded.start(home)
    with postgres.connect(home, "retort_owner") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    before = embedded.status(home)
    for pid in (before.postgres, before.valkey):
        os.kill(pid, signal.SIGKILL)
    embedded.start(home)
    assert ask(home, "retort_owner", "SELECT n FROM kept") == [(7,)]
    now = embedded.status(home)
    assert now.postgres not in (None, before.postgres) and now.valkey not in (None, before.valkey)


def test_server_that_dies_while_it_is_looked_at_is_started_anew(home):
    """As when it was killed a moment before: it is still there, and nobody can reach it any more."""
    embedded.start(home)
    before = embedded.status(home).postgres
    (home.sockets / POSTGRES_SOCKET).unlink()
    end = threading.Timer(1.5, os.kill, (before, signal.SIGKILL))
    end.start()
    try:
        embedded.start(home)
    finally:
        end.cancel()
    assert ask(home, "retort_app", "SELECT 1") == [(1,)]
    assert embedded.status(home).postgres not in (None, before)


def test_queue_outlives_a_killed_valkey(home):
    embedded.start(home)
    url = environment(home)["BROKER_URL"]
    with Connection(url) as broker:
        broker.default_channel.client.lpush("kept", "job")
    time.sleep(1.2)  # appendfsync everysec
    os.kill(embedded.status(home).valkey, signal.SIGKILL)
    embedded.start(home)
    with Connection(url) as broker:
        assert broker.default_channel.client.lrange("kept", 0, -1) == [b"job"]


def test_process_id_that_another_program_has_now_does_not_stop_a_start(home):
    embedded.start(home)
    embedded.stop(home)
    for path in (home.postgres / "postmaster.pid", home.run / "valkey.pid"):
        path.write_text(f"{os.getpid()}\n{home.postgres}\n0\n5432\n\n\n\nready   \n")
    assert embedded.status(home) == embedded.Status(None, None)
    embedded.start(home)
    assert ask(home, "retort_app", "SELECT 1") == [(1,)]


def test_half_made_data_folder_is_made_again(home):
    home.create()
    left = home.path / "postgres.new-abc"
    (left / "data" / "base").mkdir(parents=True)
    home.postgres.mkdir()
    embedded.start(home)
    assert (left.exists(), ask(home, "retort_app", "SELECT 1")) == (False, [(1,)])


def test_folder_with_other_files_is_refused_and_kept(home):
    home.create()
    home.postgres.mkdir()
    (home.postgres / "letter.txt").write_text("dear")
    with pytest.raises(EmbeddedError, match="holds files but no complete PostgreSQL database"):
        embedded.start(home)
    assert [path.name for path in home.postgres.iterdir()] == ["letter.txt"]
    assert embedded.status(home).signer is None


def test_database_of_another_release_is_refused(home):
    home.create()
    (home.postgres / "global").mkdir(parents=True)
    (home.postgres / "global" / "pg_control").write_bytes(b"")
    (home.postgres / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 15 and this release of Retort brings 18"):
        embedded.start(home)


def test_changed_passwords_file_is_told_in_one_sentence(home):
    embedded.start(home)
    text = home.passwords_file.read_text()
    home.passwords_file.write_text(text.replace(home.password("postgres"), "other"))
    with pytest.raises(
        EmbeddedError, match=r"refuses Retort: .*password authentication failed.*; passwords.json must be"
    ):
        embedded.start(home)


def test_damaged_queue_file_is_told_in_one_sentence(home):
    embedded.start(home)
    embedded.stop(home)
    manifest = next((home.valkey / "appendonlydir").glob("*.manifest"))
    manifest.write_text("nonsense\n")
    with pytest.raises(EmbeddedError, match=r"Valkey did not start: .*may be moved away when it is damaged"):
        embedded.start(home)


COMMAND = """
import sys, time
from pathlib import Path
from config import embedded, home
with embedded.attach(home.Home(Path(sys.argv[1]))):
    print("attached", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def command(home: Home, seconds: float) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", COMMAND, str(home.path), str(seconds)]
    return subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)


def test_two_commands_at_once_share_the_servers_and_the_last_stops_them(home):
    with command(home, 0) as first, command(home, 1) as second:
        assert [second.stdout.readline(), first.stdout.readline()] == ["attached\n"] * 2
        assert first.wait() == 0
        assert None not in (embedded.status(home).postgres, embedded.status(home).valkey)
    assert embedded.status(home) == embedded.Status(None, None)


def test_killed_command_does_not_hinder_the_next(home):
    with command(home, 60) as killed:
        assert killed.stdout.readline() == "attached\n"
        killed.kill()
    left = embedded.status(home)
    with embedded.attach(home):
        assert embedded.status(home) == left
    assert embedded.status(home) == embedded.Status(None, None)


def test_valkey_settings_quote_what_a_path_may_hold():
    assert valkey._quoted('a "b" \\c') == '"a \\"b\\" \\\\c"'


def as_ordinary_user() -> list[str]:
    """For root a user namespace in which it is user 1000 without rights; nothing for an ordinary user."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


def as_root() -> list[str]:
    """Nothing for root; for an ordinary user a namespace in which it is root."""
    return [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]


def test_ordinary_user_starts_and_stops_the_servers(home):
    argv = [*as_ordinary_user(), sys.executable, "-c", COMMAND, str(home.path), "0"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "attached\n", "")
    assert embedded.status(home) == embedded.Status(None, None)


def test_root_without_user_namespaces_is_told_what_to_do(home):
    code = COMMAND.replace("import sys, time", "import os, sys, time\nos.environ['PATH'] = '/nowhere'")
    done = subprocess.run(
        [*as_root(), sys.executable, "-c", code, str(home.path), "0"], cwd=CHECKOUT, capture_output=True, text=True
    )
    said = done.stderr.splitlines()[-1].removeprefix("config.home.EmbeddedError: ")
    assert (done.returncode, said) == (
        1,
        "PostgreSQL does not run as root, and this machine lets it make no user namespace (unshare --user): run "
        "Retort as an ordinary user, or set DATABASE_URL, RETORT_OWNER_DATABASE_URL, RETORT_AUDIT_DATABASE_URL and "
        "BROKER_URL to servers of your own",
    )


def test_full_or_missing_disk_is_told_in_one_sentence(tmp_path):
    (tmp_path / "home").symlink_to(tmp_path / "unmounted" / "home")
    with pytest.raises(EmbeddedError, match=r"RETORT_HOME=.* cannot be used: .*choose a folder that you may write to"):
        Home(tmp_path / "home").create()


def tool(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "config.embedded", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "RETORT_HOME": str(home.path)},
        capture_output=True,
        text=True,
    )


def test_dump_of_a_running_database_restores_into_a_new_home(running, home, tmp_path):
    with postgres.connect(running, "retort_owner") as connection:
        connection.execute("CREATE TABLE thing AS SELECT 7 AS n")
        connection.execute("GRANT SELECT ON thing TO retort_app")
    dump = str(tmp_path / "retort.dump")
    assert tool(running, "pg_dump", "--format=custom", f"--file={dump}").returncode == 0
    home.create()
    assert tool(home, "pg_restore", "--dbname=retort", "--exit-on-error", dump).stderr == ""
    with embedded.attach(home):
        assert ask(home, "retort_app", "SELECT n FROM thing") == [(7,)]


def test_unknown_program_is_told_with_the_known_ones(running):
    done = tool(running, "rm")
    assert (done.returncode, done.stderr[:55]) == (1, "retort: name one of PostgreSQL's programs: clusterdb, c")


def test_initdb_that_outlives_its_caller_is_waited_for(home):
    home.create()
    left = home.path / "postgres.new-abc"
    left.mkdir()
    held = "import fcntl, time; f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); time.sleep(1)"
    with subprocess.Popen([sys.executable, "-c", held], cwd=left, stdout=subprocess.PIPE) as outliving:
        outliving.stdout.readline()
        embedded.start(home)
        assert outliving.poll() == 0
    assert not left.exists()


def test_valkey_without_a_pid_file_is_not_joined_by_a_second(home):
    embedded.start(home)
    first = embedded.status(home).valkey
    (home.run / "valkey.pid").unlink()
    embedded.start(home)
    assert processes.working_in(home.valkey, "valkey") == [embedded.status(home).valkey] != [first]
