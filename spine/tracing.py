"""Which request or job is being worked for. The id travels with the work: into the outbox, the job's row, each line.

A request's id is the caller's own (`X-Request-Id`) or one we made; work that a schedule begins has none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

# What the web server's line about a request says of it, under these names in the request's WSGI environment.
REQUEST_ID, ROUTE, PRINCIPAL_KIND = "retort.request_id", "retort.route", "retort.principal"


@dataclass(frozen=True)
class Trace:
    """The ids of the request that began it all, and of the job at work; empty where there is none."""

    request: str = ""
    job: str = ""


NOTHING = Trace()
_current: ContextVar[Trace] = ContextVar("trace", default=NOTHING)


def current() -> Trace:
    """What is being worked for now."""
    return _current.get()


@contextmanager
def within(*, request: str = "", job: str = "") -> Iterator[None]:
    """Work for this request or job inside the block."""
    token = _current.set(Trace(request, job))
    try:
        yield
    finally:
        _current.reset(token)
