"""Accounts in step in such numbers that not all of them are compared with one another: whatever they are called."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from detection.detectors.synchronised_activity import SynchronisedActivity
from detection.records import Outcome, Status
from tests.detection.detectors.scenes import WINDOW, Rows, names
from tests.detection.telemetry.rows import dataset_of, row

STEP, CROWD = names("step", 52), [f"acct_{n:04d}" for n in range(2_700)]


def many_in_step() -> Iterator[dict[str, Any]]:
    """A crowd that sends an exchange each, and fifty-two accounts, each awake at all but two of fifty odd minutes."""
    r = Random(41)
    for n, account in enumerate(CROWD):
        yield row(n, account, hours=r.uniform(0, 200))
    moments = r.sample([7 * n + 1 for n in range(2_000) if (7 * n + 1) % 5], 50)
    for number, account in enumerate(STEP):
        for n, minute in enumerate(r.sample(moments, 48)):
            yield row(0, account, hours=(minute + 0.5) / 60, request_id=f"s{number}-{n}")


def detect(folder: Path, rows: Rows) -> Outcome:
    folder.mkdir()
    with dataset_of(folder, rows) as dataset:
        return SynchronisedActivity().detect(dataset, WINDOW)


def test_many_in_step_with_as_many_moments_each_are_found_alike_whatever_they_are_called(tmp_path: Path) -> None:
    rows = list(many_in_step())
    first = detect(tmp_path / "first", rows)
    assert (first.status, first.counts["pairs_compared_by_minute"] < 52 * 51 / 2) == (Status.FOUND, True)
    for seed in (1, 2):
        new = dict(zip(STEP, Random(seed).sample(STEP, len(STEP)), strict=True))
        again = detect(
            tmp_path / f"again{seed}",
            [one | {"account_id": new.get(one["account_id"])} if one["account_id"] in new else one for one in rows],
        )
        assert again.counts == first.counts
        for one, other in zip(first.findings, again.findings, strict=True):
            assert {**one.support, "uid": one.uid, "summary": one.summary} == {
                **other.support,
                "uid": other.uid,
                "summary": other.summary,
            }
            assert sorted(new[a.account_id] for a in one.accounts) == [a.account_id for a in other.accounts]


def test_large_bucket_is_compared_with_the_account_that_its_activity_decides() -> None:
    marks = {account: (number * 29) % 50 for number, account in enumerate(names("one", 50))}
    others = {f"other_{mark:02d}": mark for mark in marks.values()}
    assert paired(marks) == {frozenset(pair) for pair in ((0, n) for n in range(1, 50))}
    assert paired(others) == paired(marks)


def paired(marks: Mapping[str, int]) -> set[frozenset[int]]:
    """Give whom accounts of one bucket, with as many elements each, are paired with, by mark."""
    rows = [{"account_id": account, "elements": 20, "mark": mark, "band": 0} for account, mark in marks.items()]
    pairs = SynchronisedActivity()._pairs(rows, ["band"])
    return {frozenset((marks[one], marks[other])) for one, other in pairs}
