"""Verbs on second factors: set up, take away, new recovery codes, and an administrator's reset."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import transaction

from people import encryption, lockout, second_factors, sessions
from people.actions.people import locked
from people.models import User
from spine import log
from spine.errors import Conflict, Refused

NAME_LIMIT = 60


@transaction.atomic
def add_app(*, actor: User, secret: str, code: str) -> list[str]:
    """Set up codes from an app, shown to work by a first code; gives new recovery codes, when there were none.

    Side effects: the secret, encrypted; recovery codes; one log entry. Refused for a wrong code and when there is one.
    """
    person = locked(actor)
    if Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists():
        raise Conflict("An app is set up already: take that one away first.")
    step = second_factors.step_of(secret, code)
    if step is None:
        raise Refused("This code is not the app's present one. Is the clock of the device right?", field="code")
    data = {"secret": encryption.encrypt(secret), "last_step": step}
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data=data)
    return _added(person, "totp")


@transaction.atomic
def add_passkey(*, actor: User, name: str, credential: dict[str, Any]) -> list[str]:
    """Keep a passkey that the caller has verified; gives new recovery codes, when there were none.

    Side effects: the public key; recovery codes; one log entry.
    """
    person = locked(actor)
    data = {"name": " ".join(name.split())[:NAME_LIMIT] or "Passkey", "credential": credential}
    Authenticator.objects.create(user=person, type=Authenticator.Type.WEBAUTHN, data=data)
    return _added(person, "webauthn")


def _added(person: User, kind: str) -> list[str]:
    log.record(actor=person.principal, action="person.second_factor_added", about=person, data={"kind": kind})
    known = Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES).exists()
    return [] if known else _fresh_codes(person)


@transaction.atomic
def remove_app(*, actor: User) -> None:
    """Take the app away. Side effects: one log entry; recovery codes go with the last one. Refused while required."""
    person = locked(actor)
    _remove(person, Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).first(), "totp")


@transaction.atomic
def remove_passkey(*, actor: User, number: int) -> None:
    """Take a passkey away, by the same rule."""
    person = locked(actor)
    mine = Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN)
    _remove(person, mine.filter(pk=number).first(), "webauthn")


def _remove(person: User, one: Authenticator | None, kind: str) -> None:
    if one is None:
        raise Conflict("It is not set up any more.")
    strong = Authenticator.objects.filter(user=person, type__in=second_factors.STRONG).exclude(pk=one.pk)
    last = not strong.exists()
    if last and second_factors.is_required(person):
        raise Refused("Your role needs a second factor: set up another one first.")
    one.delete()
    if last:
        Authenticator.objects.filter(user=person).delete()
    log.record(actor=person.principal, action="person.second_factor_removed", about=person, data={"kind": kind})


@transaction.atomic
def make_recovery_codes(*, actor: User) -> list[str]:
    """New recovery codes in place of the old ones, returned once. Side effects: one log entry. Refused without a
    factor to stand in for.
    """
    person = locked(actor)
    if not second_factors.has_any(person):
        raise Refused("Recovery codes stand in for a second factor: set one up first.")
    Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES).delete()
    codes = _fresh_codes(person)
    log.record(actor=person.principal, action="person.recovery_codes_made", about=person)
    return codes


def _fresh_codes(person: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(person).generate_codes()
    return codes


@transaction.atomic
def reset_second_factor(person: User, *, actor: str) -> None:
    """Take every second factor of a person away, who has lost them; the reason is the administrator's to know.

    Side effects: sessions end, one log entry. Refused for oneself.
    """
    person = locked(person)
    if person.principal == actor:
        raise Refused("You cannot reset your own second factor: another administrator can.")
    gone, _ = Authenticator.objects.filter(user=person).delete()
    lockout.forget("second_factor", str(person.pk))
    sessions.end_all(person)
    data = {"username": person.username, "factors": gone}
    log.record(actor=actor, action="person.second_factor_reset", about=person, data=data)
