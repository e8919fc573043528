"""Findings by the days (UTC) that their window overlaps, in a list that is in the order of arrival.

Windows and arrival go mostly together, and no index has both: one by window would have to sort, the list's own would
be read past everything that is newer or older. So it is asked first, by index and once for each day that windows begin
or end on, between which ids such findings lie; the list is read there alone. Where findings over long ago came lately,
these lie far apart, and more is read.
"""

from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from detection.models import DAY

# More different days than findings of five years have; beyond, ids are not narrowed on that side.
MOST_DAYS = 2_000
BEGINS, ENDS = DAY % {"expressions": "window_start"}, DAY % {"expressions": "window_end"}
# From one day to the next in the index of (day, id), the outermost id of each.
OUTERMOST = """
WITH RECURSIVE days (day) AS (
    (SELECT {day} FROM detection_finding WHERE {day} {within} %s ORDER BY 1 {towards} LIMIT 1)
    UNION ALL
    SELECT (SELECT {day} FROM detection_finding WHERE {day} {beyond} days.day ORDER BY 1 {towards} LIMIT 1)
    FROM days WHERE days.day IS NOT NULL
), few AS (SELECT day FROM days WHERE day IS NOT NULL LIMIT %s), ids AS (
    SELECT found.id FROM few, LATERAL (
        SELECT id FROM detection_finding WHERE {day} = few.day ORDER BY id {outermost} LIMIT 1
    ) found
)
SELECT (SELECT count(*) FROM few), (SELECT id FROM ids ORDER BY id {outermost} LIMIT 1)
"""
LAST = OUTERMOST.format(day=BEGINS, within="<=", beyond="<", towards="DESC", outermost="DESC")
FIRST = OUTERMOST.format(day=ENDS, within=">=", beyond=">", towards="ASC", outermost="ASC")


def overlapping(found: QuerySet[Any], first: date | None, last: date | None) -> QuerySet[Any]:
    """Narrowed to windows that overlap the days from `first` to the end of `last`, each only where it is given.

    A window that ends as a day begins does not overlap that day, unless it is that moment. Two queries at most.
    """
    if first:
        begin = datetime.combine(first, time.min, UTC)
        found = found.filter(Q(window_end__gt=begin) | Q(window_start__gte=begin))
        found = _narrowed(found, FIRST, first, "pk__gte")
    if last:
        found = found.filter(window_start__lte=datetime.combine(last, time.max, UTC))
        found = _narrowed(found, LAST, last, "pk__lte")
    return found


def _narrowed(found: QuerySet[Any], outermost: str, day: date, bound: str) -> QuerySet[Any]:
    with connection.cursor() as cursor:
        cursor.execute(outermost, [day, MOST_DAYS])
        days, at = cursor.fetchone()
    if not days:
        return found.none()
    bounds: dict[str, UUID] = {} if days == MOST_DAYS else {bound: at}
    return found.filter(**bounds)
