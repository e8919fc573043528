"""What detection said, as it stands in a snapshot: clusters, links, findings, answers, accounts, volume, releases."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Max

from cases import history, timeline
from cases.dossier.reading import Reading, Row, item, section, when, window
from cases.models import Verdict
from detection.detectors.base import rarity
from detection.models import (
    Account,
    Answer,
    Attribute,
    Cluster,
    ClusterLink,
    ClusterMember,
    Finding,
    FindingAccount,
    ModelRelease,
    Run,
    Sighting,
    TelemetryFile,
)

LONGEST_VALUE = 500  # characters of a detector's own figure or note that a dossier repeats


def learn_names(reading: Reading) -> None:
    """Give every account and value a name first, so that free text read later can be cleaned of the raw ones."""
    findings = history.findings_at(reading.case, reading.cut).order_by().values("id")
    members = history.members_at(reading.case, reading.cut).order_by().distinct().values("account_id")
    named = FindingAccount.objects.filter(finding__in=findings).values("account_id")
    for account in Account.objects.filter(id__in=members).union(Account.objects.filter(id__in=named)):
        reading.names.account(account)
    clusters = history.clusters_at(reading.case, reading.cut).order_by()
    seen = Sighting.objects.filter(finding__in=findings).values("attribute_id")
    linked = ClusterLink.objects.filter(cluster__in=clusters.values("id")).values("attribute_id")
    for attribute in Attribute.objects.filter(id__in=seen).union(Attribute.objects.filter(id__in=linked)):
        reading.names.value(attribute.type, attribute.value)
    for cluster in clusters:
        for hub in cluster.run.hubs:
            reading.names.value(str(hub["type"]), str(hub["value"]))


def clusters(reading: Reading) -> Row:
    """The held clusters with the machine's assessment of each."""
    queryset = history.clusters_at(reading.case, reading.cut)
    return section([_cluster(cluster) for cluster in queryset], queryset, "the clusters the case holds")


def _cluster(cluster: Cluster) -> Row:
    detail = cluster.assessment_detail
    return {
        "item": item(cluster),
        "run": item(cluster.run),
        "title": cluster.title,
        "assessment": cluster.get_assessment_display(),
        "score": cluster.score,
        "assessment_version": detail.get("version", ""),
        "reasons_for": _reasons(detail.get("reasons_for", [])),
        "reasons_against": _reasons(detail.get("reasons_against", [])),
        "look_alikes": [{key: row[key] for key in ("name", "fits", "text")} for row in detail.get("look_alikes", [])],
        "would_settle": list(detail.get("would_settle", [])),
        "signals": list(cluster.signals),
        "accounts": cluster.account_count,
        "exchanges": cluster.exchanges,
        "first_seen": when(cluster.first_seen),
        "last_seen": when(cluster.last_seen),
    }


def _reasons(reasons: Iterable[Row]) -> list[Row]:
    return [{key: reason[key] for key in ("text", "weight", "feature", "value")} for reason in reasons]


def runs(reading: Reading) -> Row:
    """The runs that made the held clusters: enough to repeat them."""
    held = history.clusters_at(reading.case, reading.cut).order_by().values("run_id")
    queryset = Run.objects.filter(id__in=held).select_related("source").order_by("finished_at", "id")
    rows = [
        {
            "item": item(run),
            "telemetry_source": run.source.name,
            "window": window(run.window_start, run.window_end),
            "algorithm": run.algorithm,
            "algorithm_version": run.algorithm_version,
            "parameters": run.parameters,
            "input_sha256": run.input_sha256,
            "accounts": run.account_count,
            "edges": run.edge_count,
            "finished_at": when(run.finished_at),
            "hubs": [_hub(reading, hub) for hub in run.hubs],
        }
        for run in queryset
    ]
    return section(rows, queryset, "the runs that made the clusters the case holds")


def _hub(reading: Reading, hub: Row) -> Row:
    value = reading.names.value(str(hub["type"]), str(hub["value"]))
    return {"type": hub["type"], "value": value.text, "accounts": hub["accounts"], "reason": hub["reason"]}


def answers(reading: Reading) -> Row:
    """What each detector answered in those runs, could-not-tell included."""
    held = history.clusters_at(reading.case, reading.cut).order_by().values("run_id")
    queryset = (
        Answer.objects.filter(run__in=held)
        .select_related("run", "detector_version__detector")
        .order_by("run__finished_at", "detector_version__detector__name", "id")
    )
    rows = [
        {
            "item": item(answer),
            "detector": answer.detector_version.detector.name,
            "version": answer.detector_version.version,
            "config_sha256": answer.detector_version.config_sha256,
            "window": window(answer.run.window_start, answer.run.window_end),
            "status": answer.status.replace("_", " "),
            "reason": answer.reason,
            "counts": answer.counts,
            "set_aside": len(answer.hubs),
        }
        for answer in queryset
    ]
    return section(rows, queryset, "the answers of all detectors in those runs")


def links(reading: Reading) -> tuple[Row, Row]:
    """The shared values, strongest first, and the single links of accounts to them (for the schedule)."""
    queryset = (
        history.links_of(ClusterLink.objects.all(), reading.case, reading.cut)
        .select_related("account", "attribute")
        .order_by("attribute__type", "attribute__value", "account_id", "signal", "id")
    )
    by_value: dict[UUID, list[ClusterLink]] = defaultdict(list)
    for link in queryset:
        by_value[link.attribute_id].append(link)
    shared = [_shared(reading, found) for found in by_value.values()]
    shared.sort(key=lambda row: (-row["strength"], -row["accounts"], row["type"], row["value"]))
    numbers = {row["item"]: place for place, row in enumerate(shared, start=1)}
    rows = [_link(reading, link, numbers) for link in queryset]
    rows.sort(key=lambda row: (row["shared_value"], row["account"], row["signal"]))
    numbered = [{"number": number, **row} for number, row in enumerate(shared, start=1)]
    what = "the links of the clusters the case holds"
    return section(numbered, queryset, f"{what}, by shared value"), section(rows, queryset, what)


def _shared(reading: Reading, found: list[ClusterLink]) -> Row:
    attribute, first = found[0].attribute, found[0]
    value = reading.names.value(attribute.type, attribute.value)
    return {
        "item": reading.names.item(attribute),
        "type": attribute.type,
        "value": value.text,
        "shown": value.shown,
        "signal": first.signal,
        "accounts": len({link.account_id for link in found}),
        "holders": first.holders,
        "population": first.population,
        "rarity": round(rarity(first.holders, first.population), 4),
        "strength": round(max(link.strength for link in found), 4),
        "reason": first.reason,
        "first_seen": when(min(link.first_seen for link in found)),
        "last_seen": when(max(link.last_seen for link in found)),
    }


def _link(reading: Reading, link: ClusterLink, numbers: dict[str, int]) -> Row:
    return {
        "item": reading.names.item(link),
        "account": reading.names.account(link.account),
        "shared_value": numbers[reading.names.item(link.attribute)],
        "signal": link.signal,
        "times": link.count,
        "strength": round(link.strength, 4),
        "first_seen": when(link.first_seen),
        "last_seen": when(link.last_seen),
        "reason": link.reason,
    }


def findings(reading: Reading) -> Row:
    """The findings the held clusters rest on, each with what its detector stated; numbered F1, F2 … in this dossier."""
    queryset = history.findings_at(reading.case, reading.cut)
    found = list(queryset)
    later = _superseding(reading, found)
    marked = history.marked(queryset, reading.cut).values_list("pk", "is_set_aside", "is_recalled")
    marks = {pk: {"set_aside": aside, "recalled": recalled} for pk, aside, recalled in marked}
    rows = [_finding(finding, later) | marks[finding.pk] for finding in found]
    rows.sort(key=lambda row: (-row["score"], -row["accounts"], row["window"]["start"], row["item"]))
    numbered = [{"number": number, **row} for number, row in enumerate(rows, start=1)]
    return section(numbered, queryset, "the findings that the clusters of the case rest on")


def _superseding(reading: Reading, found: list[Finding]) -> dict[tuple[UUID, str], int]:
    same = Finding.objects.filter(uid__in={finding.uid for finding in found})
    newest = history.before(same, reading.cut).values_list("detector_id", "uid").annotate(newest=Max("version"))
    return {(detector, uid): version for detector, uid, version in newest}


def _finding(finding: Finding, newest: dict[tuple[UUID, str], int]) -> Row:
    stated = json.loads(bytes(finding.payload))
    support = dict(stated.get("support") or {})
    later = newest[finding.detector_id, finding.uid]
    return {
        "item": item(finding),
        "detector": finding.detector.name,
        "detector_version": finding.detector_version.version,
        "config_sha256": finding.detector_version.config_sha256,
        "uid": finding.uid,
        "version": finding.version,
        "superseded_by": later if later > finding.version else None,
        "signal": finding.signal,
        "title": finding.title,
        "summary": finding.summary,
        "score": finding.score,
        "confidence": finding.confidence,
        "window": window(finding.window_start, finding.window_end),
        "received_at": when(finding.received_at),
        "accounts": finding.account_count,
        "false_positive_rate": support.pop("false_positive_rate", None),
        "measured_on": str(support.pop("measured_on", "")),
        "support": _plain_members(support),
        "innocent_explanations": [str(text)[:LONGEST_VALUE] for text in stated.get("innocent_explanations") or []],
        "techniques": [str(text)[:LONGEST_VALUE] for text in stated.get("techniques") or []],
        "reproduction": _plain_members(stated.get("reproduction") or {}),
        "evidence": [_plain_members(row) for row in stated.get("evidence") or [] if isinstance(row, dict)],
        "tlp": str(stated.get("tlp") or ""),
        "payload_sha256": finding.payload_sha256,
    }


def _plain_members(stated: Row) -> Row:
    """The scalar members of what a detector wrote, long text cut; nested ones stay in the received bytes."""
    kept = {key: value for key, value in stated.items() if value is None or isinstance(value, bool | int | float | str)}
    return {key[:80]: value[:LONGEST_VALUE] if isinstance(value, str) else value for key, value in kept.items()}


def accounts(reading: Reading, members: list[ClusterMember], verdicts: dict[UUID, Verdict]) -> Row:
    """Every account of the case under this recipient's name, with its tie, its verdict and its volume."""
    rows = [_account(reading, member, verdicts.get(member.account_id)) for member in members]
    rows.sort(key=lambda row: (-row["exchanges"], row["account"]))
    queryset = history.members_at(reading.case, reading.cut)
    return section(rows, queryset, "the accounts of the case, each through the newest held cluster that has it")


def _account(reading: Reading, member: ClusterMember, verdict: Verdict | None) -> Row:
    decided = verdict and {
        "item": reading.names.item(verdict),
        "value": verdict.value,
        "label": verdict.get_value_display(),
        "reason": verdict.reason,
        "by": str(verdict.decided_by),
        "at": when(verdict.at),
    }
    return {
        "item": reading.names.item(member),
        "account": reading.names.account(member.account),
        "cluster": f"detection.cluster:{member.cluster_id}",
        "strength": round(member.strength, 4),
        "reasons": list(member.reasons),
        "exchanges": member.exchanges,
        "input_tokens": member.input_tokens,
        "output_tokens": member.output_tokens,
        "first_seen": when(member.first_seen),
        "last_seen": when(member.last_seen),
        "verdict": decided,
    }


def volume(reading: Reading) -> Row:
    """Exchanges of the held clusters per UTC day and model."""
    queryset = history.clusters_at(reading.case, reading.cut)
    counts: Counter[tuple[str, str]] = Counter()
    for cluster in queryset:
        for row in cluster.volume:
            counts[str(row["day"]), str(row["model"])] += int(row["exchanges"])
    rows = [{"day": day, "model": model, "exchanges": counts[day, model]} for day, model in sorted(counts)]
    what = "exchanges per UTC day and model, summed over the clusters the case holds"
    return section(rows, queryset, what)


def releases(reading: Reading) -> Row:
    """Model releases within the activity of the case, known at the cut."""
    queryset = history.before(ModelRelease.objects.order_by("released_at", "model"), reading.cut)
    found = timeline.releases(reading.case, reading.cut)
    rows = [{"item": item(row), "model": row.model, "released_at": when(row.released_at)} for row in found]
    return section(rows, queryset, "model releases between the first and the last activity of the case")


def telemetry(reading: Reading) -> Row:
    """The files behind the runs, with what was not read of them."""
    held = history.clusters_at(reading.case, reading.cut).order_by().values("run__source_id")
    last = max((cluster.run.finished_at for cluster in history.clusters_at(reading.case, reading.cut)), default=None)
    queryset = (
        TelemetryFile.objects.filter(source__in=held, added_at__lte=last) if last else TelemetryFile.objects.none()
    )
    ordered = queryset.select_related("source").order_by("added_at", "id")
    rows = [
        {
            "item": item(file),
            "telemetry_source": file.source.name,
            "kind": file.get_kind_display(),
            "name": file.name,
            "sha256": file.sha256,
            "rows": file.rows,
            "bad_lines": file.bad,
            "repeated_lines": file.repeated,
            "truncated": file.truncated,
            "columns_absent": sorted(file.columns_absent),
        }
        for file in ordered
    ]
    return section(
        rows, ordered, "the telemetry files of those sources that were read before the last of those runs ended"
    )
