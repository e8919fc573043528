"""Who acts: `user:<username>`, `detector:<name>` or `system:<name>`, named to the database in every transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connections

NOBODY = ""
_current: ContextVar[str] = ContextVar("principal", default=NOBODY)


def current() -> str:
    """The acting principal, empty when nobody is known yet."""
    return _current.get()


def kind() -> str:
    """What kind of principal acts: `user`, `detector`, `system`; empty when nobody is known. Fit for a log file."""
    return _current.get().partition(":")[0]


@contextmanager
def acting_as(principal: str) -> Iterator[None]:
    """Act as this principal inside the block, in transactions that are open already too."""
    token = _current.set(principal)
    try:
        _tell_open_transactions()
        yield
    finally:
        _current.reset(token)
        _tell_open_transactions()


def assume(principal: str) -> None:
    """Take over as this principal until the surrounding `acting_as` ends; for authentication inside a request."""
    _current.set(principal)
    _tell_open_transactions()


def _tell_open_transactions() -> None:
    for connection in connections.all(initialized_only=True):
        tell = getattr(connection, "tell_principal", None)
        if tell and connection.in_atomic_block and not connection.needs_rollback:
            tell()
