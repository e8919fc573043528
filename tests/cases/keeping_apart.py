"""Accounts of a lead that are kept apart, and findings that are then grouped by it; by the real verbs and jobs."""

from typing import Any

from cases import actions
from cases.models import Lead
from detection import detector_verbs, ingest
from detection.models import Cluster, Detector, KeptApart, KeptApartEffect
from people.models import User
from spine import outbox
from spine.models import Job, JobState
from tests.detection.registered import ADMIN, make_detector
from tests.detection.samples import finding
from tests.factories import run_job

WHY = "They pay through one reseller, and ask about different things."
RULE = {"by": ["payment_fingerprint"], "window_hours": 24, "least_findings": 1, "least_accounts": 2}


def make_decision(lead: Lead, actor: User) -> KeptApart:
    """One account of the lead kept apart from the rest; before it the same, taken back."""
    picked = [lead.cluster.members.earliest("pk").account_id]
    first = actions.keep_apart(lead, picked, actor=actor, reason=WHY)
    actions.join_again(first, actor=actor, reason="It was the wrong one")
    return actions.keep_apart(lead, picked, actor=actor, reason=WHY)


def make_grouped(name: str = "grouped") -> Detector:
    """A detector whose findings are grouped by payment fingerprint."""
    detector = make_detector(name)[0]
    return detector_verbs.set_grouping(detector, actor=ADMIN, revision=detector.revision, grouping=RULE)


def pay_alike(detector: Detector, uid: str, *accounts: str, pf: str = "pf_1") -> None:
    """A finding that these accounts pay with the same, grouped at once, and the lead of the group."""
    shown = [{"type": "payment_fingerprint", "value": pf, "count": 2}]
    named: list[dict[str, Any]] = [{"id": account, "attributes": shown} for account in accounts]
    document = finding(uid, accounts=named, detector={"name": detector.name, "version": "1.0"})
    ingest.store([document], actor=f"detector:{detector.name}", detector=detector.name, origin=ingest.Origin())
    for job in Job.objects.filter(kind="findings.group", state=JobState.QUEUED):
        assert run_job(job).state == JobState.DONE, job.error
    outbox.relay_all()


def make_effect(actor: User) -> KeptApartEffect:
    """A grouping that would have joined accounts and did not."""
    detector = make_grouped()
    pay_alike(detector, "together", "eff-1", "eff-2", "eff-3", "eff-4")
    lead = Lead.objects.get(cluster=Cluster.objects.latest("pk"))
    picked = lead.cluster.members.filter(account__provider_id__in=["eff-1", "eff-2"])
    actions.keep_apart(lead, list(picked.values_list("account", flat=True)), actor=actor, reason=WHY)
    pay_alike(detector, "again", "eff-1", "eff-2", "eff-3", "eff-4")
    return KeptApartEffect.objects.latest("pk")
