"""The preservation clock: what is held, what is going, what is gone, and what a receipt stops."""

from datetime import UTC, datetime, timedelta

import pytest

from detection.expiry import Clock, Kept, State, clock, sentence
from detection.records import Window

START = datetime(2026, 5, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=10))


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def at(now: float, days: int | None = 30, known: bool = True, kept: list[Kept] | None = None) -> Clock:
    return clock(WINDOW, days, known=known, now=day(now), kept=kept or [])


def told(found: Clock, now: float) -> str:
    return sentence("request logs", found, day(now))


def test_whole_window_expires_so_many_days_after_its_first_exchange() -> None:
    found = at(21)

    assert found == Clock(State.HELD, next_loss=day(30), oldest_held=START, gone_at=day(40))
    assert told(found, 21) == "request logs expire in 9 d"


def test_from_the_first_loss_on_it_goes_day_by_day_until_the_last_exchange() -> None:
    found = at(34)

    assert found == Clock(State.LOSING, next_loss=day(34), oldest_held=day(4), gone_before=day(4), gone_at=day(40))
    assert told(found, 34) == "request logs of before 5 May 2026 are gone; more goes every day until 10 Jun 2026"


def test_after_the_last_exchange_expired_it_is_gone_since_then() -> None:
    found = at(41)

    assert found == Clock(State.GONE, gone_before=day(10), gone_at=day(40))
    assert told(found, 41) == "request logs are gone since 10 Jun 2026"


@pytest.mark.parametrize(("now", "state"), [(29.999, "held"), (30, "held"), (30.001, "losing"), (40, "gone")])
def test_edges_are_where_the_days_end(now: float, state: str) -> None:
    assert at(now).state == state


def test_what_is_not_kept_at_all_is_gone_at_once() -> None:
    assert at(10, days=0).state == State.GONE


def test_nothing_stated_is_not_taken_for_kept() -> None:
    assert told(at(1, days=None, known=False), 1) == "nobody has said how long request logs are kept"
    assert told(at(1, days=None), 1) == "request logs are kept without end"


def test_a_receipt_for_all_of_it_stops_the_clock_until_its_own_end() -> None:
    kept = [Kept(START, day(10), day(400))]

    assert at(34, kept=kept) == Clock(State.PRESERVED, next_loss=day(400), oldest_held=START)
    assert told(at(34, kept=kept), 34) == "request logs are preserved until 5 Jun 2027"
    assert at(401, kept=kept).state == State.GONE


def test_a_receipt_for_a_part_leaves_the_rest_to_expire() -> None:
    first, last = [Kept(START, day(4), None)], [Kept(day(4), day(10), None)]

    assert at(21, kept=first) == Clock(State.HELD, next_loss=day(34), oldest_held=START, gone_at=day(40))
    assert at(32, kept=last).state == State.LOSING
    assert at(41, kept=last) == Clock(State.PRESERVED, oldest_held=day(4), gone_before=day(4))


def test_receipts_that_overlap_are_one() -> None:
    assert at(50, kept=[Kept(day(3), day(10), None), Kept(START, day(5), None)]).state == State.PRESERVED
