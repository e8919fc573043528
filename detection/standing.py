"""What counts: findings neither in quarantine nor of a recalled version, accounts that are no canaries.

Rows stay as they are; what stands beside them decides, and may decide otherwise tomorrow.
"""

from typing import Any
from uuid import UUID

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
    SELECT FROM detection_canary c WHERE c.namespace = a.namespace AND c.account_id = a.provider_id)"""


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
