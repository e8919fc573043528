"""What holds cover and how they stand: scopes with exact counts, acknowledgements that are due, lists."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from cases.access import Person, visible_cases
from cases.filters import AccountFilter, matching
from cases.models import Case, EvidenceItem, Hold, HoldCustodian
from cases.models.holds import HoldScope
from detection.models import TelemetryFile, TelemetrySource
from spine.canonical import timestamp
from spine.errors import Refused

REMIND_EVERY = timedelta(days=7)


@dataclass(frozen=True)
class Scope:
    """A scope as it is stored: the query, and exactly how many accounts, files or exhibits it covers now."""

    query: dict[str, Any]
    count: int
    source: TelemetrySource | None = None
    start: datetime | None = None
    end: datetime | None = None
    exhibit: EvidenceItem | None = None


@dataclass(frozen=True)
class Standing:
    """How a hold stands: whether it holds, who has not acknowledged, who is overdue, who is to be reminded."""

    holds: bool
    unacknowledged: list[HoldCustodian] = field(default_factory=list)
    overdue: list[HoldCustodian] = field(default_factory=list)
    to_remind: list[HoldCustodian] = field(default_factory=list)


def scope(
    case: Case,
    kind: str,
    *,
    accounts: AccountFilter | None = None,
    source: TelemetrySource | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    exhibit: int | None = None,
) -> Scope:
    """The scope of this kind with its present count. Raises Refused when what it needs is missing or not there."""
    if kind == HoldScope.CASE:
        counts = {
            "accounts": case.accounts.count(),
            "exhibits": case.evidence.count(),
            "dossiers": case.dossiers.count(),
        }
        return Scope({"case": case.ref, **counts}, sum(counts.values()))
    if kind == HoldScope.ACCOUNTS:
        wanted = accounts or AccountFilter()
        return Scope({"accounts": wanted.as_args()}, matching(case, wanted).count())
    if kind == HoldScope.SOURCE:
        return _source_scope(source, start, end)
    item = case.evidence.filter(number=exhibit).first() if exhibit else None
    if item is None:
        raise Refused("Say which exhibit is held.", field="exhibit")
    return Scope({"exhibit": item.number, "sha256": item.sha256}, 1, exhibit=item)


def _source_scope(source: TelemetrySource | None, start: datetime | None, end: datetime | None) -> Scope:
    if source is None:
        raise Refused("Say which source is held.", field="source")
    if start is None or end is None or end <= start:
        raise Refused("A source is held over a window: it ends after it starts.", field="window_end")
    found = TelemetryFile.objects.filter(source=source).filter(
        Q(first_ts=None) | Q(first_ts__lt=end, last_ts__gte=start)
    )
    query = {"source": source.name, "start": timestamp(start), "end": timestamp(end)}
    return Scope(query, found.count(), source, start, end)


def exhibits(hold: Hold) -> list[EvidenceItem]:
    """The exhibits in the scope of a hold: all of the case, one, or none."""
    if hold.scope == HoldScope.CASE:
        return list(EvidenceItem.objects.filter(case=hold.case_id).order_by("number"))
    return [hold.exhibit] if hold.exhibit is not None else []


def scope_words(hold: Hold) -> str:
    """What a hold covers, in words with the count it had."""
    if hold.scope == HoldScope.CASE:
        counts = {name: hold.query.get(f"{name}s", 0) for name in ("account", "exhibit", "dossier")}
        parts = (f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        return "the whole case: " + ", ".join(parts)
    if hold.scope == HoldScope.ACCOUNTS:
        asked = AccountFilter.of(hold.query.get("accounts", {})).in_words()
        return f"{hold.count:,} accounts ({asked}), as counted when it was placed"
    if hold.scope == HoldScope.SOURCE:
        window = f"{hold.query.get('start', '')[:10]} to {hold.query.get('end', '')[:10]}"
        return f"{hold.query.get('source', '')}, {window}: {hold.count:,} telemetry files"
    return f"Exhibit {hold.query.get('exhibit', '')}"


def visible(user: Person, *, state: str = "") -> QuerySet[Hold]:
    """The holds of the cases this person may know of; `state` is standing, released or empty for both."""
    rows = Hold.objects.filter(case__in=visible_cases(user).values("pk"))
    if state:
        rows = rows.filter(release__isnull=state == "standing")
    return rows.select_related("case", "placed_by", "exhibit", "source", "release__releaser", "release__asker")


def counted(rows: QuerySet[Hold]) -> QuerySet[Hold]:
    """The same with `keepers`, `waiting` (not acknowledged) and `first_due` of those."""
    waiting = Q(custodians__acknowledgement=None)
    return rows.annotate(
        keepers=Count("custodians", distinct=True),
        waiting=Count("custodians", filter=waiting & Q(custodians__isnull=False), distinct=True),
        first_due=Min("custodians__due_at", filter=waiting),
    )


def standing(hold: Hold, now: datetime | None = None) -> Standing:
    """Who still has to acknowledge a hold; reads prefetched custodians where there are any."""
    now = now or timezone.now()
    if getattr(hold, "release", None) is not None:
        return Standing(holds=False)
    waiting = [one for one in hold.custodians.all() if getattr(one, "acknowledgement", None) is None]
    overdue = [one for one in waiting if one.due_at <= now]
    return Standing(True, waiting, overdue, [one for one in overdue if _reminder_due(one, now)])


def _reminder_due(custodian: HoldCustodian, now: datetime) -> bool:
    last = max((one.at for one in custodian.reminders.all()), default=None)
    return last is None or now - last >= REMIND_EVERY


def mine(user: Person) -> QuerySet[HoldCustodian]:
    """Where this person is a custodian of a standing hold and has not acknowledged, soonest due first."""
    rows = HoldCustodian.objects.filter(person=user.pk, acknowledgement=None, hold__release=None)
    rows = rows.filter(hold__case__in=visible_cases(user).values("pk"))
    return rows.select_related("hold__case").order_by("due_at", "id")


def of_case(case: Case) -> QuerySet[Hold]:
    """The holds of a case, newest first, with what a card of it shows."""
    rows = case.holds.select_related("case", "placed_by", "exhibit", "source", "release__releaser")
    return rows.prefetch_related("custodians__acknowledgement", "custodians__reminders").order_by("-number")


def counts(user: Person) -> dict[str, int]:
    """How many holds stand, are released, and both, of those this person may see."""
    rows = visible(user).order_by()
    found = rows.aggregate(standing=Count("pk", filter=Q(release=None)), all=Count("pk"))
    return {**found, "released": found["all"] - found["standing"]}
