"""Server logs that cannot be forged and tell nothing of what is in the database: one record is one line or one object.

Lines of ours name ids of requests and jobs, kinds, counts and times: no person, no account, no text that somebody sent.
What libraries log is brought down to that here. Of an error its kind and its place in the program are written, its own
words only where they cannot quote a value (SPEAKING), or while the level is DEBUG.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from spine import principal, tracing

FORMATS = ("line", "json")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
# What a terminal or a log reader acts on: controls (C0 but nothing else is spared, DEL, C1), line and paragraph
# separators, and what turns text round.
ACTED_ON = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
INDENT = "    "
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Errors whose words are the interpreter's or ours, about names in the program and settings, never about data.
SPEAKING = (
    *(ImproperlyConfigured, ImportError, ModuleNotFoundError, AttributeError, NameError, UnboundLocalError),
    *(TypeError, ZeroDivisionError, OverflowError, RecursionError, MemoryError, NotImplementedError, SystemExit),
)
ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """Formats a record as one line. Characters that could begin another line, move the cursor or turn text round stand
    as their escapes (`\\n`, `\\x1b`, `\\u202e`); lines of a traceback follow, each indented. The line ends with the ids
    of the request and the job it belongs to.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        ids = "".join(f" {name}={value}" for name, value in _ids().items())
        return escaped(super().formatMessage(record)) + ids

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802 - the name is logging's
        return indented(told(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's
        return indented(stack_info)


class OneObject(logging.Formatter):
    """Formats a record as one JSON object on one line, ASCII alone: `docs/operate.md` lists its members."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        members: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids(),
        }
        if principal.kind():
            members["principal"] = principal.kind()
        members |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            members["exception"] = told(record.exc_info)
        if record.stack_info:
            members["stack"] = record.stack_info
        return json.dumps(members, default=str)


class Discreet(logging.Filter):
    """Takes what may quote a request out of the records of libraries, and keeps the rest of the record."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, change in CHANGES.items():
            if record.name == name or record.name.startswith(f"{name}."):
                change(record)
        return True


def _of_django(record: logging.LogRecord) -> None:
    """Django's lines about a request name its path as it was typed: the address's pattern stands for it."""
    request = getattr(record, "request", None)
    if request is not None:
        record.msg, record.args = "%s %s answered %s", (method_of(request), route_of(request), status_of(record))


def _of_celery(record: logging.LogRecord) -> None:
    """Celery puts an error's own words into its message; the exception that follows says which it was."""
    if isinstance(record.args, dict) and "exc" in record.args:
        kind = record.exc_info[0] if record.exc_info else None
        record.args = {**record.args, "exc": kind.__name__ if kind else "an error"}


def _of_gunicorn(record: logging.LogRecord) -> None:
    """Gunicorn names the address with its query, or the part of a request that could not be read."""
    text = str(record.msg)
    if text.startswith("Error handling request"):
        record.msg, record.args = "Error handling request", ()
    elif text.startswith("Invalid request from"):
        record.msg, record.args = "A request could not be read", ()


def _of_connections(record: logging.LogRecord) -> None:
    """What libraries say of connections outside names addresses with their queries: their first words remain."""
    record.msg, record.args = re.split(r"[(%:]", str(record.msg))[0].strip(), ()


CHANGES = {
    "django": _of_django,
    "celery": _of_celery,
    "gunicorn": _of_gunicorn,
    "urllib3": _of_connections,
    "botocore": _of_connections,
}


def method_of(request: Any) -> str:
    """The request's method when it is one of HTTP's own."""
    return request.method if request.method in METHODS else "other"


def route_of(request: Any) -> str:
    """The pattern of the request's address, which holds no value: `cases/<str:ref>/`."""
    match = getattr(request, "resolver_match", None)
    if match is not None:
        return str(match.route)
    return "static" if request.path.startswith("/static/") else "unmatched"


def status_of(record: logging.LogRecord) -> str:
    """The status of the answer a line is about."""
    return str(getattr(record, "status_code", "-"))


def told(info: ErrorInfo) -> str:
    """A traceback without values: for each error that led to this one, where it went and what kind it is."""
    error = info[1]
    if error is None:
        return ""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return "".join(traceback.format_exception(error)).rstrip("\n")
    lines: list[str] = []
    for one in _causes(error):
        lines += ["Traceback (most recent call last):", *"".join(traceback.format_tb(one.__traceback__)).splitlines()]
        lines.append(kind_of(one))
    return "\n".join(lines)


def kind_of(error: BaseException) -> str:
    """What an error is, without words that may quote a value: its type, and of the database's errors the code."""
    name = type(error).__qualname__
    if type(error) in SPEAKING:
        return f"{name}: {error}"
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None:
        parts = (diagnosis.sqlstate, diagnosis.table_name, diagnosis.constraint_name)
        return " ".join([name, *(part for part in parts if part)])
    if isinstance(error, OSError) and isinstance(error.strerror, str):
        return f"{name}: {error.strerror}"
    return name


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the first cause first."""
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    yield from reversed(chain)


def _ids() -> dict[str, str]:
    trace = tracing.current()
    found = {"request_id": trace.request, "job_id": trace.job}
    return {name: value for name, value in found.items() if value}


def escaped(text: str) -> str:
    """The text with every such character as its escape."""
    return ACTED_ON.sub(lambda found: ascii(found.group())[1:-1], text)


def indented(text: str) -> str:
    """Each line indented and escaped, so that no line of it begins like a record."""
    return "\n".join(INDENT + escaped(line) for line in text.split("\n"))


def configuration(form: str, level: str) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes: everything to standard error in one form."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"discreet": {"()": "config.logs.Discreet"}},
        "formatters": {
            "line": {"()": "config.logs.OneLine", "format": LINE},
            "json": {"()": "config.logs.OneObject"},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["discreet"]}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {"django.security.DisallowedHost": {"level": "CRITICAL"}},
    }
