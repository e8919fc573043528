"""The embedded PostgreSQL and Valkey of one RETORT_HOME: start, stop, and use by several processes at once.

Whoever needs the servers attaches: the first starts them, the last to leave stops them. Interest is a shared file lock,
so a killed process counts as gone; servers it left running are found again by their data folder and used.
"""

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from config.embedded import postgres, valkey
from config.home import EmbeddedError, Home, environment, locked

__all__ = ["EmbeddedError", "Status", "attach", "environment", "start", "status", "stop"]


@dataclass(frozen=True)
class Status:
    """Process ids of the servers that run, None for one that does not."""

    postgres: int | None
    valkey: int | None


def status(home: Home) -> Status:
    """Which of this home's servers run."""
    return Status(postgres=postgres.running(home), valkey=valkey.running(home))


def start(home: Home) -> None:
    """Start whichever server does not run and wait until both accept connections.

    Raises:
        EmbeddedError: in one sentence, why a server cannot run here.
    """
    home.create()
    with locked(home.run / "servers.lock"):
        _start(home)


def stop(home: Home) -> None:
    """Stop both servers, whoever uses them."""
    if home.run.is_dir():
        with locked(home.run / "servers.lock"):
            _stop(home)


@contextmanager
def attach(home: Home) -> Iterator[None]:
    """Use the servers: started when they do not run, stopped at the end when nobody else uses them."""
    home.create()
    users = home.run / "users.lock"
    with ExitStack() as interest:
        try:
            with locked(home.run / "servers.lock"):
                interest.enter_context(locked(users, shared=True))
                _start(home)
            yield
        finally:
            with locked(home.run / "servers.lock"):
                interest.close()
                _stop_unused(home)


def _start(home: Home) -> None:
    if platform.system() != "Linux":
        raise EmbeddedError(
            "the embedded servers run on Linux: set DATABASE_URL, RETORT_OWNER_DATABASE_URL, RETORT_AUDIT_DATABASE_URL "
            "and BROKER_URL to servers of your own"
        )
    try:
        postgres.start(home)
        valkey.start(home)
    except OSError as error:
        raise EmbeddedError(
            f"the servers of {home.path} cannot start: {error.strerror or error} ({error.filename})"
        ) from None


def _stop(home: Home) -> None:
    valkey.stop(home)
    postgres.stop(home)


def _stop_unused(home: Home) -> None:
    try:
        with locked(home.run / "users.lock", wait=False):
            _stop(home)
    except BlockingIOError:
        return  # somebody else uses them and will stop them
