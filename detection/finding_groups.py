"""Findings counted by what they have in common, over the newest of a list: what many of them speak of, now.

Counting a million would keep a person waiting; the newest few thousand say what comes in, at a price that stays.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from detection.models import Account, Attribute, Detector

NEWEST, MOST_ROWS, MOST_GROUPS = 2_000, 10_000, 100
COLUMNS = ("id", "signal", "detector_id", "score", "received_at")
# What each way of grouping counts by: a column of the newest findings, or rows that join them, of which many.
BY = {
    "signal": "SELECT signal AS key, score, received_at FROM newest",
    "detector": "SELECT detector_id::text AS key, score, received_at FROM newest",
    "account": """
        SELECT a.account_id::text AS key, n.score, n.received_at
        FROM newest n JOIN detection_findingaccount a ON a.finding_id = n.id
        LIMIT %s""",
    "template": """
        SELECT DISTINCT t.id::text AS key, n.id, n.score, n.received_at
        FROM newest n JOIN detection_sighting s ON s.finding_id = n.id
        JOIN detection_attribute t ON t.id = s.attribute_id AND t.type = 'template'
        LIMIT %s""",
}
COUNT = """
WITH newest AS MATERIALIZED ({newest}), keyed AS ({keyed})
SELECT key, count(*), max(score), max(received_at) FROM keyed GROUP BY key ORDER BY 2 DESC, 3 DESC, 1 LIMIT %s
"""


@dataclass(frozen=True)
class Group:
    """Findings that share something: its name in an address (`key`) and for people, and what stands out of them."""

    key: str
    label: str
    findings: int
    best: float
    newest: datetime


def groups(found: QuerySet[Any], by: str) -> list[Group]:
    """The largest groups, first, among the NEWEST of these findings, and MOST_ROWS of what they say of accounts.

    A signal's key is itself, a detector's its name, an account's its pseudonym, a template's its id.
    """
    try:
        newest, given = found.order_by("-id").values_list(*COLUMNS)[:NEWEST].query.sql_with_params()
    except EmptyResultSet:  # it is known already that nothing meets the conditions
        return []
    limit = (MOST_ROWS,) if "%s" in BY[by] else ()
    with connection.cursor() as cursor:
        cursor.execute(COUNT.format(newest=newest, keyed=BY[by]), [*given, *limit, MOST_GROUPS])
        rows = cursor.fetchall()
    names = _names(by, [key for key, *_ in rows])
    return [Group(*names[key], *figures) for key, *figures in rows]


def _names(by: str, keys: list[str]) -> dict[str, tuple[str, str]]:
    """The key and the label of each group."""
    if by == "signal":
        return {key: (key, key) for key in keys}
    ids = [UUID(key) for key in keys]
    told: Iterable[tuple[UUID, str]]
    if by == "template":
        told = Attribute.objects.filter(pk__in=ids).values_list("pk", "value")
        return {str(pk): (str(pk), value) for pk, value in told}
    if by == "detector":
        told = Detector.objects.filter(pk__in=ids).values_list("pk", "name")
    else:
        told = Account.objects.filter(pk__in=ids).values_list("pk", "pseudonym")
    return {str(pk): (name, name) for pk, name in told}


SIGNALS = """
WITH RECURSIVE found AS (
    (SELECT signal FROM detection_finding ORDER BY signal LIMIT 1)
    UNION ALL
    SELECT (SELECT signal FROM detection_finding WHERE signal > found.signal ORDER BY signal LIMIT 1)
    FROM found WHERE found.signal IS NOT NULL
)
SELECT signal FROM found WHERE signal IS NOT NULL LIMIT %s
"""


def signals() -> list[str]:
    """The signals that findings have, as many as a person can choose from; one look into the index for each."""
    with connection.cursor() as cursor:
        cursor.execute(SIGNALS, [MOST_GROUPS])
        return [signal for (signal,) in cursor.fetchall()]
