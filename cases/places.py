"""The places of the navigation, in one visible table; who may not go to a place is not offered it."""

from dataclasses import dataclass

from people.rights import may


@dataclass(frozen=True)
class Place:
    """One entry: the section its pages name, its words, the address's name, the right it asks for, its key after g."""

    section: str
    label: str
    name: str
    right: str
    key: str = ""


PLACES = (
    Place("queue", "Queue", "queue", "leads.read", "q"),
    Place("cases", "Cases", "cases", "cases.read", "c"),
    Place("holds", "Holds", "holds", "cases.read", "h"),
    Place("sources", "Sources", "sources", "detectors.read"),
    Place("testers", "Sanctioned testers", "testers", "testers.read", "s"),
    Place("log", "Log", "log", "log.read", "l"),
    Place("people", "People", "people", "people.write", "p"),
)


def offered(person: object) -> list[Place]:
    """The places this person may go to, in order."""
    return [place for place in PLACES if may(person, place.right)]
