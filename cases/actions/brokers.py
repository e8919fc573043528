"""Verbs on brokers: an administrator designates a person, and ends the term."""

from django.db import connection, transaction

from cases.actions import base
from cases.models import BrokerTerm
from people.models import User
from people.rights import may
from spine import log
from spine.errors import Refused

LOCK = 0xB40CE4


@transaction.atomic
def designate(*, actor: User, person: User, reason: str) -> BrokerTerm:
    """Make somebody a broker of deconfliction.

    Side effects: the term; one log entry. Raises Conflict for who is one already, Refused for an administrator (who
    designates and is none) and for who may not read cases.
    """
    base.require(actor, "people.write")
    reason = base.clean(reason, field="reason", label="The reason", limit=500)
    if not person.is_active or not may(person, "cases.read"):
        raise Refused("A broker is active and may read cases; administrators designate and are none.", field="person")
    _one_at_a_time()
    newest = _newest(person)
    if newest is not None and not newest.ended:
        raise base.lost(f"{person.username} is a broker already", newest.entry)
    term = BrokerTerm(user=person, reason=reason, decided_by=actor, supersedes=newest)
    data = {"person": person.username}
    log.record(actor=actor.principal, action="broker.designated", about=term, data=data, rows=[term])
    return term


@transaction.atomic
def end_term(term: BrokerTerm, *, actor: User, reason: str) -> BrokerTerm:
    """End a broker's term. What the broker answered stands.

    Side effects: a row that ends it; one log entry. Raises Conflict when it was ended before.
    """
    base.require(actor, "people.write")
    reason = base.clean(reason, field="reason", label="The reason", limit=500)
    _one_at_a_time()
    newest = _newest(term.user)
    if newest is None or newest.pk != term.pk or newest.ended:
        raise base.lost("This term was ended", newest.entry if newest else None)
    end = BrokerTerm(user=term.user, ended=True, reason=reason, decided_by=actor, supersedes=newest)
    data = {"person": term.user.username}
    log.record(actor=actor.principal, action="broker.ended", about=end, data=data, rows=[end])
    return end


def _newest(person: User) -> BrokerTerm | None:
    rows = BrokerTerm.objects.filter(user=person, superseded_by__isnull=True)
    return rows.select_related("entry", "user").first()


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
