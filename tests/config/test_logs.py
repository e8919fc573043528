"""Server logs cannot be forged: whatever a record carries, one record is one line, and nothing moves the cursor."""

import io
import json
import logging
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory
from django.urls import resolve

from config.logs import INDENT, Discreet, OneLine, OneObject, configuration
from people.models import User
from spine import tracing
from spine.principal import acting_as
from tests.servers import Program

FORGED = (
    "x\n2026-11-25 12:00:00,000 INFO people signed in as admin",
    "x\r\n2026-11-25 12:00:00,000 ERROR root all is well",
    "\x1b[2J\x1b[1;1H\x1b[31mgone",
    "a\x00b\x07c\x08\x08\x08d",
    "\u2028line \u2029paragraph \x85next",
    "safe\u202egpj.exe \u2066x\u2069",
    "\x9b31m C1",
    "\udcff lone",
)


def written(message: str, *args: Any, formatter: logging.Formatter | None = None, **extra: Any) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter or OneLine(settings.LOGGING["formatters"]["line"]["format"]))
    logger = logging.Logger("people")
    logger.addHandler(handler)
    logger.error(message, *args, **extra)
    return out.getvalue()


@pytest.mark.parametrize("text", FORGED)
def test_a_record_is_one_line_without_any_control_character(text: str) -> None:
    for line in (written(text), written("refused: %s", text), written("refused: %(who)s", {"who": text})):
        assert (line.count("\n"), line[-1]) == (1, "\n")
        assert all(character.isprintable() for character in line[:-1])


def test_what_was_there_can_still_be_read() -> None:
    assert written("who: %s", "a\nb\x1b[2J\u202ec ü 東").endswith("ERROR people who: a\\nb\\x1b[2J\\u202ec ü 東\n")


def test_a_traceback_is_indented_so_that_no_line_of_it_begins_like_a_record() -> None:
    try:
        raise ValueError("no\n2026-11-25 12:00:00,000 INFO people forged\x1b[2J")
    except ValueError:
        lines = written("failed", exc_info=sys.exc_info(), stack_info=True).splitlines()
    assert len(lines) > 5
    assert [line for line in lines[1:] if not line.startswith(INDENT)] == []
    assert all(line.isprintable() for line in lines)


def test_every_handler_of_ours_writes_so() -> None:
    for form, formatter in (("line", "config.logs.OneLine"), ("json", "config.logs.OneObject")):
        made = configuration(form, "INFO")
        used = {handler["formatter"] for handler in made["handlers"].values()}
        assert {made["formatters"][name]["()"] for name in used} == {formatter}
        assert [handler["filters"] for handler in made["handlers"].values()] == [["discreet"]]


def of_gunicorn() -> Any:
    from gunicorn.config import Config

    from config.logs_web import Lines

    wanted = Config()
    wanted.set("accesslog", "-")
    return Lines(wanted)


@pytest.mark.parametrize(("form", "formatter"), [("line", OneLine), ("json", OneObject)])
def test_gunicorn_writes_so_too(form: str, formatter: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_LOG_FORMAT", form)
    logger = of_gunicorn()
    for log in (logger.error_log, logger.access_log):
        [handler] = [one for one in log.handlers if hasattr(one, "_gunicorn")]
        assert (type(handler.formatter), type(handler.filters[0])) == (formatter, Discreet)


def test_a_line_about_a_request_has_its_pattern_and_no_path_or_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_LOG_FORMAT", "json")
    logger, out = of_gunicorn(), io.StringIO()
    [handler] = [one for one in logger.access_log.handlers if hasattr(one, "_gunicorn")]
    handler.setStream(out)
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/cases/RT-2026-K7Q4M/?q=acct_canary",
        "QUERY_STRING": "q=acct_canary",
        "HTTP_USER_AGENT": "acct_canary",
        tracing.ROUTE: "cases/<str:ref>/",
        tracing.REQUEST_ID: "request-1",
        tracing.PRINCIPAL_KIND: "user",
    }
    answered = SimpleNamespace(status="200 OK", sent=17)
    logger.access(answered, None, environ, timedelta(milliseconds=12.34))

    written = json.loads(out.getvalue())
    assert written.pop("time").endswith("Z")
    assert written == {
        "level": "INFO",
        "logger": "gunicorn.access",
        "message": "GET cases/<str:ref>/ 200 12.3 ms, 17 bytes to user",
        "request_id": "request-1",
        "method": "GET",
        "path": "cases/<str:ref>/",
        "status": 200,
        "duration_ms": 12.3,
        "bytes": 17,
        "principal": "user",
    }


@pytest.mark.parametrize("name", ["RETORT_LOG_FORMAT", "RETORT_LOG_LEVEL"])
def test_a_form_or_level_that_is_none_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "xml")
    with pytest.raises(ImproperlyConfigured, match=f"{name}='xml': accepted are "):
        of_gunicorn()
    tried = subprocess.run(
        [sys.executable, "-c", "import config.settings"], capture_output=True, text=True, check=False
    )
    assert (tried.returncode, f"{name}='xml': accepted are " in tried.stderr) == (1, True)


# As JSON


def as_object(message: str, *args: Any, **extra: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written(message, *args, formatter=OneObject(), **extra))
    return found


@pytest.mark.parametrize("text", FORGED)
def test_a_record_is_one_object_on_one_line(text: str) -> None:
    line = written("refused: %s", text, formatter=OneObject())
    assert (line.count("\n"), line.isascii(), json.loads(line)["message"]) == (1, True, f"refused: {text}")


def test_an_object_names_request_job_and_kind_of_principal_and_no_person() -> None:
    with tracing.within(request="request-1", job="job-1"), acting_as("user:mira"):
        found = as_object("done", extra={"facts": {"received": 3}})
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "ERROR",
        "logger": "people",
        "message": "done",
        "request_id": "request-1",
        "job_id": "job-1",
        "principal": "user",
        "received": 3,
    }


def test_a_line_ends_with_the_ids() -> None:
    with tracing.within(request="request-1", job="job-1"):
        assert written("done").endswith("ERROR people done request_id=request-1 job_id=job-1\n")


# What libraries would tell


def caught(act: Any) -> Any:
    try:
        act()
    except Exception:  # noqa: BLE001 - whatever it is, it is what the test wants to log
        return sys.exc_info()
    raise AssertionError("nothing was raised")


def of_a_unique_constraint() -> None:
    User.objects.create(username="acct_canary", role="reader")
    User.objects.create(username="acct_canary", role="reader")


def of_a_value() -> None:
    try:
        {}["acct_canary"]
    except KeyError:
        int("acct_canary")


def of_a_file() -> None:
    Path("/nowhere/acct_canary").read_text()


@pytest.mark.django_db
@pytest.mark.parametrize("formatter", [None, OneObject()])
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (of_a_unique_constraint, "UniqueViolation 23505 people_user people_user_username_"),
        (of_a_value, "ValueError"),
        (of_a_file, "FileNotFoundError: No such file or directory"),
        (lambda: None.nothing, "AttributeError: 'NoneType' object has no attribute 'nothing'"),  # type: ignore[attr-defined]
    ],
)
def test_an_error_is_told_without_the_values_it_quotes(act: Any, said: str, formatter: Any) -> None:
    text = written("failed", exc_info=caught(act), formatter=formatter)
    lines = text.splitlines() if formatter is None else json.loads(text)["exception"].splitlines()
    assert [line for line in lines if line.strip().startswith(said)] != []
    shown = [line for line in lines if "acct_canary" in line]  # lines of the program itself, as it stands in the file
    assert [line for line in shown if not line.startswith(("    ", INDENT + "    "))] == []
    assert "test_logs.py" in text


def test_an_error_is_told_whole_while_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]
    try:
        assert "ValueError: invalid literal" in written("failed", exc_info=caught(of_a_value))
    finally:
        monkeypatch.undo()
        logging.getLogger().manager._clear_cache()  # type: ignore[attr-defined]


def discreet(name: str, message: str, *args: Any, **more: Any) -> str:
    record = logging.LogRecord(name, logging.ERROR, "x", 1, message, args, more.pop("exc_info", None))
    vars(record).update(more)
    assert Discreet().filter(record) is True
    return record.getMessage()


def test_lines_of_libraries_name_no_path_and_quote_nothing() -> None:
    request = RequestFactory().get("/accounts/acct_canary/?q=acct_canary")
    known = RequestFactory().get("/cases/RT-2026-K7Q4M/")
    known.resolver_match = resolve("/cases/RT-2026-K7Q4M/")
    told = "Not Found: %s"
    assert discreet("django.request", told, request.path, request=request, status_code=404) == (
        "GET unmatched answered 404"
    )
    assert discreet("django.request", told, known.path, request=known, status_code=404) == (
        "GET cases/<str:ref>/ answered 404"
    )
    assert discreet("django.security.SuspiciousOperation", "acct_canary", request=request, status_code=400) == (
        "GET unmatched answered 400"
    )
    assert discreet("gunicorn.error", "Error handling request %s", "/?q=acct_canary") == "Error handling request"
    assert discreet("gunicorn.error", "Invalid request from ip=1.1.1.1: acct_canary") == "A request could not be read"
    retried = ("Retrying (%r) after connection broken by '%r': %s", 1, OSError("acct_canary"), "/?key=acct_canary")
    assert discreet("urllib3.connectionpool", *retried) == "Retrying"
    context = {"name": "spine.tasks.sweep", "id": "1", "exc": "ValueError('acct_canary')"}
    trouble = discreet(
        "celery.app.trace", "Task %(name)s[%(id)s] raised: %(exc)s", context, exc_info=caught(of_a_value)
    )
    assert trouble == "Task spine.tasks.sweep[1] raised: ValueError"
    assert discreet("people", "kept: %s", "as it is") == "kept: as it is"


@pytest.mark.django_db(transaction=True)
def test_a_worker_writes_so_too(worker: Program) -> None:
    lines = [line for line in worker.output.splitlines() if " ready." in line]
    assert [line.split()[2:4] for line in lines] == [["INFO", "celery.apps.worker"]]
