"""Newer versions of what cases hold: told to a case when a later run sees its accounts otherwise, decided by people.

A case keeps the clusters it was opened with. A later run's cluster is a **newer version** of them when it shares at
least half of the case's accounts, or of its own, with the case, and has accounts more or fewer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from cases import access, notices
from cases.models import Case, CaseCluster, CaseMember, NewerVersion
from cases.models.case import CaseStatus
from cases.notice_kinds import Kind
from detection.models import Cluster, Run
from people.models import User
from spine import log

SAME = 0.5


@dataclass(frozen=True)
class _Seen:
    """A cluster of the run that carries a case on."""

    case: UUID
    cluster: UUID
    joined: int


# Cases of which a cluster of the run holds at least half, or that hold at least half of it, and do not hold it already.
CARRIED = """
WITH shared AS (
    SELECT held.case_id, m.cluster_id, count(*) AS n
    FROM detection_cluster c
    JOIN detection_clustermember m ON m.cluster_id = c.id
    JOIN cases_caseaccount held ON held.account_id = m.account_id AND held.detached_by_id IS NULL
    WHERE c.run_id = %(run)s
    GROUP BY held.case_id, m.cluster_id
), sized AS (
    SELECT case_id, count(*) AS n FROM cases_caseaccount
    WHERE case_id IN (SELECT case_id FROM shared) AND detached_by_id IS NULL GROUP BY case_id
)
SELECT shared.case_id, shared.cluster_id, c.account_count - shared.n
FROM shared JOIN sized USING (case_id) JOIN detection_cluster c ON c.id = shared.cluster_id
WHERE (shared.n >= %(same)s * sized.n OR shared.n >= %(same)s * c.account_count)
  AND NOT EXISTS (SELECT FROM cases_casecluster own WHERE own.case_id = shared.case_id AND own.cluster_id = c.id)
ORDER BY shared.case_id, shared.n DESC, shared.cluster_id
"""
# Of the clusters a case holds that share an account with the newer one: accounts that it does not have.
LEFT = """
SELECT count(DISTINCT m.account_id)
FROM cases_casecluster own JOIN detection_clustermember m ON m.cluster_id = own.cluster_id
WHERE own.case_id = %(case)s
  AND NOT EXISTS (SELECT FROM detection_clustermember x
                  WHERE x.cluster_id = %(cluster)s AND x.account_id = m.account_id)
  AND EXISTS (SELECT FROM detection_clustermember a JOIN detection_clustermember b USING (account_id)
              WHERE a.cluster_id = own.cluster_id AND b.cluster_id = %(cluster)s)
"""


def tell(run: Run, *, actor: str) -> int:
    """Tell every open case of the newer versions that a run holds, in the caller's transaction; gives how many.

    Side effects, for each: a row under one log entry of the case, a notice to its people. Done again, it adds nothing;
    a version with the same accounts as one that was told before is told no more.
    """
    with connection.cursor() as cursor:
        cursor.execute(CARRIED, {"run": run.pk, "same": SAME})
        seen = [_Seen(case, cluster, joined) for case, cluster, joined in cursor.fetchall()]
    wanted = Case.objects.exclude(status=CaseStatus.CLOSED).select_related("assignee")
    found = {case.pk: case for case in wanted.filter(pk__in={one.case for one in seen})}
    clusters = Cluster.objects.select_related("run__source").in_bulk([one.cluster for one in seen])
    return sum(_tell(found[one.case], clusters[one.cluster], one, actor) for one in seen if one.case in found)


def _tell(case: Case, cluster: Cluster, seen: _Seen, actor: str) -> bool:
    if _known(case, cluster):
        return False
    with connection.cursor() as cursor:
        cursor.execute(LEFT, {"case": case.pk, "cluster": cluster.pk})
        left = int(cursor.fetchone()[0])
    if not seen.joined and not left:
        return False
    earlier = [f"newer:{pk}" for pk in standing(case).values_list("pk", flat=True)]
    made = NewerVersion(case=case, cluster=cluster, joined=seen.joined, left=left)
    data = {"ref": case.ref, "run": str(cluster.run_id), "joined": seen.joined, "left": left}
    log.record(actor=actor, action="version.seen", about=case, scope=case.pk, data=data, rows=[made])
    notices.settle(case, earlier)
    text = f"{sentence(made)} Look at {case.ref} and say whether they are taken in or it stays as it is."
    notices.give(case, people_of(case), kind=Kind.NEWER, key=f"newer:{made.pk}", text=text)
    return True


def _known(case: Case, cluster: Cluster) -> bool:
    """Whether the case holds or was told of these very accounts, or holds a cluster of a run that ended later."""
    same = {"case": case, "cluster__key": cluster.key}
    if CaseCluster.objects.filter(**same).exists() or NewerVersion.objects.filter(**same).exists():
        return True
    run = cluster.run
    later = CaseCluster.objects.filter(case=case, cluster__run__source=run.source_id)
    return later.filter(cluster__run__finished_at__gte=run.finished_at).exists()


def people_of(case: Case) -> list[User]:
    """To whom the case is assigned, and its members while it has any; only those who may read it."""
    staying = CaseMember.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), case=case)
    mine = Q(pk=case.assignee_id) | Q(pk__in=staying.values("person"))
    return list(access.readers_of(case).filter(mine))


def standing(case: Case) -> QuerySet[NewerVersion]:
    """What the case was told and nobody has answered: of each source the newest alone."""
    later = NewerVersion.objects.filter(
        case=OuterRef("case"), cluster__run__source=OuterRef("cluster__run__source"), id__gt=OuterRef("id")
    )
    rows = NewerVersion.objects.filter(case=case, answer=None).exclude(Exists(later))
    return rows.select_related("case", "cluster__run__source").order_by("-id")


def told(cases: Iterable[Case]) -> QuerySet[NewerVersion]:
    """Everything these cases were told, newest first, with what was answered."""
    rows = NewerVersion.objects.filter(case__in=[one.pk for one in cases])
    return rows.select_related("case", "cluster__run__source", "answer__by").order_by("-id")


def sentence(version: NewerVersion) -> str:
    """`The run of 4 May 2026 over 1 Apr to 4 May 2026 of api-logs sees 12 accounts more and 3 fewer.`"""
    run = version.cluster.run
    more = f"{version.joined:,} account{'s' if version.joined != 1 else ''} more"
    window = f"{run.window_start:%d %b} to {run.window_end:%d %b %Y}"
    return (
        f"The run of {run.finished_at:%d %b %Y %H:%M} UTC over {window} of {run.source.name} sees {more} and "
        f"{version.left:,} fewer than this case."
    )
