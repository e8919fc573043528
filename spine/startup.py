"""What a long-running process checks before it serves: an unsafe database stops it, an absent one may yet come."""

import logging

from django.db import OperationalError, connection

logger = logging.getLogger(__name__)


def refuse_unsafe_database() -> None:
    """Open a connection: ImproperlyConfigured on an unsafe server; one that does not answer may yet come."""
    try:
        connection.ensure_connection()
    except OperationalError:
        logger.warning("the database does not answer yet")
    finally:
        connection.close()
