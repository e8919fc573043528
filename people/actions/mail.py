"""Verbs on a person's mail address: set, confirmed by a mailed link, cleared. The log never says the address."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from people import mail
from people.models import MailAddress, User
from spine import jobs, log
from spine.errors import Conflict, Refused

PAUSE = timedelta(minutes=1)


@transaction.atomic
def set_mail_address(*, actor: User, address: str) -> MailAddress:
    """Say where one's own mail goes; it counts once the mailed link was opened. The same one again asks for a new link.

    Side effects: the address, unconfirmed; a job that mails the link; one log entry. Refused more than once a minute.
    """
    address = address.strip()
    if len(address) > 254 or not mail.ADDRESS.fullmatch(address):
        raise Refused("This is no mail address.", field="address")
    User.objects.select_for_update().get(pk=actor.pk)
    held = MailAddress.objects.filter(user=actor).first()
    if held is not None and held.confirmed_at is not None and held.address == address:
        raise Refused("This address is confirmed already.", field="address")
    if held is not None and timezone.now() - held.asked_at < PAUSE:
        raise Refused("A link was asked for within the last minute: wait a moment.", field="address")
    fresh = {"address": address, "asked_at": timezone.now(), "confirmed_at": None}
    row, _ = MailAddress.objects.update_or_create(user=actor, defaults=fresh)
    log.record(actor=actor.principal, action="person.mail_set", about=actor)
    key = f"{actor.pk}:{row.asked_at.timestamp()}"
    jobs.enqueue("mail.confirm", actor=actor.principal, key=key, args={"person": str(actor.pk)})
    return row


@transaction.atomic
def confirm_mail_address(*, actor: User, proof: str) -> MailAddress:
    """Say that the mailed link was opened. Side effects: the address counts; one log entry."""
    User.objects.select_for_update().get(pk=actor.pk)
    row = MailAddress.objects.filter(user=actor).first()
    if row is None or not mail.proven(actor, row, proof):
        raise Refused("This link is not good any more, or was made for somebody else: ask for a new one.")
    if row.confirmed_at is None:
        row.confirmed_at = timezone.now()
        row.save(update_fields=["confirmed_at"])
        log.record(actor=actor.principal, action="person.mail_confirmed", about=actor)
    return row


@transaction.atomic
def clear_mail_address(person: User, *, actor: str) -> None:
    """Send a person no more mail. Side effects: the address is gone; one log entry. Conflict when there is none."""
    User.objects.select_for_update().get(pk=person.pk)
    if not MailAddress.objects.filter(user=person).delete()[0]:
        raise Conflict("There is no mail address any more.")
    log.record(actor=actor, action="person.mail_cleared", about=person, data={"username": person.username})
