"""Notices by mail: at once, or in a digest once a day. Rights and wishes are asked again at the moment of sending.

A mail never carries a notice's text. Of an open case it names the reference, of a restricted one nothing: who is told
reads the rest after signing in. The product is where notices are; a mail that is lost loses nothing.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone

from cases import notices
from cases.models import Digest, Notice, NoticeSettings
from cases.notice_kinds import KINDS, Mailing, Way
from people.mail import address_of, message_id
from people.models import MailAddress, User
from spine import conditions, jobs, mail
from spine.jobs import Running
from spine.models import Condition
from spine.principal import acting_as

CONDITION = "mail"
MOST_LINES = 50
PAUSE = timedelta(minutes=5)
GIVES_UP = timedelta(days=1)
PATIENCE = timedelta(hours=1)


def address(name: str, *args: Any) -> str:
    """A page of ours as a whole address."""
    return f"{settings.PUBLIC_URL}{reverse(name, args=args)}"


def may_be_named(notice: Notice) -> bool:
    """Whether a mail may carry the reference: the case is open to all who read cases."""
    return notice.case is not None and not notice.case.restricted


def line_of(notice: Notice) -> str:
    """What a mail says of a notice."""
    where = f"{notice.case.ref}: " if notice.case is not None and may_be_named(notice) else ""
    return f"{where}{KINDS[notice.kind].sentence}"


def letter(notice: Notice) -> tuple[str, str]:
    """Subject and body of a notice that is mailed at once."""
    if notice.case is not None and may_be_named(notice):
        subject, link = f"Retort: {notice.case.ref}", address("case", notice.case.ref)
    else:
        subject, link = "Retort: a notice", address("notices")
    return subject, f"{line_of(notice)}\n\nRead it: {link}\n{_foot()}"


def digest_letter(rows: Sequence[Notice]) -> tuple[str, str]:
    """Subject and body of a digest."""
    named = [one for one in rows if one.case is None or may_be_named(one)][:MOST_LINES]
    lines = [f"- {line_of(one)} ({one.at:%-d %b %H:%M} UTC)" for one in named]
    more = len(rows) - len(named)
    if more:
        lines.append(f"- {more} more, to be read after signing in.")
    body = "\n".join(lines)
    return "Retort: your daily notices", f"{body}\n\nRead them: {address('notices')}\n{_foot()}"


def _foot() -> str:
    return f"What is sent to you, and how: {address('notice_settings')}\n"


def _still_wanted(given: QuerySet[Notice], person: User, way: Way) -> list[Notice]:
    """Of these notices, what the person has not seen, may know of and wants in this way now."""
    found = notices.unseen(person).filter(pk__in=given.values("pk")).order_by("at", "id")
    ways = notices.settings_of(person).ways
    return [one for one in found if ways[one.kind] == way]


@acting_as(notices.KEEPER)
def send_one(job: Running) -> dict[str, Any]:
    """Job `notice.mail`: mail a notice, if its recipient still may know of it, wants it so and has not seen it.

    Side effects: the mail; it is not to be mailed any more. A mail server that fails is asked again later.
    """
    due = Notice.objects.filter(pk=job.args["notice"], mail=Mailing.AT_ONCE)
    notice = due.select_related("recipient").first()
    if notice is None:
        return {"sent": 0}
    person = notice.recipient
    to, wanted = address_of(person), _still_wanted(due, person, Way.AT_ONCE)
    if not to or not wanted:
        due.update(mail=Mailing.NONE)
        return {"sent": 0}
    due.update(mail_after=timezone.now() + PAUSE)  # first: who dies here is not asked again at once
    subject, body = letter(wanted[0])
    try:
        _send(to, subject, body, f"notice-{notice.pk}")
    except mail.NotSent as failed:
        over = timezone.now() - notice.at > GIVES_UP
        due.update(mail=Mailing.NONE if over else Mailing.AT_ONCE)
        return {"sent": 0, "error": str(failed)}
    due.update(mail=Mailing.NONE)
    conditions.settle(CONDITION)
    return {"sent": 1}


@acting_as(notices.KEEPER)
def send_digest(job: Running) -> dict[str, Any]:
    """Job `notice.digest`: the digest of a day to a person, once; nothing when there is nothing to say.

    The day's row is written before the mail leaves: a worker that ends in between sends no second one, and what it was
    to say is in the next. Side effects: the row; the mail; its notices are not to be mailed any more.
    """
    person, day = User.objects.get(pk=job.args["person"]), date.fromisoformat(job.args["day"])
    waiting = Notice.objects.filter(recipient=person, mail=Mailing.DIGEST).values_list("pk", flat=True)
    due = Notice.objects.filter(pk__in=list(waiting))
    to, rows = address_of(person), _still_wanted(due, person, Way.DIGEST)
    if not to or not rows:
        due.update(mail=Mailing.NONE)
        return {"sent": 0}
    if not _claimed(person, day, len(rows)):
        return {"sent": 0}
    subject, body = digest_letter(rows)
    of_day = Digest.objects.filter(person=person, day=day)
    try:
        _send(to, subject, body, f"digest-{person.pk}-{day}")
    except mail.NotSent as failed:
        of_day.update(state=Digest.State.FAILED)
        return {"sent": 0, "error": str(failed)}
    with transaction.atomic():
        of_day.update(state=Digest.State.SENT)
        due.update(mail=Mailing.NONE)
        conditions.settle(CONDITION)
    return {"sent": len(rows)}


@transaction.atomic
def _claimed(person: User, day: date, count: int) -> bool:
    """Whether this is the one that sends the day's digest."""
    User.objects.select_for_update().get(pk=person.pk)
    row = Digest.objects.filter(person=person, day=day).first()
    if row is None:
        Digest.objects.create(person=person, day=day, count=count)
        return True
    again = Digest.objects.filter(pk=row.pk, state=Digest.State.FAILED)
    return bool(again.update(state=Digest.State.BEGUN, at=timezone.now(), count=count))


def _send(to: str, subject: str, body: str, name: str) -> None:
    try:
        mail.send(
            to=to, subject=subject, body=body, message_id=message_id(name), unsubscribe=address("notice_settings")
        )
    except mail.NotSent as failed:
        standing = Condition.objects.filter(name=CONDITION).exists()
        if standing or Notice.objects.filter(mail=Mailing.AT_ONCE, at__lt=timezone.now() - PATIENCE).exists():
            conditions.tell(CONDITION, f"Notices cannot be mailed: {failed}.")
        raise


@acting_as(notices.KEEPER)
def send_due(now: datetime | None = None) -> int:
    """Ask for the mails that are due: notices at once, and the digests of this hour; returns how many."""
    now = now or timezone.now()
    waiting = Notice.objects.filter(mail=Mailing.AT_ONCE, mail_after__lte=now).order_by("mail_after")[:500]
    asked = 0
    for notice in waiting:
        with transaction.atomic():
            notices.ask_to_mail(notice)
        asked += 1
    return asked + _ask_for_digests(now)


def _ask_for_digests(now: datetime) -> int:
    hours = dict(NoticeSettings.objects.values_list("person_id", "digest_hour"))
    waiting = Notice.objects.filter(recipient=OuterRef("user"), mail=Mailing.DIGEST, seen_at=None)
    told = Digest.objects.filter(person=OuterRef("user"), day=now.date()).exclude(state=Digest.State.FAILED)
    people = MailAddress.objects.exclude(confirmed_at=None).filter(Exists(waiting), ~Exists(told), user__is_active=True)
    due = [pk for pk in people.values_list("user_id", flat=True) if now.hour >= hours.get(pk, 7)]
    for pk in due:
        with transaction.atomic():
            args = {"person": str(pk), "day": now.date().isoformat()}
            jobs.enqueue("notice.digest", actor=notices.KEEPER, key=f"{pk}:{now.date()}", args=args)
    return len(due)
