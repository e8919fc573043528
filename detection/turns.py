"""Whose findings are stored next when several keys send at once: a key that floods holds up no other.

Three rules, and nothing to put right after a process was killed:

- A web process has so many threads. A key gets its part of them, half at most, and a first request of a key is always
  taken; what is refused is told when to come again (`place`, which counts in the process).
- One batch of a key is stored at a time, over all processes, however many connections it has: an advisory lock, which
  ends with the batch's transaction or its connection.
- A key that sends by several connections gives way: before a batch it waits, half a second at most, while a key with
  half as many or fewer stores. While there was such a key a moment ago it also stores in small pieces and rests
  between them. How many connections each key has is read from who holds and awaits those locks.

Keys that send alike have a batch each under way, and none waits for another. A key that is alone loses nothing.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction

from people.quotas import OverLimit

LOCKS = 0x5455524E  # "TURN", the first of the two numbers of these locks
PATIENCE, LOOKS_EVERY = 0.5, 0.01
REMEMBERED = 5  # seconds; so long after its last request a key counts as sending
SHARE = 0.25  # of the time, for a key that gives way
PIECE = 250
Item = TypeVar("Item")

TURN = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
# Other keys that were used a moment ago and have half the connections or fewer: whether there is one, and one that
# stores. In pg_locks a connection of a key is who holds or awaits its lock.
LIGHTER = """
WITH sending AS (
    SELECT objid, count(*) AS connections FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s::oid AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY objid
)
SELECT count(*) > 0, count(other.objid) > 0
FROM people_detectorkey key
LEFT JOIN sending other ON other.objid = hashtext(key.id::text)::oid
WHERE key.id <> %s AND key.last_used_at > clock_timestamp() - %s * interval '1 second'
  AND coalesce(other.connections, 0) * 2 <= (SELECT connections FROM sending WHERE objid = hashtext(%s)::oid)
"""


@dataclass
class _Sending:
    """What this process knows of a key that sends just now."""

    requests: int = 0
    took: float = 0.0
    gives_way: bool = False


_lock = threading.Lock()
_sending: dict[str, _Sending] = {}


@contextmanager
def place(key: str) -> Iterator["Turn"]:
    """A thread for a key's request, and with it its turns; raises OverLimit when the key has its part of them."""
    with _lock:
        part = (settings.WEB_THREADS - 2) // len(_sending.keys() | {key})
        known = _sending.setdefault(key, _Sending())
        if known.requests >= max(1, min(part, settings.WEB_THREADS // 2)):
            raise OverLimit("This key sends by as many connections as it may just now.", 1)
        known.requests += 1
    try:
        yield Turn(key, known)
    finally:
        with _lock:
            known.requests -= 1
            if not known.requests:
                del _sending[key]


@dataclass(frozen=True)
class Turn:
    """The turns of one key's request."""

    key: str
    sending: _Sending

    def parts(self, batch: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """A batch as it is stored: whole, or in pieces while the key gives way."""
        while batch:
            most = PIECE if self.sending.gives_way else len(batch)
            yield batch[:most]
            batch = batch[most:]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction in which it is this key's turn."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(TURN, [LOCKS, self.key])
            if self.sending.requests > 1:
                self._give_way()
            begun = time.monotonic()
            yield
        self.sending.took = time.monotonic() - begun

    def _give_way(self) -> None:
        """While lighter keys send, wait until none stores and this one has rested; its other connections wait too."""
        begun, rest = time.monotonic(), self.sending.took * (1 / SHARE - 1)
        while (waited := time.monotonic() - begun) < PATIENCE:
            self.sending.gives_way, stores = self._lighter_keys()
            if not stores and (waited >= rest or not self.sending.gives_way):
                return
            time.sleep(LOOKS_EVERY)

    def _lighter_keys(self) -> tuple[bool, bool]:
        """Whether one sends, and whether one stores at this moment."""
        with connection.cursor() as cursor:
            cursor.execute(LIGHTER, [LOCKS, self.key, REMEMBERED, self.key])
            sends, stores = cursor.fetchone()
        return bool(sends), bool(stores)
