"""A version of a detector that is not to be relied on: what leaned on it, flagged case by case, and who has to be told.

"Leans on" means: holds a cluster that rests on a finding of the version. A dossier leans on it when its case did at the
dossier's cut.
"""

import json
from collections.abc import Callable, Iterable
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
from detection.models import Cluster, ClusterFinding, DetectorVersion, Finding, VersionRecall
from spine import jobs, log, vault
from spine.errors import Refused

ACTOR = "system:recalls"
OnProgress = Callable[[int, int, str], None]


def on_version_recalled(payload: dict[str, Any]) -> None:
    """Ask for the flags of the recall `{"recall": id}`."""
    jobs.enqueue("recall.flag", actor=ACTOR, key=payload["recall"], args={"recall": payload["recall"]})


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
    before = {"entry__sequence__index__lt": OuterRef("log_size")}
    held = _resting(version, CaseCluster.objects.filter(case=OuterRef("case"), **before)).exclude(
        Exists(_left(OuterRef(OuterRef("log_size"))))
    )
    return DossierVersion.objects.filter(Exists(held), case__in=within.values("pk")).select_related("case")


def disclosures(version: DetectorVersion, within: QuerySet[Case]) -> QuerySet[DisclosureAsk]:
    """The released disclosures of such dossiers."""
    withdrawn = DisclosureNote.objects.filter(ask=OuterRef("pk"), kind=DisclosureNote.Kind.WITHDRAWN)
    found = DisclosureAsk.objects.filter(version__in=dossiers(version, within).values("pk"), release__isnull=False)
    return found.exclude(Exists(withdrawn)).select_related("version__case", "recipient", "basis", "asker", "release")


def _held(version: DetectorVersion) -> QuerySet[CaseCluster]:
    return history.in_force(_resting(version, CaseCluster.objects.all()))


def _resting(version: DetectorVersion, held: QuerySet[CaseCluster]) -> QuerySet[CaseCluster]:
    return held.filter(cluster__findings__finding__detector_version=version)


def _left(size: Any) -> QuerySet[Detachment]:
    """What took the held cluster of the outer query out of its case, and stood when the log had this size."""
    put_back = Reattachment.objects.filter(detachment=OuterRef("pk"), entry__sequence__index__lt=OuterRef(size))
    found = Detachment.objects.filter(held=OuterRef("pk"), entry__sequence__index__lt=size)
    return found.exclude(Exists(put_back))


def flag(recall: VersionRecall, *, on_progress: OnProgress = lambda done, total, note: None) -> dict[str, int]:
    """Flag every case that leans on the version, and draft what to tell everybody who got such a dossier.

    Side effects, a transaction each: a flag under a log entry of its case, with a notice to who is assigned; a draft
    under a log entry of its case, with a notice to who asked for the disclosure. Done again, it adds what is new.
    """
    version = recall.detector_version
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
    row = Case.objects.select_for_update(no_key=True).select_related(None).get(pk=case.pk)
    if RecallFlag.objects.filter(case=row, recall=recall).exists():
        return
    version = recall.detector_version
    own = history.findings_at(row).filter(detector_version=version)
    standing = history.newest(Judgement.objects.filter(case=row), None)
    cited = Citation.objects.filter(judgement__in=standing.values("pk"), finding__in=own.order_by().values("pk"))
    made = RecallFlag(case=row, recall=recall, findings=own.count(), cited=cited.values("judgement").distinct().count())
    data = {"name": version.detector.name, "version": version.version, "findings": made.findings}
    log.record(actor=ACTOR, action="recall.flagged", about=row, scope=row.id, data=data, rows=[made])
    if row.assignee is not None:
        text = f"{row.ref} rests on {_count(made.findings)} of {_name(version)}, which is recalled: {recall.reason}"
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
            f"on the basis {ask.basis_code}. It rests in part on findings of the detector {_name(version)}.",
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


def unanswered(found: Iterable[Case]) -> dict[UUID, list[RecallFlag]]:
    """The flags of these cases that nobody has answered, while the recall stands; one query."""
    ids = [case.pk for case in found]
    flags = RecallFlag.objects.filter(case__in=ids, answer=None, recall__reinstated=None)
    by_case: dict[UUID, list[RecallFlag]] = {pk: [] for pk in ids}
    for one in flags.select_related("recall__detector_version__detector").order_by("at", "id"):
        by_case[one.case_id].append(one)
    return by_case


def _name(version: DetectorVersion) -> str:
    return f"{version.detector.name} {version.version}"


def _count(number: int) -> str:
    return f"{number:,} finding{'s' if number != 1 else ''}"
