"""Which accounts a case has: the index over the clusters it holds, kept by the verbs that join and detach."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection

from cases import history
from cases.models import Case, CaseAccount, CaseCluster, Detachment, Reattachment
from detection.models import Cluster, ClusterMember
from people.models import User
from spine.errors import Refused
from spine.ids import new_id


def place_of(case: Case, cluster: Cluster, actor: User) -> CaseCluster | Reattachment:
    """The unsaved row by which the case holds the cluster: a first one, or one over what detached it before."""
    held = CaseCluster.objects.filter(case=case, cluster=cluster).first()
    if held is None:
        return CaseCluster(case=case, cluster=cluster)
    gone = history.detachments().filter(held=held).first()
    if gone is None:
        raise Refused(f"{case.ref} holds this cluster already.", field="case")
    return Reattachment(detachment=gone, by=actor)


def take_in(case: Case, cluster: Cluster) -> int:
    """The members are accounts of the case, each at its membership in the newest run; gives how many are new to it.

    Accounts that were taken out by themselves stay out.
    """
    before = CaseAccount.objects.filter(case=case).count()
    kept_out = history.kept_out(case).values("account")
    members = ClusterMember.objects.filter(cluster=cluster).exclude(account__in=kept_out)
    _index(case, members.values_list("id", "account_id", "exchanges"))
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_MEMBERSHIP, [case.pk, cluster.pk])
    return CaseAccount.objects.filter(case=case).count() - before


def take_back(case: Case, accounts: Sequence[UUID]) -> int:
    """Accounts that were taken out by themselves are in the case again where a held cluster has them; gives how many.

    Called when the reattachment is written.
    """
    members = history.members_at(case).filter(account__in=accounts)
    return _index(case, members.values_list("id", "account_id", "exchanges"))


def let_go(held: CaseCluster, by: Detachment) -> int:
    """What no other held cluster has leaves the case, the rest goes on through those; gives how many left.

    Called when the detachment is written.
    """
    with connection.cursor() as cursor:
        remaining = list(history.held_at(held.case).values_list("cluster_id", flat=True))
        cursor.execute(THROUGH_ANOTHER, {"case": held.case_id, "left": held.cluster_id, "remaining": remaining})
        cursor.execute(LEAVING, {"case": held.case_id, "by": by.pk, "remaining": remaining})
        return int(cursor.rowcount)


def leaving(held: CaseCluster) -> int:
    """How many accounts would leave the case with this cluster."""
    others = history.held_at(held.case).exclude(pk=held.pk).values("cluster_id")
    staying = ClusterMember.objects.filter(cluster__in=others).values("account_id")
    return CaseAccount.objects.filter(case=held.case_id).exclude(account__in=staying).count()


def _index(case: Case, members: Iterable[tuple[UUID, UUID, int]]) -> int:
    rows = [
        CaseAccount(id=new_id(), case=case, account_id=account, member_id=member, exchanges=exchanges)
        for member, account, exchanges in members
    ]
    CaseAccount.objects.bulk_create(rows, batch_size=5000, ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(BACK, [[row.account_id for row in rows], [row.member_id for row in rows], case.pk])
    return len(rows)


# Who comes back comes at the membership that brings it, its verdict as it was.
BACK = """
UPDATE cases_caseaccount held SET detached_by_id = NULL, member_id = m.id, exchanges = m.exchanges
FROM unnest(%s::uuid[], %s::uuid[]) AS fresh(account_id, member_id)
JOIN detection_clustermember m ON m.id = fresh.member_id
WHERE held.case_id = %s AND held.account_id = fresh.account_id AND held.detached_by_id IS NOT NULL
"""
NEWEST_MEMBERSHIP = """
UPDATE cases_caseaccount held SET member_id = fresh.id, exchanges = fresh.exchanges
FROM detection_clustermember fresh
JOIN detection_cluster fresh_cluster ON fresh_cluster.id = fresh.cluster_id
JOIN detection_run fresh_run ON fresh_run.id = fresh_cluster.run_id,
detection_clustermember old
JOIN detection_cluster old_cluster ON old_cluster.id = old.cluster_id
JOIN detection_run old_run ON old_run.id = old_cluster.run_id
WHERE held.case_id = %s AND fresh.cluster_id = %s AND fresh.account_id = held.account_id AND old.id = held.member_id
  AND held.detached_by_id IS NULL AND (fresh_run.finished_at, fresh.id) > (old_run.finished_at, old.id)
"""
THROUGH_ANOTHER = """
UPDATE cases_caseaccount held SET member_id = m.id, exchanges = m.exchanges
FROM (
    SELECT DISTINCT ON (member.account_id) member.id, member.account_id, member.exchanges
    FROM detection_clustermember member
    JOIN detection_cluster c ON c.id = member.cluster_id JOIN detection_run r ON r.id = c.run_id
    WHERE member.cluster_id = ANY(%(remaining)s)
    ORDER BY member.account_id, r.finished_at DESC, member.id DESC
) m, detection_clustermember old
WHERE held.case_id = %(case)s AND held.account_id = m.account_id AND old.id = held.member_id
  AND old.cluster_id = %(left)s
"""
LEAVING = """
UPDATE cases_caseaccount held SET detached_by_id = %(by)s
WHERE held.case_id = %(case)s AND held.detached_by_id IS NULL AND NOT EXISTS (
    SELECT FROM detection_clustermember m WHERE m.account_id = held.account_id AND m.cluster_id = ANY(%(remaining)s)
)
"""
