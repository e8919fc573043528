"""What accounts that work like a clock are said to do, with their prompts and without."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from detection.detectors.no_human_cadence import NoHumanCadence
from detection.records import Outcome, Status
from detection.simulation import texts
from tests.detection.detectors.scenes import WINDOW, Rows, ordinary
from tests.detection.telemetry.rows import dataset_of, row


def clock(account: str, chatty: bool = False) -> Iterator[dict[str, Any]]:
    """An exchange every ten minutes for two days; a chatty account follows up on every tenth."""
    r = Random(31)
    for n in range(300):
        prompt = "Why so?" if chatty and n % 10 == 0 else f"Write a line on this for a catalogue: {texts.task(r)}"
        yield row(0, account, hours=n / 6, request_id=f"{account}-{n}", prompt=prompt)


def without_prompts(rows: Rows, accounts: str = "") -> Rows:
    """Take the prompts off, of the accounts whose name begins so."""
    return [
        {k: v for k, v in one.items() if k != "prompt" or not one["account_id"].startswith(accounts)} for one in rows
    ]


def detect(folder: Path, rows: Rows) -> Outcome:
    with dataset_of(folder, rows) as dataset:
        return NoHumanCadence().detect(dataset, WINDOW)


ROWS = [*ordinary(), *clock("clock_a"), *clock("talks_a", chatty=True)]


@pytest.mark.parametrize(
    ("rows", "named", "figures", "said"),
    [
        (ROWS, ["clock_a"], (1, 0), "1 leave even gaps and hardly ever follow up, 0 send"),
        (
            without_prompts(ROWS),
            ["clock_a", "talks_a"],
            (0, 2),
            "0 leave even gaps and hardly ever follow up, 2 leave even gaps and it is not known whether they follow up",
        ),
        (without_prompts(ROWS, "clock"), ["clock_a"], (0, 1), "1 leave even gaps and it is not known whether"),
    ],
    ids=["with prompts", "without any", "without those of one account"],
)
def test_clock_is_said_to_follow_up_or_not_only_where_its_prompts_are_known(
    tmp_path: Path, rows: Rows, named: list[str], figures: tuple[int, int], said: str
) -> None:
    (finding,) = detect(tmp_path, rows).findings
    assert [account.account_id for account in finding.accounts] == named
    assert (finding.support["even_gaps"], finding.support["even_gaps_follow_ups_unknown"]) == figures
    assert said in finding.summary


def test_without_prompts_and_without_even_gaps_it_cannot_tell(tmp_path: Path) -> None:
    outcome = detect(tmp_path, without_prompts(ordinary()))
    assert (outcome.status, outcome.reason) == (
        Status.COULD_NOT_TELL,
        "No account leaves even gaps; without prompts neither numbered lists nor follow-ups can be seen.",
    )


def test_with_prompts_and_without_even_gaps_it_finds_nothing(tmp_path: Path) -> None:
    assert detect(tmp_path, ordinary()).status is Status.NOTHING_FOUND
