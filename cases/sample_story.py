"""The sample story: made-up telemetry taken to a sealed dossier through the real queue, by the first run's people.

Every step looks at what is there first, so that a story interrupted anywhere goes on where it stopped. The outcomes
come from the product alone: nothing here, and nothing it calls, reads the labels the simulation writes for scoring.
"""

import io
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.utils import timezone

from cases import actions
from cases.actions import dossiers
from cases.filters import AccountFilter
from cases.models import Case, CaseAccount, DossierVersion, EvidenceItem, Judgement, Lead, LeadSighting, TimelineNote
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.sample_texts import ALTERNATIVE_ANSWERS, JUDGEMENTS, NOTE, SOURCE, SUMMARY, TERMS, TITLE
from detection import retention, runs, sources
from detection.models import AssessmentLabel, Cluster, Finding, Run, TelemetrySource
from detection.simulate import Scale, simulate
from people.models import User
from spine import sequencer
from spine.errors import Refused
from spine.models import Job, JobState, Outbox

ACTOR = "system:sample-story"
PATIENCE = timedelta(minutes=10)
Found = TypeVar("Found")
Say = Callable[[str], None]


def tell(say: Say) -> DossierVersion:
    """Take the story from telemetry to a sealed dossier, or go on with it; gives the sealed version.

    Raises Refused when a job failed or nothing moved for ten minutes.
    """
    source = _telemetry(say)
    run = _run(source, say)
    leads = _leads(run, say)
    _reject_false_alarms(leads, say)
    case = _case(leads, say)
    _judge(case, say)
    version = _dossier(case, say)
    sequencer.sequence()
    return version


def person(username: str) -> User:
    """One of the first run's people."""
    return User.objects.get(username=username)


def _telemetry(say: Say) -> TelemetrySource:
    source = sources.source_named(SOURCE)
    folder = Path(settings.HOME.path) / "sample-telemetry"
    say("Making 60,000 exchanges of 1,500 accounts")
    made = simulate(Scale(), folder)
    for kind, path in (
        ("accounts", made.accounts),
        ("networks", made.networks),
        ("models", made.models),
        ("exchanges", made.telemetry),
    ):
        if not source.files.filter(kind=kind, name=path.name).exists():
            say(f"Reading {path.name}")
            _finished(sources.request_telemetry(actor=ACTOR, source=source, kind=kind, path=path))
    _retention(source)
    return source


def _retention(source: TelemetrySource) -> None:
    """How long the made-up source keeps what it has; flagged exchanges the longest, as is usual in the field."""
    stated = set(source.retention.values_list("data_class", flat=True))
    for data_class, days in retention.SUGGESTED.items():
        if data_class not in stated:
            retention.set_retention(
                source, actor=ACTOR, data_class=data_class, days=days, custodian="Gateway team (sample)"
            )


def _run(source: TelemetrySource, say: Say) -> Run:
    done = Run.objects.filter(source=source).order_by("finished_at").first()
    if done is None:
        say("Running detectors and clustering accounts")
        _finished(runs.request_run(actor=ACTOR, source=source))
        done = Run.objects.filter(source=source).earliest("finished_at")
    return done


def _leads(run: Run, say: Say) -> list[Lead]:
    def raised() -> bool:
        topic = {"topic": "run.finished", "payload__run": str(run.id)}
        return Outbox.objects.filter(**topic).exclude(handled_at=None).exists()

    _wait(raised, "the run's clusters to become leads")
    sightings = LeadSighting.objects.filter(cluster__run=run).select_related("lead__cluster", "cluster")
    leads = [sighting.lead for sighting in sightings.order_by("-cluster__score", "pk")]
    say(f"{len(leads)} leads in the queue")
    return leads


def _reject_false_alarms(leads: list[Lead], say: Say) -> None:
    for lead in leads:
        if lead.cluster.assessment == AssessmentLabel.BENIGN_AUTOMATION and lead.state == LeadState.WAITING:
            actions.reject_lead(lead, actor=person("analyst"), reason="evaluation", note=NOTE)
            say(f"Rejected as an evaluation harness: {lead.cluster.title}")


def _case(leads: list[Lead], say: Say) -> Case:
    suspected = [lead for lead in leads if lead.cluster.assessment == AssessmentLabel.COORDINATED_EXTRACTION]
    if not suspected:
        raise Refused("No cluster was assessed as coordinated extraction: the sample has no case to show.")
    lead = suspected[0]
    opened = Case.objects.filter(lead_decisions__lead=lead).order_by("created_at").first()
    if opened is None:
        cluster = lead.cluster
        title = TITLE.format(accounts=cluster.account_count)
        summary = SUMMARY.format(
            accounts=cluster.account_count,
            exchanges=f"{cluster.exchanges:,}",
            start=f"{cluster.first_seen:%d %B}",
            end=f"{cluster.last_seen:%d %B %Y}",
        )
        opened = actions.open_case(lead, actor=person("analyst"), title=title, summary=summary, cluster=cluster.pk)
        say(f"Opened {opened.ref}: {opened.title}")
    return opened


def _judge(case: Case, say: Say) -> None:
    if case.status == CaseStatus.ESCALATED:
        return
    analyst, lead = person("analyst"), person("lead")
    if case.status == CaseStatus.OPEN:
        actions.move_case(case, actor=analyst, to=CaseStatus.INVESTIGATING, expected_from=CaseStatus.OPEN)
    _preserve(case, analyst, say)
    _exhibits(case, analyst)
    _timeline(case, analyst)
    _verdicts(case, analyst, say)
    _claims(case, analyst)
    _alternatives(case, analyst)
    actions.move_case(
        case, actor=lead, to=CaseStatus.ESCALATED, expected_from=CaseStatus.INVESTIGATING, note="Reviewed with counsel."
    )
    say(f"Judged and escalated {case.ref}")


def _preserve(case: Case, analyst: User, say: Say) -> None:
    source = TelemetrySource.objects.get(name=SOURCE)
    if case.preservation_requests.exists():
        return
    actions.request_preservation(
        case,
        actor=analyst,
        source=source,
        data_classes=["request_logs", "content"],
        scope="Request logs, prompts and responses of the linked accounts over the window (sample).",
        custodian="Gateway team (sample)",
        authority=f"Case {case.ref}: sample story, made-up material",
    )
    say(f"Asked {SOURCE} to preserve what it has")


def _exhibits(case: Case, analyst: User) -> None:
    cluster = _cluster(case)
    lines = ["day,model,exchanges", *(f"{v['day']},{v['model']},{v['exchanges']}" for v in cluster.volume)]
    wanted = [
        ("Terms of use, version 7 (sample text)", "terms-of-use-v7.txt", TERMS, "Legal's register of terms"),
        (
            "Exchanges per day and model of the linked accounts",
            "exchanges-per-day.csv",
            "\n".join(lines) + "\n",
            f"Computed from the source {SOURCE} by run {cluster.run_id}",
        ),
    ]
    for title, name, text, origin in wanted:
        if not EvidenceItem.objects.filter(case=case, file_name=name).exists():
            actions.add_evidence(
                case,
                actor=analyst,
                title=title,
                source=origin,
                acquired_at=timezone.now(),
                file=io.BytesIO(text.encode()),
                file_name=name,
                declared_type="text/csv" if name.endswith(".csv") else "text/plain",
                authority="Sample story: made-up material",
            )


def _timeline(case: Case, analyst: User) -> None:
    if TimelineNote.objects.filter(case=case).exists():
        return
    cluster = _cluster(case)
    actions.add_timeline_note(
        case,
        actor=analyst,
        lane="decisions",
        starts_at=cluster.last_seen,
        text="Rate limits on the linked accounts were lowered while the case is looked into.",
        source="Change record of the gateway team (sample)",
        confidence="high",
    )


def _verdicts(case: Case, analyst: User, say: Say) -> None:
    everybody = AccountFilter(verdict="none")
    count = actions.count_matching(case, everybody, "actor_controlled")
    if not count:
        return
    job = actions.set_verdicts_matching(
        case,
        everybody,
        actor=analyst,
        value="actor_controlled",
        reason="Tied to the rest by rare shared attributes and by the same prompt frames; sampled and read.",
        expected_count=count,
    )
    _finished(job)
    weakest = CaseAccount.objects.filter(case=case).order_by("member__strength", "member__exchanges", "pk").first()
    if weakest is not None:
        actions.set_verdict(
            case,
            weakest.account,
            actor=analyst,
            value="unknown",
            reason="The weakest tie of all; too few exchanges to tell.",
            expected=weakest.verdict_id,
        )
    say(f"Set {count} verdicts")


def _claims(case: Case, analyst: User) -> None:
    cluster = _cluster(case)
    finding = Finding.objects.filter(clusters__cluster=cluster).order_by("-score", "pk").first()
    exhibits = {item.number: item for item in EvidenceItem.objects.filter(case=case)}
    items = {"cluster": cluster, "finding": finding, "terms": exhibits.get(1), "volume": exhibits.get(2)}
    for claim, words in JUDGEMENTS.items():
        if Judgement.objects.filter(case=case, claim=claim).exists():
            continue
        cited = [
            actions.Cited(side=side, kind="evidence" if name in {"terms", "volume"} else name, id=item.pk, note=note)
            for side, name, note in words.citations
            if (item := items[name]) is not None
        ]
        actions.judge(
            case,
            actor=analyst,
            claim=claim,
            likelihood=words.likelihood,
            confidence=words.confidence,
            rationale=words.rationale,
            alternatives=words.alternatives,
            citations=cited,
        )


def _alternatives(case: Case, analyst: User) -> None:
    answered = set(case.alternative_answers.values_list("alternative", flat=True))
    for alternative, (state, reason) in ALTERNATIVE_ANSWERS.items():
        if alternative not in answered:
            actions.answer_alternative(case, actor=analyst, alternative=alternative, state=state, reason=reason)


def _dossier(case: Case, say: Say) -> DossierVersion:
    version = DossierVersion.objects.filter(case=case).order_by("number").first()
    if version is None:
        say("Freezing the counsel dossier")
        _finished(dossiers.prepare(case, actor=person("analyst"), edition="counsel"))
        version = DossierVersion.objects.filter(case=case).earliest("number")
    if not hasattr(version, "approval"):
        dossiers.approve(
            version,
            actor=person("counsel"),
            snapshot_sha256=version.snapshot_sha256,
            note="Read against the snapshot; internal copy.",
        )
    say("Waiting for the sealed package")
    _wait(lambda: DossierVersion.objects.filter(pk=version.pk, seal__proof__isnull=False).exists(), "the seal")
    say(f"Sealed {version.bag_name}")
    return version


def _cluster(case: Case) -> Cluster:
    return Cluster.objects.filter(cases__case=case).earliest("pk")


def _finished(job: Job) -> None:
    def done() -> bool:
        job.refresh_from_db()
        return job.is_finished

    _wait(done, f"the job {job.kind}")
    if job.state != JobState.DONE:
        raise Refused(f"The job {job.kind} did not finish: {job.error}")


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = timezone.now() + PATIENCE
    while not ready():
        if timezone.now() > deadline:
            raise Refused(f"Waited ten minutes for {what}. Does the worker run?")
        time.sleep(0.3)
