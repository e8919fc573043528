"""What counts: findings neither in quarantine nor of a recalled version, accounts that are no canaries.

Rows stay as they are; what stands beside them decides, and may decide otherwise tomorrow.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from detection.models import FindingBatch, Quarantine, VersionRecall

# For queries in SQL where f is the finding, a the account and t the attribute.
SET_ASIDE = """EXISTS (
    SELECT FROM detection_findingbatch b
    JOIN detection_quarantine q ON q.key_id = b.key_id AND b.received_at >= q.since
        AND (q.until IS NULL OR b.received_at <= q.until)
    WHERE b.entry_id = f.entry_id
        AND NOT EXISTS (SELECT FROM detection_quarantinelifted l WHERE l.quarantine_id = q.id))"""
RECALLED = """EXISTS (
    SELECT FROM detection_versionrecall c WHERE c.detector_version_id = f.detector_version_id
        AND NOT EXISTS (SELECT FROM detection_versionreinstated r WHERE r.recall_id = c.id))"""
EXCLUDED = """EXISTS (
    SELECT FROM detection_excludedvalue x WHERE x.type = t.type AND x.value = t.value AND x.removed_at IS NULL)"""
CANARY = """EXISTS (
    SELECT FROM detection_canary c
    WHERE c.namespace = a.namespace AND c.account_id = a.provider_id AND c.removed_at IS NULL)"""

# The findings of clusters that do not count, by cluster; none is looked at while nothing is in quarantine or recalled.
MARKED = """
SELECT cluster_id, count(*), count(*) FILTER (WHERE is_set_aside), count(*) FILTER (WHERE is_recalled)
FROM (
    SELECT c.cluster_id, {set_aside} AS is_set_aside, {recalled} AS is_recalled
    FROM detection_clusterfinding c JOIN detection_finding f ON f.id = c.finding_id
    WHERE c.cluster_id = ANY(%s) AND (
        EXISTS (SELECT FROM detection_quarantine q
            WHERE NOT EXISTS (SELECT FROM detection_quarantinelifted l WHERE l.quarantine_id = q.id))
        OR EXISTS (SELECT FROM detection_versionrecall v
            WHERE NOT EXISTS (SELECT FROM detection_versionreinstated r WHERE r.recall_id = v.id)))
) rested
GROUP BY cluster_id HAVING bool_or(is_set_aside OR is_recalled)"""


@dataclass(frozen=True)
class Marks:
    """How many findings a cluster rests on, and how many of them are in quarantine and of a recalled version."""

    findings: int = 0
    set_aside: int = 0
    recalled: int = 0


def marks(clusters: Collection[UUID]) -> dict[UUID, Marks]:
    """Those of the clusters that rest on findings that do not count now; one query for any number of them."""
    if not clusters:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(MARKED.format(set_aside=SET_ASIDE, recalled=RECALLED), [list(clusters)])
        return {cluster: Marks(*counts) for cluster, *counts in cursor.fetchall()}


def set_aside(quarantines: QuerySet[Quarantine] | None = None) -> Exists:
    """Whether a finding of the outer query is in quarantine: now, or by the quarantines that are given."""
    return Exists(FindingBatch.objects.filter(_covered(quarantines), entry=OuterRef("entry")))


def recalled() -> Exists:
    """Whether the version that stated a finding of the outer query is recalled now."""
    return Exists(VersionRecall.objects.filter(detector_version=OuterRef("detector_version"), reinstated=None))


def versions_recalled() -> QuerySet[VersionRecall, UUID]:
    """The ids of the versions that are recalled now."""
    return VersionRecall.objects.filter(reinstated=None).values_list("detector_version", flat=True).distinct()


def batches_set_aside() -> QuerySet[FindingBatch]:
    """The batches that are in quarantine now."""
    return FindingBatch.objects.filter(_covered())


def counted(quarantines: QuerySet[Quarantine]) -> QuerySet[Any]:
    """The quarantines with `covered`: how many findings each covers, lifted or not, by the counts of its batches."""
    batches = FindingBatch.objects.filter(
        key_id=OuterRef("key_id"),
        received_at__gte=OuterRef("since"),
        received_at__lte=Coalesce(OuterRef("until"), F("received_at")),
    )
    total = batches.order_by().values("key_id").annotate(total=Sum("count")).values("total")
    return quarantines.annotate(covered=Coalesce(Subquery(total, output_field=IntegerField()), 0))


def _covered(quarantines: QuerySet[Quarantine] | None = None) -> Exists:
    found = Quarantine.objects.standing() if quarantines is None else quarantines
    ends = Q(until=None) | Q(until__gte=OuterRef("received_at"))
    return Exists(found.filter(ends, key_id=OuterRef("key_id"), since__lte=OuterRef("received_at")))
