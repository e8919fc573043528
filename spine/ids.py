"""Identifiers: UUIDv7 (RFC 9562), made in the application because PostgreSQL has them from version 18 only."""

import uuid
from datetime import datetime

import uuid_utils
from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A fresh time-ordered identifier."""
    return uuid7()


def bounds_of(at: datetime) -> tuple[uuid.UUID, uuid.UUID]:
    """The least and the greatest identifier that can be made in the millisecond of this time."""
    stamp = max(0, min(int(at.timestamp() * 1000), 2**48 - 1)) << 80
    return uuid.UUID(int=stamp), uuid.UUID(int=stamp | (2**80 - 1))


def new_ids(number: int) -> list[bytes]:
    """So many, as the 16 bytes of each: a fifth of the time where no object is needed."""
    return [uuid_utils.uuid7().bytes for _ in range(number)]
