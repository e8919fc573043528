"""The places of the navigation, in one visible table; who may not go to a place is not offered it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cases.deconfliction import is_broker
from people.rights import may


@dataclass(frozen=True)
class Place:
    """One entry: the section its pages name, its words, the address's name, the right it asks for, its key after g.

    `only` asks for more than a right.
    """

    section: str
    label: str
    name: str
    right: str
    key: str = ""
    only: Callable[[Any], bool] | None = None


PLACES = (
    Place("queue", "Queue", "queue", "leads.read", "q"),
    Place("cases", "Cases", "cases", "cases.read", "c"),
    Place("findings", "Findings", "findings", "leads.read", "i"),
    Place("accounts", "Accounts", "account_lookup", "leads.read", "a"),
    Place("holds", "Holds", "holds", "cases.read", "h"),
    Place("detectors", "Detectors", "detectors", "detectors.read", "e"),
    Place("feeds", "Feeds", "feeds", "detectors.read", "f"),
    Place("sources", "Sources", "sources", "detectors.read"),
    Place("deconfliction", "Deconfliction", "desk", "cases.read", "d", only=is_broker),
    Place("testers", "Sanctioned testers", "testers", "testers.read", "s"),
    Place("brokers", "Brokers", "brokers", "people.write", "b"),
    Place("disclosures", "Disclosures", "disclosures", "cases.read"),
    Place("registers", "Registers", "registers", "registers.read"),
    Place("retention", "Retention", "retention", "destruction.read"),
    Place("log", "Log", "log", "log.read", "l"),
    Place("webhooks", "Webhooks", "webhooks", "webhooks.write", "w"),
    Place("people", "People", "people", "people.write", "p"),
    Place("system", "System", "system", "system.read", "y"),
    Place("vault", "Vault", "vault", "log.read", "v"),
)


def offered(person: object) -> list[Place]:
    """The places this person may go to, in order."""
    return [one for one in PLACES if may(person, one.right) and (one.only is None or one.only(person))]
