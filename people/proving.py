"""Proving who one is: the password, a code, or a passkey, each counted against guessing."""

from collections.abc import Callable
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django.core.exceptions import ValidationError
from django.db import transaction

from people import lockout, second_factors
from people.actions.sign_in import note_lockout
from people.models import User
from spine import log
from spine.errors import Refused

WRONG_CODE = "This code is not right, or was used already."
WRONG_PASSKEY = "This passkey was not accepted. Try again, or use a code."


def by_password(person: User, password: str) -> None:
    """The person's password. Raises Refused."""
    _counted("account", person.username, person.username, lambda: person.check_password(password), WRONG_PASSWORD)


def by_code(person: User, code: str) -> Authenticator:
    """A code from the person's app, or a recovery code, which is used up by it. Raises Refused."""
    one: Authenticator = _counted(
        "second_factor", str(person.pk), person.username, lambda: second_factors.accept(person, code), WRONG_CODE
    )
    if one.type == Authenticator.Type.RECOVERY_CODES:
        _note_recovery_code(person)
    return one


def by_passkey(person: User, credential: Any) -> Authenticator:
    """The answer of one of the person's passkeys to the challenge of this session. Raises Refused."""

    def check() -> Authenticator | None:
        try:
            webauthn.parse_authentication_response(credential)
            one: Authenticator = webauthn.complete_authentication(person, credential)
        except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
            return None
        one.record_usage()
        return one

    found: Authenticator = _counted("second_factor", str(person.pk), person.username, check, WRONG_PASSKEY)
    return found


WRONG_PASSWORD = "This is not your password."  # noqa: S105 - a sentence


def _counted(kind: str, what: str, username: str, check: Callable[[], Any], wrong: str) -> Any:
    """Count first, then check, so that a thousand attempts at once are no more than one after the other."""
    failures = lockout.count(kind, what)
    if not lockout.allowed(kind, failures):
        raise Refused(lockout.sentence())
    found = check()
    if found:
        lockout.forget(kind, what)
        return found
    if lockout.is_last(kind, failures):
        note_lockout(username=username, what=kind.replace("_", " "))
    raise Refused(wrong)


@transaction.atomic
def _note_recovery_code(person: User) -> None:
    left = second_factors.of(person).recovery_left
    log.record(actor=person.principal, action="person.recovery_code_used", about=person, data={"left": left})
