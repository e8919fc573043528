"""Verbs of those who administer people: create, roles, passwords, switching off and on."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from people import lockout, sessions
from people.models import ApiToken, Role, User
from spine import log
from spine.errors import Conflict, Refused


@transaction.atomic
def create_user(
    *, actor: str, username: str, role: str, password: str, display_name: str = "", one_time: bool = False
) -> User:
    """Create a person who can sign in; with `one_time` the password is good for one sign-in and then changed.

    Side effects: one user, one log entry. Refused when the name is taken or a value is not accepted.
    """
    person = User(username=username, role=role, display_name=display_name)
    _demand_role(role)
    set_checked_password(person, password)
    person.one_time_until = _soon() if one_time else None
    store_new(person)
    log.record(actor=actor, action="person.created", about=person, data={"username": username, "role": role})
    return person


def store_new(person: User) -> None:
    """Insert a person. Refused when the name is taken or cannot be one."""
    try:
        person.full_clean(exclude=["password"], validate_unique=False)
        with transaction.atomic():
            person.save(force_insert=True)
    except ValidationError as error:
        raise Refused("; ".join(error.messages), field="username") from None
    except IntegrityError:
        raise Refused(f"The name {person.username} is taken.", field="username") from None


@transaction.atomic
def set_password(*, actor: str, username: str, password: str) -> User:
    """Give a person a new password. Side effects: the password, one log entry; sessions of the old one end."""
    person = User.objects.select_for_update().filter(username=username).first()
    if person is None:
        raise Refused(f"Nobody is called {username}.", field="username")
    set_checked_password(person, password)
    person.one_time_until = None
    _store_password(person)
    log.record(actor=actor, action="person.password_set", about=person, data={"username": username})
    return person


@transaction.atomic
def give_one_time_password(person: User, *, actor: str) -> str:
    """Give a person a random password that opens one sign-in, in which it is changed; returned once, never kept.

    Side effects: the password, one log entry; the person's sessions end, and a lockout. Refused for oneself.
    """
    person = locked(person)
    _demand_other(person, actor, "give yourself a one-time password")
    password = secrets.token_urlsafe(15)
    person.set_password(password)
    person.one_time_until = _soon()
    _store_password(person)
    log.record(actor=actor, action="person.one_time_password", about=person, data={"username": person.username})
    return password


@transaction.atomic
def rename(person: User, *, actor: str, display_name: str) -> User:
    """Set the name that pages and dossiers show. Side effects: one log entry, unless it is that name already."""
    person = locked(person)
    old, person.display_name = person.display_name, " ".join(display_name.split())
    try:
        person.clean_fields(exclude=["password", "username", "role"])
    except ValidationError as error:
        raise Refused(" ".join(error.messages), field="display_name") from None
    if old != person.display_name:
        person.save(update_fields=["display_name"])
        data = {"username": person.username, "old": old, "new": person.display_name}
        log.record(actor=actor, action="person.renamed", about=person, data=data)
    return person


@transaction.atomic
def set_role(person: User, *, actor: str, role: str, expected: str) -> User:
    """Give a person another role than the `expected` one they have.

    Side effects: one log entry; sessions end, so that nothing of the old role stays on a screen. Refused for oneself
    and for the last active administrator; Conflict when the role is another by now.
    """
    _demand_role(role)
    administrators = _lock_administrators()
    person = locked(person)
    _demand_other(person, actor, "change your own role")
    if person.role != expected:
        raise Conflict(f"{person.username} is {person.get_role_display()} by now.")
    if person.role == role:
        return person
    _demand_another_administrator(person, administrators)
    old, person.role = person.role, role
    person.save(update_fields=["role"])
    sessions.end_all(person)
    data = {"username": person.username, "old": old, "new": role}
    log.record(actor=actor, action="person.role_set", about=person, data=data)
    return person


@transaction.atomic
def disable(person: User, *, actor: str) -> User:
    """Switch a person off: nothing of theirs opens anything any more.

    Side effects: sessions end, API tokens are revoked, one log entry. Nothing when switched off already. Refused for
    oneself and for the last active administrator.
    """
    administrators = _lock_administrators()
    person = locked(person)
    _demand_other(person, actor, "switch yourself off")
    if not person.is_active:
        return person
    _demand_another_administrator(person, administrators)
    person.is_active = False
    person.save(update_fields=["is_active"])
    ended = sessions.end_all(person)
    revoked = ApiToken.objects.filter(user=person, revoked_at=None).update(revoked_at=timezone.now())
    data = {"username": person.username, "sessions": ended, "tokens": revoked}
    log.record(actor=actor, action="person.disabled", about=person, data=data)
    return person


@transaction.atomic
def enable(person: User, *, actor: str) -> User:
    """Switch a person on again; their tokens stay revoked. Side effects: one log entry, unless they are on already."""
    person = locked(person)
    if not person.is_active:
        person.is_active = True
        person.save(update_fields=["is_active"])
        log.record(actor=actor, action="person.enabled", about=person, data={"username": person.username})
    return person


def locked(person: User) -> User:
    """The person as they are now, nobody else changing them until the end of the transaction."""
    return User.objects.select_for_update(no_key=True).get(pk=person.pk)


def set_checked_password(person: User, password: str) -> None:
    """Refused with why it is too weak."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), field="password") from None
    person.set_password(password)


def _store_password(person: User) -> None:
    person.save(update_fields=["password", "one_time_until"])
    sessions.end_all(person)
    lockout.forget("account", person.username)


def _soon() -> datetime:
    return timezone.now() + timedelta(seconds=settings.ONE_TIME_PASSWORD_SECONDS)


def _demand_role(role: str) -> None:
    if role not in Role.values:
        raise Refused(f"No role {role!r}: accepted are {', '.join(Role.values)}.", field="role")


def _demand_other(person: User, actor: str, what: str) -> None:
    if person.principal == actor:
        raise Refused(f"You cannot {what}: another administrator can.")


def _lock_administrators() -> set[object]:
    """All active administrators, in one order, so that two who take the last two away wait for each other."""
    active = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).order_by("id")
    return set(active.select_for_update(no_key=True).values_list("pk", flat=True))


def _demand_another_administrator(person: User, administrators: set[object]) -> None:
    if administrators == {person.pk}:
        raise Refused(f"{person.username} is the last active administrator: make somebody else one first.")
