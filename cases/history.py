"""A case as it stood at a cut: rows by their entry's place in the log, changed fields put back from the log.

Every query takes a cut or None; None is the present, with what the sequencer has not numbered yet.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from cases.models import (
    AlternativeAnswer,
    Case,
    CaseCluster,
    Citation,
    CustodyEvent,
    DetachedAccount,
    Detachment,
    EvidenceItem,
    Judgement,
    Reattachment,
    Redacted,
    RedactionDecision,
    TimelineNote,
    Verdict,
)
from detection import standing
from detection.models import (
    Cluster,
    ClusterLink,
    ClusterMember,
    Finding,
    Quarantine,
    QuarantineLifted,
    VersionRecall,
    VersionReinstated,
)
from spine.errors import Refused
from spine.models import AppendOnly, LogEntry

Row = TypeVar("Row", bound=AppendOnly)
Tie = TypeVar("Tie", ClusterMember, ClusterLink)
# Acts that build dossiers are no part of what is built; what brokers tell is for this case alone.
NOT_TOLD = ("dossier.", "deconfliction.")
CHANGEABLE = ("title", "summary", "status", "closing_reason", "marking", "assignee")


@dataclass(frozen=True)
class Cut:
    """Everything at an index below `log_size`; `at` is the time of the case's last act in it (decision 0005)."""

    log_size: int
    at: datetime
    entry_id: UUID


@dataclass(frozen=True)
class Header:
    """The fields of a case that change in place. `assignee` is a user name, empty for nobody."""

    title: str
    summary: str
    status: str
    closing_reason: str
    marking: str
    assignee: str


def cut(case: Case, as_of: datetime | None = None) -> Cut:
    """Where the case's last act stands, up to `as_of` when given; call the sequencer first for acts of this moment.

    Raises Refused when the case has no act by then.
    """
    acts = LogEntry.objects.filter(scope=case.id, sequence__isnull=False).exclude(not_told())
    if as_of is not None:
        acts = acts.filter(at__lte=as_of)
    last = acts.select_related("sequence").order_by("-sequence__index").first()
    if last is None:
        raise Refused(f"{case.ref} has no act in the log by then.", field="as_of")
    return Cut(last.sequence.index + 1, last.at, last.id)


def not_told() -> Q:
    """The acts that no cut holds."""
    first, *others = (Q(action__startswith=start) for start in NOT_TOLD)
    return reduce(or_, others, first)


def before(rows: QuerySet[Row], at: Cut | None) -> QuerySet[Row]:
    """Those of the protected rows that stand before the cut."""
    return rows if at is None else rows.filter(entry__sequence__index__lt=at.log_size)


def newest(rows: QuerySet[Row], at: Cut | None) -> QuerySet[Row]:
    """Those rows before the cut that no row before the cut supersedes."""
    if at is None:
        return rows.filter(superseded_by__isnull=True)
    later = rows.model._default_manager.filter(supersedes=OuterRef("pk"), entry__sequence__index__lt=at.log_size)
    return before(rows, at).filter(~Exists(later))


def verdicts_at(case: Case, at: Cut | None = None) -> QuerySet[Verdict]:
    """The newest verdict of each account that has one, by account id."""
    return newest(Verdict.objects.filter(case=case), at).exclude(value="").order_by("account_id")


def judgements_at(case: Case, at: Cut | None = None) -> QuerySet[Judgement]:
    """The newest judgement of each claim that has one, (a) to (f); their citations come with `citations_of`."""
    return newest(Judgement.objects.filter(case=case), at).select_related("author").order_by("claim")


def citations_of(judgements: QuerySet[Judgement]) -> QuerySet[Citation]:
    """What these judgements cite, in the order in which it was cited; it stands in the judgement's own entry."""
    cited = ("finding__detector", "evidence", "cluster", "timeline_note")
    chosen = judgements.order_by().values("pk")
    return Citation.objects.filter(judgement__in=chosen).select_related(*cited).order_by("judgement__claim", "place")


def answers_at(case: Case, at: Cut | None = None) -> QuerySet[AlternativeAnswer]:
    """The newest answer to each innocent explanation that has one."""
    answers = newest(AlternativeAnswer.objects.filter(case=case), at)
    return answers.select_related("author").order_by("alternative")


def evidence_at(case: Case, at: Cut | None = None) -> QuerySet[EvidenceItem]:
    """The exhibits, by number."""
    return (
        before(EvidenceItem.objects.filter(case=case), at).select_related("added_by", "derived_from").order_by("number")
    )


def withheld_at(case: Case, at: Cut | None = None) -> dict[UUID, int | None]:
    """The exhibits whose content stays in: those with an approved redaction, and what else was made from them.

    Each with the number of the redaction that goes out in its place, None for what has none (yet).
    """
    approved = before(RedactionDecision.objects.filter(proposal__item__case=case, approved=True), at)
    kept: dict[UUID, int | None] = dict.fromkeys(approved.values_list("proposal__item_id", flat=True))
    made = before(Redacted.objects.filter(item__case=case), at).select_related("item").order_by("item__number")
    redactions = {one.item_id: one.item for one in made}
    for item in redactions.values():
        if item.derived_from_id is not None:
            kept[item.derived_from_id] = item.number
    for item in evidence_at(case, at):  # by number: what was made from something comes after it
        if item.derived_from_id in kept and item.id not in redactions:
            kept.setdefault(item.id, None)
    return kept


def custody_at(case: Case, at: Cut | None = None) -> QuerySet[CustodyEvent]:
    """The custody events of all exhibits, by exhibit and then in the order in which they were written."""
    events = before(CustodyEvent.objects.filter(item__case=case), at).select_related("item")
    return events.order_by("item__number", "entry__at", "entry_id", "place")


def notes_at(case: Case, at: Cut | None = None) -> QuerySet[TimelineNote]:
    """The manual timeline entries that stand: the newest version of each, without those taken back; by their time."""
    notes = newest(TimelineNote.objects.filter(case=case), at).filter(withdrawn=False)
    return notes.select_related("author").order_by("starts_at", "id")


def in_force(held: QuerySet[CaseCluster], at: Cut | None = None) -> QuerySet[CaseCluster]:
    """Those of the held clusters that were not taken out of their case again by the cut."""
    return held.exclude(pk__in=detachments(at).exclude(held=None).order_by().values("held"))


def detachments(at: Cut | None = None) -> QuerySet[Detachment]:
    """What was detached from cases by the cut and not put back by then."""
    put_back = before(Reattachment.objects.all(), at).order_by().values("detachment")
    return before(Detachment.objects.all(), at).exclude(pk__in=put_back)


def held_at(case: Case, at: Cut | None = None) -> QuerySet[CaseCluster]:
    """The places in the case of the clusters that it holds."""
    return in_force(before(CaseCluster.objects.filter(case=case), at), at)


def kept_out(case: Case, at: Cut | None = None) -> QuerySet[DetachedAccount]:
    """The accounts that were taken out of the case by themselves, and are not put back."""
    return DetachedAccount.objects.filter(detachment__in=detachments(at).filter(case=case).order_by().values("pk"))


def clusters_at(case: Case, at: Cut | None = None) -> QuerySet[Cluster]:
    """The clusters the case holds, in the order in which they came."""
    held = held_at(case, at).values("cluster_id")
    return Cluster.objects.filter(id__in=held).select_related("run__source").order_by("run__finished_at", "id")


def links_of(rows: QuerySet[Tie], case: Case, at: Cut | None = None) -> QuerySet[Tie]:
    """Those of the members or links that lie in a held cluster, without accounts that were taken out by themselves."""
    held = held_at(case, at).values("cluster_id")
    return rows.filter(cluster__in=held).exclude(account__in=kept_out(case, at).values("account"))


def members_at(case: Case, at: Cut | None = None) -> QuerySet[ClusterMember]:
    """One membership for each account of the case: in the held cluster of the newest run. By account id."""
    members = links_of(ClusterMember.objects.all(), case, at)
    return members.order_by("account_id", "-cluster__run__finished_at", "-id").distinct("account_id")


def findings_at(case: Case, at: Cut | None = None) -> QuerySet[Finding]:
    """The findings that held clusters rest on, oldest window first; no others are in the case (decision 0005)."""
    held = held_at(case, at).values("cluster_id")
    findings = Finding.objects.filter(id__in=Finding.objects.filter(clusters__cluster__in=held).values("id"))
    return findings.select_related("detector", "detector_version").order_by("window_start", "id")


def marked(findings: QuerySet[Finding], at: Cut | None = None) -> QuerySet[Any]:
    """The findings with `is_set_aside` and `is_recalled`, by what was said before the cut and not taken back before it.

    Set aside is what is in quarantine, recalled what a version stated that is not to be relied on.
    """
    lifted = before(QuarantineLifted.objects.all(), at).values("quarantine")
    placed = before(Quarantine.objects.all(), at).exclude(pk__in=lifted)
    taken_back = before(VersionReinstated.objects.all(), at).values("recall")
    recalls = before(VersionRecall.objects.all(), at).exclude(pk__in=taken_back)
    return findings.annotate(
        is_set_aside=standing.set_aside(placed),
        is_recalled=Exists(recalls.filter(detector_version=OuterRef("detector_version"))),
    )


def acts_at(case: Case, at: Cut | None = None) -> QuerySet[LogEntry]:
    """The entries of the case, oldest first, with `sequence` where numbered; without acts that build dossiers."""
    acts = LogEntry.objects.filter(scope=case.id).exclude(not_told()).defer("row_digests")
    if at is not None:
        acts = acts.filter(sequence__index__lt=at.log_size)
    return acts.select_related("sequence").order_by("sequence__index", "at", "id")


def header_at(case: Case, at: Cut | None = None) -> Header:
    """The fields that change in place, as they stood: later acts are undone, newest first, from `data.changes`."""
    present = Case.objects.select_related("assignee").get(pk=case.pk)
    values: dict[str, Any] = {name: getattr(present, name) for name in CHANGEABLE}
    values["assignee"] = present.assignee.username if present.assignee else ""
    if at is not None:
        later = LogEntry.objects.filter(Q(sequence__isnull=True) | Q(sequence__index__gte=at.log_size), scope=case.id)
        acts = later.filter(data__has_key="changes").order_by(F("sequence__index").desc(nulls_first=True), "-at", "-id")
        for data in acts.values_list("data", flat=True):
            values.update({field: old for field, (old, _) in data["changes"].items() if field in CHANGEABLE})
    return Header(**values)
