"""What was measured of detector versions, as it is read: in words, and in the support of new findings."""

from collections.abc import Iterable
from dataclasses import replace

from detection.models import DetectorMeasure, DetectorVersion
from detection.records import FindingDraft

RULE = (
    "Of the accounts active in a telemetry source that is taken to be benign, the share that findings of the version "
    "name, with Wilson's interval at 95 %: the false-positive rate among such customers. It says nothing of others."
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
    """What a finding says of the error rate of the version that made it."""
    return {
        "false_positive_rate": round(measure.rate, 6),
        "false_positive_low": round(measure.low, 6),
        "false_positive_high": round(measure.high, 6),
        "measured_on": f"{measure.reference}, {measure.at:%Y-%m-%d}",
    }


def newest(version: DetectorVersion) -> DetectorMeasure | None:
    """The newest measure of a version, of those that were fetched with it when they were."""
    return max(version.measures.all(), key=lambda one: (one.at, one.pk), default=None)


def in_words(found: DetectorMeasure | None) -> str:
    """The figure as people read it."""
    if found is None:
        return "not measured"
    return (
        f"{found.named:,} of {found.active:,}: {found.rate:.1%} ({found.low:.1%} – {found.high:.1%}), "
        f"{found.reference}, {found.at:%Y-%m-%d}"
    )
