"""Verbs on holds: place one, name who keeps what, acknowledge, remind, and release by two people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from cases import holds, notices
from cases.access import visible_cases
from cases.actions import base, custody
from cases.actions.base import lost
from cases.filters import AccountFilter
from cases.models import (
    Case,
    CustodyEvent,
    EvidenceItem,
    Hold,
    HoldAcknowledgement,
    HoldCustodian,
    HoldRelease,
    HoldReleaseAsk,
    HoldReminder,
)
from cases.models.case import CaseStatus
from cases.models.holds import HoldScope
from cases.notice_kinds import Kind
from cases.vocabulary import CustodyAction
from detection.models import TelemetrySource
from people.models import User
from spine import log
from spine.errors import Conflict, Refused
from spine.models import AppendOnly

DAYS_TO_ACKNOWLEDGE = 7
MOST_CUSTODIANS = 200
# How it was done, as the custody log of each exhibit in scope says it.
HOW = {
    CustodyAction.HOLD_PLACED: "recorded by Retort; deletion is refused by the database",
    CustodyAction.HOLD_RELEASED: "recorded by Retort, as two people decided; this hold no longer refuses deletion",
}


@dataclass(frozen=True)
class Keeper:
    """Who is to keep what a hold covers: a user, or somebody outside by name and contact."""

    person: User | None = None
    name: str = ""
    contact: str = ""


@transaction.atomic
def place_hold(
    case: Case,
    *,
    actor: User,
    matter: str,
    trigger: str,
    triggered_at: datetime,
    scope: str,
    accounts: AccountFilter | None = None,
    source: TelemetrySource | None = None,
    window_start: datetime | None = None,
    window_end: datetime | None = None,
    exhibit: int | None = None,
    keepers: Sequence[Keeper] = (),
    days: int = DAYS_TO_ACKNOWLEDGE,
) -> Hold:
    """Place a hold: from the commit on, nothing it covers is deleted anywhere. A closed case can be held too.

    `accounts` is the filter for a scope of accounts; None is all of them. Side effects: the hold with what it covers
    now, its custodians, a hold_placed custody event on each exhibit in scope; one log entry; a notice to each custodian
    who signs in here.
    """
    base.require(actor, "cases.read", "holds.write")
    row = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    base.one_of(scope, HoldScope.values, field="scope", label="The scope")
    if triggered_at > timezone.now() + timedelta(minutes=5):
        raise Refused("The duty to keep cannot have begun in the future.", field="triggered_at")
    covered = holds.scope(
        row, scope, accounts=accounts, source=source, start=window_start, end=window_end, exhibit=exhibit
    )
    hold = Hold(
        case=row,
        number=(row.holds.aggregate(last=Max("number"))["last"] or 0) + 1,
        matter=base.clean(matter, field="matter", label="The matter", limit=200),
        trigger=base.clean(trigger, field="trigger", label="The trigger", limit=4000),
        triggered_at=triggered_at,
        scope=scope,
        query=covered.query,
        count=covered.count,
        source=covered.source,
        window_start=covered.start,
        window_end=covered.end,
        exhibit=covered.exhibit,
        placed_by=actor,
    )
    due = _due(days)
    named = [_custodian(hold, keeper, actor, due) for keeper in _distinct(keepers)]
    rows: list[AppendOnly] = [hold, *named]
    rows += _events(holds.exhibits(hold), CustodyAction.HOLD_PLACED, actor, hold)
    data = {"ref": row.ref, "number": hold.number, "scope": HoldScope(scope).label, "count": hold.count}
    log.record(actor=actor.principal, action="hold.placed", about=hold, scope=row.id, data=data, rows=rows)
    _tell(hold, named)
    _touch(row)
    return hold


@transaction.atomic
def add_custodian(hold: Hold, *, actor: User, keeper: Keeper, days: int = DAYS_TO_ACKNOWLEDGE) -> HoldCustodian:
    """Name one custodian more. Raises Conflict for one who is named already.

    Side effects: the row; one log entry; a notice to the custodian who signs in here.
    """
    base.require(actor, "cases.read", "holds.write")
    row = _standing(hold)
    same = row.custodians.filter(person=keeper.person, name=str(keeper.person or keeper.name).strip())
    if same.exists():
        raise Conflict(f"{keeper.person or keeper.name} keeps {row.name} already.")
    custodian = _custodian(row, keeper, actor, _due(days))
    _record(row, actor, action="hold.custodian_added", rows=[custodian])
    _tell(row, [custodian])
    return custodian


@transaction.atomic
def acknowledge(custodian: HoldCustodian, *, actor: User, note: str = "") -> HoldAcknowledgement:
    """Say, as the custodian, that the hold is understood.

    Side effects: the row; one log entry; the notice that asked for it is settled.
    """
    base.require(actor, "cases.read")
    row = _standing(custodian.hold)
    if custodian.person_id != actor.pk:
        raise Refused("A custodian acknowledges in person; for somebody else, record their document.")
    _not_yet(custodian)
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    made = HoldAcknowledgement(custodian=custodian, note=note, by=actor)
    _record(row, actor, action="hold.acknowledged", rows=[made])
    notices.settle(row.case, [_key(custodian)])
    return made


@transaction.atomic
def acknowledge_on_behalf(
    custodian: HoldCustodian, *, actor: User, exhibit: int, note: str = ""
) -> HoldAcknowledgement:
    """Record a custodian's acknowledgement from a document, which is an exhibit of the case.

    Side effects: the row; one log entry; the notice that asked for it is settled. Raises Refused for an exhibit the
    case does not have.
    """
    base.require(actor, "cases.read", "holds.write")
    row = _standing(custodian.hold)
    _not_yet(custodian)
    document = EvidenceItem.objects.filter(case=row.case_id, number=exhibit).first()
    if document is None:
        raise Refused(f"The case has no exhibit {exhibit}: add the document first.", field="exhibit")
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    made = HoldAcknowledgement(custodian=custodian, on_behalf=True, document=document, note=note, by=actor)
    _record(row, actor, action="hold.acknowledged_for", rows=[made], exhibit=exhibit)
    notices.settle(row.case, [_key(custodian)])
    return made


@transaction.atomic
def remind(custodian: HoldCustodian, *, actor: User, note: str) -> HoldReminder:
    """Write down that a custodian was reminded, and how. Side effects: the row; one log entry."""
    base.require(actor, "cases.read", "holds.write")
    row = _standing(custodian.hold)
    _not_yet(custodian)
    note = base.clean(note, field="note", label="How they were reminded", limit=300)
    made = HoldReminder(custodian=custodian, note=note, by=actor)
    _record(row, actor, action="hold.reminded", rows=[made])
    return made


@transaction.atomic
def ask_release(hold: Hold, *, actor: User, reason: str) -> HoldReleaseAsk:
    """Ask that a hold be released; a second person has to do it. Side effects: the row; one log entry."""
    base.require(actor, "cases.read", "holds.write")
    row = _standing(hold)
    earlier = row.release_asks.filter(asker=actor).first()
    if earlier is not None:
        raise Conflict(f"You asked for this on {earlier.at:%d %b %Y, %H:%M} UTC: somebody else has to release it.")
    reason = base.clean(reason, field="reason", label="The reason", limit=4000)
    ask = HoldReleaseAsk(hold=row, asker=actor, reason=reason)
    _record(row, actor, action="hold.release_asked", rows=[ask])
    return ask


@transaction.atomic
def release_hold(hold: Hold, *, actor: User, ask: UUID, note: str = "") -> HoldRelease:
    """Release a hold that somebody else asked to release. The database refuses the asker too.

    Side effects: the row; a hold_released custody event on each exhibit in scope; one log entry; notices that ask for
    an acknowledgement are settled.
    """
    base.require(actor, "cases.read", "holds.write")
    row = _standing(hold)
    asked = row.release_asks.select_related("asker").filter(pk=ask).first()
    if asked is None:
        raise Refused("Nobody asked for that: a release is asked for first.", field="ask")
    if asked.asker_id == actor.pk:
        raise Refused("Who asks for a release cannot make it: a second person has to.")
    note = base.clean(note, field="note", label="The note", limit=500, required=False)
    release = HoldRelease(hold=row, ask=asked, asker=asked.asker, releaser=actor, note=note)
    events = _events(holds.exhibits(row), CustodyAction.HOLD_RELEASED, actor, row)
    _record(row, actor, action="hold.released", rows=[release, *events], asker=asked.asker.username)
    notices.settle(row.case, map(_key, row.custodians.all()))
    return release


def _standing(hold: Hold) -> Hold:
    """The hold with its case locked. Raises Conflict when it was released."""
    Case.objects.select_for_update(no_key=True).get(pk=hold.case_id)
    row = Hold.objects.select_related("case", "exhibit").get(pk=hold.pk)
    release = HoldRelease.objects.filter(hold=row).select_related("entry").first()
    if release is not None:
        raise lost(f"{row.name} of {row.case.ref} was released", release.entry)
    return row


def _distinct(keepers: Sequence[Keeper]) -> Iterable[Keeper]:
    if len(keepers) > MOST_CUSTODIANS:
        raise Refused(f"A hold names at most {MOST_CUSTODIANS} custodians at once.", field="keepers")
    return dict.fromkeys(keepers)


def _custodian(hold: Hold, keeper: Keeper, actor: User, due: datetime) -> HoldCustodian:
    person = keeper.person
    if person is not None and not visible_cases(person).filter(pk=hold.case_id).exists():
        raise Refused(
            f"{person} cannot read {hold.case.ref}, so cannot acknowledge here: name them as somebody outside.",
            field="keepers",
        )
    name = str(person) if person else keeper.name
    return HoldCustodian(
        hold=hold,
        person=person,
        name=base.clean(name, field="keepers", label="The custodian's name", limit=200),
        contact=base.clean(keeper.contact, field="contact", label="The contact", limit=300, required=False),
        due_at=due,
        added_by=actor,
    )


def _tell(hold: Hold, custodians: Iterable[HoldCustodian]) -> None:
    for one in custodians:
        if one.person is not None:
            text = f"You are to keep what {hold.name} covers. Please acknowledge it by {one.due_at:%d %b %Y}."
            notices.give(hold.case, [one.person], kind=Kind.HOLD, key=_key(one), text=text)


def _key(custodian: HoldCustodian) -> str:
    return f"hold:{custodian.pk}"


def _due(days: int) -> datetime:
    if not 1 <= days <= 365:
        raise Refused("An acknowledgement is due within 1 to 365 days.", field="days")
    return timezone.now() + timedelta(days=days)


def _not_yet(custodian: HoldCustodian) -> None:
    made = HoldAcknowledgement.objects.filter(custodian=custodian).select_related("entry").first()
    if made is not None:
        raise lost(f"{custodian.name} has acknowledged", made.entry)


def _events(exhibits: Iterable[EvidenceItem], action: CustodyAction, actor: User, hold: Hold) -> list[CustodyEvent]:
    why, how = f"{hold.name}: {hold.matter}", HOW[action]
    return [custody.note(item, action=action, actor=actor, why=why, how=how) for item in exhibits]


def _record(hold: Hold, actor: User, *, action: str, rows: list[Any], **details: object) -> None:
    data = {"ref": hold.case.ref, "number": hold.number, **details}
    log.record(actor=actor.principal, action=action, about=hold, scope=hold.case_id, data=data, rows=rows)
    _touch(hold.case)


def _touch(case: Case) -> None:
    """Move an open case up its list; a closed one stays as old as it is, which retention counts by."""
    if case.status != CaseStatus.CLOSED:
        base.touch(case)
