"""Notices to people about cases they may know of: given once, there until seen, gone with the right to know."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from cases import access
from cases.models import Case, Notice
from people.models import User
from spine.ids import new_id


def give(case: Case, people: Iterable[User], *, key: str, text: str) -> None:
    """Tell these people something about the case, in the caller's transaction. The same key again adds nothing."""
    rows = [Notice(id=new_id(), case=case, recipient=person, key=key, text=text[:1500]) for person in people]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)


def settle(case: Case, keys: Iterable[str]) -> None:
    """Mark notices with these keys as seen: what they ask for was done, or is asked no more."""
    Notice.objects.filter(case=case, key__in=list(keys), seen_at=None).update(seen_at=timezone.now())


def forget(case: Case, person: User) -> None:
    """Take back what a person who may no longer know of the case was told about it."""
    Notice.objects.filter(case=case, recipient=person).delete()


def unseen(person: User) -> QuerySet[Notice]:
    """What this person has not seen yet, newest first; nothing about a case they may not know of now."""
    mine = Notice.objects.filter(recipient=person, seen_at=None, case__in=access.visible_cases(person))
    return mine.select_related("case").order_by("-at", "-id")


def see(person: User, notice_id: UUID) -> bool:
    """Mark one as seen; False when there is no such notice any more. Again does no harm."""
    return bool(unseen(person).filter(pk=notice_id).update(seen_at=timezone.now()))
