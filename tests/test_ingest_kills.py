"""Findings sent while PostgreSQL, the web and the worker are killed: the longer run's own program, a short while."""

import os
import subprocess
import sys

import pytest

from benchmarks.ledgers import Ledger, Line, Stored, document
from config.home import CHECKOUT

Row = tuple[str, int, float, bytes]


def test_no_acknowledged_finding_is_lost_and_none_is_stored_twice() -> None:
    variables = {**os.environ, "RETORT_BENCH_KILLS": "6", "RETORT_BENCH_LINES": "2000"}
    argv = [sys.executable, "-m", "benchmarks.bench_ingest_kills"]
    done = subprocess.run(argv, cwd=CHECKOUT, env=variables, capture_output=True, text=True, timeout=540, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    figures = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert (figures["ingest_kills"], figures["ingest_lost_or_doubled"]) == (6, 0)
    told = ("created", "duplicate", "superseded", "rejected", "acknowledged")
    *outcomes, acknowledged = (figures[f"ingest_lines_{name}"] for name in told)
    assert sum(outcomes) == acknowledged
    assert min(*outcomes, figures["ingest_stored_native"], figures["ingest_stored_ocsf"]) > 0


def counted(**counts: int) -> dict[str, int]:
    """An answer's counts."""
    outcomes = {"created": 0, "duplicate": 0, "superseded": 0, "rejected": 0, **counts}
    return {"received": sum(outcomes.values()), **outcomes}


def row(line: Line, *, sent_as: Line | None = None) -> Row:
    """A finding as it is stored."""
    return line.uid, line.version, line.score / 100, document(sent_as or line)


ONE, TWO = Line(0, 1, 1, 25, "native"), Line(0, 2, 1, 25, "ocsf")
OTHER_FORM, OTHER_SCORE = ONE._replace(form="ocsf"), TWO._replace(score=75)


@pytest.fixture
def ledger() -> Ledger:
    """One new finding in each form, one again, one with other content in each way, one broken line."""
    made = Ledger()
    answer = counted(created=2, duplicate=1, rejected=3)
    assert made.note([ONE, TWO, ONE, OTHER_FORM, OTHER_SCORE, None], answer) == ""
    return made


def test_a_ledger_that_agrees_says_nothing(ledger: Ledger) -> None:
    stored = Stored()
    assert list(stored.against([row(ONE), row(TWO)], [ledger])) == []
    assert (list(ledger.lines), list(ledger.differences())) == ([], [])
    assert (stored.findings, stored.uids, dict(stored.forms)) == (2, 2, {"native": 1, "ocsf": 1})


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([row(ONE), row(ONE), row(TWO)], "nobody sent it, or it stands twice"),
        ([row(ONE), row(TWO), row(TWO._replace(number=3))], "nobody sent it, or it stands twice"),
        ([row(ONE), row(TWO, sent_as=TWO._replace(owner=1))], "other bytes than were sent"),
    ],
)
def test_what_is_doubled_made_up_or_changed_is_told(ledger: Ledger, rows: list[Row], fault: str) -> None:
    assert [said.partition(":")[0] for said in Stored().against(rows, [ledger])] == [fault]


def test_what_is_lost_stays_in_the_ledger(ledger: Ledger) -> None:
    assert list(Stored().against([row(ONE)], [ledger])) == []
    assert set(ledger.lines) == {TWO, OTHER_SCORE}


def test_answers_that_counted_a_conflict_as_kept_are_told() -> None:
    ledger = Ledger()
    ledger.note([ONE, OTHER_FORM], counted(created=1, duplicate=1))
    list(Stored().against([row(ONE)], [ledger]))
    (said,) = ledger.differences()
    assert said.startswith("answers counted 2 lines as kept and 0 as rejected; by what is stored 1 had to be kept")


def test_counts_that_are_not_those_of_the_lines_are_told() -> None:
    assert "do not add up" in Ledger().note([ONE, None], counted(created=1))
    assert "do not add up" in Ledger().note([ONE], counted(created=1) | {"received": 2})
