"""Who is told what: from acts of the log to notices, in one visible table, and from the clocks that are looked at."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from cases import access, notices, preservation
from cases.models import Case, CaseMember, Lead
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.notice_kinds import KINDS, Kind
from people.models import Role, User
from people.rights import RIGHTS, may
from spine.models import Condition, LogEntry
from spine.principal import acting_as


def _named(username: str) -> list[User]:
    return list(User.objects.filter(username=username, is_active=True)) if username else []


def _others(people: Iterable[User], entry: LogEntry) -> list[User]:
    """These people without who did it."""
    return [person for person in people if person.principal != entry.actor]


def _who(entry: LogEntry) -> str:
    return entry.actor.partition(":")[2]


def _assigned(entry: LogEntry, case: Case) -> None:
    to = _others(_named(entry.data.get("new") or entry.data.get("assignee") or ""), entry)
    text = f"{_who(entry)} gave you {case.ref}."
    notices.give(case, to, kind=Kind.ASSIGNED, key=f"assigned:{entry.pk}", text=text)


def _lead_assigned(entry: LogEntry, _: Case | None) -> None:
    to = _others(_named(entry.data["new"]), entry)
    text = f"{_who(entry)} gave you a lead: it waits in the queue."
    notices.give(None, to, kind=Kind.ASSIGNED, key=f"assigned:{entry.pk}", text=text)


def _moved(entry: LogEntry, case: Case) -> None:
    """To whom it is assigned, and to its members while it has any."""
    staying = CaseMember.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), case=case)
    mine = access.readers_of(case).filter(Q(pk=case.assignee_id) | Q(pk__in=staying.values("person")))
    text = f"{_who(entry)} moved {case.ref} from {entry.data['old']} to {entry.data['new']}."
    notices.give(case, _others(mine, entry), kind=Kind.MOVED, key=f"moved:{entry.pk}", text=text)


def _asks(right: str, words: Callable[[LogEntry, Case], str]) -> Callable[[LogEntry, Case], None]:
    """A second person is asked for: everybody who reads the case and holds the right, but who asks."""

    def tell(entry: LogEntry, case: Case) -> None:
        able = [person for person in access.readers_of(case) if may(person, right)]
        key = f"review:{entry.about}:{entry.pk.hex}"
        text = f"{_who(entry)} {words(entry, case)}: a second person has to answer."
        notices.give(case, _others(able, entry), kind=Kind.REVIEW, key=key, text=text)

    return tell


def _answered(entry: LogEntry, case: Case) -> None:
    """Nobody is asked any more."""
    notices.settle_asks(case, entry.about)


def _version(entry: LogEntry, case: Case) -> str:
    return f"froze version {entry.data['number']} of the {entry.data['edition']} dossier of {case.ref}"


def _disclosure(entry: LogEntry, case: Case) -> str:
    return f"asked to disclose version {entry.data['number']} of a dossier of {case.ref}"


def _release(entry: LogEntry, case: Case) -> str:
    return f"asked to release hold {entry.data['number']} of {case.ref}"


def _redaction(entry: LogEntry, case: Case) -> str:
    return f"proposed to redact exhibit {entry.data['number']} of {case.ref}"


# What each act of a case leads to, and with it whom.
TELL: dict[str, Callable[[LogEntry, Case], None]] = {
    "case.opened": _assigned,
    "case.assigned": _assigned,
    "case.moved": _moved,
    "dossier.frozen": _asks("dossiers.approve", _version),
    "dossier.approved": _answered,
    "disclosure.asked": _asks("dossiers.approve", _disclosure),
    "disclosure.released": _answered,
    "hold.release_asked": _asks("holds.write", _release),
    "hold.released": _answered,
    "redaction.proposed": _asks("cases.write", _redaction),
    "redaction.approved": _answered,
    "redaction.declined": _answered,
}
FOLLOWED = frozenset({*TELL, "lead.assigned"})


def on_entry(entry: LogEntry) -> None:
    """Give the notices that an act leads to; done again, it adds nothing."""
    if entry.action == "lead.assigned":
        _lead_assigned(entry, None)
    tell = TELL.get(entry.action)
    case = Case.objects.filter(pk=entry.scope).first() if tell and entry.scope else None
    if tell is not None and case is not None:
        tell(entry, case)


def on_feed_stalled(payload: dict[str, Any]) -> None:
    """A feed's condition began: its keepers are told, once for as long as it lasts."""
    condition = Condition.objects.filter(name=f"feed:{payload['feed']}").first()
    if condition is not None:
        key = f"feed:{payload['feed']}:{condition.since.timestamp():.0f}"
        notices.give(None, _holders(Kind.STALLED), kind=Kind.STALLED, key=key, text=condition.text)


def _holders(kind: str) -> list[User]:
    """Everybody whose business a kind of no case is."""
    roles = [role for role in Role.values if KINDS[kind].right in RIGHTS[role] and KINDS[kind].role in {"", role}]
    return list(User.objects.filter(is_active=True, role__in=roles).order_by("username"))


@acting_as(notices.KEEPER)
def look_at_clocks() -> None:
    """Tell of evidence that expires in somebody's case, and case leads of leads that have waited for long."""
    _expiring()
    _waiting()


def _expiring() -> None:
    now = timezone.now()
    open_ones = Case.objects.exclude(status=CaseStatus.CLOSED).exclude(assignee=None).select_related("assignee")
    found = {case.pk: case for case in open_ones}
    for case_id, clocks in preservation.clocks_of(list(found.values()), now).items():
        line, case = preservation.headline(clocks, now), found[case_id]
        if line is not None and line.soon and line.next_loss is not None and case.assignee is not None:
            key = f"expiring:{case_id}:{line.next_loss:%Y-%m-%d}"
            text = f"In {case.ref}, {line.text}."
            notices.give(case, [case.assignee], kind=Kind.EXPIRING, key=key, text=text)


def _waiting() -> None:
    """One notice a day, with how many there are; a lead that waits is in no case, so nothing is told by the number."""
    now, hours = timezone.now(), settings.LEAD_WAITING_HOURS
    long_ago = now - timedelta(hours=hours)
    count = Lead.objects.filter(state=LeadState.WAITING, assignee=None, changed_at__lt=long_ago).count()
    if count:
        text = f"{count:,} lead{'s have' if count > 1 else ' has'} waited for more than {hours} hours for somebody."
        people = _holders(Kind.WAITING)
        notices.give(None, people, kind=Kind.WAITING, key=f"waiting:{now:%Y-%m-%d}", text=text)
