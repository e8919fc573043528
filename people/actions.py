"""Verbs on people and keys. Each is one transaction with one log entry."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from people.models import ApiToken, DetectorKey, Role, User
from spine import log
from spine.errors import Refused


@transaction.atomic
def create_user(*, actor: str, username: str, role: str, password: str, display_name: str = "") -> User:
    """Create a person who can sign in.

    Side effects: one user, one log entry. Refused when the name is taken or a value is not accepted.
    """
    person = User(username=username, role=role, display_name=display_name)
    if role not in Role.values:
        raise Refused(f"No role {role!r}: accepted are {', '.join(Role.values)}.", field="role")
    _set_checked_password(person, password)
    try:
        person.full_clean(exclude=["password"], validate_unique=False)
        with transaction.atomic():
            person.save(force_insert=True)
    except ValidationError as error:
        raise Refused("; ".join(error.messages), field="username") from None
    except IntegrityError:
        raise Refused(f"The name {username} is taken.", field="username") from None
    log.record(actor=actor, action="person.created", about=person, data={"username": username, "role": role})
    return person


@transaction.atomic
def set_password(*, actor: str, username: str, password: str) -> User:
    """Give a person a new password. Side effects: the password, one log entry; sessions of the old one end."""
    person = User.objects.select_for_update().filter(username=username).first()
    if person is None:
        raise Refused(f"Nobody is called {username}.", field="username")
    _set_checked_password(person, password)
    person.save(update_fields=["password"])
    log.record(actor=actor, action="person.password_set", about=person, data={"username": username})
    return person


@transaction.atomic
def create_token(*, actor: str, username: str, name: str = "") -> str:
    """Make an API token for a person and return it; it is not kept and cannot be shown again."""
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise Refused(f"Nobody active is called {username}.", field="username")
    value, prefix, sha256 = ApiToken.fresh_secret()
    token = ApiToken.objects.create(user=person, name=name, prefix=prefix, sha256=sha256)
    log.record(actor=actor, action="token.created", about=token, data={"username": username, "prefix": prefix})
    return value


@transaction.atomic
def create_detector_key(*, actor: str, detector: str, name: str = "") -> str:
    """Make a key for a detector and return it; it is not kept and cannot be shown again."""
    value, prefix, sha256 = DetectorKey.fresh_secret()
    key = DetectorKey.objects.create(detector=detector, name=name, prefix=prefix, sha256=sha256)
    log.record(actor=actor, action="detector_key.created", about=key, data={"detector": detector, "prefix": prefix})
    return value


@transaction.atomic
def note_sign_in(*, actor: User) -> None:
    """Write down that somebody signed in. Side effects: one log entry."""
    log.record(actor=actor.principal, action="person.signed_in", about=actor)


@transaction.atomic
def note_sign_out(*, actor: User) -> None:
    """Write down that somebody signed out. Side effects: one log entry."""
    log.record(actor=actor.principal, action="person.signed_out", about=actor)


def _set_checked_password(person: User, password: str) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), field="password") from None
    person.set_password(password)
