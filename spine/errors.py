"""What a verb says when it will not act. Pages show the sentence, the API answers 409 with the same words."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Refused(Exception):  # noqa: N818 - the word the product uses
    """A rule does not allow this. `missing` lists what would have to be there first."""

    def __init__(self, message: str, *, missing: Sequence[str] = (), field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.missing = tuple(missing)
        self.field = field
        self.place = ""  # the id of the field's control, once a page shows it


class Conflict(Refused):
    """Somebody else was faster; the message says who and what it is now."""


class NoRoom(Exception):  # noqa: N818 - a fact about the disk
    """The disk that has to take these bytes is full; answered with 503 and a time after which to try again."""

    message = "There is no room left to store this. Nothing was kept of it; try again when space has been made."
    retry_seconds = 30


# PostgreSQL, out of what every statement needs (appendix A of its manual, class 53): disk, memory, connections. Not
# 53400, a limit that one statement passes every time.
DISK_FULL = "53100"
LACKING = {"53000", DISK_FULL, "53200", "53300"}


def sqlstate(error: BaseException | None) -> str:
    """The code PostgreSQL gave for an error of Django's or psycopg's; empty when there is none."""
    for one in (error, error.__cause__ if error else None):
        code = getattr(one, "sqlstate", None)
        if code:
            return str(code)
    return ""


def is_no_room(error: BaseException | None) -> bool:
    """Whether an error says that a disk, a quota or a file's greatest size is full, here or at the database."""
    here = isinstance(error, OSError) and error.errno in NO_ROOM
    return here or isinstance(error, NoRoom) or sqlstate(error) == DISK_FULL


def is_lacking(error: BaseException | None) -> bool:
    """Whether the database lacks disk, memory or connections: nothing is wrong with what was asked of it."""
    return sqlstate(error) in LACKING


@contextmanager
def no_room_told() -> Iterator[None]:
    """Turn what the operating system says of a full disk into NoRoom."""
    try:
        yield
    except OSError as error:
        if is_no_room(error):
            raise NoRoom(NoRoom.message) from error
        raise


class Unreachable(Exception):  # noqa: N818 - a fact about the store
    """The evidence store does not answer or refuses; the message names no secret. Answered with 503."""
