"""Verbs on disclosures: ask that a sealed version be handed out, release it as a second person, and what came of it."""

import json
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from cases import gate, recalls
from cases.actions import base
from cases.models import Case, DisclosureAsk, DisclosureNote, DisclosureRelease, DossierProof, DossierVersion
from cases.models.disclosure import LegalBasis, Recipient
from cases.vocabulary import Marking
from people.models import User
from spine import log, vault
from spine.errors import Conflict, Refused

Kind = DisclosureNote.Kind


@transaction.atomic
def ask_disclosure(
    version: DossierVersion,
    *,
    actor: User,
    channel: str,
    purpose: str = "",
    reply_due: date | None = None,
) -> DisclosureAsk:
    """Ask that a sealed version be handed to the recipient it was made for, on its basis.

    Side effects: the row with a copy of what it rests on; one log entry. Raises Refused for a version without seal,
    one for words that are not registered, and with everything the gate objects to today: a recall that nobody has
    answered in the case is among it.
    """
    base.require(actor, "cases.read", "cases.write")
    case = _locked(version)
    proof = DossierProof.objects.filter(seal__version=version).first()
    if proof is None:
        raise Refused("Only a sealed version is disclosed: approve it, and wait for its seal.")
    recipient, ground = _registered(version)
    marking = _marking(version, case)
    _pass(version, recipient, ground, marking)
    if _open(version).exists():
        raise Conflict("That is asked already: it waits for a second person.")
    if reply_due is not None and reply_due < timezone.now().date():
        raise Refused("A reply cannot be due in the past.", field="reply_due")
    ask = DisclosureAsk(
        version=version,
        recipient=recipient,
        basis=ground,
        recipient_name=recipient.name,
        recipient_kind=recipient.kind,
        basis_code=ground.code,
        basis_law=ground.law,
        data_classes=list(gate.EDITION_CLASSES[version.edition]),
        marking=marking,
        package_sha256=proof.package_sha256,
        channel=base.clean(channel, field="channel", label="The channel", limit=200),
        purpose=base.clean(purpose, field="purpose", label="The purpose", limit=4000, required=False),
        reply_due=reply_due,
        asker=actor,
    )
    _record(ask, actor, action="disclosure.asked", rows=[ask], basis=ground.code)
    return ask


@transaction.atomic
def release_disclosure(ask: DisclosureAsk, *, actor: User, note: str = "") -> DisclosureRelease:
    """Release it, as somebody else than who asked; the gate is asked again, today. The database refuses the asker too.

    Side effects: the row; one log entry, and where the dossier leans on a recalled version the draft of a notice soon
    after (`cases.recalls`). Raises Conflict when it was released or withdrawn, Refused as `ask_disclosure` does.
    """
    base.require(actor, "cases.read", "dossiers.approve")
    case = _locked(ask.version)
    if actor.pk == ask.asker_id:
        raise Refused("Who asks for a disclosure cannot release it: a second person has to.")
    _still_open(ask)
    recipient, ground = _registered(ask.version)
    _pass(ask.version, recipient, ground, _marking(ask.version, case))
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    release = DisclosureRelease(ask=ask, asker=ask.asker, releaser=actor, note=note)
    _record(ask, actor, action="disclosure.released", rows=[release], asker=ask.asker.username)
    return release


@transaction.atomic
def note_disclosure(
    ask: DisclosureAsk, *, actor: User, kind: str, happened_at: datetime, text: str = "", number: str = ""
) -> DisclosureNote:
    """Write down what came of a disclosure; withdrawing ends one that was not released.

    Side effects: the row; one log entry. Raises Refused for a receipt without a number, or a note that does not fit.
    """
    base.require(actor, "cases.read", "cases.write")
    _locked(ask.version)
    base.one_of(kind, Kind.values, field="kind", label="What happened")
    released = DisclosureRelease.objects.filter(ask=ask).exists()
    if kind == Kind.WITHDRAWN:
        _still_open(ask)
    elif not released:
        raise Refused("It was not released yet: nothing can have come of it.", field="kind")
    if happened_at > timezone.now() + timedelta(minutes=5):
        raise Refused("It cannot have happened in the future.", field="happened_at")
    wants_text = kind not in {Kind.RECEIPT, Kind.WITHDRAWN}
    note = DisclosureNote(
        ask=ask,
        kind=kind,
        number=base.clean(number, field="number", label="The number", limit=100, required=kind == Kind.RECEIPT),
        text=base.clean(text, field="text", label="The text", limit=4000, required=wants_text),
        happened_at=happened_at,
        author=actor,
    )
    _record(ask, actor, action="disclosure.noted", rows=[note], kind=Kind(kind).label)
    return note


def check_prepared(case: Case, *, edition: str, recipient: str, basis: str) -> None:
    """Refuse to prepare what the gate would not let out today; words that are not registered pass as a draft."""
    found = gate.registered(recipient, basis)
    if found.recipient is None or found.basis is None:
        return
    marking = Case.objects.only("marking").get(pk=case.pk).marking
    against = _against(edition, found.recipient, found.basis, marking)
    if against:
        raise Refused(f"{found.recipient} may not get this on that basis.", missing=against, field="basis")


def _registered(version: DossierVersion) -> tuple[Recipient, LegalBasis]:
    found = gate.registered(version.recipient, version.basis)
    if not version.recipient:
        raise Refused("An internal copy is not for disclosure: prepare one for the recipient.")
    if found.recipient is None:
        raise Refused(f"{version.recipient} is not a registered recipient: this version cannot be disclosed.")
    if found.basis is None:
        raise Refused(f"{version.basis} is {gate.NOT_REGISTERED}: this version cannot be disclosed.")
    return found.recipient, found.basis


def _marking(version: DossierVersion, case: Case) -> str:
    """The higher one of what stands in the version and what the case is marked now (TLP 2.0)."""
    try:
        frozen: str = json.loads(vault.read(version.snapshot_sha256))["marking"]["value"]
    except vault.Missing:
        raise Refused("The snapshot of this version was destroyed: prepare a new version.") from None
    return max(frozen, case.marking, key=Marking.values.index)


def _pass(version: DossierVersion, recipient: Recipient, ground: LegalBasis, marking: str) -> None:
    against = [*_against(version.edition, recipient, ground, marking), *recalls.waits_for(version)]
    if against:
        raise Refused("The disclosure gate does not let this out.", missing=against)


def _against(edition: str, recipient: Recipient, ground: LegalBasis, marking: str) -> list[str]:
    classes = gate.EDITION_CLASSES.get(edition, ())
    return gate.objections(recipient, ground, classes=classes, marking=marking, day=timezone.now().date())


def _open(version: DossierVersion) -> Any:
    ended = DisclosureNote.objects.filter(kind=Kind.WITHDRAWN).values("ask")
    return DisclosureAsk.objects.filter(version=version, release=None).exclude(pk__in=ended)


def _still_open(ask: DisclosureAsk) -> None:
    release = DisclosureRelease.objects.filter(ask=ask).select_related("entry").first()
    withdrawn = DisclosureNote.objects.filter(ask=ask, kind=Kind.WITHDRAWN).select_related("entry").first()
    if release is not None:
        raise base.lost("It was released", release.entry)
    if withdrawn is not None:
        raise base.lost("It was withdrawn", withdrawn.entry)


def _locked(version: DossierVersion) -> Case:
    return Case.objects.select_for_update(no_key=True).get(pk=version.case_id)


def _record(ask: DisclosureAsk, actor: User, *, action: str, rows: list[Any], **details: str) -> None:
    version = ask.version
    data = {
        "ref": version.case.ref,
        "number": version.number,
        "edition": version.edition,
        "recipient": ask.recipient_name,
        **details,
    }
    scope: UUID = version.case_id
    log.record(actor=actor.principal, action=action, about=ask, scope=scope, data=data, rows=rows)
    base.touch(version.case)
