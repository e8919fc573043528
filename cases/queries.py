"""What the pages and the API list and count: leads, cases, and what lies under a case. Nothing changes here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from cases import history, verifying
from cases.access import Person, visible_cases, visible_leads
from cases.filters import AccountFilter, matching
from cases.models import Case, CaseAccount, CustodyEvent, EvidenceItem, Judgement, Lead, VaultCheck, Verdict
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.paging import SIZE, Page, page
from cases.vocabulary import ALTERNATIVES, Claim, VerdictValue
from detection import graph
from detection.models import Account, Attribute, Cluster, ClusterDrawing, ClusterLink, ClusterMember, Finding
from spine.models import LogEntry


@dataclass(frozen=True)
class CaseRow:
    """A case in a list, with how many accounts it has and how many of the six claims are judged."""

    case: Case
    accounts: int
    judged: int


@dataclass(frozen=True)
class SharedValue:
    """A value that members of a cluster share, and how rare it is: `holders` of `population` accounts show it."""

    type: str
    value: str
    signal: str
    accounts: int
    holders: int
    population: int
    strength: float
    reason: str


@dataclass(frozen=True)
class AccountView:
    """Everything about one account in one case, for the drawer beside the list."""

    held: CaseAccount
    links: list[ClusterLink]
    findings: list[Finding]
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Exhibit:
    """An exhibit with its custody events in order."""

    item: EvidenceItem
    custody: list[CustodyEvent]
    check: VaultCheck | None = None


# Leads


def leads(
    user: Person, *, state: str = LeadState.WAITING, assessment: str = "", text: str = "", mine: bool = False
) -> QuerySet[Lead]:
    """The leads of the queue that match, for `lead_page`; an empty state means every state."""
    rows = visible_leads(user).select_related("cluster", "assignee")
    if state:
        rows = rows.filter(state=state)
    if assessment:
        rows = rows.filter(cluster__assessment=assessment)
    if mine:
        rows = rows.filter(assignee_id=user.pk)
    if text:
        rows = rows.filter(Q(cluster__title__icontains=text) | Q(cluster__signals__icontains=text))
    return rows


def lead_page(rows: QuerySet[Lead], *, cursor: str = "", size: int = SIZE) -> Page[Lead]:
    """A page of leads, newest first."""
    return page(rows, ("-raised_at", "-id"), cursor=cursor, size=size)


def lead_counts(user: Person) -> dict[str, int]:
    """How many leads stand in each state; every state is there."""
    counted = visible_leads(user).order_by().values_list("state").annotate(n=Count("id"))
    return dict.fromkeys(LeadState.values, 0) | dict(counted)


def assessment_counts(rows: QuerySet[Lead]) -> dict[str, int]:
    """How many of these leads carry each assessment; those with none are left out."""
    return dict(rows.order_by().values_list("cluster__assessment").annotate(n=Count("id")))


def shared_values(cluster: Cluster, drawn: ClusterDrawing | None = None) -> list[SharedValue]:
    """What members of a cluster share, first what ties most: by strength times members, then by rarity.

    At most `graph.RANKED` values; from the drawing where there is one, which spares going through every link.
    """
    rows = drawn.graph["ranked"] if drawn else graph.listed(cluster, graph.ranked(cluster))
    values = Attribute.objects.in_bulk([UUID(row["attribute"]) for row in rows])
    links = ClusterLink.objects.filter(pk__in=[row["link"] for row in rows])
    reasons = dict(links.values_list("attribute", "reason"))
    return [
        SharedValue(
            type=values[pk].type,
            value=values[pk].value,
            reason=reasons[pk],
            **{name: row[name] for name in ("signal", "accounts", "holders", "population", "strength")},
        )
        for row in rows
        for pk in [UUID(row["attribute"])]
    ]


def member_page(cluster: Cluster, *, cursor: str = "", size: int = SIZE) -> Page[ClusterMember]:
    """A page of a cluster's members, the most firmly tied first."""
    rows = ClusterMember.objects.filter(cluster=cluster).select_related("account")
    return page(rows, ("-strength", "-exchanges", "id"), cursor=cursor, size=size)


# Cases


def cases(
    user: Person, *, status: str = "", marking: str = "", text: str = "", mine: bool = False, unassigned: bool = False
) -> QuerySet[Case]:
    """The cases that match, for `case_page`."""
    rows = visible_cases(user).select_related("assignee")
    if status:
        rows = rows.filter(status=status)
    if marking:
        rows = rows.filter(marking=marking)
    if mine:
        rows = rows.filter(assignee_id=user.pk)
    if unassigned:
        rows = rows.filter(assignee=None).exclude(status=CaseStatus.CLOSED)
    if text:
        rows = rows.filter(Q(ref__icontains=text) | Q(title__icontains=text))
    return rows


def case_page(rows: QuerySet[Case], *, cursor: str = "", size: int = SIZE) -> Page[Case]:
    """A page of cases, last changed first."""
    return page(rows, ("-updated_at", "-id"), cursor=cursor, size=size)


def case_rows(found: Sequence[Case]) -> list[CaseRow]:
    """The cases of a page with their counts; two queries for any number of cases."""
    ids = [case.id for case in found]
    accounts = dict(CaseAccount.objects.filter(case__in=ids).order_by().values_list("case").annotate(n=Count("id")))
    judged = dict(
        Judgement.objects.filter(case__in=ids, supersedes=None).order_by().values_list("case").annotate(n=Count("id"))
    )
    return [CaseRow(case, accounts.get(case.id, 0), judged.get(case.id, 0)) for case in found]


def case_counts(user: Person) -> dict[str, int]:
    """How many cases stand at each step; every step is there."""
    counted = visible_cases(user).order_by().values_list("status").annotate(n=Count("id"))
    return dict.fromkeys(CaseStatus.values, 0) | dict(counted)


# Under a case

ACCOUNT_ORDERS = {
    "volume": ("-exchanges", "-id"),
    "output": ("-member__output_tokens", "-id"),
    "strength": ("-member__strength", "-id"),
    "first_seen": ("member__first_seen", "id"),
    "last_seen": ("-member__last_seen", "-id"),
    "pseudonym": ("account__pseudonym", "id"),
}


def account_page(
    case: Case, wanted: AccountFilter, *, order: str = "volume", cursor: str = "", size: int = SIZE
) -> Page[CaseAccount]:
    """A page of a case's accounts, in one of `ACCOUNT_ORDERS`."""
    rows = matching(case, wanted).select_related("account", "member", "verdict__decided_by")
    return page(rows, ACCOUNT_ORDERS.get(order, ACCOUNT_ORDERS["volume"]), cursor=cursor, size=size)


def verdict_counts(case: Case) -> dict[str, int]:
    """How many accounts of the case have each verdict; no verdict under the empty text; every verdict is there."""
    counted = CaseAccount.objects.filter(case=case).order_by().values_list("value").annotate(n=Count("id"))
    return dict.fromkeys(["", *VerdictValue.values], 0) | dict(counted)


def account_view(case: Case, account: Account, limit: int = 20) -> AccountView | None:
    """What is known of one account in this case, None when it is not in it."""
    held = CaseAccount.objects.select_related("account", "member", "verdict").filter(case=case, account=account).first()
    if held is None:
        return None
    links = ClusterLink.objects.filter(cluster=held.member.cluster_id, account=account).select_related("attribute")
    findings = history.findings_at(case).filter(accounts__account=account).order_by("-score", "id")
    verdicts = Verdict.objects.filter(case=case, account=account).select_related("decided_by").order_by("-at", "-id")
    return AccountView(held, list(links.order_by("-strength", "id")[:limit]), list(findings[:limit]), list(verdicts))


def finding_page(case: Case, *, signal: str = "", text: str = "", cursor: str = "", size: int = SIZE) -> Page[Finding]:
    """A page of the findings the case rests on, strongest first."""
    rows = history.marked(history.findings_at(case)).defer("payload")
    if signal:
        rows = rows.filter(signal=signal)
    if text:
        rows = rows.filter(title__icontains=text)
    return page(rows, ("-score", "id"), cursor=cursor, size=size)


def signal_counts(case: Case) -> dict[str, int]:
    """How many of the case's findings there are of each signal."""
    return dict(history.findings_at(case).order_by("signal").values_list("signal").annotate(n=Count("id")))


def claim_strip(case: Case) -> list[tuple[Claim, Judgement | None]]:
    """The six claims in order, each with the judgement that counts."""
    judged = {judgement.claim: judgement for judgement in history.judgements_at(case)}
    return [(claim, judged.get(claim.value)) for claim in Claim]


def alternatives(case: Case) -> list[tuple[str, str, Any]]:
    """The innocent explanations in order: slug, name, and the answer that counts or None."""
    answers = {answer.alternative: answer for answer in history.answers_at(case)}
    return [(slug, name, answers.get(slug)) for slug, name in ALTERNATIVES.items()]


def exhibits(case: Case) -> list[Exhibit]:
    """Every exhibit with its custody events, by number, and its last comparison; three queries."""
    events: dict[Any, list[CustodyEvent]] = {}
    for event in history.custody_at(case):
        events.setdefault(event.item_id, []).append(event)
    items = list(history.evidence_at(case))
    checks = verifying.newest(item.sha256 for item in items)
    return [Exhibit(item, events.get(item.id, []), checks.get(item.sha256)) for item in items]


def strongest_exhibits(case: Case, limit: int = 3) -> list[EvidenceItem]:
    """The exhibits the judgements that count cite most often."""
    citations = history.citations_of(history.judgements_at(case)).order_by().values("pk")
    cited = history.evidence_at(case).annotate(cited=Count("citations", filter=Q(citations__in=citations)))
    return list(cited.filter(cited__gt=0).order_by("-cited", "number")[:limit])


def log_page(
    case: Case | None = None, *, action: str = "", actor: str = "", cursor: str = "", size: int = SIZE
) -> Page[LogEntry]:
    """A page of the log, newest first, of one case or of everything that belongs to no case."""
    rows = LogEntry.objects.filter(scope=case.id if case else None).select_related("sequence").defer("row_digests")
    if action:
        rows = rows.filter(action=action)
    if actor:
        rows = rows.filter(actor=actor)
    return page(rows, ("-at", "-id"), cursor=cursor, size=size)


def models_hit(case: Case) -> list[tuple[str, int]]:
    """Exchanges by model, most first, from the volume of the held clusters."""
    totals: dict[str, int] = {}
    for volume in history.clusters_at(case).values_list("volume", flat=True):
        for one in volume:
            totals[one["model"]] = totals.get(one["model"], 0) + int(one["exchanges"])
    return sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
