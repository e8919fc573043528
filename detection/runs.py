"""A run: every detector over a window of a source, findings stored, accounts clustered, all written down at once."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import ibis
import pyarrow as pa
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from detection import clustering, drawing, examining, index, ingest, measures, registry, restating, standing
from detection.facts import account_facts
from detection.models import (
    Account,
    Answer,
    Attribute,
    Cluster,
    ClusterFinding,
    ClusterLink,
    ClusterMember,
    DetectorVersion,
    Finding,
    Run,
    Sighting,
    TelemetrySource,
)
from detection.records import Cluster as ClusterRecord
from detection.records import Clustering, Edge, Hub, Outcome, Status, Window
from detection.sources import telemetry_of
from detection.stopping import unless_wanted
from detection.telemetry.dataset import Dataset
from spine import jobs, log, outbox
from spine.errors import Conflict, Refused
from spine.models import AppendOnly, Job

OnProgress = Callable[[int, int, str], None]
KEPT_HUBS = 200
KIND = "detectors.run"


@dataclass(frozen=True)
class _Answered:
    """A detector's answer with the version row it was given under."""

    outcome: Outcome
    version: DetectorVersion
    counts: dict[str, int]


@transaction.atomic
def request_run(
    *,
    actor: str,
    source: TelemetrySource,
    start: str | None = None,
    end: str | None = None,
    days: int | None = None,
) -> Job:
    """Ask a worker for a run over a window, over the newest `days`, or over all there is: one at a time for a source.

    Side effects: one job; the same run that waits or goes on already is given instead. Raises Conflict while a run
    over another window does.
    """
    window_from(start, end)
    asked = {"from": start, "to": end, "days": days}
    args: dict[str, Any] = {"source": str(source.id), **asked}
    if end is None:  # it reads to the end: what lies there now is read by it
        args["files"] = source.files.count()
    job = jobs.enqueue(KIND, actor=actor, key=str(source.id), args=args)
    if {name: job.args.get(name) for name in asked} != asked:
        raise Conflict(f"A run over another window of {source.name} waits or goes on: wait for its end, or stop it.")
    return job


def window_from(start: str | None, end: str | None) -> Window | None:
    """The window of two RFC 3339 times, None when neither is given: then the source's whole span is meant."""
    if not start and not end:
        return None
    times = [_time(name, text) for name, text in (("from", start), ("to", end))]
    try:
        return Window(*times)
    except ValueError as error:
        raise Refused(f"That is no window: {error}.", field="to") from None


def _time(name: str, text: str | None) -> datetime:
    moment = parse_datetime(text or "")
    if moment is None or moment.tzinfo is None:
        raise Refused(f"{name}: a time such as 2026-05-04T00:00:00Z is accepted, for both ends.", field=name)
    return moment.astimezone(UTC)


def run_detectors(
    *,
    actor: str,
    source: TelemetrySource,
    job_id: UUID,
    window: Window | None = None,
    days: int | None = None,
    on_progress: OnProgress = lambda done, total, note: None,
    confirm: Callable[[], None] = lambda: None,
    is_held: Callable[[], bool] = lambda: True,
) -> Run:
    """Run every detector over the window, then cluster; the same job gives the same run.

    Without a window it is the newest `days` of what the source holds, or all of it.

    Side effects in order: findings stored batch by batch (a repeat adds none), then in one transaction the run with its
    answers, clusters, members and links under one log entry, the message "run.finished" in the outbox, and a job that
    draws what pages show of the clusters.
    Refused when the source has no exchanges. Raises LeaseLost, in the middle of a query too, once `is_held` says so.
    """
    done = Run.objects.filter(job_id=job_id).first()
    if done:
        return done
    started = timezone.now()
    running, of_pools = registry.running_detectors()
    steps = len(running) + len(of_pools) + 3
    with telemetry_of(source) as dataset, unless_wanted(is_held, dataset.engine.interrupt):
        window = window or newest(dataset, days, timezone.now())
        if window is None:
            raise Refused(f"The source {source.name} has no exchanges yet.")
        _refuse_empty(dataset, window, source)
        answers = []
        for step, detector in enumerate(running):
            on_progress(step, steps, f"{detector.title}: reading {window.days:.0f} days")
            outcome = restating.of_source(detector.detect(dataset, window), source)
            answers.append(_answer(outcome, source))
        on_progress(len(running), steps, "gathering what is known of the accounts")
        facts = account_facts(dataset, window)
        on_progress(len(running) + 1, steps, f"clustering {len(facts):,} accounts")
        hubs = [hub for answered in answers for hub in answered.outcome.hubs]
        found = clustering.cluster_accounts(list(_edges(source.namespace, window)), facts, hubs)
        population = examining.population_of(facts)
        groups = examining.groups_of(found, population)
        found, left = examining.left_out(found)
        for step, detector in enumerate(of_pools, start=len(running) + 2):
            on_progress(step, steps, f"{detector.title}: looking at {len(groups):,} clusters")
            examined = examining.told(detector.examine(dataset, window, population, groups), detector, left)
            outcome = restating.of_source(examined, source)
            answers.append(_answer(outcome, source))
            found = examining.extended(found, outcome)
        volumes = _volumes(dataset, window, found)
    on_progress(steps - 1, steps, f"storing {len(found.clusters):,} clusters")
    with transaction.atomic():
        confirm()
        run = _write(actor, source, window, job_id, started, answers, found, volumes)
        outbox.put("run.finished", {"run": str(run.id)})
        drawing.request_drawings(run, actor=actor)
    return run


def _refuse_empty(dataset: Dataset, window: Window, source: TelemetrySource) -> None:
    """Nothing is told of a window without an exchange: a run of it would stand as the newest, with no cluster."""
    if not dataset.arrow(dataset.within(window).select("request_id").limit(1)).num_rows:
        span = f"from {window.start:%Y-%m-%d %H:%M} until {window.end:%Y-%m-%d %H:%M} UTC"
        raise Refused(f"The source {source.name} has no exchange {span}: nothing can be told of it.")


def newest(dataset: Dataset, days: int | None, now: datetime) -> Window | None:
    """The newest so many days of what a source holds, None for all of it; they end with its last exchange.

    Exchanges dated more than a day ahead, which clocks that go wrong may be, are passed over; where there are no
    others, they are meant.
    """
    span = dataset.span()
    if span is None or days is None:
        return span
    ahead = now + timedelta(days=1)
    if span.end > ahead:
        span = dataset.span(before=ahead) or span
    return Window(max(span.start, span.end - timedelta(days=days)), span.end)


def _answer(outcome: Outcome, source: TelemetrySource) -> _Answered:
    """Store an outcome's findings through the same door as everybody's, and note what came of them."""
    version = registry.version_of(outcome.detector, outcome.version, outcome.config_sha256)
    documents = restating.documents(measures.printed(outcome.findings, version), version)
    counts = ingest.store(
        documents, actor=f"detector:{outcome.detector}", detector=outcome.detector, namespace=source.namespace
    )
    if counts.rejected:
        first = counts.errors[0]
        raise ValueError(f"{outcome.detector} made a finding that is not accepted: {first.pointer} {first.detail}")
    return _Answered(outcome, version, {"new": counts.created + counts.superseded, "known": counts.duplicate})


EDGES = """
SELECT a.provider_id, t.type, t.value, max(coalesce(s.count, 1)),
       min(coalesce(s.first_seen, f.window_start)), max(coalesce(s.last_seen, f.window_end)),
       min(f.signal), max(f.score), array_agg(DISTINCT f.uid)
FROM detection_sighting s
JOIN detection_finding f ON f.id = s.finding_id
JOIN detection_detector d ON d.id = f.detector_id AND d.lifecycle = 'active'
JOIN detection_account a ON a.id = s.account_id
JOIN detection_attribute t ON t.id = s.attribute_id
WHERE NOT {set_aside} AND NOT {recalled} AND NOT {canary} AND NOT {excluded}
  AND a.namespace = %s AND f.window_start < %s AND f.window_end > %s
  AND NOT EXISTS (SELECT 1 FROM detection_finding n
                  WHERE n.detector_id = f.detector_id AND n.uid = f.uid AND n.version > f.version)
GROUP BY a.provider_id, t.type, t.value
ORDER BY a.provider_id, t.type, t.value
"""


def _edges(namespace: str, window: Window) -> Iterator[Edge]:
    """What current findings in the window say: which account has shown which attribute.

    Of active detectors, without what is in quarantine or of a recalled version, and without canaries.
    """
    labels = _template_labels(window)
    with connection.cursor() as cursor:
        cursor.execute(
            EDGES.format(
                set_aside=standing.SET_ASIDE,
                recalled=standing.RECALLED,
                canary=standing.CANARY,
                excluded=standing.EXCLUDED,
            ),
            [namespace, window.end, window.start],
        )
        while rows := cursor.fetchmany(10_000):
            for account, kind, value, count, first, last, signal, weight, uids in rows:
                findings = tuple(sorted(uids))
                label = next((labels[uid] for uid in findings if uid in labels), "")
                yield Edge(account, kind, value, count, first, last, signal, weight, label, findings)


def _template_labels(window: Window) -> dict[str, str]:
    """The readable frame of each template finding in the window, by uid."""
    # Asked finding by finding: a join would sort the received bytes, a megabyte each, once for every account they name.
    shown = Sighting.objects.filter(finding=OuterRef("pk"), attribute__type="template")
    found = Finding.objects.current().filter(Exists(shown), window_start__lt=window.end, window_end__gt=window.start)
    labels = {}
    for uid, payload in found.values_list("uid", "payload").iterator(chunk_size=20):
        label = (json.loads(bytes(payload)).get("support") or {}).get("template")
        if isinstance(label, str):
            labels[uid] = label
    return labels


def _volumes(dataset: Dataset, window: Window, found: Clustering) -> dict[str, list[dict[str, Any]]]:
    """Exchanges of each cluster per UTC day and model, by cluster key."""
    cluster_of = [(m.account_id, c.key) for c in found.clusters for m in c.members]
    if not cluster_of:
        return {}
    table = pa.table({"account_id": [a for a, _ in cluster_of], "cluster": [k for _, k in cluster_of]})
    members = ibis.memtable(table)
    rows = dataset.within(window).join(members, "account_id")
    counted = rows.group_by(["cluster", rows.ts.truncate("D").name("day"), "model"]).aggregate(exchanges=rows.count())
    volumes: dict[str, list[dict[str, Any]]] = {}
    for row in dataset.arrow(counted.order_by(["cluster", "day", "model"])).to_pylist():
        entry = {"day": row["day"].strftime("%Y-%m-%d"), "model": row["model"], "exchanges": row["exchanges"]}
        volumes.setdefault(row["cluster"], []).append(entry)
    return volumes


def _write(
    actor: str,
    source: TelemetrySource,
    window: Window,
    job_id: UUID,
    started: datetime,
    answers: Sequence[_Answered],
    found: Clustering,
    volumes: Mapping[str, list[dict[str, Any]]],
) -> Run:
    run = Run(
        job_id=job_id,
        source=source,
        window_start=window.start,
        window_end=window.end,
        algorithm=found.algorithm,
        algorithm_version=found.version,
        parameters=dict(found.parameters),
        input_sha256=found.input_sha256,
        account_count=found.accounts,
        edge_count=found.edges,
        hubs=_hubs(found.hubs),
        started_at=started,
    )
    rows: list[AppendOnly] = [run]
    rows += [_answer_row(run, answered) for answered in answers]
    stored = _Stored.of(source.namespace, found)
    clusters = [(_cluster_row(run, record, volumes), record) for record in found.clusters]
    rows += [row for row, _ in clusters]
    for make in (_member_rows, _link_rows, _finding_rows):
        rows += [row for cluster, record in clusters for row in make(cluster, record, stored)]
    data = {
        "source": source.name,
        "window": [window.start.isoformat(), window.end.isoformat()],
        "clusters": len(clusters),
        "accounts": found.accounts,
        "answers": {a.outcome.detector: a.outcome.status.value for a in answers},
    }
    log.record(actor=actor, action="run.finished", about=run, data=data, rows=rows)
    return run


@dataclass(frozen=True)
class _Stored:
    """Ids of what clusters refer to, fetched set-wise."""

    accounts: Mapping[str, UUID]
    attributes: Mapping[tuple[str, str], UUID]
    findings: Mapping[str, list[UUID]]

    @classmethod
    def of(cls, namespace: str, found: Clustering) -> "_Stored":
        ids = {m.account_id for c in found.clusters for m in c.members}
        values = {(link.type, link.value) for c in found.clusters for link in c.links}
        uids = {uid for c in found.clusters for uid in c.findings}
        index.ensure_accounts(namespace, sorted(ids))  # one carried by its own behaviour alone has no finding
        attributes = Attribute.objects.filter(type__in={t for t, _ in values}, value__in={v for _, v in values})
        findings: dict[str, list[UUID]] = {}
        for uid, pk in Finding.objects.filter(uid__in=uids).current().values_list("uid", "id"):
            findings.setdefault(uid, []).append(pk)
        return cls(
            accounts=dict(
                Account.objects.filter(namespace=namespace, provider_id__in=ids).values_list("provider_id", "id")
            ),
            attributes={(t, v): pk for t, v, pk in attributes.values_list("type", "value", "id")},
            findings=findings,
        )


def _answer_row(run: Run, answered: _Answered) -> Answer:
    outcome = answered.outcome
    return Answer(
        run=run,
        detector_version=answered.version,
        status=Status(outcome.status).value,
        reason=outcome.reason,
        counts={**outcome.counts, **answered.counts},
        hubs=_hubs(outcome.hubs),
    )


def _hubs(hubs: Sequence[Hub]) -> list[dict[str, Any]]:
    """Hubs as they are stored: the largest two hundred, personal values by type and size alone stay in the findings."""
    return [asdict(hub) for hub in sorted(hubs, key=lambda hub: -hub.accounts)[:KEPT_HUBS]]


def _cluster_row(run: Run, record: ClusterRecord, volumes: Mapping[str, list[dict[str, Any]]]) -> Cluster:
    detail = asdict(record.assessment)
    return Cluster(
        run=run,
        key=record.key,
        title=run.source.marked(record.title),
        assessment=record.assessment.label.value,
        score=record.assessment.score,
        assessment_detail={**detail, "label": record.assessment.label.value},
        worth_a_look=record.assessment.worth_a_look,
        signals=list(record.signals),
        account_count=len(record.members),
        exchanges=record.exchanges,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        first_seen=record.first_seen,
        last_seen=record.last_seen,
        volume=volumes.get(record.key, []),
    )


def _member_rows(cluster: Cluster, record: ClusterRecord, stored: _Stored) -> Iterator[AppendOnly]:
    for member in record.members:
        yield ClusterMember(
            cluster=cluster,
            account_id=stored.accounts[member.account_id],
            strength=member.strength,
            reasons=list(member.reasons),
            exchanges=member.exchanges,
            input_tokens=member.input_tokens,
            output_tokens=member.output_tokens,
            first_seen=member.first_seen,
            last_seen=member.last_seen,
        )


def _link_rows(cluster: Cluster, record: ClusterRecord, stored: _Stored) -> Iterator[AppendOnly]:
    for link in record.links:
        yield ClusterLink(
            cluster=cluster,
            account_id=stored.accounts[link.account_id],
            attribute_id=stored.attributes[link.type, link.value],
            signal=link.signal,
            count=link.count,
            holders=link.holders,
            population=link.population,
            strength=link.strength,
            reason=link.reason,
            first_seen=link.first_seen,
            last_seen=link.last_seen,
        )


def _finding_rows(cluster: Cluster, record: ClusterRecord, stored: _Stored) -> Iterator[AppendOnly]:
    for uid in record.findings:
        for finding_id in stored.findings.get(uid, []):
            yield ClusterFinding(cluster=cluster, finding_id=finding_id)
