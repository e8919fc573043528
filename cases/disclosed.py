"""Disclosures to look at: lists, how each stands, and what keeps a version from being disclosed."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from cases import gate, recalls
from cases.access import Person, visible_cases
from cases.models import DisclosureAsk, DisclosureNote, DossierProof, DossierVersion
from cases.models.disclosure import DisclosedClass

STATES = ("asked", "released", "recalled", "withdrawn")


def visible(user: Person) -> QuerySet[DisclosureAsk]:
    """The disclosures of the cases this person may know of."""
    return _whole(DisclosureAsk.objects.filter(version__case__in=visible_cases(user).values("pk")))


def of_version(version: DossierVersion) -> QuerySet[DisclosureAsk]:
    """The disclosures of one version, newest first."""
    return _whole(DisclosureAsk.objects.filter(version=version)).order_by("-at", "-id")


def _whole(rows: QuerySet[DisclosureAsk]) -> QuerySet[DisclosureAsk]:
    return rows.select_related("version__case", "asker", "release__releaser").prefetch_related(
        "notes__author", "recall_drafts"
    )


def row(ask: DisclosureAsk) -> dict[str, Any]:
    """A disclosure with its state, its notes in the order of what happened, and whether a reply is overdue."""
    notes = sorted(ask.notes.all(), key=lambda note: (note.happened_at, note.pk))
    kinds = {note.kind for note in notes}
    release = getattr(ask, "release", None)
    replied = DisclosureNote.Kind.REPLY in kinds
    due = ask.reply_due
    return {
        "ask": ask,
        "classes": [DisclosedClass(one).label for one in ask.data_classes],
        "release": release,
        "notes": notes,
        "drafts": sorted(ask.recall_drafts.all(), key=lambda draft: (draft.at, draft.pk)),
        "state": state_of(kinds, released=release is not None),
        "receipts": [note.number for note in notes if note.kind == DisclosureNote.Kind.RECEIPT],
        "overdue": bool(release and due and not replied and due < timezone.now().date()),
    }


def state_of(kinds: set[str], *, released: bool) -> str:
    """One of STATES."""
    if DisclosureNote.Kind.WITHDRAWN in kinds:
        return "withdrawn"
    if not released:
        return "asked"
    return "recalled" if DisclosureNote.Kind.RECALL in kinds else "released"


def unregistered(version: DossierVersion) -> list[str]:
    """What the registers do not know of a version for somebody, in sentences; nothing for an internal copy."""
    found = []
    known = gate.registered(version.recipient, version.basis)
    if version.recipient and known.recipient is None:
        found.append(f"{version.recipient} is not a registered recipient.")
    if version.basis and known.basis is None:
        found.append(f"{version.basis} is {gate.NOT_REGISTERED}.")
    return found


def unconfirmed(version: DossierVersion) -> bool:
    """Whether its legal basis is registered and counsel has not confirmed it yet."""
    basis = gate.registered("", version.basis).basis
    return basis is not None and not basis.confirmed


def objections(version: DossierVersion) -> list[str]:
    """What keeps a version from being disclosed before anybody asks, in sentences; the verb asks the whole gate."""
    found = unregistered(version) if version.recipient else ["An internal copy is not for disclosure."]
    if not DossierProof.objects.filter(seal__version=version).exists():
        found.append("It is not sealed yet.")
    return [*found, *recalls.waits_for(version)]
