"""Leads from runs: a cluster worth a look becomes a lead, or is recognised as one that was there before."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from cases import matching, versions
from cases.models import Lead, LeadDecision, LeadSighting
from cases.models.lead import LeadState
from detection import apart
from detection.models import Cluster, Run
from spine import log
from spine.principal import acting_as

ACTOR = "system:leads"
LOCK = 0x6C656164  # "lead": runs raise their leads one after the other
SAME = 0.5  # shared accounts over all accounts of both, from which on it is the same lead
OUTGROWN = 2.0  # times the accounts at which a rejection no longer speaks for the cluster


@dataclass(frozen=True)
class Kinship:
    """How a cluster overlaps a lead: shared accounts over all of both, and over those of the earlier version."""

    lead_id: UUID
    overlap: float
    contained: float


@transaction.atomic
def on_run_finished(payload: dict[str, Any]) -> None:
    """Raise or recognise a lead for every cluster worth a look of the run `{"run": id}`; done again, it adds nothing.

    Side effects, for each cluster: a new lead, or a sighting on an earlier one; a waiting lead then stands for the
    newer version; one log entry. A rejected lead stays rejected, unless the cluster has at least doubled. No cluster
    is taken for a lead that a decision keeps it apart from.
    Then cases are told of newer versions of what they hold (`cases.versions`), and leads that meet earlier cases say
    so (`cases.matching`).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    apart.settled()
    run = Run.objects.get(pk=payload["run"])
    fresh = run.clusters.filter(worth_a_look=True, sighting=None).select_related("run")
    for cluster in fresh.order_by("-score", "-account_count", "id"):
        _place(cluster)
    versions.tell(run, actor=ACTOR)
    matching.note(run, actor=ACTOR)


def _place(cluster: Cluster) -> None:
    kin = _kin(cluster)
    leads = Lead.objects.select_for_update(no_key=True, of=("self",)).select_related("cluster__run")
    found = {lead.id: lead for lead in leads.filter(pk__in=[one.lead_id for one in kin]).order_by("id")}
    for one in kin:
        lead = found[one.lead_id]
        if apart.between(lead.cluster_id, cluster.pk):
            continue  # a person said that these are not one operation
        rejection = _rejection(lead)
        if rejection is not None and _outgrew(cluster, rejection) and one.contained >= SAME:
            if not lead.later.exists():
                _raise_anew(cluster, lead, rejection)
                return
        elif one.overlap >= SAME or (_grown(lead, cluster) and one.contained >= SAME):
            _see_again(lead, cluster, one.overlap)
            return
    _raise(cluster)


def _kin(cluster: Cluster) -> list[Kinship]:
    """Leads with at least half of either side in common, closest first, without those this run has reached already."""
    with connection.cursor() as cursor:
        cursor.execute(KIN, {"cluster": cluster.pk, "run": cluster.run_id, "n": cluster.account_count, "same": SAME})
        return [Kinship(lead, overlap, contained) for lead, overlap, contained in cursor.fetchall()]


# For each lead the sighting that comes closest; ties go to the lead that still waits, then to the older one.
KIN = """
WITH mine AS (SELECT account_id FROM detection_clustermember WHERE cluster_id = %(cluster)s),
shared AS (
    SELECT seen.lead_id, seen.cluster_id, count(*)::float AS n
    FROM mine JOIN detection_clustermember member USING (account_id)
    JOIN cases_leadsighting seen ON seen.cluster_id = member.cluster_id
    GROUP BY seen.lead_id, seen.cluster_id
),
kin AS (
    SELECT shared.lead_id,
           max(shared.n / (%(n)s + old.account_count - shared.n)) AS overlap,
           max(shared.n / old.account_count) AS contained
    FROM shared JOIN detection_cluster old ON old.id = shared.cluster_id
    GROUP BY shared.lead_id
)
SELECT kin.lead_id, kin.overlap, kin.contained
FROM kin JOIN cases_lead lead ON lead.id = kin.lead_id
WHERE (kin.overlap >= %(same)s OR kin.contained >= %(same)s)
  AND NOT EXISTS (
    SELECT FROM cases_leadsighting seen JOIN detection_cluster its ON its.id = seen.cluster_id
    WHERE seen.lead_id = kin.lead_id AND its.run_id = %(run)s
  )
ORDER BY kin.overlap DESC, lead.state = 'waiting' DESC, lead.raised_at, lead.id
"""


def _rejection(lead: Lead) -> LeadDecision | None:
    """The rejection that stands, None when the lead is not rejected."""
    if lead.state != LeadState.REJECTED:
        return None
    rejections = lead.decisions.filter(kind=LeadDecision.Kind.REJECTED).select_related("cluster")
    return rejections.order_by("-at", "-id").first()


def _grown(lead: Lead, cluster: Cluster) -> bool:
    """Whether a lead that sleeps until it has grown so much has: at once, perhaps, to far more than what it was."""
    return lead.state == LeadState.SNOOZED and lead.wakes_at is not None and cluster.account_count >= lead.wakes_at


def _outgrew(cluster: Cluster, rejection: LeadDecision) -> bool:
    return cluster.account_count >= OUTGROWN * rejection.cluster.account_count


def _raise(cluster: Cluster) -> None:
    why = f"new in the run of {cluster.run.finished_at:%d %b %Y}: {cluster.get_assessment_display()}"
    lead = Lead.objects.create(cluster=cluster, why_now=why)
    sighting = LeadSighting(lead=lead, cluster=cluster, overlap=1.0)
    log.record(actor=ACTOR, action="lead.raised", about=lead, data=_data(cluster), rows=[sighting])


def _raise_anew(cluster: Cluster, earlier: Lead, rejection: LeadDecision) -> None:
    before = rejection.cluster.account_count
    why = (
        f"outgrew a lead that was rejected on {rejection.at:%d %b %Y} ({rejection.get_reason_display()}): "
        f"{before:,} accounts then, {cluster.account_count:,} now"
    )
    lead = Lead.objects.create(cluster=cluster, earlier=earlier, why_now=why)
    sighting = LeadSighting(lead=lead, cluster=cluster, overlap=1.0)
    data = _data(cluster) | {"before": before, "earlier": str(earlier.id)}
    log.record(actor=ACTOR, action="lead.raised_anew", about=lead, data=data, rows=[sighting])


def _data(cluster: Cluster) -> dict[str, Any]:
    return {
        "title": cluster.title,
        "accounts": cluster.account_count,
        "assessment": cluster.assessment,
        "run": str(cluster.run_id),
    }


def _follow(lead: Lead, cluster: Cluster, *, woken: bool) -> None:
    """A snoozed lead stands for the newer version all the same, and comes back when it has grown enough."""
    if cluster.run.finished_at <= lead.cluster.run.finished_at:
        return
    lead.cluster = cluster
    lead.save(update_fields=["cluster"])
    if woken:
        _wake(lead, f"it has grown to {cluster.account_count:,} accounts, {lead.wakes_at:,} were waited for")


def _wake(lead: Lead, why: str) -> None:
    """Back in the queue, with the reason, under one log entry."""
    lead.state, lead.changed_at, lead.why_now = LeadState.WAITING, timezone.now(), f"snoozed until now: {why}"[:300]
    lead.snoozed_until, lead.wakes_at = None, None
    lead.save(update_fields=["state", "changed_at", "why_now", "snoozed_until", "wakes_at"])
    log.record(actor=ACTOR, action="lead.woken", about=lead, data={"title": lead.cluster.title, "why": why})


@acting_as(ACTOR)
def wake_due() -> int:
    """Bring back the leads whose time has come; gives how many. Safe from several processes at once."""
    woken = 0
    due = Lead.objects.filter(state=LeadState.SNOOZED, snoozed_until__lte=Now()).values_list("pk", flat=True)
    for pk in list(due[:500]):
        with transaction.atomic():
            locked = Lead.objects.select_for_update(no_key=True, of=("self",)).select_related("cluster")
            lead = locked.filter(pk=pk, state=LeadState.SNOOZED, snoozed_until__lte=Now()).first()
            if lead is not None:
                _wake(lead, "the day has come")
                woken += 1
    return woken


def _see_again(lead: Lead, cluster: Cluster, overlap: float) -> None:
    """Note the sighting; a waiting lead moves on to the newer version, whatever was decided stays as decided."""
    before = lead.cluster.account_count
    if lead.state == LeadState.SNOOZED:
        _follow(lead, cluster, woken=_grown(lead, cluster))
    elif lead.state == LeadState.WAITING and cluster.run.finished_at > lead.cluster.run.finished_at:
        lead.cluster, lead.changed_at = cluster, timezone.now()
        lead.why_now = (
            f"seen again in the run of {cluster.run.finished_at:%d %b %Y}: {cluster.account_count:,} accounts, "
            f"{before:,} before"
        )
        lead.save(update_fields=["cluster", "changed_at", "why_now"])
    sighting = LeadSighting(lead=lead, cluster=cluster, overlap=overlap)
    data = _data(cluster) | {"before": before, "overlap": round(overlap, 3)}
    log.record(actor=ACTOR, action="lead.seen_again", about=lead, data=data, rows=[sighting])
