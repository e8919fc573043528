"""Each kind of hole in a chain of custody is named, and a whole chain has none."""

from datetime import UTC, datetime, timedelta

import pytest

from cases.custody_gaps import Fact, gaps

SHA = "ab" * 32
START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def fact(action: str, hours: float, **more: str) -> Fact:
    return Fact(more.pop("id", action), action, START + timedelta(hours=hours), more.pop("sha256", SHA), **more)


WHOLE = [fact("requested", -1), fact("acquired", 0), fact("received", 5), fact("hashed", 5.1), fact("viewed", 30)]


def codes(facts: list[Fact]) -> list[str]:
    return [gap.code for gap in gaps(facts, sha256=SHA)]


def test_whole_chain_has_no_gap() -> None:
    handed = [
        fact("transferred", 40, id="t", party="J. Doe"),
        fact("received", 41, id="r", answers="t"),
        fact("returned", 90, party="us"),
    ]
    assert gaps([*WHOLE, *handed], sha256=SHA) == []


def test_exhibit_that_stays_at_its_source_lacks_nobody_who_took_it() -> None:
    hashed = [fact("hashed", 0), fact("received", 0.1)]
    assert gaps(hashed, sha256=SHA, stays=True) == []
    assert [gap.code for gap in gaps(hashed[:1], sha256=SHA, stays=True)] == ["no_received"]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ([], ["no_acquired", "no_received", "no_hashed"]),
        ([*WHOLE[:3], *WHOLE[4:]], ["no_hashed"]),
        ([fact("acquired", 0), fact("received", 73), fact("hashed", 73)], ["time_hole"]),
        (
            [
                fact("acquired", 0),
                fact("transferred", 50, id="t"),
                fact("received", 99, answers="t"),
                fact("hashed", 99),
            ],
            [],
        ),
        ([*WHOLE, fact("transferred", 40, party="J. Doe")], ["not_received"]),
        ([*WHOLE, fact("returned", 40)], ["never_handed_over"]),
        ([*WHOLE, fact("copied", 1)], ["used_before_received"]),
        ([*WHOLE, fact("requested", 2)], ["requested_after_acquired"]),
        ([fact("acquired", 9), fact("received", 5), fact("hashed", 9)], ["received_before_acquired"]),
        ([*WHOLE, fact("received", 50, sha256="cd" * 32)], ["other_bytes"]),
        ([*WHOLE, fact("verification_failed", 50, sha256="cd" * 32)], ["verification_failed"]),
    ],
)
def test_gap_is_named(facts: list[Fact], found: list[str]) -> None:
    assert codes(facts) == found


def test_gap_says_what_lies_between_which_events() -> None:
    hole = gaps([fact("acquired", 0), fact("received", 96), fact("hashed", 96)], sha256=SHA)[0]
    handed = gaps([*WHOLE, fact("transferred", 40, id="t", party="J. Doe")], sha256=SHA)[0]

    assert hole.text == (
        "4.0 days lie between acquired (04 May 2026 09:00 UTC) and received (08 May 2026 09:00 UTC), "
        "and no event says where it was."
    )
    assert hole.events == ("acquired", "received")
    assert handed.text == "Transferred to J. Doe on 06 May 2026 01:00 UTC and never acknowledged."
    assert handed.events == ("t",)
