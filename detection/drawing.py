"""Works out what a cluster's page draws beside its figures: hours, capabilities, template examples, the link graph.

A job does it after a run for every cluster worth a look, and for any other when somebody asks; nothing of it is worked
out while a page is shown. The same cluster gives the same drawing.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import ibis
import orjson
import pyarrow as pa
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from detection import capabilities, graph
from detection.models import Account, Cluster, ClusterDrawing, ClusterLink, ClusterMember, Finding, Run
from detection.records import Window
from detection.sources import telemetry_of
from detection.telemetry.dataset import Dataset
from spine import jobs
from spine.errors import Conflict
from spine.models import Job

VERSION = "1.2.0"
KIND = "clusters.draw"
BUSIEST = 60
EXAMPLES = 12
LONGEST_FRAME = 400
WORD = re.compile(r"[\w@.:+-]*\w")
HOURS = tuple(f"h{hour}" for hour in range(24))


@dataclass(frozen=True)
class Drawn:
    """How it stands with a cluster's drawing: the drawing, or else the newest job for it, if any."""

    drawing: ClusterDrawing | None
    job: Job | None = None


@dataclass(frozen=True)
class Use:
    """When the accounts of a cluster are used, null without telemetry, and what their requests ask for."""

    hours: dict[str, Any] | None
    capabilities: dict[str, Any]


def standing(cluster: Cluster) -> Drawn:
    """The drawing of this program's version, or the newest job that makes or should have made it."""
    found = ClusterDrawing.objects.filter(cluster=cluster, version=VERSION).first()
    return Drawn(found) if found else Drawn(None, _jobs_for(cluster).first())


def _jobs_for(cluster: Cluster) -> QuerySet[Job]:
    keys = [str(cluster.pk), str(cluster.run_id)] if cluster.worth_a_look else [str(cluster.pk)]
    return Job.objects.filter(kind=KIND, key__in=keys).order_by("-created_at")


@transaction.atomic
def request_drawing(cluster: Cluster, *, actor: str) -> Job:
    """Ask a worker to draw a cluster. Side effects: one job, unless it waits or goes on already.

    Raises Conflict for one that is drawn.
    """
    if standing(cluster).drawing:
        raise Conflict("This cluster is drawn already.")
    return jobs.enqueue(KIND, actor=actor, key=str(cluster.pk), args={"cluster": str(cluster.pk)})


def request_drawings(run: Run, *, actor: str) -> None:
    """In the transaction that writes a run: have its clusters that are worth a look drawn."""
    jobs.enqueue(KIND, actor=actor, key=str(run.pk), args={"run": str(run.pk)})


def draw(job: jobs.Running) -> dict[str, Any]:
    """Draw one cluster, or those of a run that are worth a look; safe to run again: what is drawn stays as it is."""
    todo = Cluster.objects.exclude(drawing__version=VERSION).select_related("run__source").order_by("pk")
    if "cluster" in job.args:
        todo = todo.filter(pk=job.args["cluster"])
    else:
        todo = todo.filter(run=job.args["run"], worth_a_look=True)
    clusters = list(todo)
    if not clusters:
        return {"drawn": 0}
    job.progress(0, len(clusters), "counting exchanges by hour and capability")
    uses = uses_of(clusters[0].run, {cluster.pk: _members(cluster) for cluster in clusters})
    for place, cluster in enumerate(clusters):
        job.progress(place, len(clusters), f"cluster of {cluster.account_count:,} accounts")
        _store(cluster, uses[cluster.pk], job.confirm)
    return {"drawn": len(clusters)}


def _store(cluster: Cluster, use: Use, confirm: Callable[[], None]) -> None:
    parts = {
        "hours": use.hours,
        "capabilities": use.capabilities,
        "templates": templates_of(cluster),
        "graph": graph.graph_of(cluster),
    }
    with transaction.atomic():
        confirm()
        ClusterDrawing.objects.update_or_create(
            cluster=cluster, defaults={**parts, "version": VERSION, "made_at": timezone.now()}
        )


def _members(cluster: Cluster) -> dict[str, UUID]:
    """The accounts of a cluster, ours by the provider's id."""
    rows = ClusterMember.objects.filter(cluster=cluster).values_list("account__provider_id", "account_id")
    return dict(rows)


def uses_of(run: Run, members: Mapping[UUID, Mapping[str, UUID]]) -> dict[UUID, Use]:
    """Exchanges by account and UTC hour of the day, and by capability, in the run's window, for each of these clusters.

    Hours are `{"rows": [{"account", "hours": [24 numbers]}], "rest": {"accounts", "hours"}}`: the sixty busiest
    accounts, and the others as one row. Two queries for any number of clusters: one over their members, one over all.
    """
    with telemetry_of(run.source) as dataset:
        if not dataset.parts:
            return {pk: Use(None, capabilities.untold(capabilities.NOTHING_KEPT)) for pk in members}
        window = Window(run.window_start, run.window_end)
        found: dict[UUID, list[dict[str, Any]]] = {pk: [] for pk in members}
        for row in _counted(dataset, window, members).to_pylist():
            found[UUID(row["cluster"])].append(row)
        among = capabilities.everybody(dataset, window)
        return {pk: _use(dataset, rows, members[pk], among) for pk, rows in found.items()}


def _counted(dataset: Dataset, window: Window, members: Mapping[UUID, Mapping[str, UUID]]) -> pa.Table:
    pairs = [(str(cluster), account) for cluster, accounts in members.items() for account in accounts]
    listed = pa.table({"cluster": [one for one, _ in pairs], "account_id": [one for _, one in pairs]})
    rows = dataset.within(window).join(ibis.memtable(listed), "account_id")
    hour = rows.ts.hour()
    by_hour = {name: (hour == number).sum().cast("int64") for number, name in enumerate(HOURS)}
    return dataset.arrow(rows.group_by(["cluster", "account_id"]).aggregate(**by_hour, **capabilities.counts(rows)))


def _use(
    dataset: Dataset, rows: Sequence[Mapping[str, Any]], members: Mapping[str, UUID], among: Mapping[str, int]
) -> Use:
    days = [(members[row["account_id"]], [row[hour] for hour in HOURS]) for row in rows]
    return Use(_folded(days, len(members)), capabilities.mix(dataset, rows, among))


def _folded(rows: Sequence[tuple[UUID, list[int]]], accounts: int) -> dict[str, Any]:
    ranked = sorted(rows, key=lambda row: (-sum(row[1]), str(row[0])))
    rest = ranked[BUSIEST:]
    return {
        "rows": [{"account": str(account), "hours": hours} for account, hours in ranked[:BUSIEST]],
        "rest": {
            "accounts": accounts - len(ranked[:BUSIEST]),
            "hours": [sum(hours[n] for _, hours in rest) for n in range(24)],
        },
    }


def templates_of(cluster: Cluster) -> list[dict[str, Any]]:
    """The templates that most members fill: how many do, how rare that is, and the masked frame a detector stated.

    Frames come from the support of the findings the cluster rests on, without account ids; no prompt is read.
    """
    shared = (
        ClusterLink.objects.filter(cluster=cluster, attribute__type="template")
        .values("attribute", "attribute__value")
        .annotate(accounts=Count("account", distinct=True), most=Max("holders"), of=Max("population"))
        .order_by("-accounts", "most", "attribute__value")
    )
    frames = _frames(cluster)
    clean = _without_accounts(one["frame"] for one in frames.values())
    found = [
        {
            "attribute": str(row["attribute"]),
            "accounts": row["accounts"],
            "holders": row["most"],
            "population": row["of"],
            **frames[row["attribute__value"]],
            "frame": clean(frames[row["attribute__value"]]["frame"]),
        }
        for row in shared
        if row["attribute__value"] in frames
    ]
    return found[:EXAMPLES]


def examples(drawn: ClusterDrawing) -> list[dict[str, Any]]:
    """The template examples whose findings still say so: what was erased there is told here no more."""
    kept = Finding.objects.filter(pk__in=[one["finding"] for one in drawn.templates], salt__isnull=False)
    known = {str(pk) for pk in kept.values_list("pk", flat=True)}
    return [one for one in drawn.templates if one["finding"] in known]


def _frames(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The frame each template finding states, with its own counts, by the template's value."""
    found: dict[str, dict[str, Any]] = {}
    rests = Finding.objects.filter(clusters__cluster=cluster, salt__isnull=False).order_by("-received_at", "pk")
    for pk, payload in rests.values_list("pk", "payload").iterator(chunk_size=20):
        document = orjson.loads(bytes(payload) or b"{}")
        support = document.get("support") or {}
        frame, value = support.get("template"), _template(document)
        if isinstance(frame, str) and value and value not in found:
            counts = {name: support[name] for name in ("exchanges", "fillings", "days") if _whole(support.get(name))}
            found[value] = {"finding": str(pk), "frame": frame[:LONGEST_FRAME], **counts}
    return found


def _without_accounts(texts: Iterable[str]) -> Callable[[str], str]:
    """A function that takes the provider's account ids out of these texts; a detector of ours writes none."""
    words = {word for text in texts for word in WORD.findall(text)}
    known = set(Account.objects.filter(provider_id__in=words).values_list("provider_id", flat=True))
    return lambda text: WORD.sub(lambda word: "‹account›" if word.group() in known else word.group(), text)


def _template(document: Mapping[str, Any]) -> str:
    """The template a finding is about: the first such value of its first account."""
    accounts = document.get("accounts") or [{}]
    shown = accounts[0].get("attributes") or []
    return next((one["value"] for one in shown if one.get("type") == "template"), "")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
