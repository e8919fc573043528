"""Server logs cannot be forged: whatever a record carries, one record is one line, and nothing moves the cursor."""

import io
import logging
import sys
from typing import Any

import pytest
from django.conf import settings

from config.logs import INDENT, OneLine
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


def written(message: str, *args: Any, **extra: Any) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(OneLine(settings.LOGGING["formatters"]["line"]["format"]))
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
    used = {handler["formatter"] for handler in settings.LOGGING["handlers"].values()}
    assert {settings.LOGGING["formatters"][name]["()"] for name in used} == {"config.logs.OneLine"}


def test_gunicorn_writes_so_too() -> None:
    from gunicorn.config import Config

    from config.logs_web import Lines

    logger = Lines(Config())
    assert [type(handler.formatter) for handler in logger.error_log.handlers] == [OneLine]


@pytest.mark.django_db(transaction=True)
def test_a_worker_writes_so_too(worker: Program) -> None:
    lines = [line for line in worker.output.splitlines() if " ready." in line]
    assert [line.split()[2:4] for line in lines] == [["INFO", "celery.apps.worker"]]
