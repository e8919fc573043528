"""An exhibit's stored custody events, as the search for gaps reads them."""

from collections.abc import Iterable

from cases.custody_gaps import Fact, Gap, gaps
from cases.kinds import EvidenceKind
from cases.models import CustodyEvent, EvidenceItem


def facts_of(events: Iterable[CustodyEvent]) -> list[Fact]:
    """Events as the search for gaps reads them, in the same order."""
    return [
        Fact(
            id=str(event.id),
            action=event.action,
            at=event.at,
            sha256=event.sha256,
            who=event.who,
            party=event.party or "",
            answers=str(event.answers_id or ""),
        )
        for event in events
    ]


def gaps_of(item: EvidenceItem, events: Iterable[CustodyEvent]) -> list[Gap]:
    """The gaps in an exhibit's chain, from its events in the order in which they were written."""
    return gaps(facts_of(events), sha256=item.sha256, stays=item.kind == EvidenceKind.EXCHANGE_SET)
