"""The embedded PostgreSQL, Valkey and signer of one RETORT_HOME: start, stop, and use by several processes at once.

Whoever needs the servers attaches: the first starts them, the last to leave stops them. Interest is a shared file lock,
so a killed process counts as gone; servers it left running are found again by their data folder and used.
"""

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from config.embedded import postgres, signer, valkey
from config.home import EmbeddedError, Home, environment, locked

__all__ = ["EmbeddedError", "Status", "attach", "environment", "start", "status", "stop"]


@dataclass(frozen=True)
class Status:
    """Process ids of the servers that run, None for one that does not."""

    postgres: int | None
    valkey: int | None
    signer: int | None = None

    def missing(self, servers: bool = True) -> str | None:
        """The name of one that this installation runs itself and that does not run."""
        expected = {"PostgreSQL": self.postgres, "Valkey": self.valkey} if servers else {}
        if signer.is_ours():
            expected["The signer"] = self.signer
        return next((name for name, pid in expected.items() if pid is None), None)


def status(home: Home) -> Status:
    """Which of this home's servers run."""
    return Status(postgres=postgres.running(home), valkey=valkey.running(home), signer=signer.running(home))


def start(home: Home, servers: bool = True) -> None:
    """Start whichever server does not run and wait until all accept connections; only the signer without `servers`.

    Raises:
        EmbeddedError: in one sentence, why a server cannot run here.
    """
    home.create()
    with locked(home.run / "servers.lock"):
        _start(home, servers)


def stop(home: Home) -> None:
    """Stop the servers, whoever uses them."""
    if home.run.is_dir():
        with locked(home.run / "servers.lock"):
            _stop(home)


@contextmanager
def attach(home: Home, servers: bool = True) -> Iterator[None]:
    """Use the servers: started when they do not run, stopped at the end when nobody else uses them.

    Without `servers`, which are somebody else's then, the same for the signer alone.
    """
    home.create()
    users = home.run / "users.lock"
    with ExitStack() as interest:
        try:
            with locked(home.run / "servers.lock"):
                interest.enter_context(locked(users, shared=True))
                _start(home, servers)
            yield
        finally:
            with locked(home.run / "servers.lock"):
                interest.close()
                _stop_unused(home, servers)


def _start(home: Home, servers: bool) -> None:
    if platform.system() != "Linux" and (servers or signer.is_ours()):
        raise EmbeddedError(
            "the embedded servers run on Linux: set DATABASE_URL, RETORT_OWNER_DATABASE_URL, RETORT_AUDIT_DATABASE_URL "
            "and BROKER_URL to servers of your own"
        )
    starting = None
    try:
        starting = signer.launch(home)
        if servers:
            postgres.start(home)
            valkey.start(home)
        signer.wait(home, starting)
    except BaseException as error:
        if starting is not None and starting.new:
            signer.stop(home)  # nobody was using it, and nobody would stop it
        if isinstance(error, OSError):
            raise EmbeddedError(
                f"the servers of {home.path} cannot start: {error.strerror or error} ({error.filename})"
            ) from None
        raise


def _stop(home: Home) -> None:
    signer.stop(home)
    valkey.stop(home)
    postgres.stop(home)


def _stop_unused(home: Home, servers: bool) -> None:
    try:
        with locked(home.run / "users.lock", wait=False):
            if servers:
                _stop(home)
            else:
                signer.stop(home)
    except BlockingIOError:
        return  # somebody else uses them and will stop them
