"""Stopping what an engine works on: a thread asks whether the work is still wanted, and interrupts it when not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from spine.jobs import LeaseLost

ASKED_SECONDS = 2.0
AGAIN_SECONDS = 0.2


@contextmanager
def unless_wanted(is_held: Callable[[], bool], interrupt: Callable[[], None]) -> Iterator[None]:
    """While the block runs, ask every two seconds whether its work is still held, and interrupt the engine once not.

    What the engine then raises, in the middle of a query, is LeaseLost. What is worked out beside the engine is not
    interrupted: it ends at its next query, or when the block says how far it is.
    """
    ended, lost = threading.Event(), threading.Event()

    def look() -> None:
        try:
            while not ended.wait(ASKED_SECONDS):
                if not is_held():
                    lost.set()
                    break
        finally:
            connection.close()
        while not ended.is_set():  # between two queries there is nothing to interrupt
            interrupt()
            ended.wait(AGAIN_SECONDS)

    thread = threading.Thread(target=look, name="unless-wanted", daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        if lost.is_set():
            raise LeaseLost("stopped, or held by another attempt, in the middle of a query") from error
        raise
    finally:
        ended.set()
        thread.join(timeout=10)
