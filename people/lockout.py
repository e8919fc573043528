"""Guessing is slowed down: so many failures for a name, from an address, at a second factor, in one window of time.

Counted in the database, which every process shares and which has to answer for a sign-in anyway; so a cache that was
emptied forgets nothing, and one that cannot be reached opens nothing. Names are counted whether anybody has them or
not, as keyed digests. The window starts with its first failure and is not prolonged by further ones, so that nobody can
be kept out for longer than one window by a guesser who has gone.
"""

import hmac
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from people.addresses import block_of
from people.models import Attempts

COUNT = """
INSERT INTO people_attempts AS known (key, failures, since) VALUES (%(key)s, 1, statement_timestamp())
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN known.since < %(start)s THEN 1 ELSE known.failures + 1 END,
    since = CASE WHEN known.since < %(start)s THEN statement_timestamp() ELSE known.since END
RETURNING failures
"""
FORGET = """
DELETE FROM people_attempts WHERE key IN (
    SELECT key FROM people_attempts WHERE since < %s LIMIT 100 FOR UPDATE SKIP LOCKED)
"""


def count(kind: str, what: str) -> int:
    """Count an attempt as failed before it is tried, so that many at once are no more than one after the other.

    Gives how many this window has had with it; `allowed` says whether that is too many.
    """
    start = timezone.now() - window()
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [start - window()])
        cursor.execute(COUNT, {"key": _key(kind, what), "start": start})
        return int(cursor.fetchone()[0])


def allowed(kind: str, failures: int) -> bool:
    """Whether an attempt that was counted so may still be tried."""
    return failures <= settings.SIGN_IN_LIMITS[kind]


def is_last(kind: str, failures: int) -> bool:
    """Whether this attempt, should it fail, closes the window for further ones."""
    return bool(failures == settings.SIGN_IN_LIMITS[kind])


def forget(kind: str, what: str) -> None:
    """It succeeded: the window is empty again."""
    Attempts.objects.filter(key=_key(kind, what)).delete()


def take_back(kind: str, what: str) -> None:
    """It succeeded and does not count; earlier failures do."""
    Attempts.objects.filter(key=_key(kind, what), failures__gt=0).update(failures=F("failures") - 1)


def window() -> timedelta:
    """How long failures are added up."""
    return timedelta(seconds=settings.SIGN_IN_WINDOW_SECONDS)


def sentence() -> str:
    """What who is refused reads, whoever they are."""
    minutes = -(-settings.SIGN_IN_WINDOW_SECONDS // 60)
    return f"Too many attempts failed. Wait {minutes} minutes, then try again; an administrator can help sooner."


def _key(kind: str, what: str) -> str:
    """A digest under the installation's key: the table tells nobody which names were tried."""
    if kind == "address":
        what = block_of(what)
    digest = hmac.new(settings.SECRET_KEY.encode(), f"attempts\0{kind}\0{what}".encode("utf-8", "replace"), sha256)
    return f"{kind}:{digest.hexdigest()[:48]}"
