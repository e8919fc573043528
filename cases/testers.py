"""Which accounts stand on the list of sanctioned testers while they were active. It marks; it decides nothing.

An account is marked when its activity and the window of a test that lists it overlap. What lies outside the window is
said too: the list covers no more than it says.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Exists, F, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Least

from cases import history
from cases.history import Cut
from cases.models import Case, CaseAccount, SanctionedAccount, SanctionedTest, SanctionedTestEnd
from detection.models import Account, Cluster, ClusterMember

Row = TypeVar("Row", bound=Model)
ALTERNATIVE = "red_team"  # the innocent explanation that the list speaks to


@dataclass(frozen=True)
class Mark:
    """Why an account is marked; times are UTC. `outside`: it was active outside the window too."""

    test: UUID
    organisation: str
    since: datetime
    until: datetime
    outside: bool

    @property
    def words(self) -> str:
        """As it stands beside the account."""
        also = ", and active outside that time" if self.outside else ""
        return f"sanctioned tester {self.since:%d %b %Y} until {self.until:%d %b %Y}{also}"


def tests() -> QuerySet[Any, Any]:
    """Every test with `until`, when it ended or will; order by ("-at", "-id")."""
    rows = SanctionedTest.objects.select_related("listed_by", "end__ended_by")
    return rows.annotate(until=_until("pk", "ends_at", None))


def marks(rows: Iterable[CaseAccount | ClusterMember]) -> dict[UUID, Mark]:
    """The marks of some accounts of a page, by account id; one query for any number of them."""
    active = {row.account_id: (row.account, *_active(row)) for row in rows}
    ids = {(account.namespace, account.provider_id): account.pk for account, _, _ in active.values()}
    listed = _listed(None).filter(provider_id__in=[provider_id for _, provider_id in ids])
    found: dict[UUID, Mark] = {}
    for one in listed.order_by("-until", "pk"):
        account = ids.get((one.namespace, one.provider_id))
        if account is None or account in found:
            continue
        _, first, last = active[account]
        if first <= one.until and last >= one.test.starts_at:
            outside = first < one.test.starts_at or last > one.until
            found[account] = Mark(one.test_id, one.test.organisation, one.test.starts_at, one.until, outside)
    return found


def among(accounts: QuerySet[CaseAccount]) -> QuerySet[CaseAccount]:
    """Those of these accounts of a case that are marked."""
    return _overlapping(accounts, "account", "member__", None)


def members(cluster: Cluster) -> QuerySet[ClusterMember]:
    """The members of a cluster that are marked."""
    return _overlapping(ClusterMember.objects.filter(cluster=cluster), "account", "", None)


def count_at(case: Case, at: Cut | None = None) -> int:
    """How many accounts of the case are marked, by the list and the case as they stood at the cut."""
    if at is None:
        return among(CaseAccount.objects.filter(case=case)).count()
    newest = history.members_at(case, at).order_by("account_id", "-cluster__run__finished_at", "-id").values("id")
    return _overlapping(ClusterMember.objects.filter(id__in=newest), "account", "", at).count()


def look_up(provider_ids: Iterable[str], namespace: str) -> list[Any]:
    """Those of these accounts that stand on the list, with test and `until`, whether or not the window is open."""
    rows = _listed(None).filter(namespace=namespace, provider_id__in=list(provider_ids))
    return list(rows.order_by("provider_id", "-until", "pk"))


def _listed(at: Cut | None) -> QuerySet[Any, Any]:
    rows = history.before(SanctionedAccount.objects.select_related("test"), at)
    return rows.annotate(until=_until("test_id", "test__ends_at", at))


def _until(test: str, ends_at: str, at: Cut | None) -> Any:
    end = history.before(SanctionedTestEnd.objects.filter(test=OuterRef(test)), at).values("ended_at")
    return Least(F(ends_at), Coalesce(Subquery(end[:1]), F(ends_at)))


def _overlapping(rows: QuerySet[Row], account: str, member: str, at: Cut | None) -> QuerySet[Row]:
    listed = _listed(at).filter(
        namespace=OuterRef(f"{account}__namespace"),
        provider_id=OuterRef(f"{account}__provider_id"),
        test__starts_at__lte=OuterRef(f"{member}last_seen"),
        until__gte=OuterRef(f"{member}first_seen"),
    )
    return rows.filter(Exists(listed))


def _active(row: CaseAccount | ClusterMember) -> tuple[datetime, datetime]:
    member = row.member if isinstance(row, CaseAccount) else row
    return member.first_seen, member.last_seen


def known(found: Iterable[SanctionedAccount], namespace: str) -> dict[str, Account]:
    """The accounts behind these entries that some finding has named, by the provider's id."""
    ids = [one.provider_id for one in found]
    rows = Account.objects.filter(namespace=namespace, provider_id__in=ids)
    return {account.provider_id: account for account in rows}
