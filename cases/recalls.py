"""A version of a detector that is not to be relied on: what leaned on it, flagged case by case, and who has to be told.

"Leans on" means: holds a cluster that rests on a finding of the version. A dossier leans on it when its case did at the
dossier's cut.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from cases import history, notices
from cases.models import (
    Case,
    CaseCluster,
    Citation,
    Detachment,
    DisclosureAsk,
    DisclosureNote,
    DossierVersion,
    Judgement,
    Lead,
    Reattachment,
    RecallDraft,
    RecallFlag,
)
from cases.notice_kinds import Kind
from detection.models import Cluster, ClusterFinding, DetectorVersion, Finding, VersionRecall, VersionReinstated
from spine import jobs, log, vault
from spine.errors import Refused
from spine.models import LogEntry

ACTOR = "system:recalls"
OnProgress = Callable[[int, int, str], None]


# Acts by which a case comes to hold a cluster, or somebody gets a dossier.
HELD = frozenset({"case.opened", "case.joined", "case.attached_again", "version.taken"})
RELEASED = "disclosure.released"
FOLLOWED = HELD | {RELEASED}


def on_version_recalled(payload: dict[str, Any]) -> None:
    """Ask for the flags of the recall `{"recall": id}`."""
    jobs.enqueue("recall.flag", actor=ACTOR, key=payload["recall"], args={"recall": payload["recall"]})


def on_entry(entry: LogEntry) -> None:
    """Flag the case, or draft the notice, that leans on a recalled version since this act; done again, it adds nothing.

    It comes after the act's commit. So whichever of act and recall is committed last, what follows it sees both: this,
    or the job that `on_version_recalled` asks for.
    """
    if entry.action in HELD and entry.scope is not None:
        case = Case.objects.get(pk=entry.scope)
        for recall in _under(history.findings_at(case)):
            _flag(case, recall)
    elif entry.action == RELEASED:
        ask = DisclosureAsk.objects.select_related("version__case", "release", "asker").get(release__entry=entry)
        for recall in _under_dossier(ask.version):
            _draft(ask, recall)


def findings(version: DetectorVersion) -> QuerySet[Finding]:
    """The findings of the version."""
    return Finding.objects.filter(detector_version=version)


def clusters(version: DetectorVersion) -> QuerySet[Cluster]:
    """The clusters that rest on one of them."""
    own = ClusterFinding.objects.filter(cluster=OuterRef("pk"), finding__detector_version=version)
    return Cluster.objects.filter(Exists(own))


def leads(version: DetectorVersion, within: QuerySet[Lead]) -> QuerySet[Lead]:
    """Those of the leads that stand for such a cluster."""
    own = ClusterFinding.objects.filter(cluster=OuterRef("cluster"), finding__detector_version=version)
    return within.filter(Exists(own))


def cases(version: DetectorVersion, within: QuerySet[Case]) -> QuerySet[Case]:
    """Those of the cases that hold such a cluster, found from the findings on: no other case is looked at."""
    return within.filter(pk__in=_held(version).order_by().values("case"))


def dossiers(version: DetectorVersion, within: QuerySet[Case]) -> QuerySet[DossierVersion]:
    """The dossier versions of these cases that lean on it."""
    held = _held_before(OuterRef("log_size"), CaseCluster.objects.filter(case=OuterRef("case")))
    leaning = DossierVersion.objects.filter(Exists(_resting(version, held)), case__in=within.values("pk"))
    return leaning.select_related("case")


def disclosures(version: DetectorVersion, within: QuerySet[Case]) -> QuerySet[DisclosureAsk]:
    """The released disclosures of such dossiers."""
    withdrawn = DisclosureNote.objects.filter(ask=OuterRef("pk"), kind=DisclosureNote.Kind.WITHDRAWN)
    found = DisclosureAsk.objects.filter(version__in=dossiers(version, within).values("pk"), release__isnull=False)
    return found.exclude(Exists(withdrawn)).select_related("version__case", "recipient", "basis", "asker", "release")


@dataclass(frozen=True)
class Leaned:
    """A recall that stands, of a version that a dossier leans on.

    `waits` while nobody has answered in its case what follows; `said` where the recall is in the dossier itself.
    """

    recall: VersionRecall
    waits: bool
    said: bool

    @property
    def name(self) -> str:
        """The detector and its version."""
        return str(self.recall.detector_version)


def leaned(dossier: DossierVersion) -> list[Leaned]:
    """What a dossier leans on and is not to be relied on any more; one query while nothing is recalled."""
    found = _under_dossier(dossier)
    waiting = {one.pk for one in unanswered([dossier.case])[dossier.case_id]} if found else set()
    numbered = VersionRecall.objects.filter(entry__sequence__index__lt=dossier.log_size)
    told = set(numbered.filter(pk__in=[one.pk for one in found]).values_list("pk", flat=True)) if found else set()
    return [Leaned(one, waits=one.pk in waiting, said=one.pk in told) for one in found]


def waits_for(dossier: DossierVersion) -> list[str]:
    """What has to be answered before the dossier goes out, in sentences.

    Once its case is answered for it may go out; whoever gets it is then drafted a notice.
    """
    return [
        f"It leans on {one.name}, which is recalled: somebody has to say in {dossier.case.ref} what follows."
        for one in leaned(dossier)
        if one.waits
    ]


def _under_dossier(dossier: DossierVersion) -> list[VersionRecall]:
    """The recalls that stand, of versions that the dossier leans on."""
    held = _held_before(dossier.log_size, CaseCluster.objects.filter(case=dossier.case_id))
    return list(_standing().filter(Exists(_resting(OuterRef("detector_version"), held))))


def _standing() -> QuerySet[VersionRecall]:
    found = VersionRecall.objects.filter(reinstated=None).select_related("detector_version__detector")
    return found.order_by("at", "id")


def _under(rested: QuerySet[Finding]) -> list[VersionRecall]:
    """The recalls that stand, of versions that stated one of these findings."""
    return list(_standing().filter(Exists(rested.order_by().filter(detector_version=OuterRef("detector_version")))))


def _held(version: DetectorVersion) -> QuerySet[CaseCluster]:
    return history.in_force(_resting(version, CaseCluster.objects.all()))


def _resting(version: DetectorVersion | OuterRef, held: QuerySet[CaseCluster]) -> QuerySet[CaseCluster]:
    return held.filter(cluster__findings__finding__detector_version=version)


def _held_before(size: int | OuterRef, held: QuerySet[CaseCluster]) -> QuerySet[CaseCluster]:
    """Those of the held clusters that were in their case, and not taken out, when the log had this size."""

    def before(depth: int) -> dict[str, Any]:
        """The condition so many queries further in, where a size of an outer query is that much further out."""
        outer: Any = size
        for _ in range(depth if isinstance(size, OuterRef) else 0):
            outer = OuterRef(outer)
        return {"entry__sequence__index__lt": outer}

    put_back = Reattachment.objects.filter(detachment=OuterRef("pk"), **before(2))
    left = Detachment.objects.filter(held=OuterRef("pk"), **before(1)).exclude(Exists(put_back))
    return held.filter(**before(0)).exclude(Exists(left))


def flag(recall: VersionRecall, *, on_progress: OnProgress = lambda done, total, note: None) -> dict[str, int]:
    """Flag every case that leans on the version, and draft what to tell everybody who got such a dossier.

    Side effects, a transaction each: a flag under a log entry of its case, with a notice to who is assigned; a draft
    under a log entry of its case, with a notice to who asked for the disclosure. Done again, it adds what is new; of a
    recall that was taken back meanwhile, nothing.
    """
    version = recall.detector_version
    if VersionReinstated.objects.filter(recall=recall).exists():
        return {"cases": 0, "drafts": 0}
    due = list(cases(version, Case.objects.all()).exclude(recall_flags__recall=recall).order_by("created_at", "id"))
    told = list(disclosures(version, Case.objects.all()).exclude(recall_drafts__recall=recall).order_by("at", "id"))
    for number, case in enumerate(due):
        on_progress(number, len(due) + len(told), f"flagging {number + 1:,} of {len(due):,} cases")
        _flag(case, recall)
    for number, ask in enumerate(told):
        on_progress(len(due) + number, len(due) + len(told), f"drafting {number + 1:,} of {len(told):,} notices")
        _draft(ask, recall)
    return {"cases": len(due), "drafts": len(told)}


@transaction.atomic
def _flag(case: Case, recall: VersionRecall) -> None:
    """A flag, unless one waits for its answer, as much was answered for, or nothing leans any more."""
    row = Case.objects.select_for_update(no_key=True).select_related(None).get(pk=case.pk)
    last = RecallFlag.objects.filter(case=row, recall=recall).order_by("findings").select_related("answer").last()
    version = recall.detector_version
    own = history.findings_at(row).filter(detector_version=version)
    findings = own.count()
    if findings <= (last.findings if last else 0) or (last and not hasattr(last, "answer")):
        return
    standing = history.newest(Judgement.objects.filter(case=row), None)
    cited = Citation.objects.filter(judgement__in=standing.values("pk"), finding__in=own.order_by().values("pk"))
    made = RecallFlag(case=row, recall=recall, findings=findings, cited=cited.values("judgement").distinct().count())
    data = {"name": version.detector.name, "version": version.version, "findings": made.findings}
    log.record(actor=ACTOR, action="recall.flagged", about=row, scope=row.id, data=data, rows=[made])
    if row.assignee is not None:
        text = f"{row.ref} rests on {_count(made.findings)} of {version}, which is recalled: {recall.reason}"
        notices.give(row, [row.assignee], kind=Kind.RECALL, key=f"recall:{made.pk}", text=text)


@transaction.atomic
def _draft(ask: DisclosureAsk, recall: VersionRecall) -> None:
    case = Case.objects.select_for_update(no_key=True).get(pk=ask.version.case_id)
    if RecallDraft.objects.filter(ask=ask, recall=recall).exists():
        return
    made = RecallDraft(ask=ask, recall=recall, text=draft_text(ask, recall))
    data = {
        "dossier": ask.version.bag_name,
        "recipient": ask.recipient_name,
        "name": recall.detector_version.detector.name,
    }
    log.record(
        actor=ACTOR,
        action="recall.drafted",
        about=ask,
        scope=case.id,
        data=data | {"version": recall.detector_version.version},
        rows=[made],
    )
    text = f"A notice to {ask.recipient_name} is drafted: {ask.version.bag_name} leans on a recalled detector version."
    notices.give(case, [ask.asker], kind=Kind.RECALL, key=f"recall-draft:{made.pk}", text=text)


def draft_text(ask: DisclosureAsk, recall: VersionRecall) -> str:
    """What the recipient needs to know, and nothing that the dossier did not hold already."""
    version, dossier = recall.detector_version, ask.version
    numbers, total = _numbers(dossier, version)
    listed = ", ".join(f"F{number}" for number in numbers[:50]) + (" …" if len(numbers) > 50 else "")
    given = ask.release.at
    return "\n\n".join(
        [
            f"To {ask.recipient_name}",
            f"On {given:%d %B %Y} you received the dossier {dossier.bag_name} (package SHA-256 {ask.package_sha256}), "
            f"on the basis {ask.basis_code}. It rests in part on findings of the detector {version}.",
            f"On {recall.at:%d %B %Y} this version was declared not to be relied on, for this reason: {recall.reason}",
            f"Concerned are {len(numbers):,} of the {total:,} findings of that dossier: {listed or 'none by number'}. "
            "Please do not rely on them, or on a claim that rests on them alone, until you hear from us again. What "
            "else the dossier holds is not touched by this.",
            "We are looking at the case again. When its assessment changes you will get a new version of the dossier "
            "that names what it supersedes.",
        ]
    )


def _numbers(dossier: DossierVersion, version: DetectorVersion) -> tuple[list[int], int]:
    """The numbers that the version's findings have in a dossier, and how many findings it has in all."""
    try:
        rows = json.loads(vault.read(dossier.snapshot_sha256))["findings"]["rows"]
    except (OSError, KeyError, ValueError, Refused):  # destroyed by an order: the notice says what is known without it
        return [], findings(version).count()
    own = (version.detector.name, version.version, version.config_sha256)
    told = [row["number"] for row in rows if (row["detector"], row["detector_version"], row["config_sha256"]) == own]
    return told, len(rows)


def unanswered(found: Iterable[Case]) -> dict[UUID, list[VersionRecall]]:
    """The recalls that stand, that these cases lean on or are flagged for, and that nobody has answered.

    Nobody has to wait for the flag to wait for its answer. One query while nothing is recalled, three otherwise.
    """
    ids = [case.pk for case in found]
    standing = {one.detector_version_id: one for one in _standing()}
    if not standing or not ids:
        return {pk: [] for pk in ids}
    flags = RecallFlag.objects.filter(case__in=ids, recall__in=[one.pk for one in standing.values()])
    flagged = list(flags.values_list("case", "recall__detector_version", "answer"))
    waiting = {(case, version) for case, version, answer in flagged if answer is None}
    known = {(case, version) for case, version, _ in flagged}
    rested = history.in_force(CaseCluster.objects.filter(case__in=ids)).order_by()
    on = "cluster__findings__finding__detector_version"
    leaning = set(rested.filter(**{f"{on}__in": list(standing)}).values_list("case", on).distinct())
    due = waiting | (leaning - known)
    return {pk: [one for version, one in standing.items() if (pk, version) in due] for pk in ids}


def _count(number: int) -> str:
    return f"{number:,} finding{'s' if number != 1 else ''}"
