"""What was measured of detector versions, as it is read: in words, and in the support of new findings."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db.models import Count, QuerySet

from detection.models import Cluster, DetectorMeasure, DetectorVersion, TelemetrySource
from detection.records import FindingDraft, Unit

RULE = (
    "Of the accounts active in a telemetry source that is taken to be benign, the share that findings of the version "
    "name, with Wilson's interval at 95 %: the false-positive rate among such customers. Of a detector of pools it is "
    "the share that they name of groups of ten of these accounts, drawn at random, that could be compared. Such groups "
    "are not look-alikes: it says nothing of classes, harnesses or gateways. No rate says anything of other customers."
)


def printed(findings: Iterable[FindingDraft], version: DetectorVersion) -> Iterable[FindingDraft]:
    """Give the findings with the version's newest measure in their support; as they are while there is none.

    A new measure makes a higher version of each finding, which supersedes one that printed an older measure or none.
    """
    measures = list(version.measures.order_by("at", "id"))
    if not measures:
        return findings
    support = support_of(measures[-1])
    return [replace(one, version=1 + len(measures), support={**one.support, **support}) for one in findings]


def support_of(measure: DetectorMeasure) -> dict[str, float | str]:
    """What a finding says of the error rate of the version that made it, and of what it is the rate."""
    of_groups = f"{measure.total_in_words} from " if measure.counted is Unit.GROUPS else ""
    return {
        "false_positive_rate": round(measure.rate, 6),
        "false_positive_low": round(measure.low, 6),
        "false_positive_high": round(measure.high, 6),
        "measured_on": f"{of_groups}{measure.reference}, {measure.at:%Y-%m-%d}",
    }


def newest(version: DetectorVersion) -> DetectorMeasure | None:
    """The newest measure of a version, of those that were fetched with it when they were."""
    return max(version.measures.all(), key=lambda one: (one.at, one.pk), default=None)


def newest_of(versions: Iterable[UUID]) -> dict[UUID, DetectorMeasure]:
    """The newest measure of each of these versions that was ever measured, in one query."""
    found = DetectorMeasure.objects.filter(detector_version__in=list(versions))
    rows = found.order_by("detector_version", "-at", "-pk").distinct("detector_version")
    return {one.detector_version_id: one for one in rows}


def leaned_on(cluster: Cluster) -> list[DetectorVersion]:
    """The versions whose findings a cluster rests on, with `leaning`, how many of them, and all that was measured.

    Two queries, by the detector's name; `newest` gives of each what counts.
    """
    found = DetectorVersion.objects.filter(findings__clusters__cluster=cluster).annotate(leaning=Count("findings"))
    ordered = found.order_by("detector__name", "first_seen_at", "pk")
    return list(ordered.select_related("detector").prefetch_related("measures"))


def on_source(source: TelemetrySource) -> QuerySet[DetectorMeasure]:
    """Every measure that was made on this source, with its version and detector. A source keeps its name."""
    return DetectorMeasure.objects.filter(reference=source.name).select_related("detector_version__detector")


def newest_by_detector(source: TelemetrySource) -> list[DetectorMeasure]:
    """The newest measure of each detector on this source, by the detector's name."""
    name = "detector_version__detector__name"
    return list(on_source(source).order_by(name, "-at", "-pk").distinct(name))


def in_words(found: DetectorMeasure | None) -> str:
    """The figure as people read it, with what it counts."""
    if found is None:
        return "not measured"
    return (
        f"{found.named:,} of {found.total_in_words}: {found.rate:.1%} ({found.low:.1%} – {found.high:.1%}), "
        f"{found.reference}, {found.at:%Y-%m-%d}"
    )
