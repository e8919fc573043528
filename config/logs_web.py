"""Gunicorn's own lines in the form of all others (config.logs)."""

import logging
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from config.logs import OneLine


class Lines(Logger):  # type: ignore[misc]
    """Gunicorn's logger with our formatter on each of its handlers."""

    def _set_handler(self, log: logging.Logger, output: str, fmt: logging.Formatter, stream: Any = None) -> None:
        super()._set_handler(log, output, OneLine(fmt._fmt, fmt.datefmt), stream)
