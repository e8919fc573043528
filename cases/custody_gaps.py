"""Holes in a chain of custody, named one by one. Pure: events in, gaps out; nothing is judged that no event states."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cases.vocabulary import CustodyAction

HOLE = timedelta(hours=72)
USES = {
    CustodyAction.VIEWED.value,
    CustodyAction.COPIED.value,
    CustodyAction.ANALYSED.value,
    CustodyAction.REDACTED.value,
    CustodyAction.EXPORTED.value,
}
WAY = {CustodyAction.ACQUIRED.value, CustodyAction.TRANSFERRED.value, CustodyAction.RECEIVED.value}


@dataclass(frozen=True)
class Fact:
    """What a custody event states, as far as the chain is concerned."""

    id: str
    action: str
    at: datetime
    sha256: str
    who: str = ""
    party: str = ""
    answers: str = ""


@dataclass(frozen=True)
class Gap:
    """One hole: a code, a sentence, and the events it lies between."""

    code: str
    text: str
    events: tuple[str, ...]


def gaps(facts: Iterable[Fact], *, sha256: str, hole: timedelta = HOLE, stays: bool = False) -> list[Gap]:
    """Every gap in the events of one exhibit, which come in the order in which they were written.

    Of an exhibit that stays at its source nobody is missing who took it from there.
    """
    events = list(facts)
    return [
        *_lacking(events, stays),
        *_holes(events, hole),
        *_unanswered(events),
        *_early(events),
        *_other_bytes(events, sha256),
        *_failed(events),
    ]


def _lacking(events: Sequence[Fact], stays: bool) -> Iterator[Gap]:
    said = {
        "acquired": "No event says who took it at the source, and when.",
        "received": "No event says who received it, and when.",
        "hashed": "No event says that its digest was taken.",
    }
    for action, text in said.items():
        if not (stays and action == "acquired") and not any(event.action == action for event in events):
            yield Gap(f"no_{action}", text, ())


def _holes(events: Sequence[Fact], hole: timedelta) -> Iterator[Gap]:
    """Time on its way into our hands that no event accounts for, up to the first receipt by the vault's own clock."""
    way = [event for event in events if event.action in WAY]
    hashed = [event.at for event in events if event.action == CustodyAction.HASHED]
    ordered = sorted((event for event in way if not hashed or event.at <= min(hashed)), key=lambda event: event.at)
    for earlier, later in pairwise(ordered):
        if later.at - earlier.at > hole:
            days = (later.at - earlier.at) / timedelta(days=1)
            text = (
                f"{days:,.1f} days lie between {earlier.action} ({earlier.at:%d %b %Y %H:%M} UTC) and {later.action} "
                f"({later.at:%d %b %Y %H:%M} UTC), and no event says where it was."
            )
            yield Gap("time_hole", text, (earlier.id, later.id))


def _unanswered(events: Sequence[Fact]) -> Iterator[Gap]:
    answered = {event.answers for event in events if event.answers}
    handed = [event for event in events if event.action == CustodyAction.TRANSFERRED]
    for event in handed:
        if event.id not in answered:
            text = (
                f"Transferred to {event.party or 'somebody'} on {event.at:%d %b %Y %H:%M} UTC and never acknowledged."
            )
            yield Gap("not_received", text, (event.id,))
    for event in events:
        if event.action == CustodyAction.RETURNED and not any(one.at <= event.at for one in handed):
            text = f"Returned on {event.at:%d %b %Y %H:%M} UTC although no event says that it was handed over."
            yield Gap("never_handed_over", text, (event.id,))


def _early(events: Sequence[Fact]) -> Iterator[Gap]:
    received = min((event.at for event in events if event.action == CustodyAction.RECEIVED), default=None)
    acquired = min((event.at for event in events if event.action == CustodyAction.ACQUIRED), default=None)
    for event in events:
        at = f"{event.at:%d %b %Y %H:%M} UTC"
        if received is not None and event.action in USES and event.at < received:
            yield Gap("used_before_received", f"It was {event.action} on {at}, before it was received.", (event.id,))
        if acquired is not None and event.action == CustodyAction.REQUESTED and event.at > acquired:
            yield Gap("requested_after_acquired", f"It was requested on {at}, after it was acquired.", (event.id,))
    if acquired is not None and received is not None and received < acquired:
        yield Gap("received_before_acquired", "It was received before it was acquired.", ())


def _other_bytes(events: Sequence[Fact], sha256: str) -> Iterator[Gap]:
    for event in events:
        if event.sha256 != sha256 and event.action != CustodyAction.VERIFICATION_FAILED:
            text = (
                f"The event {event.action} of {event.at:%d %b %Y %H:%M} UTC saw other bytes: "
                f"SHA-256 {event.sha256[:12]}…, not {sha256[:12]}…."
            )
            yield Gap("other_bytes", text, (event.id,))


def _failed(events: Sequence[Fact]) -> Iterator[Gap]:
    for event in events:
        if event.action == CustodyAction.VERIFICATION_FAILED:
            text = f"The stored bytes failed their comparison on {event.at:%d %b %Y %H:%M} UTC."
            yield Gap("verification_failed", text, (event.id,))
