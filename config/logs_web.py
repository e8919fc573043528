"""Gunicorn's own lines in the form of all others (config.logs), and one line for each request that was answered."""

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from config.environment import choice
from config.logs import FORMATS, LEVELS, METHODS, Discreet, OneLine, OneObject
from spine import tracing


class Lines(Logger):  # type: ignore[misc]
    """Gunicorn's logger with our formatter and filter on each of its handlers."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        level = choice("RETORT_LOG_LEVEL", "INFO", LEVELS)
        for logger in (self.error_log, self.access_log):
            logger.setLevel(level)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line: what was asked for by its pattern, never by its path or query, and what was answered."""
        method = environ.get("REQUEST_METHOD")
        facts = {
            "method": method if method in METHODS else "other",
            "path": environ.get(tracing.ROUTE, "unread"),
            "status": _number(resp.status),
            "duration_ms": round(request_time / timedelta(milliseconds=1), 1),
            "bytes": getattr(resp, "sent", None) or 0,
            "principal": environ.get(tracing.PRINCIPAL_KIND) or "nobody",
        }
        line = "{method} {path} {status} {duration_ms} ms, {bytes} bytes to {principal}".format(**facts)
        with tracing.within(request=environ.get(tracing.REQUEST_ID, "")):
            self.access_log.info("%s", line, extra={"facts": facts})

    def _set_handler(self, log: logging.Logger, output: str, fmt: logging.Formatter, stream: Any = None) -> None:
        form = choice("RETORT_LOG_FORMAT", "line", FORMATS)
        line = fmt._fmt if log is self.error_log else f"%(asctime)s {fmt._fmt}"
        formatter = OneObject() if form == "json" else OneLine(line, fmt.datefmt)
        super()._set_handler(log, output, formatter, stream)
        self._get_gunicorn_handler(log).addFilter(Discreet())


def _number(status: Any) -> int:
    return int(str(status).partition(" ")[0])
