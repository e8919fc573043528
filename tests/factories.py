"""What tests stand on: a cast of people, runs as detection writes them, cases brought to a stage by the real verbs."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction

from cases import actions, leads
from cases.actions import Cited
from cases.models import Case, CaseAccount, Lead
from cases.vocabulary import ALTERNATIVES, REQUIRED_CLAIMS
from detection.models import (
    Account,
    Answer,
    Attribute,
    Cluster,
    ClusterFinding,
    ClusterLink,
    ClusterMember,
    Detector,
    DetectorVersion,
    Finding,
    FindingAccount,
    ModelRelease,
    Run,
    Sighting,
    TelemetrySource,
)
from detection.pseudonyms import pseudonym
from people.models import Role, User
from spine import jobs, log
from spine.ids import new_id
from spine.models import AppendOnly, Job

START = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 10
PASSWORD = "a passphrase for tests only"
STAGES = ("open", "investigating", "judged", "escalated", "closed")
_numbers = count(1)


@dataclass(frozen=True)
class Cast:
    """The test users everyone learns once: one of each role, named as in `first-run.txt`."""

    admin: User
    lead: User
    analyst: User
    counsel: User
    reader: User

    def all(self) -> list[User]:
        """Everybody, in the order of their rights."""
        return [self.admin, self.lead, self.analyst, self.counsel, self.reader]


def make_cast() -> Cast:
    """The five people; they sign in with PASSWORD."""
    roles = {
        "admin": Role.ADMINISTRATOR,
        "lead": Role.CASE_LEAD,
        "analyst": Role.ANALYST,
        "counsel": Role.COUNSEL,
        "reader": Role.READER,
    }
    return Cast(**{name: make_person(name, role) for name, role in roles.items()})


def make_person(username: str, role: str) -> User:
    """One person more."""
    return User.objects.create(username=username, role=role, password=_hashed())


@cache
def _hashed() -> str:
    return make_password(PASSWORD)


# What detection writes


def provider_ids(n: int, prefix: str = "acct", start: int = 0) -> list[str]:
    """The provider's ids of n accounts: `acct-0000`, `acct-0001`, …"""
    return [f"{prefix}-{number:04d}" for number in range(start, start + n)]


def make_run(
    *groups: Sequence[str], finished_at: datetime | None = None, value: Attribute | None = None, **fields: Any
) -> Run:
    """A finished run with one cluster, one finding and one shared value for each group of provider ids.

    `fields` are of every cluster. Written as detection/runs.py writes it: findings first, then the run in one entry.
    """
    source, _ = TelemetrySource.objects.get_or_create(name="api-logs")
    run = Run(
        job_id=new_id(),
        source=source,
        window_start=START,
        window_end=START + timedelta(days=DAYS),
        algorithm="test",
        algorithm_version="1.0.0",
        input_sha256="ef" * 32,
        account_count=2481,
        edge_count=9310,
        started_at=START + timedelta(days=DAYS + 1),
        finished_at=finished_at or START + timedelta(days=DAYS + 1, minutes=next(_numbers)),
    )
    rows: list[AppendOnly] = [run]
    with transaction.atomic():
        for group in groups:
            accounts = _accounts(group)
            shown = value or Attribute.objects.create(type="payment_fingerprint", value=f"pf_{next(_numbers):010x}")
            rows += _cluster_rows(run, accounts, shown, _finding(accounts, shown), fields)
        rows += [_answer(run)] if groups else []
        data = {"source": source.name, "clusters": len(groups)}
        log.record(actor="system:test", action="run.finished", about=run, data=data, rows=rows)
    return run


def _answer(run: Run) -> Answer:
    version = DetectorVersion.objects.get(detector__name="shared_attribute")
    return Answer(run=run, detector_version=version, status="found", reason="1 finding.", counts={"findings": 1})


def make_cluster(accounts: int | Sequence[str] = 4, **fields: Any) -> Cluster:
    """The one cluster of a run of its own: over so many accounts, or over these provider ids."""
    group = provider_ids(accounts) if isinstance(accounts, int) else accounts
    return make_run(group, **fields).clusters.get()


def make_release(model: str = "aster-2", day: float = 4.5) -> ModelRelease:
    """A model released so many days after START."""
    release = ModelRelease(model=model, released_at=START + timedelta(days=day))
    with transaction.atomic():
        log.record(actor="system:test", action="telemetry.added", data={"count": 1}, rows=[release])
    return release


def _accounts(group: Sequence[str]) -> list[Account]:
    known = {account.provider_id for account in Account.objects.filter(provider_id__in=group)}
    fresh = [Account(provider_id=one, pseudonym=pseudonym("default", one)) for one in group if one not in known]
    Account.objects.bulk_create(fresh)
    return list(Account.objects.filter(provider_id__in=group).order_by("provider_id"))


def _finding(accounts: list[Account], value: Attribute) -> Finding:
    detector, _ = Detector.objects.get_or_create(name="shared_attribute", defaults={"built_in": True})
    version, _ = DetectorVersion.objects.get_or_create(detector=detector, version="1.0.0", config_sha256="cd" * 32)
    payload = json.dumps({"uid": value.value, "accounts": [{"id": one.provider_id} for one in accounts]}).encode()
    finding = Finding(
        detector=detector,
        detector_version=version,
        uid=f"{value.value}-{next(_numbers)}" if Finding.objects.filter(uid=value.value).exists() else value.value,
        signal="shared_attribute",
        title=f"Payment fingerprint shared by {len(accounts)} accounts",
        score=0.9,
        confidence="high",
        window_start=START,
        window_end=START + timedelta(days=DAYS),
        observed_at=START + timedelta(days=DAYS + 1),
        account_count=len(accounts),
        payload=payload,
        payload_sha256=sha256(payload).hexdigest(),
    )
    data = {"count": 1, "detector": detector.name}
    log.record(actor="detector:shared_attribute", action="findings.received", data=data, rows=[finding])
    FindingAccount.objects.bulk_create(FindingAccount(finding=finding, account=one) for one in accounts)
    Sighting.objects.bulk_create(Sighting(finding=finding, account=one, attribute=value) for one in accounts)
    return finding


def _cluster_rows(
    run: Run, accounts: list[Account], value: Attribute, finding: Finding, fields: dict[str, Any]
) -> list[AppendOnly]:
    size = len(accounts)
    cluster = Cluster(
        **{
            "run": run,
            "key": sha256(" ".join(one.provider_id for one in accounts).encode()).hexdigest(),
            "title": f"{size} accounts that pay alike",
            "assessment": "coordinated_extraction",
            "score": 0.93,
            "worth_a_look": True,
            "signals": ["shared_attribute"],
            "account_count": size,
            "exchanges": 100 * size,
            "input_tokens": 1000 * size,
            "output_tokens": 9000 * size,
            "first_seen": START,
            "last_seen": START + timedelta(days=DAYS - 1),
            "volume": [
                {"day": f"2026-05-{day:02d}", "model": "aster-1" if day < 5 else "aster-2", "exchanges": 10 * size}
                for day in range(1, DAYS + 1)
            ],
            **fields,
        }
    )
    seen = {"first_seen": cluster.first_seen, "last_seen": cluster.last_seen}
    rows: list[AppendOnly] = [cluster, ClusterFinding(cluster=cluster, finding=finding)]
    rows += [
        ClusterMember(
            cluster=cluster,
            account=one,
            strength=0.9,
            reasons=[f"shows {value.value}"],
            exchanges=100,
            input_tokens=1000,
            output_tokens=9000,
            **seen,
        )
        for one in accounts
    ]
    rows += [
        ClusterLink(
            cluster=cluster,
            account=one,
            attribute=value,
            signal="shared_attribute",
            count=12,
            holders=size,
            population=2481,
            strength=0.8,
            reason=f"{value.value}: {size} of 2,481 accounts",
            **seen,
        )
        for one in accounts
    ]
    return rows


# Leads and cases, by the real verbs


def make_lead(accounts: int | Sequence[str] = 4, **fields: Any) -> Lead:
    """The lead that a run of its own raises, as the outbox does it."""
    cluster = make_cluster(accounts, **fields)
    leads.on_run_finished({"run": str(cluster.run_id)})
    return Lead.objects.get(sightings__cluster=cluster)


def make_case(cast: Cast, *, stage: str = "open", accounts: int | Sequence[str] = 4, **fields: Any) -> Case:
    """A case of the analyst at a stage of STAGES; from `judged` on nothing is missing for escalation."""
    reached = STAGES.index(stage)
    case = actions.open_case(make_lead(accounts, **fields), actor=cast.analyst, title="Accounts that pay alike")
    if reached >= STAGES.index("investigating"):
        case = actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    if reached >= STAGES.index("judged"):
        judge_all(case, cast.analyst)
        case.refresh_from_db()
    if reached >= STAGES.index("escalated"):
        case = actions.move_case(case, actor=cast.lead, to="escalated", expected_from="investigating")
    if stage == "closed":
        case = actions.move_case(
            case, actor=cast.lead, to="closed", expected_from="escalated", closing_reason="handed_over"
        )
    return case


def judge_all(case: Case, actor: User) -> None:
    """Everything escalation needs: preservation, summary, exhibit, verdicts, claims, explanations answered."""
    preserve_all(case, actor)
    summary = "The accounts are suspected of collecting outputs together. They share one payment fingerprint."
    actions.edit_case(case, actor=actor, changes={"summary": (case.summary, summary)})
    exhibit = add_exhibit(case, actor)
    picks = dict(CaseAccount.objects.filter(case=case).values_list("id", "verdict_id"))
    actions.set_verdicts_picked(case, picks, actor=actor, value="actor_controlled", reason="shares the fingerprint")
    for claim in REQUIRED_CLAIMS:
        actions.judge(
            case,
            actor=actor,
            claim=claim,
            likelihood="likely",
            confidence="moderate",
            rationale="One payment fingerprint ties all accounts.",
            alternatives="A company that pays for its staff would look alike.",
            citations=[Cited("for", "evidence", exhibit.id, "the payment records")],
        )
    for alternative in ALTERNATIVES:
        actions.answer_alternative(
            case, actor=actor, alternative=alternative, state="ruled_out", reason="The prompts do not fit it."
        )


def preserve_all(case: Case, actor: User) -> None:
    """Ask every source of the case to preserve its request logs."""
    for source in TelemetrySource.objects.filter(runs__clusters__cases__case=case).distinct():
        actions.request_preservation(
            case,
            actor=actor,
            source=source,
            data_classes=["request_logs"],
            scope="All request logs of the listed accounts.",
            custodian="Gateway team",
            authority=f"Case {case.ref}",
        )


def add_exhibit(case: Case, actor: User, content: bytes = b"request_id,model\nr-1,aster-2\n", **fields: Any) -> Any:
    """An exhibit of these bytes."""
    given = {
        "title": "Request log extract",
        "source": "Gateway export",
        "acquired_at": START + timedelta(days=DAYS + 2),
        "file_name": "extract.csv",
        "declared_type": "text/csv",
        **fields,
    }
    return actions.add_evidence(case, actor=actor, file=io.BytesIO(content), **given)


def run_job(job: Job) -> Job:
    """Do a job here and now, as a worker would."""
    jobs.run(job.id)
    job.refresh_from_db()
    return job
