"""Reads that pages and API share, each with a fixed number of queries whatever the number of rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from detection import standing
from detection.models import Account, Attribute, Cluster, ClusterMember, Detector, Finding, FindingAccount, Sighting


def findings(
    *,
    signal: str = "",
    detector: str = "",
    since: datetime | None = None,
    account: UUID | None = None,
    cluster: UUID | None = None,
    current: bool | None = None,
    set_aside: bool | None = None,
) -> QuerySet[Finding]:
    """Findings with their detector, `is_current` and `is_set_aside`, without the received bytes.

    `since` is the time of arrival.
    """
    higher = Finding.objects.filter(detector=OuterRef("detector"), uid=OuterRef("uid"), version__gt=OuterRef("version"))
    found = Finding.objects.annotate(is_current=~Exists(higher), is_set_aside=standing.set_aside())
    chosen = {
        "signal": signal,
        "detector__name": detector,
        "received_at__gte": since,
        "accounts__account": account,
        "clusters__cluster": cluster,
    }
    found = found.filter(**{name: value for name, value in chosen.items() if value})
    if current is not None:
        found = found.filter(is_current=current)
    if set_aside is not None:
        aside = Q(entry__in=standing.batches_set_aside().values("entry"))
        found = found.filter(aside if set_aside else ~aside)
    return found.select_related("detector", "detector_version").defer("payload")


CONTENTS = """
SELECT f.uid, f.version, f.content_sha256
FROM json_array_elements_text(%s::json) AS given (uid)
JOIN detection_finding f ON f.detector_id = %s AND f.uid = given.uid
"""


def contents(detector: Detector, uids: Collection[str]) -> list[tuple[str, int, str]]:
    """Uid, version and digest of content of every finding of the detector that has one of these uids."""
    with connection.cursor() as cursor:
        cursor.execute(CONTENTS, [orjson.dumps(list(uids)).decode(), detector.pk])
        return [(uid, version, content) for uid, version, content in cursor.fetchall()]


def versions_of(finding: Finding) -> list[Finding]:
    """Every version of the finding that was received, highest first."""
    same = Finding.objects.filter(detector=finding.detector_id, uid=finding.uid)
    return list(same.order_by("-version").only("id", "version", "received_at"))


def accounts_of(finding: UUID) -> QuerySet[FindingAccount]:
    """The accounts a finding speaks of, with what it says of their volume."""
    return FindingAccount.objects.filter(finding=finding).select_related("account")


def clusters(*, run: UUID | None = None, assessment: str = "", account: UUID | None = None) -> QuerySet[Cluster]:
    """Clusters with the run that made them and its source."""
    chosen = {"run": run, "assessment": assessment, "members__account": account}
    found = Cluster.objects.filter(**{name: value for name, value in chosen.items() if value})
    return found.select_related("run__source")


def accounts(*, pseudonym: str = "", attribute: UUID | None = None, cluster: UUID | None = None) -> QuerySet[Account]:
    """Accounts, narrowed to a pseudonym, to holders of an attribute, to a cluster's members."""
    found = Account.objects.all()
    if pseudonym:
        found = found.filter(pseudonym=pseudonym)
    if attribute:
        found = found.filter(Exists(Sighting.objects.filter(attribute=attribute, account=OuterRef("pk"))))
    if cluster:
        found = found.filter(Exists(ClusterMember.objects.filter(cluster=cluster, account=OuterRef("pk"))))
    return found


def attributes(*, kind: str = "", value: str = "", account: UUID | None = None) -> QuerySet[Attribute]:
    """Attributes, narrowed to a type, a value, or what an account has shown."""
    found = Attribute.objects.filter(**{name: text for name, text in (("type", kind), ("value", value)) if text})
    if account:
        named = FindingAccount.objects.filter(account=account).values("finding")  # the index leads by finding
        shown = Sighting.objects.filter(finding__in=named, account=account).values("attribute")
        found = found.filter(pk__in=shown)
    return found


def detectors() -> QuerySet[Detector]:
    """Detectors with their versions, two queries in all."""
    return Detector.objects.prefetch_related("versions")


@dataclass(frozen=True)
class Lookup:
    """Which of the provider's ids are known, and which are not, both in the order asked."""

    matches: tuple[Account, ...]
    unknown: tuple[str, ...]


def look_up(namespace: str, provider_ids: Sequence[str]) -> Lookup:
    """Find accounts by the provider's ids; each id is answered once."""
    wanted = list(dict.fromkeys(provider_ids))
    found = Account.objects.filter(namespace=namespace, provider_id__in=wanted)
    known = {account.provider_id: account for account in found}
    return Lookup(
        tuple(known[name] for name in wanted if name in known), tuple(name for name in wanted if name not in known)
    )
