"""What a long-running process checks before it serves: an unsafe database stops it, an absent one may yet come."""

import gc
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


def collect_seldom() -> None:
    """Let the collector of cycles come a hundred times more seldom than by default.

    What a request or a batch makes is freed by its counts alone, and the collector goes through all that lives each
    time it comes: of an ingest it took a quarter of the processor time.
    """
    gc.set_threshold(70_000, 20, 50)
