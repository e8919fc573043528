"""A small case for dossier tests: rows as detection writes them, judged by the real verbs, all a dossier shows."""

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import transaction

from cases.actions import claims, dossiers, evidence, leads, timeline, verdicts
from cases.actions.claims import Cited
from cases.dossier import build
from cases.dossier.bag import Package
from cases.models import Case, DossierApproval, DossierVersion, Lead
from cases.vocabulary import ALTERNATIVES
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
    TelemetryFile,
    TelemetrySource,
)
from spine import log
from tests.factories import Cast, make_cast

START = datetime(2026, 5, 1, tzinfo=UTC)
DAYS = 30
PAYMENT, ADDRESS = "pf_7c01aa93e2", "203.0.113.77"
EXHIBIT = b"request_id,model\nr-1,aster-2\nr-2,aster-2\n"


@dataclass
class Story:
    """A case, and the people around it."""

    case: Case
    accounts: list[Account]
    cast: Cast

    def freeze(self, **asked: Any) -> DossierVersion:
        return dossiers.freeze(self.case, **{"actor": self.cast.analyst, "edition": "counsel", **asked})

    def approve(self, version: DossierVersion) -> DossierApproval:
        return dossiers.approve(version, actor=self.cast.counsel, snapshot_sha256=version.snapshot_sha256)

    def decide(
        self, place: int, value: str = "actor_controlled", reason: str = "holds the shared payment card"
    ) -> None:
        """A verdict over the one that stands."""
        account = self.accounts[place]
        standing = self.case.verdicts.filter(account=account, superseded_by__isnull=True).first()
        expected = standing.id if standing else None
        verdicts.set_verdict(self.case, account, actor=self.cast.analyst, value=value, reason=reason, expected=expected)


def make_story(accounts: int = 6, summary: str = "", title: str = "Shared payment ring on a new model") -> Story:
    """A case in which everything a dossier shows is there once at least."""
    cast = make_cast()
    cluster, found = make_cluster(accounts)
    with transaction.atomic():
        raised = Lead.objects.create(cluster=cluster, why_now="new")
    opened = leads.open_case(raised, actor=cast.lead, title=title, summary=summary or SUMMARY)
    story = Story(opened, found, cast)
    _judge(story, cluster)
    return story


SUMMARY = (
    "A group of accounts is suspected of working through a list of reasoning prompts in turns.\n"
    "They share one payment fingerprint, and moved to a new model within a day of its release."
)


def make_cluster(count: int) -> tuple[Cluster, list[Account]]:
    """A run with one cluster of `count` accounts, two findings, two shared values and a hub."""
    source = TelemetrySource.objects.create(name="api-logs")
    TelemetryFile.objects.create(
        source=source, kind="exchanges", name="exchanges.ndjson.gz", sha256="ab" * 32, size=9000, rows=4000, bad=3,
        repeated=0, columns_absent=["reasoning_tokens"], added_at=START + timedelta(days=31),
    )  # fmt: skip
    found = Account.objects.bulk_create(
        Account(provider_id=f"provider-account-{n:04d}", pseudonym=f"acc-page{n:08d}") for n in range(count)
    )
    values = [
        Attribute.objects.create(type="payment_fingerprint", value=PAYMENT),
        Attribute.objects.create(type="ip", value=ADDRESS),
        Attribute.objects.create(type="user_agent", value="example-client/3.1"),
    ]
    with transaction.atomic():
        rows = _rows(source, found, values)
        log.record(actor="system:test", action="run.finished", data={"source": "api-logs", "clusters": 1}, rows=rows)
        for finding in (row for row in rows if isinstance(row, Finding)):
            FindingAccount.objects.bulk_create(FindingAccount(finding=finding, account=a) for a in found)
            Sighting.objects.bulk_create(
                Sighting(finding=finding, account=a, attribute=v) for a in found for v in values
            )
        release = ModelRelease(model="aster-2", released_at=START + timedelta(days=9, hours=15))
        log.record(actor="system:test", action="telemetry.added", data={"count": 1}, rows=[release])
    return next(row for row in rows if isinstance(row, Cluster)), found


def _rows(source: TelemetrySource, found: list[Account], values: list[Attribute]) -> list[Any]:
    detector = Detector.objects.create(name="shared-attribute", built_in=True)
    version = DetectorVersion.objects.create(detector=detector, version="1.0.0", config_sha256="cd" * 32)
    other = DetectorVersion.objects.create(
        detector=Detector.objects.create(name="reasoning-elicitation"), version="3.2.0"
    )
    end = START + timedelta(days=DAYS)
    run = Run(
        job_id=source.id, source=source, window_start=START, window_end=end, algorithm="coincidence", finished_at=end +
        timedelta(days=2), algorithm_version="1.0.0", parameters={"seed": 7}, input_sha256="ef" * 32,
        account_count=2481, edge_count=9310, started_at=end + timedelta(days=1, hours=23),
        hubs=[{"type": "asn", "value": "64500", "accounts": 412, "reason": "a network of kind isp"}],
    )  # fmt: skip
    cluster = _cluster(run, found)
    findings = [finding(version, "F-1", found, 0.94), finding(other, "F-2", found, 0.71, rate=0.003)]
    members = [
        ClusterMember(
            cluster=cluster, account=a, strength=0.9 - n / 1000, reasons=[f"shows payment fingerprint {PAYMENT}"],
            exchanges=500 - n % 400, input_tokens=90_000, output_tokens=810_000, first_seen=START,
            last_seen=end - timedelta(hours=5),
        )
        for n, a in enumerate(found)
    ]  # fmt: skip
    links = [
        ClusterLink(
            cluster=cluster, account=a, attribute=value, signal="shared_attribute", count=12, holders=len(found),
            population=2481, strength=0.8, reason=f"{value.value}: {len(found)} of 2,481 accounts", first_seen=START,
            last_seen=end,
        )
        for a in found
        for value in values
    ]  # fmt: skip
    answers = [
        Answer(run=run, detector_version=version, status="found", reason="2 findings.", counts={"accounts": 2481}),
        Answer(run=run, detector_version=other, status="could_not_tell", reason="The telemetry has no prompt."),
    ]
    cited = [ClusterFinding(cluster=cluster, finding=found_) for found_ in findings]
    return [run, *answers, cluster, *findings, *members, *links, *cited]


def _cluster(run: Run, found: list[Account]) -> Cluster:
    volume = [
        {
            "day": str((START + timedelta(days=n)).date()),
            "model": "aster-2" if n > 9 else "aster-1",
            "exchanges": 90 + 7 * n,
        }
        for n in range(DAYS)
    ]
    reason = {"text": "19 of them share three payment fingerprints", "weight": 2.1, "feature": "payers", "value": 3.0}
    return Cluster(
        run=run, key="0f" * 32, title=f"{len(found)} accounts that pay alike", assessment="coordinated_extraction",
        score=0.93, worth_a_look=True, signals=["shared_attribute"], account_count=len(found), exchanges=5_745,
        input_tokens=540_000, output_tokens=4_860_000, first_seen=START, last_seen=START + timedelta(days=DAYS),
        volume=volume, assessment_detail={
            "version": "1.0.0", "reasons_for": [reason],
            "reasons_against": [{**reason, "text": "all in one country", "weight": -0.3}],
            "look_alikes": [{"name": "evaluation harness", "fits": False, "text": "not a public benchmark"}],
            "would_settle": ["who pays: ask the payment provider"],
        },
    )  # fmt: skip


def finding(
    version: DetectorVersion,
    uid: str,
    accounts: list[Account],
    score: float,
    rate: float | None = None,
    number: int = 1,
) -> Finding:
    """A finding as it is stored, its payload naming the provider's ids."""
    payload = json.dumps(
        {
            "uid": uid,
            "version": number,
            "tlp": "AMBER",
            "accounts": [{"id": account.provider_id} for account in accounts],
            "support": {
                "exchanges": 412,
                **({"false_positive_rate": rate, "measured_on": "benign 2026-04"} if rate else {}),
            },
            "reproduction": {"key": f"payment_fingerprint {PAYMENT}"},
            "innocent_explanations": ["one company that pays for many accounts"],
        }
    ).encode()
    return Finding(
        detector=version.detector, detector_version=version, uid=uid, version=number, signal="shared_attribute",
        title=f"Payment fingerprint shared by {len(accounts)} accounts", score=score, confidence="high",
        summary=f"{accounts[0].provider_id} and {len(accounts) - 1} others show {PAYMENT} from {ADDRESS}.",
        window_start=START, window_end=START + timedelta(days=DAYS), account_count=len(accounts), payload=payload,
        payload_sha256=sha256(payload).hexdigest(),
    )  # fmt: skip


def _judge(story: Story, cluster: Cluster) -> None:
    case, analyst = story.case, story.cast.analyst
    story.decide(0)
    story.decide(1, "victim", "reported as taken over")
    exhibit = evidence.add_evidence(
        case, actor=analyst, title="Request log extract", source="Gateway export, retention hold 12",
        acquired_at=START + timedelta(days=33), file=io.BytesIO(EXHIBIT), file_name="extract (final).csv",
    )  # fmt: skip
    cited = [
        Cited(kind="finding", id=cluster.findings.all()[0].finding_id, side="for", note="the ring"),
        Cited(
            kind="evidence",
            id=exhibit.id,
            side="against",
            note="Two of the accounts stopped at once; we looked at both.",
        ),
    ]
    claims.judge(
        case, actor=analyst, claim="b", likelihood="very_likely", confidence="moderate", citations=cited,
        rationale=f"{story.accounts[2].provider_id} and five others use one payment fingerprint.",
        alternatives="A reseller who pays for its customers would look alike.",
    )  # fmt: skip
    for code in list(ALTERNATIVES)[:3]:
        claims.answer_alternative(
            case, actor=analyst, alternative=code, state="ruled_out", reason="No benchmark has these prompts."
        )
    timeline.add_timeline_note(
        case, actor=analyst, lane="decisions", starts_at=START + timedelta(days=32), text="Request logs put on hold",
        source="Hold 12", confidence="high",
    )  # fmt: skip


def package_of(version: DossierVersion, folder: Path) -> Package:
    """The version's package, built into the folder."""
    return build.build(version, folder, actor="system:test")


def files_of(package: Package) -> dict[str, bytes]:
    """The files of a package by their path in the bag."""
    with zipfile.ZipFile(package.path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
