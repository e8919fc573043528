"""Reads that pages and API share, each with a fixed number of queries whatever the number of rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from detection import standing, window_days
from detection.models import (
    Account,
    Attribute,
    Cluster,
    ClusterMember,
    Detector,
    DetectorVersion,
    Finding,
    FindingAccount,
    Sighting,
)
from spine.ids import bounds_of

# Between making a finding's id and the time of arrival that is written with it lie seconds.
WRITTEN_WITHIN = timedelta(minutes=10)


def findings(
    *,
    signal: str = "",
    detector: str = "",
    version: str = "",
    min_score: float | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    window_from: date | None = None,
    window_until: date | None = None,
    account: UUID | None = None,
    attribute: UUID | None = None,
    cluster: UUID | None = None,
    current: bool | None = None,
    set_aside: bool | None = None,
    recalled: bool | None = None,
) -> QuerySet[Any]:
    """Findings with their detector, `is_current`, `is_set_aside` and `is_recalled`, without the received bytes.

    `since` and `until` are times of arrival, `window_from` and `window_until` the first and the last day (UTC) that a
    window overlaps. The order of ids is that of arrival, and the one to list them in: every filter has an index in
    that order, or one that finds the few it leaves, or between which ids they lie.
    """
    found: QuerySet[Any] = Finding.objects.annotate(
        is_current=~Exists(_later()), is_set_aside=standing.set_aside(), is_recalled=standing.recalled()
    )
    chosen = {"signal": signal, "accounts__account": account, "clusters__cluster": cluster}
    found = found.filter(**{name: value for name, value in chosen.items() if value})
    if detector or version:
        found = _spoken_by(found, detector, version)
    if min_score is not None:
        found = found.filter(score__gte=min_score)
    if since or until:
        found = _arrived(found, since, until)
    found = window_days.overlapping(found, window_from, window_until)
    if attribute:
        found = found.filter(Exists(Sighting.objects.filter(attribute=attribute, finding=OuterRef("pk"))))
    return (
        _standing(found, current, set_aside, recalled).select_related("detector", "detector_version").defer("payload")
    )


def _later() -> QuerySet[Finding]:
    """Higher versions of a finding of the outer query; of the first version there is an index without the rest."""
    same = {name: OuterRef(name) for name in ("detector", "uid")}
    return Finding.objects.filter(version__gt=1, **same).filter(version__gt=OuterRef("version"))


def _spoken_by(found: QuerySet[Any], detector: str, version: str) -> QuerySet[Any]:
    """Narrowed to a detector, to a version, or both. Ids are looked up first: the database plans for what it knows."""
    if version:
        of = {"detector__name": detector} if detector else {}
        versions = DetectorVersion.objects.filter(version=version, **of).values_list("pk", flat=True)
        return found.filter(detector_version__in=list(versions))
    return found.filter(detector__in=list(Detector.objects.filter(name=detector).values_list("pk", flat=True)))


def _arrived(found: QuerySet[Any], since: datetime | None, until: datetime | None) -> QuerySet[Any]:
    """Narrowed to a time of arrival, and to the ids that were made around it, which are in order."""
    if since:
        found = found.filter(received_at__gte=since, pk__gte=bounds_of(since - WRITTEN_WITHIN)[0])
    if until:
        found = found.filter(received_at__lt=until, pk__lte=bounds_of(until + WRITTEN_WITHIN)[1])
    return found


def _standing(
    found: QuerySet[Any], current: bool | None, set_aside: bool | None, recalled: bool | None
) -> QuerySet[Any]:
    if current is False:  # those that have a later version, of which there are few
        later = Finding.objects.filter(version__gt=1).values("detector", "uid")
        found = found.filter(Exists(later.filter(**{name: OuterRef(name) for name in ("detector", "uid")})))
    if current is not None:
        found = found.filter(is_current=current)
    if set_aside is not None:  # few are: those are looked up; of the others each is asked
        few = Q(entry__in=standing.batches_set_aside().values("entry"))
        found = found.filter(few if set_aside else ~standing.set_aside())
    if recalled is not None:
        versions = list(standing.versions_recalled())
        found = (
            found.filter(detector_version__in=versions) if recalled else found.exclude(detector_version__in=versions)
        )
    return found


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
    """Detectors with their versions and what was measured of each, three queries in all."""
    return Detector.objects.prefetch_related("versions", "versions__measures")


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
