"""What a detector's key may send in a time: counted in the database, so that it holds over all web processes.

A limit is off until somebody sets it. What begins while there is room is taken whole: requests and batches are counted
when they begin, and a limit is passed by one batch at most.
"""

from dataclasses import dataclass
from math import ceil

from django.db import connection, transaction

MEBIBYTE = 1024 * 1024

# One row a key and limit; by the database's clock. No row comes back when there is no room.
CHARGE = """
INSERT INTO people_keyuse AS known (key_id, "limit", since, used)
VALUES (%s, %s, date_trunc(%s, now(), 'UTC'), %s)
ON CONFLICT (key_id, "limit") DO UPDATE
SET since = excluded.since,
    used = excluded.used + CASE WHEN known.since = excluded.since THEN known.used ELSE 0 END
WHERE known.since <> excluded.since OR known.used < %s
RETURNING used
"""
LEFT = "SELECT extract(epoch FROM date_trunc(%s, now(), 'UTC') + %s::interval - now())"


class OverLimit(Exception):  # noqa: N818 - what the sender is
    """There is no room just now; `seconds` until there is."""

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.seconds = seconds


@dataclass(frozen=True)
class Limit:
    """A limit's window, and what is said when it is reached."""

    window: str
    unit: int
    sentence: str


KINDS = {
    "requests_per_minute": Limit("minute", 1, "This key may make {most:,} requests a minute."),
    "findings_per_minute": Limit("minute", 1, "This key may send {most:,} findings a minute."),
    "mebibytes_per_day": Limit("day", MEBIBYTE, "This key may send {most:,} MiB a day (UTC)."),
}


def charge(key: str, limits: dict[str, int], **amounts: int) -> None:
    """Count amounts against those limits that are set; raises OverLimit for the first that has no room.

    Side effects: one row for each limit, in a transaction of its own.
    """
    for name, amount in amounts.items():
        if name in limits:
            _charge(key, name, limits[name], amount)


@transaction.atomic
def _charge(key: str, name: str, most: int, amount: int) -> None:
    kind = KINDS[name]
    with connection.cursor() as cursor:
        cursor.execute(CHARGE, [key, name, kind.window, amount, most * kind.unit])
        if cursor.fetchone() is None:
            cursor.execute(LEFT, [kind.window, f"1 {kind.window}"])
            (left,) = cursor.fetchone()
            raise OverLimit(kind.sentence.format(most=most), max(1, ceil(left)))
