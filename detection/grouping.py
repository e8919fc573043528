"""Findings that detectors push, grouped into clusters: accounts that show the same value within a window.

A detector's **grouping** names the kinds of value that join, the window, and how much is needed. What arrives waits in
`GroupingDue` with its batch, in the same transaction; a job takes it, joins it with what the window holds, and writes a
run whose clusters become leads as those of any other run. What people keep apart (`detection.apart`) it joins neither
directly nor through others between, and says what it left. The source of such a run is named for the detector: it
stands for where the originals behind its findings lie.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from detection import apart, joining, standing
from detection.finding_schema import ATTRIBUTE_TYPES, OWN_WORD
from detection.joining import NotJoined
from detection.models import (
    AssessmentLabel,
    Cluster,
    ClusterFinding,
    ClusterLink,
    ClusterMember,
    Detector,
    FindingBatch,
    GroupingDue,
    KeptApartEffect,
    Lifecycle,
    Run,
    TelemetrySource,
)
from detection.sources import source_named
from spine import jobs, log, outbox
from spine.errors import Refused
from spine.ids import new_id
from spine.models import AppendOnly, Job, JobState
from spine.principal import acting_as

ACTOR = "system:grouping"
ALGORITHM, VERSION = "shared-value", "1.1.0"
MOST_BATCHES = 50  # a job takes so many at a time, so that its memory does not grow with what waits
AT_ONCE = 24  # and only what came within such a part of the window of each other
MOST_SUMMED = 2**53 - 1  # what a sum of stated volumes ends at: more is no volume, and no whole number in JSON


@dataclass(frozen=True)
class Grouping:
    """What joins a detector's findings: values of these kinds, within hours, from these numbers on.

    A value that more than `most_accounts` accounts show joins nobody: it is a hub, and the run says so.
    """

    by: tuple[str, ...]
    window_hours: int = 24
    least_findings: int = 2
    least_accounts: int = 2
    least_score: float = 0.0
    most_accounts: int = 1000


BOUNDS = {"window_hours": (1, 24 * 92), "least_findings": (1, 100_000), "least_accounts": (2, 100_000)}
BOUNDS["most_accounts"] = (2, 100_000)


def grouping_of(detector: Detector) -> Grouping | None:
    """The detector's grouping, None when its findings are not grouped."""
    return (
        None if detector.grouping is None else Grouping(**{**detector.grouping, "by": tuple(detector.grouping["by"])})
    )


def understood(given: Mapping[str, Any]) -> Grouping:
    """A grouping in its shape. Raises Refused with the field that is wrong."""
    unknown = set(given) - set(Grouping.__dataclass_fields__)
    if unknown:
        raise Refused(f"There is no {sorted(unknown)[0]} in a grouping.", field="grouping")
    kinds = tuple(dict.fromkeys(given.get("by") or ()))
    wrong = [kind for kind in kinds if kind not in ATTRIBUTE_TYPES and not OWN_WORD.fullmatch(str(kind))]
    if not kinds or wrong:
        accepted = ", ".join(ATTRIBUTE_TYPES)
        raise Refused(f"Name the kinds of value that join accounts: {accepted}, and your own with x-.", field="by")
    made = Grouping(**{**given, "by": kinds})
    for name, (least, most) in BOUNDS.items():
        if not least <= getattr(made, name) <= most:
            raise Refused(f"From {least:,} to {most:,} is accepted.", field=name)
    if not 0 <= made.least_score <= 1:
        raise Refused("A score is from 0 to 1.", field="least_score")
    return made


def due(owner: Detector, batch: FindingBatch) -> None:
    """Have a batch grouped, in the transaction that stores it; nothing for detectors that open no leads."""
    if owner.grouping is None or owner.lifecycle != Lifecycle.ACTIVE:
        return
    GroupingDue.objects.create(batch=batch, detector=owner)
    jobs.enqueue("findings.group", actor=ACTOR, key=str(owner.pk), args={"detector": str(owner.pk)})


@acting_as(ACTOR)
def sweep() -> int:
    """Ask for the grouping of what waits and no job has taken: a job was just ending when it came."""
    asked = 0
    unfinished = Job.objects.filter(kind="findings.group", state__in=[JobState.QUEUED, JobState.RUNNING])
    busy = set(unfinished.values_list("key", flat=True))
    for pk in GroupingDue.objects.values_list("detector", flat=True).distinct():
        if str(pk) not in busy:
            with transaction.atomic():
                jobs.enqueue("findings.group", actor=ACTOR, key=str(pk), args={"detector": str(pk)})
            asked += 1
    return asked


def group(job: jobs.Running) -> dict[str, Any]:
    """Group what waits of a detector, batch by batch; safe to run again: what was grouped waits no more."""
    detector = Detector.objects.get(pk=job.args["detector"])
    runs = clusters = 0
    while True:
        with transaction.atomic():
            taken = _near_in_time(
                detector,
                GroupingDue.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("batch")
                .filter(detector=detector)
                .order_by("pk")[:MOST_BATCHES],
            )
            made = _group(detector, taken) if taken else None
            GroupingDue.objects.filter(pk__in=[one.pk for one in taken]).delete()
            job.confirm()
        if not taken:
            return {"runs": runs, "clusters": clusters}
        runs, clusters = runs + bool(made), clusters + (made or 0)
        job.progress(0, 0, f"{clusters:,} clusters from {runs:,} runs")


def _near_in_time(detector: Detector, waiting: Iterable[GroupingDue]) -> list[GroupingDue]:
    """The first of what waits, and what came near it: however long it waited, its window is that of when it came."""
    rule, taken = grouping_of(detector), list[GroupingDue]()
    near = timedelta(hours=rule.window_hours) / AT_ONCE if rule else timedelta.max
    for one in waiting:
        if not taken or abs(one.batch.received_at - taken[0].batch.received_at) <= near:
            taken.append(one)
    return taken


# Values of the chosen kinds that the waiting findings show, with everything current in the window that shows them too.
# Each step looks its rows up one by one in an index (OFFSET 0 keeps the planner from another order): without
# statistics, as in a fresh installation, it went through all findings for every value.
ROWS = """
WITH fresh AS MATERIALIZED (
    SELECT DISTINCT t.id, t.type, t.value
    FROM detection_finding f
    CROSS JOIN LATERAL (SELECT attribute_id FROM detection_sighting WHERE finding_id = f.id OFFSET 0) s
    CROSS JOIN LATERAL (
        SELECT id, type, value FROM detection_attribute WHERE id = s.attribute_id AND type = ANY(%(kinds)s) OFFSET 0
    ) t
    WHERE f.entry_id = ANY(%(batches)s) AND f.score >= %(score)s AND NOT {excluded}
), shown AS MATERIALIZED (
    SELECT fresh.id AS attribute_id, fresh.type, fresh.value, s.account_id, f.id AS finding_id, f.signal, f.score,
           coalesce(s.count, 1) AS count,
           coalesce(s.first_seen, f.window_start) AS first_seen, coalesce(s.last_seen, f.window_end) AS last_seen
    FROM fresh
    CROSS JOIN LATERAL (
        SELECT * FROM detection_sighting WHERE attribute_id = fresh.id ORDER BY attribute_id, account_id LIMIT %(most)s
    ) s
    CROSS JOIN LATERAL (
        SELECT * FROM detection_finding
        WHERE id = s.finding_id AND detector_id = %(detector)s AND received_at BETWEEN %(since)s AND %(until)s
            AND score >= %(score)s
        OFFSET 0
    ) f
    CROSS JOIN LATERAL (SELECT namespace, provider_id FROM detection_account WHERE id = s.account_id OFFSET 0) a
    WHERE NOT {set_aside} AND NOT {recalled} AND NOT {canary}
        AND NOT EXISTS (SELECT FROM detection_finding n
                        WHERE n.detector_id = f.detector_id AND n.uid = f.uid AND n.version > f.version)
)
SELECT attribute_id, type, value, count(DISTINCT account_id), count(DISTINCT finding_id),
       array_agg(account_id ORDER BY account_id, finding_id), array_agg(finding_id ORDER BY account_id, finding_id),
       array_agg(signal ORDER BY account_id, finding_id), array_agg(score ORDER BY account_id, finding_id),
       array_agg(count ORDER BY account_id, finding_id), array_agg(first_seen ORDER BY account_id, finding_id),
       array_agg(last_seen ORDER BY account_id, finding_id)
FROM shown
GROUP BY attribute_id, type, value
HAVING count(DISTINCT account_id) >= %(accounts)s AND count(DISTINCT finding_id) >= %(findings)s
ORDER BY type, value
"""
MOST_OF_A_VALUE = 200_000


@dataclass(frozen=True)
class _Row:
    """An account has shown a value, by a finding; and how many accounts and findings do so with that value."""

    attribute_id: UUID
    type: str
    value: str
    account_id: UUID
    finding_id: UUID
    signal: str
    score: float
    count: int
    first_seen: datetime
    last_seen: datetime
    accounts: int
    findings: int


def _group(detector: Detector, taken: Sequence[GroupingDue]) -> int | None:
    """Write one run over what waits; gives its clusters, None when nothing joins.

    The run has an id of its own: what was grouped waits no more by the same transaction, so that none is made twice.
    """
    rule = grouping_of(detector)
    if rule is None:
        return None
    apart.settled()
    started = timezone.now()
    came, window = [one.batch.received_at for one in taken], timedelta(hours=rule.window_hours)
    since, until = min(came) - window, max(came) + window
    rows = _rows(detector, rule, [one.batch_id for one in taken], since, until)
    hubs = {row.attribute_id: row for row in rows if row.accounts > rule.most_accounts}
    tying = [row for row in rows if row.attribute_id not in hubs]
    sides = apart.sides_of({row.account_id for row in tying})
    least = {"least_accounts": rule.least_accounts, "least_findings": rule.least_findings}
    joined, refused = joining.joined(tying, sides, **least)
    if not joined:
        return None
    source = source_of(detector)
    run = Run(
        job_id=new_id(),
        source=source,
        window_start=since,
        window_end=min(started, until),
        algorithm=ALGORITHM,
        algorithm_version=VERSION,
        parameters={**asdict(rule), "by": list(rule.by), "detector": detector.name},
        input_sha256=hashlib.sha256("\n".join(sorted({str(row.finding_id) for row in rows})).encode()).hexdigest(),
        account_count=len({row.account_id for row in rows}),
        edge_count=len(rows),
        hubs=[_hub(row, rule) for row in hubs.values()],
        started_at=started,
    )
    protected: list[AppendOnly] = [run]
    for members in joined:
        cluster, *its = _cluster(run, detector, rule, members)
        protected += [cluster, *its, *_kept_out(cluster.pk, {row.account_id for row in members}, refused)]
    data = {
        "source": source.name,
        "window": [since.isoformat(), min(started, until).isoformat()],
        "clusters": len(joined),
        "accounts": run.account_count,
        "answers": {detector.name: "grouped"},
    }
    log.record(actor=ACTOR, action="run.finished", about=run, data=data, rows=protected)
    outbox.put("run.finished", {"run": str(run.id)})
    return len(joined)


def _rows(detector: Detector, rule: Grouping, batches: list[UUID], since: datetime, until: datetime) -> list[_Row]:
    query = ROWS.format(
        set_aside=standing.SET_ASIDE, recalled=standing.RECALLED, canary=standing.CANARY, excluded=standing.EXCLUDED
    )
    chosen: dict[str, Any] = {
        "kinds": list(rule.by),
        "batches": batches,
        "score": rule.least_score,
        "detector": detector.pk,
        "most": MOST_OF_A_VALUE,
        "since": since,
        "until": until,
        "accounts": rule.least_accounts,
        "findings": rule.least_findings,
    }
    with connection.cursor() as cursor:
        cursor.execute(query, chosen)
        found = cursor.fetchall()
    return [
        _Row(attribute, kind, value, account, finding, signal, score, count, first, last, accounts, findings)
        for attribute, kind, value, accounts, findings, *columns in found
        for account, finding, signal, score, count, first, last in zip(*columns, strict=True)
    ]


def _kept_out(cluster: UUID, members: set[UUID], refused: Sequence[NotJoined]) -> list[AppendOnly]:
    """What decisions kept out of this cluster, value by value."""
    return [
        KeptApartEffect(cluster_id=cluster, decision_id=one.decision, attribute_id=one.attribute, accounts=one.accounts)
        for one in refused
        if one.account in members
    ]


def _cluster(run: Run, detector: Detector, rule: Grouping, rows: Sequence[_Row]) -> list[AppendOnly]:
    """A cluster with its members, links and findings; the cluster comes first."""
    by_account: dict[UUID, list[_Row]] = {}
    for row in rows:
        by_account.setdefault(row.account_id, []).append(row)
    findings = {row.finding_id for row in rows}
    volumes = _volumes(findings, list(by_account))
    kinds = sorted({row.type.replace("_", " ") for row in rows})
    first, last = min(row.first_seen for row in rows), max(row.last_seen for row in rows)
    cluster = Cluster(
        run=run,
        key=hashlib.sha256("\n".join(sorted(map(str, by_account))).encode()).hexdigest(),
        title=f"{len(by_account):,} accounts with the same {' or '.join(kinds)}, by findings of {detector.name}"[:300],
        assessment=AssessmentLabel.CANNOT_TELL,
        score=max(row.score for row in rows),
        assessment_detail=_detail(detector, rule, rows, len(by_account), len(findings)),
        worth_a_look=True,
        signals=sorted({row.signal for row in rows}),
        account_count=len(by_account),
        exchanges=summed(one[0] for one in volumes.values()),
        input_tokens=summed(one[1] for one in volumes.values()),
        output_tokens=summed(one[2] for one in volumes.values()),
        first_seen=first,
        last_seen=last,
    )
    made: list[AppendOnly] = [cluster]
    for account, own in by_account.items():
        made.append(_member(cluster, account, own, volumes.get(account, (0, 0, 0))))
        made += _links(cluster, rule, account, own)
    return [*made, *(ClusterFinding(cluster=cluster, finding_id=pk) for pk in sorted(findings))]


def _member(cluster: Cluster, account: UUID, own: Sequence[_Row], volume: tuple[int, int, int]) -> ClusterMember:
    reasons = list(dict.fromkeys(_reason(row) for row in own))
    return ClusterMember(
        cluster=cluster,
        account_id=account,
        strength=max(row.score for row in own),
        reasons=reasons[:20],
        exchanges=volume[0],
        input_tokens=volume[1],
        output_tokens=volume[2],
        first_seen=min(row.first_seen for row in own),
        last_seen=max(row.last_seen for row in own),
    )


def _links(cluster: Cluster, rule: Grouping, account: UUID, own: Sequence[_Row]) -> list[ClusterLink]:
    """Why the account is in: one link for each value and signal, with the reason in words."""
    found: dict[tuple[UUID, str], list[_Row]] = {}
    for row in own:
        found.setdefault((row.attribute_id, row.signal), []).append(row)
    return [
        ClusterLink(
            cluster=cluster,
            account_id=account,
            attribute_id=attribute,
            signal=signal,
            count=summed(row.count for row in rows),
            holders=rows[0].accounts,
            population=max(rows[0].accounts, cluster.run.account_count),
            strength=max(row.score for row in rows),
            reason=f"{_reason(rows[0])} within {rule.window_hours} h",
            first_seen=min(row.first_seen for row in rows),
            last_seen=max(row.last_seen for row in rows),
        )
        for (attribute, signal), rows in found.items()
    ]


def _reason(row: _Row) -> str:
    others = row.accounts - 1
    return (
        f"the same {row.type.replace('_', ' ')} as {others:,} other account{'s' if others != 1 else ''}, in "
        f"{row.findings:,} finding{'s' if row.findings != 1 else ''}"
    )


def _detail(detector: Detector, rule: Grouping, rows: Sequence[_Row], accounts: int, findings: int) -> dict[str, Any]:
    values = len({row.attribute_id for row in rows})
    text = (
        f"{findings:,} findings of {detector.name} tie {accounts:,} accounts through {values:,} "
        f"value{'s' if values != 1 else ''} ({', '.join(rule.by).replace('_', ' ')}) within {rule.window_hours} h"
    )
    against = (
        "Findings were grouped by what they share; no telemetry was looked at, and nothing innocent was ruled out."
    )
    return {
        "label": AssessmentLabel.CANNOT_TELL.value,
        "score": max(row.score for row in rows),
        "reasons_for": [{"text": text, "weight": 1.0, "feature": "grouping", "value": float(accounts)}],
        "reasons_against": [{"text": against, "weight": 1.0, "feature": "grouping", "value": 0.0}],
        "look_alikes": [],
        "would_settle": ["a run of the built-in detectors over telemetry of these accounts"],
        "features": {},
        "worth_a_look": True,
        "version": VERSION,
    }


VOLUMES = """
SELECT account_id, coalesce(sum(exchanges), 0), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0)
FROM detection_findingaccount WHERE finding_id = ANY(%s) AND account_id = ANY(%s) GROUP BY account_id
"""


def _volumes(findings: set[UUID], accounts: list[UUID]) -> dict[UUID, tuple[int, int, int]]:
    """What the findings say of each account's volume: exchanges, tokens in, tokens out."""
    with connection.cursor() as cursor:
        cursor.execute(VOLUMES, [list(findings), accounts])
        rows = cursor.fetchall()
    return {pk: (summed([exchanges]), summed([into]), summed([out])) for pk, exchanges, into, out in rows}


def summed(stated: Iterable[Any]) -> int:
    """A sum of what findings state, which may be any number; two absurd ones keep nothing else from being grouped."""
    return min(MOST_SUMMED, int(sum(stated)))


def _hub(row: _Row, rule: Grouping) -> dict[str, Any]:
    reason = f"more than {rule.most_accounts:,} accounts show it"
    return {"type": row.type, "value": row.value, "accounts": row.accounts, "reason": reason}


def source_of(detector: Detector) -> TelemetrySource:
    """Where the originals behind a detector's findings lie; made with its first group."""
    name = f"findings of {detector.name}"
    if len(name) > 60:
        name = f"{name[:50]}-{hashlib.sha256(detector.name.encode()).hexdigest()[:9]}"
    return source_named(name)
