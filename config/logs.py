"""Server logs that cannot be forged: one record is one line, and what a traceback adds is indented below it."""

import logging
import re

# What a terminal or a log reader acts on: controls (C0 but nothing else is spared, DEL, C1), line and paragraph
# separators, and what turns text round.
ACTED_ON = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
INDENT = "    "


class OneLine(logging.Formatter):
    """Formats a record as one line. Characters that could begin another line, move the cursor or turn text round stand
    as their escapes (`\\n`, `\\x1b`, `\\u202e`); lines of a traceback follow, each indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        return indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's
        return indented(super().formatStack(stack_info))


def escaped(text: str) -> str:
    """The text with every such character as its escape."""
    return ACTED_ON.sub(lambda found: ascii(found.group())[1:-1], text)


def indented(text: str) -> str:
    """Each line indented and escaped, so that no line of it begins like a record."""
    return "\n".join(INDENT + escaped(line) for line in text.split("\n"))
