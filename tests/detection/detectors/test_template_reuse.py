"""Template reuse: a frame filled by several accounts is found, ordinary talk and one account's product are not."""

import random
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from detection.detectors.template_reuse import TemplateReuse
from detection.records import Outcome, Status, Window, finding_document
from detection.simulation import texts
from tests.detection.telemetry.rows import START, dataset_of, row

WINDOW = Window(START, START + timedelta(days=7))
FRAME = "Take up the entry from first principles: {}"


def ordinary(size: int = 600) -> list[dict[str, Any]]:
    """Questions of sixty accounts, no two of which share a product."""
    r = Random(11)
    return [row(n, f"acct_{n % 60:02d}", hours=n / 5, prompt=texts.question(r)) for n in range(size)]


def filled(accounts: int, times: int, frame: str = FRAME) -> list[dict[str, Any]]:
    r = Random(12)
    return [
        row(1000 + a * 100 + n, f"acct_{a:02d}", hours=20 * n, prompt=frame.format(texts.task(r)))
        for a in range(accounts)
        for n in range(times)
    ]


def detect(folder: Path, rows: list[dict[str, Any]]) -> Outcome:
    with dataset_of(folder, rows) as dataset:
        return TemplateReuse().detect(dataset, WINDOW)


def test_template_reuse_with_frame_of_five_accounts_finds_it_with_its_fillings(tmp_path: Path) -> None:
    outcome = detect(tmp_path, ordinary() + filled(5, 6))
    assert outcome.status is Status.FOUND
    (finding,) = [f for f in outcome.findings if f.support["template"] == "take up the entry from first principles : …"]
    assert [a.account_id for a in finding.accounts] == [f"acct_{n:02d}" for n in range(5)]
    assert [a.attributes[0].count for a in finding.accounts] == [6] * 5
    assert {k: finding.support[k] for k in ("exchanges", "days", "population")} == {
        "exchanges": 30,
        "days": 5,
        "population": 60,
    }
    assert finding_document(finding)["signal"] == "template_reuse"


def test_template_reuse_with_frame_of_one_account_finds_nothing_of_it(tmp_path: Path) -> None:
    outcome = detect(tmp_path, ordinary() + filled(1, 40))
    assert [f for f in outcome.findings if "first principles" in str(f.support["template"])] == []


def test_template_reuse_with_one_prompt_sent_again_and_again_is_no_template(tmp_path: Path) -> None:
    check = [row(2000 + n, f"acct_{n % 4:02d}", hours=n, prompt="is the service up and well today") for n in range(80)]
    outcome = detect(tmp_path, ordinary() + check)
    assert [f for f in outcome.findings if "service" in str(f.support["template"])] == []


def test_template_reuse_with_too_few_prompts_cannot_tell(tmp_path: Path) -> None:
    outcome = detect(tmp_path, ordinary(100))
    assert (outcome.status, outcome.reason) == (
        Status.COULD_NOT_TELL,
        "Only 100 exchanges carry a prompt; 500 are needed.",
    )


def test_template_reuse_without_prompts_cannot_tell(tmp_path: Path) -> None:
    outcome = detect(tmp_path, [row(1, ip="203.0.113.7")])
    assert (outcome.status, outcome.reason) == (
        Status.COULD_NOT_TELL,
        "The telemetry has no prompt, which this detector needs.",
    )


def test_template_reuse_with_frame_in_the_middle_finds_it_as_twins(tmp_path: Path) -> None:
    middle = (
        "{0} {0} {0} please weigh the goods of the western harbour against the ledger of the eastern harbour and tell "
        "which crates the night watch has counted twice since the last inspection of the bonded store near {0} {0}"
    )
    words = texts.THINGS
    rows = [
        row(3000 + n, f"acct_{n % 5:02d}", hours=3 * n, prompt=middle.format(words[n % len(words)])) for n in range(50)
    ]
    outcome = detect(tmp_path, ordinary() + rows)
    assert [len(f.accounts) for f in outcome.findings if str(f.reproduction["key"]).startswith("template twin-")] == [5]


def test_template_reuse_with_shuffled_rows_gives_the_same_drafts(tmp_path: Path) -> None:
    rows = ordinary() + filled(5, 6)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shuffled = random.Random(5).sample(rows, len(rows))
    assert detect(tmp_path / "a", rows) == detect(tmp_path / "b", shuffled)
