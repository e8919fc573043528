"""Sessions: since when, from where, last seen when, when the person last proved who they are, and their end.

The keys below stand in the session itself; django-allauth's UserSession is the list that people see.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from people.addresses import address_of
from people.models import User

SINCE, SEEN, PROVED, SECOND = "retort_since", "retort_seen", "retort_proved", "retort_second_factor"
SEEN_RESOLUTION = 60  # seconds: not every page writes a row
NAMESPACE = UUID("6f7d2a0e-9a54-4c1f-8a3e-1d4f0c9b7a21")
LONGEST_AGENT = 200
TIDIED = 500  # at most so many at one sign-in


def begin(request: HttpRequest) -> None:
    """A person has just signed in here; that proves who they are."""
    now = int(time.time())
    request.session[SINCE] = request.session[PROVED] = now


def is_over(request: HttpRequest) -> bool:
    """Whether this session has lasted or idled too long."""
    session, now = request.session, int(time.time())
    since, seen = session.get(SINCE, 0), session.get(SEEN, session.get(SINCE, 0))
    return bool(now - since > settings.SESSION_COOKIE_AGE or now - seen > settings.SESSION_IDLE_SECONDS)


def note(request: HttpRequest) -> None:
    """Remember that the session was used now, to within a minute."""
    now = int(time.time())
    if now - request.session.get(SEEN, 0) < SEEN_RESOLUTION:
        return
    request.session[SEEN] = now
    listed = UserSession(
        user_id=UUID(request.session[SESSION_KEY]),
        session_key=request.session.session_key,
        ip=address_of(request),
        user_agent=request.headers.get("User-Agent", "").replace("\x00", "")[:LONGEST_AGENT],
        created_at=datetime.fromtimestamp(request.session.get(SINCE, now), tz=UTC),
        last_seen_at=timezone.now(),
    )
    fields = ["user", "ip", "user_agent", "last_seen_at"]
    UserSession.objects.bulk_create(
        [listed], update_conflicts=True, unique_fields=["session_key"], update_fields=fields
    )


def prove(request: HttpRequest) -> None:
    """The person has just proved again who they are."""
    request.session[PROVED] = int(time.time())


def is_proved(request: HttpRequest) -> bool:
    """Whether the person proved who they are within the last minutes."""
    return bool(time.time() - request.session.get(PROVED, 0) <= settings.REAUTHENTICATE_SECONDS)


def id_of(session: UserSession) -> UUID:
    """How pages and the API name a session: its key would let one into it, its number would count everybody's."""
    return uuid5(NAMESPACE, session.session_key)


def of(person: User) -> list[UserSession]:
    """The person's sessions that still open something, the one used last first."""
    return list(open_ones().filter(user=person).order_by("-last_seen_at", "-id"))


def open_ones() -> QuerySet[UserSession]:
    """Everybody's sessions that still open something."""
    alive = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    since = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    seen = timezone.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    known: QuerySet[UserSession] = UserSession.objects.filter(session_key__in=alive)
    return known.filter(created_at__gt=since, last_seen_at__gt=seen)


def tidy(person: User) -> None:
    """Take out what is over anyway: sessions that have run out, and the person's entries in the list without one."""
    gone = Session.objects.filter(expire_date__lt=timezone.now()).values_list("session_key", flat=True)
    Session.objects.filter(session_key__in=list(gone[:TIDIED])).delete()
    alive = Session.objects.filter(session_key__in=UserSession.objects.filter(user=person).values("session_key"))
    UserSession.objects.filter(user=person).exclude(session_key__in=alive.values("session_key")).delete()


@transaction.atomic
def end(sessions: Iterable[UserSession]) -> int:
    """End these; gives how many there were."""
    keys = [session.session_key for session in sessions]
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)


def end_all(person: User, *, but: str | None = None) -> int:
    """End every session of the person, save the one of this key; gives how many there were."""
    return end(UserSession.objects.filter(user=person).exclude(session_key=but or ""))
