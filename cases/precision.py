"""How often each detector version was right, by what people decided about the accounts it named.

Counted are accounts, once for each version, by the newest verdict that anybody gave them; never an account that nobody
has decided about. Cases are not drawn at random, so this is the precision of what was reviewed, and is said to be that.
Restricted cases are left out for everybody: the figure is one, and must not tell that there are such cases. Accounts of
simulated telemetry, and cases of the sample story, were made up here and say nothing of how often a detector is right.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from cases.exchange_sets.intervals import wilson
from cases.models import VersionPrecision
from cases.sample_texts import SOURCE
from cases.vocabulary import VerdictValue
from detection import standing
from detection.models import SIMULATED, Detector
from spine.principal import acting_as

ACTOR = "system:precision"
LEVEL = 95
CONFIRMED = (VerdictValue.ACTOR_CONTROLLED.value, VerdictValue.RESELLER_POOL.value)
DECIDED = (*CONFIRMED, VerdictValue.VICTIM.value, VerdictValue.BENIGN.value)  # "unknown" decides nothing
RULE = (
    "Of the accounts that findings of the version name and that somebody has decided about (newest verdict, cases that "
    "are not restricted, nothing simulated or of the sample), the share assessed as actor-controlled or reseller pool; "
    "benign and victim count against it, unknown for neither. Wilson's interval at 95 %. Cases are not drawn at "
    "random: it is the precision of what was reviewed."
)
COUNTS = f"""
WITH newest AS (
    SELECT DISTINCT ON (v.account_id) v.account_id, v.value
    FROM cases_verdict v JOIN cases_case held ON held.id = v.case_id AND NOT held.restricted
    WHERE NOT EXISTS (SELECT FROM cases_verdict later WHERE later.supersedes_id = v.id) AND v.value <> ''
        AND NOT EXISTS (SELECT FROM cases_casecluster c JOIN detection_cluster l ON l.id = c.cluster_id
                        JOIN detection_run r ON r.id = l.run_id JOIN detection_telemetrysource s ON s.id = r.source_id
                        WHERE c.case_id = held.id AND s.name = '{SOURCE}')
    ORDER BY v.account_id, v.at DESC, v.id DESC
)
SELECT f.detector_version_id, newest.value, count(DISTINCT newest.account_id)
FROM newest
JOIN detection_account a ON a.id = newest.account_id
JOIN detection_findingaccount named ON named.account_id = newest.account_id
JOIN detection_finding f ON f.id = named.finding_id
WHERE NOT {standing.SET_ASIDE} AND NOT {standing.CANARY} AND NOT starts_with(a.namespace, '{SIMULATED}')
GROUP BY f.detector_version_id, newest.value
"""  # noqa: S608 - our own conditions


@dataclass(frozen=True)
class Precision:
    """Accounts by verdict, and the share that was confirmed with its interval, between 0 and 1; None without any."""

    by_verdict: dict[str, int]
    confirmed: int
    decided: int
    low: float | None
    high: float | None


def precision_of(by_verdict: dict[str, int]) -> Precision:
    """The share of confirmed accounts among those that were decided about."""
    confirmed = sum(by_verdict.get(value, 0) for value in CONFIRMED)
    decided = sum(by_verdict.get(value, 0) for value in DECIDED)
    low, high = wilson(confirmed / decided, decided, LEVEL) if decided else (None, None)
    return Precision(by_verdict, confirmed, decided, low, high)


@acting_as(ACTOR)
def measure() -> int:
    """Compute the precision of every version anew; gives how many have any verdict."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(COUNTS)
            rows = cursor.fetchall()
        counted: dict[UUID, dict[str, int]] = {}
        for version, value, accounts in rows:
            counted.setdefault(version, {})[value] = accounts
        VersionPrecision.objects.exclude(detector_version__in=counted).delete()
        now = timezone.now()
        fresh = [
            VersionPrecision(detector_version_id=version, computed_at=now, **vars(precision_of(by_verdict)))
            for version, by_verdict in counted.items()
        ]
        fields = ["by_verdict", "confirmed", "decided", "low", "high", "computed_at"]
        VersionPrecision.objects.bulk_create(
            fresh, update_conflicts=True, unique_fields=["detector_version"], update_fields=fields
        )
    return len(fresh)


def of_versions(detector: Detector) -> dict[UUID, VersionPrecision]:
    """What was computed last for the versions of a detector."""
    found = VersionPrecision.objects.filter(detector_version__detector=detector)
    return {one.detector_version_id: one for one in found}


def in_words(found: VersionPrecision | None) -> str:
    """The figure as people read it."""
    if found is None or not found.decided or found.low is None or found.high is None:
        return "no verdict yet"
    share = found.confirmed / found.decided
    return f"{found.confirmed:,} of {found.decided:,}: {share:.1%} ({found.low:.1%} – {found.high:.1%})"
