"""Notices to people about what they may know of: given once, there until seen, gone with the right to know."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from cases import access
from cases.models import Case, Notice, NoticeSettings
from cases.notice_kinds import BANNERS, KINDS, Kind, Mailing, Way, offered, ways_of
from people.models import MailAddress, User
from people.rights import may, rights_of
from spine import jobs, log
from spine.errors import Refused
from spine.ids import new_id

KEEPER = "system:notices"
MAILED: dict[str, Mailing] = {Way.AT_ONCE: Mailing.AT_ONCE, Way.DIGEST: Mailing.DIGEST}


def give(case: Case | None, people: Iterable[User], *, kind: str, key: str, text: str) -> None:
    """Tell these people something, in the caller's transaction, each as they want to be told of this kind.

    The same key again adds nothing. Side effects: the notices; a job for each that is mailed at once.
    """
    wanted = chosen(people, kind)
    mailed = set(
        MailAddress.objects.exclude(confirmed_at=None).filter(user__in=wanted).values_list("user_id", flat=True)
    )
    rows = [
        Notice(
            id=new_id(),
            case=case,
            recipient=person,
            kind=kind,
            key=key,
            text=text[:1500],
            mail=MAILED.get(way, Mailing.NONE) if person.pk in mailed else Mailing.NONE,
        )
        for person, way in wanted.items()
        if way != Way.OFF
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        if row.mail == Mailing.AT_ONCE:
            ask_to_mail(row)


def ask_to_mail(notice: Notice) -> None:
    """Put the mail of a notice in the queue; the job asks again whether it is still to be sent."""
    args = {"notice": str(notice.pk)}
    jobs.enqueue("notice.mail", actor=KEEPER, key=str(notice.pk), args=args, scope=notice.case_id)


def chosen(people: Iterable[User], kind: str) -> dict[User, str]:
    """How each of these people wants to be told of a kind."""
    known = {person.pk: person for person in people}
    ways = dict(NoticeSettings.objects.filter(person__in=known).values_list("person_id", "ways"))
    return {person: ways.get(pk, {}).get(kind, KINDS[kind].way) for pk, person in known.items()}


def settle(case: Case, keys: Iterable[str]) -> None:
    """Mark notices with these keys as seen: what they ask for was done, or is asked no more."""
    Notice.objects.filter(case=case, key__in=list(keys), seen_at=None).update(seen_at=timezone.now())


def settle_asks(case: Case, about: str) -> None:
    """The same for everybody who was asked to be the second person about something."""
    asked = Notice.objects.filter(case=case, kind=Kind.REVIEW, key__startswith=f"review:{about}:", seen_at=None)
    asked.update(seen_at=timezone.now())


def forget(case: Case, person: User) -> None:
    """Take back what a person who may no longer know of the case was told about it."""
    Notice.objects.filter(case=case, recipient=person).delete()


def of(person: User) -> QuerySet[Notice]:
    """What this person was told, newest first; nothing about a case, or of a kind, that is not their business now."""
    kinds = offered(person.role, [right for right in rights_of(person) if may(person, right)])
    known = Q(case=None) | Q(case__in=access.visible_cases(person))
    return Notice.objects.filter(known, recipient=person, kind__in=kinds).select_related("case").order_by("-at", "-id")


def unseen(person: User) -> QuerySet[Notice]:
    """What this person has not seen yet, newest first."""
    return of(person).filter(seen_at=None)


def see(person: User, notice_id: UUID) -> bool:
    """Mark one as seen; False when there is no such notice any more. Again does no harm."""
    return bool(unseen(person).filter(pk=notice_id).update(seen_at=timezone.now()))


def see_all(person: User) -> int:
    """Mark everything as seen that does not stand on every page; gives how many."""
    return unseen(person).exclude(kind__in=BANNERS).update(seen_at=timezone.now())


def settings_of(person: User) -> NoticeSettings:
    """What the person wants, the defaults filled in; not stored by this."""
    held = NoticeSettings.objects.filter(person=person).first() or NoticeSettings(person=person)
    kinds = offered(person.role, rights_of(person))
    held.ways = {kind: held.ways.get(kind, KINDS[kind].way.value) for kind in kinds}
    return held


@transaction.atomic
def choose(person: User, *, ways: Mapping[str, str], digest_hour: int | None = None) -> NoticeSettings:
    """Say how one wants to be told; kinds that are left out stay. Side effects: the settings; one log entry."""
    User.objects.select_for_update().get(pk=person.pk)
    held = settings_of(person)
    for kind, way in ways.items():
        if kind not in held.ways:
            raise Refused(f"There is nothing to choose for {kind!r}.", field="ways")
        if way not in ways_of(kind):
            accepted = ", ".join(ways_of(kind))
            raise Refused(f"{Kind(kind).label.capitalize()}: accepted are {accepted}.", field=kind)
    hour = held.digest_hour if digest_hour is None else digest_hour
    if not 0 <= hour <= 23:
        raise Refused("The hour of the digest is 0 to 23 (UTC).", field="digest_hour")
    kept = {**held.ways, **ways}
    row, _ = NoticeSettings.objects.update_or_create(person=person, defaults={"ways": kept, "digest_hour": hour})
    log.record(actor=person.principal, action="person.notices_chosen", about=person)
    return row
