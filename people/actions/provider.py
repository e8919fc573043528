"""Verbs on people of the company's identity provider: let in, link and unlink, always by the stable subject id."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction

from people.actions.people import locked, store_new
from people.models import Role, User
from spine import log
from spine.errors import Refused

SUBJECT_LIMIT = 191


@transaction.atomic
def admit(*, provider: str, subject: str, claims: Mapping[str, Any]) -> User:
    """Make an account for a subject nobody is linked to, where `RETORT_OIDC_CREATE` allows it.

    The role is the mapped one, else reader; there is no password. Side effects: a user, the link, one log entry.
    Refused where it is not allowed, with the subject for an administrator to link.
    """
    if not settings.OIDC or not settings.OIDC.create:
        raise Refused(f"Nobody here is linked to this identity. An administrator can link it: {subject}")
    role = _role(claims)
    person = User(username=_free_name(claims), role=role, display_name=_text(claims.get("name"))[:120])
    person.set_unusable_password()
    store_new(person)
    SocialAccount.objects.create(user=person, provider=provider, uid=subject)
    data = {"username": person.username, "role": role}
    log.record(actor="system:sign-in", action="person.admitted", about=person, data=data)
    return person


@transaction.atomic
def link(person: User, *, actor: str, provider: str, subject: str) -> None:
    """Link a person to a subject of the provider, in place of an earlier one; an empty subject unlinks.

    Side effects: one log entry. Refused when somebody else is linked to it.
    """
    person = locked(person)
    subject = subject.strip()
    if len(subject) > SUBJECT_LIMIT or "\x00" in subject:
        raise Refused(f"A subject id has at most {SUBJECT_LIMIT} characters.", field="subject")
    SocialAccount.objects.filter(user=person, provider=provider).delete()
    if subject:
        try:
            with transaction.atomic():
                SocialAccount.objects.create(user=person, provider=provider, uid=subject)
        except IntegrityError:
            raise Refused("Somebody else is linked to this subject.", field="subject") from None
    data = {"username": person.username, "subject": subject or "nothing"}
    log.record(actor=actor, action="person.linked", about=person, data=data)


def _role(claims: Mapping[str, Any]) -> str:
    """The first mapped role that the claim names; reader when it names none."""
    said = claims.get(settings.OIDC.role_claim) if settings.OIDC and settings.OIDC.role_claim else None
    values = said if isinstance(said, list) else [said]
    named = [role for value, role in settings.OIDC.roles.items() if value in values] if settings.OIDC else []
    return named[0] if named else Role.READER.value


def _free_name(claims: Mapping[str, Any]) -> str:
    """A user name like the provider's that nobody has; it stands for nobody else, the subject id decides who it is."""
    wanted = re.sub(r"[^a-z0-9._-]", "-", _text(claims.get("preferred_username")).lower().partition("@")[0]).lstrip(
        ".-_"
    )
    wanted = wanted[:50] or "person"
    if not User.objects.filter(username=wanted).exists():
        return wanted
    return f"{wanted}-{secrets.token_hex(4)}"


def _text(value: Any) -> str:
    return value.replace("\x00", "") if isinstance(value, str) else ""
