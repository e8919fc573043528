"""What the vault has to hold, when each file was compared last, and which of them failed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone

from cases.models import (
    Case,
    DossierVersion,
    EvidenceItem,
    ExchangeSet,
    ExchangeSetRerun,
    SamplingPlan,
    VaultCheck,
)
from cases.models.vaultcheck import CheckResult
from spine import vault
from spine.errors import Unreachable
from spine.models import Destruction
from spine.storages import About

# Files kept beside an exhibit: the column that names one, how the row leads to its exhibit, and what the file is.
BESIDE: tuple[tuple[Any, str, str, str], ...] = (
    (ExchangeSet, "accounts_sha256", "item", "the list of its accounts"),
    (ExchangeSet, "leaves_sha256", "item", "its leaf hashes"),
    (ExchangeSet, "nodes_sha256", "item", "the nodes of its tree"),
    (ExchangeSetRerun, "report_sha256", "exchange_set__item", "a difference report"),
    (SamplingPlan, "plan_sha256", "exchange_set__item", "a sampling plan"),
)
# Every column that names a file of the vault. What no row names is not evidence: a broken upload's, or older.
NAMED_BY: tuple[tuple[Any, str], ...] = (
    (EvidenceItem, "sha256"),
    (DossierVersion, "snapshot_sha256"),
    *((model, column) for model, column, _, _ in BESIDE),
)


@dataclass(frozen=True)
class Health:
    """The vault as a whole. `about` is None, with a reason, when the store is not reached."""

    about: About | None
    unreachable: str
    objects: int
    never: int
    failed: int
    overdue: int
    oldest: datetime | None
    last: datetime | None
    whole: datetime | None


def digests() -> set[str]:
    """Every digest the vault has to hold. Call it as a system principal: the second wall hides cases from people."""
    found: set[str] = set()
    for model, column in NAMED_BY:
        found.update(model.objects.exclude(destroyed(column)).values_list(column, flat=True))
    return found


def destroyed(column: str) -> Exists:
    """That an order destroyed the bytes this column names, and no exhibit has brought them back: nothing is missing."""
    back = EvidenceItem.objects.filter(sha256=OuterRef("key"), added_at__gt=OuterRef("at"))
    return Exists(Destruction.objects.filter(~Exists(back), kind=Destruction.Kind.BLOB, key=OuterRef(column)))


def beside(item: EvidenceItem) -> list[str]:
    """The digests of the files kept beside an exhibit; none for most."""
    found: set[str] = set()
    for model, column, to_item, _ in BESIDE:
        found.update(model.objects.filter(**{to_item: item}).values_list(column, flat=True))
    return sorted(found)


def exhibits_beside(found: Iterable[str]) -> dict[str, dict[UUID, str]]:
    """The exhibits (by id) beside which files of these digests are kept, each with what the file is."""
    wanted = list(found)
    held: dict[str, dict[UUID, str]] = {sha256: {} for sha256 in wanted}
    for model, column, to_item, words in BESIDE:
        rows = model.objects.filter(**{f"{column}__in": wanted}).values_list(column, to_item)
        for sha256, item_id in rows:
            held[sha256][item_id] = words
    return held


def last_compared(found: Iterable[str] | None = None) -> dict[str, datetime]:
    """When each digest was compared last; those never compared are left out."""
    checks = VaultCheck.objects.all() if found is None else VaultCheck.objects.filter(sha256__in=list(found))
    return dict(checks.values("sha256").annotate(last=Max("at")).values_list("sha256", "last"))


def due(before: datetime) -> list[str]:
    """The digests not compared since then: never compared ones first, then the oldest."""
    last = last_compared()
    waiting = [sha256 for sha256 in digests() if sha256 not in last or last[sha256] < before]
    return sorted(waiting, key=lambda sha256: (last[sha256].timestamp() if sha256 in last else 0.0, sha256))


def newest(found: Iterable[str]) -> dict[str, VaultCheck]:
    """The last comparison of each of these digests."""
    rows = VaultCheck.objects.filter(sha256__in=list(found)).order_by("sha256", "-at", "-id").distinct("sha256")
    return {row.sha256: row for row in rows}


def failing() -> QuerySet[VaultCheck]:
    """The last comparisons of all digests whose last comparison failed."""
    later = VaultCheck.objects.filter(sha256=OuterRef("sha256"), at__gt=OuterRef("at"))
    return VaultCheck.objects.exclude(result=CheckResult.SAME).exclude(Exists(later))


def failed_exhibits(case: Case) -> list[tuple[EvidenceItem, VaultCheck]]:
    """The exhibits of a case whose stored bytes failed their last comparison, by number."""
    checks = {check.sha256: check for check in failing().filter(sha256__in=case.evidence.values("sha256"))}
    items = case.evidence.filter(sha256__in=checks).order_by("number")
    return [(item, checks[item.sha256]) for item in items]


def said(item: EvidenceItem, check: VaultCheck) -> str:
    """A failed comparison in a sentence that names the exhibit."""
    return (
        f"{item.exhibit}, {item.title}: {CheckResult(check.result).label} when compared {check.at:%d %b %Y %H:%M} UTC"
    )


def health() -> Health:
    """The vault as a whole. Call it as a system principal."""
    about, unreachable = None, ""
    try:
        about = vault.about()
    except Unreachable as error:
        unreachable = str(error)
    held = digests()
    last = {sha256: at for sha256, at in last_compared().items() if sha256 in held}
    bound = timezone.now() - timedelta(days=settings.VERIFY_DAYS)
    oldest = min(last.values(), default=None)
    return Health(
        about=about,
        unreachable=unreachable,
        objects=len(held),
        never=len(held - last.keys()),
        failed=failing().filter(sha256__in=held).count(),
        overdue=sum(at < bound for at in last.values()),
        oldest=oldest,
        last=max(last.values(), default=None),
        whole=oldest if held and not held - last.keys() else None,
    )
