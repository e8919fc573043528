"""Custody: the one place where an event of an exhibit is put into words, for every verb that touches one."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from cases.models import CustodyEvent, EvidenceItem
from cases.vocabulary import CustodyAction
from people.models import User

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
    """Who acts, as a custody event has it: `Ana Lyst (analyst)`, or the principal of a program."""
    if isinstance(actor, str):
        return actor
    return f"{actor} ({actor.username})" if actor.display_name else actor.username
