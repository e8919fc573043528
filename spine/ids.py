"""Identifiers: UUIDv7 (RFC 9562), made in the application because PostgreSQL has them from version 18 only."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A fresh time-ordered identifier."""
    return uuid7()
