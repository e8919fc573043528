"""Verbs of signing in and out, and of one's own password and sessions."""

from collections.abc import Sequence

from allauth.usersessions.models import UserSession
from django.db import transaction

from people import sessions
from people.actions.people import locked, set_checked_password
from people.models import User
from spine import log
from spine.errors import Refused


@transaction.atomic
def note_sign_in(*, actor: User, how: str = "password") -> None:
    """Write down that somebody signed in, and by what they proved who they are. Side effects: one log entry."""
    log.record(actor=actor.principal, action="person.signed_in", about=actor, data={"how": how})


@transaction.atomic
def note_sign_out(*, actor: User) -> None:
    """Write down that somebody signed out. Side effects: one log entry."""
    log.record(actor=actor.principal, action="person.signed_out", about=actor)


@transaction.atomic
def note_lockout(*, username: str, what: str) -> None:
    """Write down that guessing was stopped for a name. Side effects: one log entry.

    For a name that nobody has, the entry has none: people type passwords into the wrong field.
    """
    person = User.objects.filter(username=username).first()
    data = {"username": person.username if person else "nobody here", "what": what}
    log.record(actor="system:sign-in", action="person.locked_out", about=person, data=data)


@transaction.atomic
def change_own_password(*, actor: User, old: str, new: str, session_key: str | None = None) -> User:
    """Change one's own password, which one knows; the caller counts attempts.

    Side effects: the password, one log entry; every other session than the one of `session_key` ends. Refused when the
    old one is wrong, or the new one is the old one or weak.
    """
    person = locked(actor)
    if not person.check_password(old):
        raise Refused("This is not your present password.", field="old")
    if old == new:
        raise Refused("The new password is the old one.", field="new")
    try:
        set_checked_password(person, new)
    except Refused as refusal:
        raise Refused(refusal.message, field="new") from None
    person.one_time_until = None
    person.save(update_fields=["password", "one_time_until"])
    ended = sessions.end_all(person, but=session_key)
    log.record(actor=actor.principal, action="person.password_changed", about=person, data={"sessions": ended})
    return person


@transaction.atomic
def end_sessions(person: User, *, actor: str, these: Sequence[UserSession]) -> int:
    """End sessions of a person; gives how many. Side effects: one log entry, unless there were none."""
    ended = sessions.end([one for one in these if one.user_id == person.pk])
    if ended:
        data = {"username": person.username, "sessions": ended}
        log.record(actor=actor, action="person.sessions_ended", about=person, data=data)
    return ended
