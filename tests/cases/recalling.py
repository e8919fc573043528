"""A case that rests on findings of a version, the version recalled, and the case flagged, by the real verbs and job."""

from cases import recalls
from cases.models import Case, RecallFlag
from detection import detector_verbs
from detection.models import DetectorVersion, Finding, VersionRecall
from spine import outbox
from spine.models import Job, JobState
from tests.factories import run_job


def version_under(case: Case) -> DetectorVersion:
    """The version whose findings the case rests on."""
    finding = Finding.objects.filter(clusters__cluster__cases__case=case).earliest("pk")
    return DetectorVersion.objects.select_related("detector").get(pk=finding.detector_version_id)


def recall(version: DetectorVersion, reason: str = "It counted retries twice") -> VersionRecall:
    """The version recalled, and everything that leans on it flagged through outbox and queue."""
    found = detector_verbs.recall_version(version, actor="user:admin", reason=reason)
    follow()
    return found


def follow() -> None:
    """What waits in the outbox is handled, and the jobs of recalls that wait are done."""
    outbox.relay_all()
    for job in Job.objects.filter(kind="recall.flag", state=JobState.QUEUED):
        assert run_job(job).state == JobState.DONE, job.error
    outbox.relay_all()


def flagged(case: Case) -> RecallFlag:
    """A flag of the case."""
    recalls.flag(detector_verbs.recall_version(version_under(case), actor="user:admin", reason="It counted twice"))
    return RecallFlag.objects.get(case=case)
