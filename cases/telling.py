"""Who is told what: from acts of the log to notices, in one visible table, and from the clocks that are looked at."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from cases import access, notices, preservation
from cases.models import Case, CaseMember, Lead, RecallFlag
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.notice_kinds import KINDS, Kind
from detection.models import VersionReinstated
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


def _lead_snoozed(entry: LogEntry, _: Case | None) -> None:
    """To whom the lead is assigned."""
    lead = _lead(entry)
    until = datetime.fromisoformat(entry.data["until"])
    text = f"{_who(entry)} snoozed a lead that was given to you, until {until:%d %B %Y}."
    _of_lead(entry, lead, [lead.assignee] if lead.assignee else [], text)


def _lead_woken(entry: LogEntry, _: Case | None) -> None:
    """To whom the lead is assigned, and to who snoozed it."""
    lead = _lead(entry)
    last = lead.snoozes.select_related("by").order_by("at", "id").last()
    mine = {one for one in (lead.assignee, last.by if last else None) if one is not None}
    _of_lead(entry, lead, mine, "A snoozed lead of yours waits again.")


def _lead(entry: LogEntry) -> Lead:
    return Lead.objects.select_related("assignee").get(pk=entry.about.removeprefix(access.LEAD_ENTRIES))


def _of_lead(entry: LogEntry, lead: Lead, people: Iterable[User], text: str) -> None:
    """A notice of no case names nothing of the lead: what it goes into later may be restricted."""
    known = [one for one in _others(people, entry) if access.visible_leads(one).filter(pk=lead.pk).exists()]
    notices.give(None, known, kind=Kind.SNOOZED, key=f"snoozed:{entry.pk}", text=text)


def _mine(case: Case) -> QuerySet[User]:
    """To whom it is assigned, and its members while it has any."""
    staying = CaseMember.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), case=case)
    return access.readers_of(case).filter(Q(pk=case.assignee_id) | Q(pk__in=staying.values("person")))


def _moved(entry: LogEntry, case: Case) -> None:
    text = f"{_who(entry)} moved {case.ref} from {entry.data['old']} to {entry.data['new']}."
    notices.give(case, _others(_mine(case), entry), kind=Kind.MOVED, key=f"moved:{entry.pk}", text=text)


def _detached(entry: LogEntry, case: Case) -> None:
    text = f"{_who(entry)} took {entry.data['what']} out of {case.ref}: {entry.data['accounts']:,} accounts left."
    notices.give(case, _others(_mine(case), entry), kind=Kind.MOVED, key=f"detached:{entry.pk}", text=text)


def _attached_again(entry: LogEntry, case: Case) -> None:
    text = f"{_who(entry)} put {entry.data['what']} back into {case.ref}."
    notices.give(case, _others(_mine(case), entry), kind=Kind.MOVED, key=f"detached:{entry.pk}", text=text)


def _reinstated(entry: LogEntry, _: Case | None) -> None:
    """To whom the cases are assigned that were flagged; what they were told of the recall is settled."""
    back = VersionReinstated.objects.select_related("recall__detector_version__detector").get(entry=entry)
    version = back.recall.detector_version
    for flag in RecallFlag.objects.filter(recall=back.recall).select_related("case__assignee"):
        notices.settle(flag.case, [f"recall:{flag.pk}"])
        to = [flag.case.assignee] if flag.case.assignee else []
        text = f"{version.detector.name} {version.version}, on which {flag.case.ref} rests, may be relied on again."
        notices.give(flag.case, to, kind=Kind.RECALL, key=f"recall-over:{flag.pk}", text=text)


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
    "case.detached": _detached,
    "case.attached_again": _attached_again,
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
# Acts of no case.
TELL_APART: dict[str, Callable[[LogEntry, Case | None], None]] = {
    "lead.assigned": _lead_assigned,
    "lead.snoozed": _lead_snoozed,
    "lead.woken": _lead_woken,
    "version.reinstated": _reinstated,
}
FOLLOWED = frozenset({*TELL, *TELL_APART})


def on_entry(entry: LogEntry) -> None:
    """Give the notices that an act leads to; done again, it adds nothing."""
    if entry.action in TELL_APART:
        TELL_APART[entry.action](entry, None)
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
