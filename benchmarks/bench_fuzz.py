"""Cases that schemathesis makes from the whole OpenAPI file, as every role and as nobody; fails on an answer of 5xx.

RETORT_FUZZ_CASES (default 50000) is how many are sent at least, two of three made to break the description, in the
address or elsewhere; the same ones in every run over the same description. They are sent by Django's test client, in
this process, to the real database. What an accepted write changes stays, so later answers may be 404 or 409. Last, a
control: a door that is broken for the test has to be seen to fail.

Prediction before the first run: 60 cases a second, half of the time spent on making them; some 5xx, since the hostile
documents of bench_hostile.py go to writes only and never into addresses, queries and headers. Seen: 52 a second, with
nice 15 on a loaded machine; 50,000 over 230 operations, some 7,140 a role, none 5xx; 815 answers of a status that the
description did not know, all of them 404 for a cursor nobody gave out, which it says since.
"""

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fuzzing import Answers

EACH = 40  # of each way of making cases for an operation, then the next one


@dataclass
class Tally:
    """What was sent and answered."""

    answers: "Answers | None" = None
    operations: int = 0
    took: float = 0
    control: int = 0
    # Read before the servers of the tests start: they take every RETORT_ variable away.
    cases: int = field(default_factory=lambda: int(os.environ.get("RETORT_FUZZ_CASES", "50000")))

    @pytest.fixture
    def tally(self) -> "Tally":
        return self


def main() -> int:
    """Print figures by role and status; 1 when an answer was 5xx or the run itself failed."""
    kept = Tally()
    with contextlib.redirect_stdout(sys.stderr):
        options = ["-q", "--show-capture=no", "-p", "no:cacheprovider", "-s"]
        code = pytest.main([*options, str(Path(__file__).with_name("fuzz.py"))], plugins=[kept])
    answers = kept.answers
    if answers is None:  # nothing was sent
        return 1
    size = f"{answers.total} cases over {kept.operations} operations"
    print(f"fuzz_answered_5xx {len(answers.failed)} count {size}")
    print(f"fuzz_sent {answers.total} count {size}")
    print(f"fuzz_rate {answers.total / max(kept.took, 1):.1f} cases/s {size}")
    for role, statuses in answers.by_role.items():
        for status, number in sorted(statuses.items()):
            print(f"fuzz_{role}_{status} {number} count {size}")
    print(f"fuzz_not_described {answers.untold.total()} count {size}")
    print(f"fuzz_control_5xx {kept.control} count cases to a door that was broken for the test")
    for line in [*answers.failed[:50], *(f"not described: {name} ({n})" for name, n in answers.untold.most_common(60))]:
        sys.stderr.write(f"{line}\n")
    return 1 if code or answers.failed else 0


if __name__ == "__main__":
    sys.exit(main())
