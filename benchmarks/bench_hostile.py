"""Hostile bodies to every write of the API, by somebody who is let in; fails when the server itself fails at one.

First every document of tests/hostile_documents.py at every write that the OpenAPI file lists, deletions too, then 50000
documents made from that description and changed, the same ones in every run. RETORT_BENCH_SECONDS (default 1800) ends
either part early, each at half of it; the figures say how far it came. What a write that was accepted changes stays, so
later answers may be 404 or 409: the table of answers shows how many were looked into. Last, a control: a write that is
broken for the test has to be seen to fail.
"""

import contextlib
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Tally:
    """Answers by status for each part, and what the server failed at."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    writes: int = 0
    control: Counter[int] = field(default_factory=Counter)
    # Read before the servers of the tests start: they take every RETORT_ variable away.
    seconds: float = field(default_factory=lambda: float(os.environ.get("RETORT_BENCH_SECONDS", "1800")))

    @pytest.fixture
    def tally(self) -> "Tally":
        return self


def main() -> int:
    """Print figures and the table; 1 when an answer was 5xx or the run itself failed."""
    kept = Tally()
    with contextlib.redirect_stdout(sys.stderr):
        options = ["-q", "--show-capture=no", "-p", "no:cacheprovider"]
        code = pytest.main([*options, str(Path(__file__).with_name("hostile.py"))], plugins=[kept])
    for part, answers in kept.answers.items():
        size = f"{sum(answers.values())} bodies over {kept.writes} writes"
        print(f"{part}_answered_5xx {sum(n for status, n in answers.items() if status >= 500)} count {size}")
        print(f"{part}_sent {sum(answers.values())} count {size}")
        for status, number in sorted(answers.items()):
            print(f"{part}_answered_{status} {number} count {size}")
    if kept.control:
        size = f"{kept.control.total()} bodies to a write that was broken for the test"
        print(f"control_answered_5xx {kept.control[500]} count {size}")
    for line in kept.failed[:50]:
        sys.stderr.write(f"{line}\n")
    return 1 if code or kept.failed else 0


if __name__ == "__main__":
    sys.exit(main())
