"""Verbs on who may know of a case: restrict it, open it up, add and remove members, break the glass.

A membership row is what both walls ask; each change of one is a protected row with its reason. The log entry and the
notices are written while the actor still may know of the case, the row that takes that away last.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from cases import access, notices
from cases.actions import base
from cases.models import Case, CaseMember, MembershipChange
from cases.models.access import ChangeKind, MemberVia
from cases.notice_kinds import Kind
from people.models import User
from people.rights import may
from spine import log
from spine.canonical import timestamp
from spine.errors import Refused
from spine.models import LogEntry
from spine.principal import acting_as

REASON_LIMIT = 1000


@transaction.atomic
def restrict_case(case: Case, *, actor: User, reason: str, people: Iterable[User] = ()) -> Case:
    """Let only members know of the case: the actor, whom it is assigned to, and `people`.

    Side effects: the members and a protected row for each; the case is restricted; one log entry. Raises Conflict when
    it is restricted already, Refused for somebody who may not read cases.
    """
    base.require(actor, "cases.write")
    reason = _reason(reason)
    row = _locked(case)
    if row.restricted:
        raise base.lost(f"{row.ref} is restricted already", base.last_act(row, "case.restricted"))
    chosen = {person.pk: person for person in (actor, row.assignee, *people) if person is not None}
    members = sorted(chosen.values(), key=lambda person: person.username)
    for person in members:
        _check_reader(person)
    CaseMember.objects.filter(case=row).delete()  # left from nothing: an open case has no members
    CaseMember.objects.bulk_create([CaseMember(case=row, person=person) for person in members])
    changes = [_change(row, person, ChangeKind.ADDED, reason, actor) for person in members]
    row.restricted, row.updated_at = True, timezone.now()
    row.save(update_fields=["restricted", "updated_at"])
    data = {"ref": row.ref, "members": ", ".join(person.username for person in members), "reason_given": reason}
    log.record(actor=actor.principal, action="case.restricted", about=row, scope=row.id, data=data, rows=changes)
    return row


@transaction.atomic
def open_case_up(case: Case, *, actor: User, reason: str) -> Case:
    """Let everybody who may read cases know of it again.

    Side effects: every membership ends, with a protected row for each; one log entry. Raises Conflict when it is not
    restricted any more.
    """
    base.require(actor, "cases.write")
    reason = _reason(reason)
    row = _locked(case)
    if not row.restricted:
        raise base.lost(f"{row.ref} is not restricted", base.last_act(row, "case.opened_up"))
    _check_belongs(row, actor)
    members = CaseMember.objects.filter(case=row).select_related("person").order_by("person__username")
    changes = [_change(row, member.person, ChangeKind.REMOVED, reason, actor) for member in members]
    row.restricted, row.updated_at = False, timezone.now()
    row.save(update_fields=["restricted", "updated_at"])
    data = {"ref": row.ref, "reason_given": reason}
    log.record(actor=actor.principal, action="case.opened_up", about=row, scope=row.id, data=data, rows=changes)
    members.delete()
    return row


@transaction.atomic
def add_member(case: Case, *, actor: User, person: User, reason: str) -> CaseMember:
    """Let one person more know of a restricted case.

    Side effects: the membership and its protected row; a notice to the person; one log entry. Raises Conflict when they
    are a member already; who broke the glass and is added stays without an end.
    """
    base.require(actor, "cases.write")
    reason = _reason(reason)
    row = _restricted(case)
    _check_belongs(row, actor)
    _check_reader(person)
    standing = _standing(row).filter(person=person, via=MemberVia.INVITED).first()
    if standing is not None:
        raise base.lost(f"{person.username} is a member of {row.ref} already", _last_change(row, person))
    invited = {"via": MemberVia.INVITED, "since": timezone.now(), "until": None}
    member, _ = CaseMember.objects.update_or_create(case=row, person=person, defaults=invited)
    data = {"ref": row.ref, "person": person.username, "reason_given": reason}
    change = _change(row, person, ChangeKind.ADDED, reason, actor)
    log.record(actor=actor.principal, action="member.added", about=row, scope=row.id, data=data, rows=[change])
    notices.give(
        row,
        [person],
        kind=Kind.MEMBER,
        key=f"added:{change.pk}",
        text=f"{actor.username} added you to {row.ref}: {reason}",
    )
    return member


@transaction.atomic
def remove_member(case: Case, *, actor: User, person: User, reason: str) -> None:
    """End a membership, one's own too.

    Side effects: the membership ends, with its protected row; notices about the case to that person are gone; one log
    entry. Raises Refused for the last member who may write, Conflict when they are no member any more.
    """
    base.require(actor, "cases.write")
    reason = _reason(reason)
    row = _restricted(case)
    if person != actor:
        _check_belongs(row, actor)
    if not _standing(row).filter(person=person).exists():
        raise base.lost(f"{person.username} is no member of {row.ref}", _last_change(row, person))
    others = _standing(row).exclude(person=person).filter(person__is_active=True, via=MemberVia.INVITED)
    if not any(may(member.person, "cases.write") for member in others.select_related("person")):
        raise Refused(f"{person.username} is the last member who may work on {row.ref}: add somebody first.")
    if row.assignee_id == person.pk:
        raise Refused(f"{row.ref} is assigned to {person.username}: give it to another member first.")
    data = {"ref": row.ref, "person": person.username, "reason_given": reason}
    change = _change(row, person, ChangeKind.REMOVED, reason, actor)
    log.record(actor=actor.principal, action="member.removed", about=row, scope=row.id, data=data, rows=[change])
    notices.forget(row, person)
    CaseMember.objects.filter(case=row, person=person).delete()


@transaction.atomic
def break_glass(ref: str, *, actor: User, reason: str) -> Case:
    """Read a restricted case without being a member, for some hours (`RETORT_BREAK_GLASS_HOURS`).

    Side effects: a membership with an end, and its protected row; a notice to every member; one log entry. Raises
    Refused for a reference that is none, for a case one may read anyway, and while an earlier breaking lasts.
    """
    base.require(actor, "cases.break_glass")
    reason = _reason(reason)
    with acting_as("system:access"):  # the actor may not know of the case yet
        case = Case.objects.select_for_update(no_key=True).filter(ref=ref).first()
        if case is None:
            raise Refused("There is no such case.", field="ref")
        if access.may_know(actor, case):
            raise Refused("You may read this case already.", field="ref")
        until = timezone.now() + timedelta(hours=settings.BREAK_GLASS_HOURS)
        broken = {"via": MemberVia.BREAK_GLASS, "since": timezone.now(), "until": until}
        CaseMember.objects.update_or_create(case=case, person=actor, defaults=broken)
        change = _change(case, actor, ChangeKind.BROKE_GLASS, reason, actor, until)
        data = {"ref": case.ref, "until": timestamp(until), "reason_given": reason}
        log.record(
            actor=actor.principal, action="member.broke_glass", about=case, scope=case.id, data=data, rows=[change]
        )
        text = f"{actor.username} broke the glass of {case.ref} until {until:%d %b %Y %H:%M} UTC: {reason}"
        told = [member.person for member in _standing(case).exclude(person=actor).select_related("person")]
        notices.give(case, told, kind=Kind.MEMBER, key=f"glass:{change.pk}", text=text)
    return case


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(no_key=True).get(pk=case.pk)


def _restricted(case: Case) -> Case:
    row = _locked(case)
    if not row.restricted:
        raise base.lost(f"{row.ref} is not restricted: everybody who may read cases reads it", None)
    return row


def _standing(case: Case) -> QuerySet[CaseMember]:
    return CaseMember.objects.filter(Q(until=None) | Q(until__gt=timezone.now()), case=case)


def _check_belongs(row: Case, actor: User) -> None:
    """Who broke the glass reads for some hours, and decides nothing about who reads."""
    if not _standing(row).filter(person=actor, via=MemberVia.INVITED).exists():
        raise Refused(f"Who reads {row.ref} is decided by its members, not by who broke the glass.")


def _check_reader(person: User) -> None:
    if not (person.is_active and may(person, "cases.read")):
        raise Refused(f"{person.username} may not read cases.", field="person")


def _change(
    case: Case, person: User, kind: ChangeKind, reason: str, by: User, until: datetime | None = None
) -> MembershipChange:
    return MembershipChange(case=case, person=person, kind=kind, reason=reason, by=by, until=until, at=timezone.now())


def _last_change(case: Case, person: User) -> LogEntry | None:
    return base.last_act(case, "member.added", "member.removed", data__person=person.username)


def _reason(text: str) -> str:
    return base.clean(text, field="reason", label="The reason", limit=REASON_LIMIT)
