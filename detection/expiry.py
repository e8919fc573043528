"""When a source's evidence expires: a pure clock over a window, the days it is kept, and what was preserved.

An exchange of time t expires at t + days (rolling deletion), so what is oldest goes first, a day at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from detection.records import Window

DAY = timedelta(days=1)


class State(StrEnum):
    """How the evidence of a window stands at its source."""

    UNKNOWN = "unknown"  # nobody has said how long it is kept
    KEPT = "kept"  # without end
    PRESERVED = "preserved"  # the log owner has confirmed to keep it
    HELD = "held"  # all of it is there, and it expires
    LOSING = "losing"  # the oldest part is gone, more goes every day
    GONE = "gone"  # all of it has expired


@dataclass(frozen=True)
class Kept:
    """What a log owner confirmed to preserve: a part of the window, until when (None: until told otherwise)."""

    start: datetime
    end: datetime
    until: datetime | None


@dataclass(frozen=True)
class Clock:
    """The state of one window at one source. `next_loss` is when the next piece goes: now while it is losing.

    `oldest_held` is the time of the oldest exchange still there, None when none is or it is not known.
    `gone_before` ends the part of the window that was already gone; `gone_at` is when the last of it goes.
    """

    state: State
    next_loss: datetime | None = None
    oldest_held: datetime | None = None
    gone_before: datetime | None = None
    gone_at: datetime | None = None

    def days_left(self, now: datetime) -> int | None:
        """Whole days until the next piece goes; None when nothing is about to go."""
        return None if self.next_loss is None else max(0, (self.next_loss - now) // DAY)


def clock(window: Window, days: int | None, *, known: bool, now: datetime, kept: Sequence[Kept] = ()) -> Clock:
    """How a half-open window stands at a source that keeps each exchange `days` days; None keeps without end.

    `known` is false when nobody has said how long it is kept. What was confirmed as preserved does not expire before
    its own end; a gap between preserved parts expires as if nothing were.
    """
    held = [one for one in kept if one.until is None or one.until > now]
    open_parts = _without(window, held)
    if not open_parts:
        ends = [one.until for one in held if one.until is not None]
        return Clock(State.PRESERVED, next_loss=min(ends, default=None), oldest_held=window.start)
    if not known:
        return Clock(State.UNKNOWN)
    if days is None:
        return Clock(State.KEPT, oldest_held=window.start)
    return _expiring(window, open_parts, held, timedelta(days=days), now)


def _expiring(window: Window, parts: list[Window], held: Sequence[Kept], keeps: timedelta, now: datetime) -> Clock:
    edge = now - keeps  # exchanges older than this have expired
    left = [part for part in parts if part.end > edge]
    first, last = parts[0].start, parts[-1].end
    if not left:
        if not held:
            return Clock(State.GONE, gone_before=last, gone_at=last + keeps)
        return Clock(State.PRESERVED, oldest_held=min(one.start for one in held), gone_before=last)
    start = left[0].start
    if first >= edge:
        return Clock(State.HELD, next_loss=first + keeps, oldest_held=window.start, gone_at=last + keeps)
    if start >= edge:  # a gap before it is gone, what is left is still whole
        return Clock(State.LOSING, next_loss=start + keeps, oldest_held=start, gone_before=edge, gone_at=last + keeps)
    return Clock(State.LOSING, next_loss=now, oldest_held=edge, gone_before=edge, gone_at=last + keeps)


def _without(window: Window, held: Sequence[Kept]) -> list[Window]:
    """The parts of the window that nothing preserved covers, in order."""
    parts, at = [], window.start
    for one in sorted(held, key=lambda kept: kept.start):
        if one.start > at:
            parts.append(Window(at, min(one.start, window.end)))
        at = max(at, one.end)
        if at >= window.end:
            break
    if at < window.end:
        parts.append(Window(at, window.end))
    return [part for part in parts if part.end > part.start]


def sentence(what: str, clock: Clock, now: datetime) -> str:
    """The clock in words, such as `request logs expire in 9 d`; `what` is a plural."""
    days = clock.days_left(now)
    match clock.state:
        case State.UNKNOWN:
            return f"nobody has said how long {what} are kept"
        case State.KEPT:
            return f"{what} are kept without end"
        case State.PRESERVED:
            return f"{what} are preserved" + (f" until {_day(clock.next_loss)}" if clock.next_loss else "")
        case State.HELD:
            return f"{what} expire in {days} d"
        case State.GONE:
            return f"{what} are gone since {_day(clock.gone_at)}"
    more = "more goes every day" if days == 0 else f"more goes in {days} d"
    return f"{what} of before {_day(clock.gone_before)} are gone; {more} until {_day(clock.gone_at)}"


def _day(moment: datetime | None) -> str:
    if moment is None:
        return "–"
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"
