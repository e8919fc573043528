"""Custody: the one place where an event of an exhibit is put into words, for every verb that touches one."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from cases.actions import base
from cases.models import Case, CustodyEvent, EvidenceItem
from cases.vocabulary import CustodyAction
from people.models import User
from spine import log
from spine.errors import Conflict, Refused

CLOCKS_APART = timedelta(minutes=5)
SERVER_CLOCK = "server clock, UTC"
STATED = "as stated by who recorded it"
TOOL = "Retort"


def note(
    item: EvidenceItem,
    *,
    action: CustodyAction | str,
    actor: User | str,
    why: str,
    how: str = "recorded by Retort",
    where: str = "Retort vault",
    at: datetime | None = None,
    clock: str = "",
    who: str = "",
    party: str | None = None,
    answers: CustodyEvent | None = None,
    tool: str | None = TOOL,
    tool_version: str | None = None,
    sha256: str = "",
) -> CustodyEvent:
    """An unsaved custody event, to be put among the `rows` of the `spine.log.record` call that tells of the act.

    `actor` is the person who acts, or a principal such as `system:vault`; `who` overrides the name that is written when
    somebody records what another one did. `at` is a time somebody stated; without it the server's clock is named.
    `why` is the authority or purpose, `how` the method. `party`: to whom or from whom. `sha256`: the digest that was
    seen, by default the exhibit's own. Raises ValueError for an action that the vocabulary does not have.
    """
    person = actor if isinstance(actor, User) else None
    return CustodyEvent(
        item=item,
        action=CustodyAction(action),
        who=(who or named(actor))[:200],
        at=at or timezone.now(),
        clock=clock or (STATED if at else SERVER_CLOCK),
        where_at=where[:200],
        why=why[:300],
        how=how[:300],
        sha256=sha256 or item.sha256,
        size=item.size,
        party=party[:200] if party else None,
        tool=tool,
        tool_version=(tool_version or settings.VERSION) if tool == TOOL else tool_version,
        recorded_by=person,
        answers=answers,
    )


def named(actor: User | str) -> str:
    """Who acts, as a custody event has it: `Ana Lyst (analyst)`, or the principal of a program.

    A person may come as a principal too, from a job: `user:analyst` is told like that person.
    """
    if isinstance(actor, str):
        person = User.objects.filter(username=base.name_of(actor)).first() if actor.startswith("user:") else None
        return named(person) if person else actor
    return f"{actor} ({actor.username})" if actor.display_name else actor.username


# What a person may record; the other events are written by what the product does.
MANUAL = (
    CustodyAction.REQUESTED,
    CustodyAction.PRESERVED,
    CustodyAction.RECEIVED,
    CustodyAction.VIEWED,
    CustodyAction.COPIED,
    CustodyAction.ANALYSED,
    CustodyAction.EXPORTED,
    CustodyAction.TRANSFERRED,
    CustodyAction.RETURNED,
    CustodyAction.DESTROYED,
)
NEEDS_PARTY = (CustodyAction.REQUESTED, CustodyAction.TRANSFERRED, CustodyAction.RETURNED)


@transaction.atomic
def record_custody(
    item: EvidenceItem,
    *,
    actor: User,
    action: str,
    at: datetime,
    where: str,
    why: str,
    how: str,
    who: str = "",
    party: str = "",
    answers: UUID | None = None,
    tool: str = "",
    tool_version: str = "",
    sha256: str = "",
) -> CustodyEvent:
    """Record what somebody did with an exhibit outside Retort, as stated: a transfer, its acknowledgement, a return.

    `who` did it, by default who records it; `party` is to whom or from whom; `answers` is the transfer that a receipt
    acknowledges, once; `sha256` is the digest the bytes had there, by default the exhibit's (another becomes a named
    gap). Side effects: the event; one log entry. Also for closed cases. Raises Refused, Conflict when
    the transfer was acknowledged already.
    """
    base.require(actor, "cases.write")
    base.one_of(action, [one.value for one in MANUAL], field="action", label="The event")
    event = CustodyAction(action)
    said = {
        "where": base.clean(where, field="where", label="The place", limit=200),
        "why": base.clean(why, field="why", label="The authority or purpose", limit=300),
        "how": base.clean(how, field="how", label="The method", limit=300),
        "who": base.clean(who, field="who", label="Who did it", limit=200, required=False),
        "party": base.clean(party, field="party", label="To or from whom", limit=200, required=event in NEEDS_PARTY),
    }
    tool = base.clean(tool, field="tool", label="The tool", limit=100, required=False)
    tool_version = base.clean(tool_version, field="tool_version", label="Its version", limit=100, required=False)
    if sha256 and (len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef")):
        raise Refused("A SHA-256 is 64 lower-case hexadecimal digits.", field="sha256")
    if at.tzinfo is None:
        raise Refused("The time needs a time zone.", field="at")
    if at > timezone.now() + CLOCKS_APART:
        raise Refused("The time lies in the future.", field="at")
    Case.objects.select_for_update(no_key=True).get(pk=item.case_id)
    made = note(
        item,
        action=event,
        actor=actor,
        at=at,
        tool=tool or None,
        tool_version=tool_version or None,
        sha256=sha256,
        answers=_transfer(item, event, answers),
        **said,
    )
    data = {"ref": item.case.ref, "number": item.number, "event": event.value}
    log.record(actor=actor.principal, action="custody.recorded", about=item, scope=item.case_id, data=data, rows=[made])
    return made


def _transfer(item: EvidenceItem, event: CustodyAction, answers: UUID | None) -> CustodyEvent | None:
    if answers is None:
        return None
    if event is not CustodyAction.RECEIVED:
        raise Refused("Only a receipt acknowledges a transfer.", field="answers")
    found = item.custody.filter(pk=answers, action=CustodyAction.TRANSFERRED).first()
    if found is None:
        raise Refused("That is no transfer of this exhibit.", field="answers")
    standing = CustodyEvent.objects.filter(answers=found).first()
    if standing is not None:
        raise Conflict(
            f"That transfer was acknowledged already, by {standing.who} on {standing.at:%d %b %Y %H:%M} UTC."
        )
    return found
