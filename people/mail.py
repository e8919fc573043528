"""A person's mail address: whether it counts, the link that confirms it, and the mail with that link."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.http import urlencode

from people.models import MailAddress, User
from spine import mail
from spine.errors import Refused
from spine.jobs import Running
from spine.principal import acting_as

SALT = "people.mail"
HOURS = 24
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", flags=re.ASCII)
TEXT = """\
{username} of Retort at {place} asked for notices to be sent to this address.

If that was you, open this within {hours} hours, signed in as {username}:

{link}

If it was not, there is nothing to do: nothing more is sent here.
"""


def address_of(person: User) -> str:
    """Where mail to this person goes; empty when they want none, or have not confirmed it."""
    found = MailAddress.objects.filter(user=person).exclude(confirmed_at=None).first()
    return found.address if found is not None and person.is_active else ""


def proof_of(row: MailAddress) -> str:
    """What the link carries: signed, for this person and this address alone."""
    return signing.dumps([str(row.user_id), row.address], salt=SALT)


def proven(person: User, row: MailAddress, proof: str) -> bool:
    """Whether this is the proof of this person's present address, and not too old."""
    try:
        found: Any = signing.loads(proof, salt=SALT, max_age=HOURS * 3600)
    except signing.BadSignature:
        return False
    return bool(found == [str(person.pk), row.address])


def message_id(name: str) -> str:
    """The name of a message of ours."""
    return f"<{name}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>"


@acting_as("system:mail")
def send_confirmation(job: Running) -> dict[str, Any]:
    """Job `mail.confirm`: mail the link to the address a person gave, unless it is confirmed or gone by now."""
    row = MailAddress.objects.select_related("user").filter(user=job.args["person"], confirmed_at=None).first()
    if row is None or not row.user.is_active:
        return {}
    link = f"{settings.PUBLIC_URL}{reverse('own_mail')}?{urlencode({'proof': proof_of(row)})}"
    body = TEXT.format(username=row.user.username, place=settings.PUBLIC_URL, hours=HOURS, link=link)
    try:
        mail.send(
            to=row.address,
            subject="Retort: confirm this address",
            body=body,
            message_id=message_id(f"confirm-{job.id}"),
        )
    except mail.NotSent as failed:
        raise Refused(f"The link could not be sent: {failed}.") from None
    return {}
