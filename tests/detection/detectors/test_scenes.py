"""What every account-level detector keeps: found, not found, could not tell; any row order, any names, any engine."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detection.detectors import BY_NAME
from detection.records import Outcome, Status, finding_document
from tests.detection.detectors.elsewhere import watched
from tests.detection.detectors.scenes import SCENES, WINDOW, Rows, Scene, Side
from tests.detection.telemetry.rows import dataset_of

pytestmark = pytest.mark.parametrize(("name", "scene"), SCENES.items(), ids=list(SCENES))


def detect(folder: Path, name: str, made: tuple[Rows, Side]) -> Outcome:
    folder.mkdir(exist_ok=True)
    rows, side = made
    with dataset_of(folder, rows, **side) as dataset:
        return BY_NAME[name].detect(dataset, WINDOW)


def named(outcome: Outcome) -> set[str]:
    return {account.account_id for finding in outcome.findings for account in finding.accounts}


def test_detector_names_who_takes_part_and_nobody_else(tmp_path: Path, name: str, scene: Scene) -> None:
    outcome = detect(tmp_path, name, scene.found())
    assert (outcome.status, named(outcome)) == (Status.FOUND, scene.named)
    for finding in outcome.findings:
        document = finding_document(finding)
        assert document["signal"] == BY_NAME[name].signal
        assert all(account["attributes"] for account in document["accounts"])


def test_detector_with_a_look_alike_finds_nothing(tmp_path: Path, name: str, scene: Scene) -> None:
    outcome = detect(tmp_path, name, scene.alike())
    assert (outcome.status, named(outcome)) == (Status.NOTHING_FOUND, set())


def test_detector_without_a_needed_column_cannot_tell(tmp_path: Path, name: str, scene: Scene) -> None:
    rows, side = scene.found()
    less = [{k: v for k, v in one.items() if k not in scene.needs} for one in rows]
    fewer = {k: [{c: v for c, v in one.items() if c not in scene.needs} for one in own] for k, own in side.items()}
    outcome = detect(tmp_path, name, (less, fewer))
    if scene.needs:
        assert (outcome.status, outcome.findings) == (Status.COULD_NOT_TELL, ())
        assert all(column in outcome.reason for column in scene.needs)
    else:
        assert set(BY_NAME[name].requires) <= {"ts"}


def test_detector_with_too_little_support_cannot_tell(tmp_path: Path, name: str, scene: Scene) -> None:
    rows, side = scene.found()
    few = [one for one in rows if one["account_id"] in sorted(scene.named)[:2]][:15]
    outcome = detect(tmp_path, name, (few, side))
    assert (outcome.status, outcome.findings) == (Status.COULD_NOT_TELL, ())
    assert "needed" in outcome.reason


def test_detector_with_shuffled_rows_gives_the_same_answer(tmp_path: Path, name: str, scene: Scene) -> None:
    rows, side = scene.found()
    shuffled = random.Random(5).sample(rows, len(rows))
    turned = {kind: own[::-1] for kind, own in side.items()}
    one, other = detect(tmp_path / "a", name, (rows, side)), detect(tmp_path / "b", name, (shuffled, turned))
    assert one == other


def test_detector_with_renamed_accounts_says_the_same_of_them(tmp_path: Path, name: str, scene: Scene) -> None:
    rows, side = scene.found()
    known = sorted({one["account_id"] for one in rows})
    new = dict(zip(known, (f"user_{n:03d}" for n in random.Random(6).sample(range(1000), len(known))), strict=True))
    again = ([renamed(one, new) for one in rows], {k: [renamed(one, new) for one in own] for k, own in side.items()})
    one, other = detect(tmp_path / "a", name, (rows, side)), detect(tmp_path / "b", name, again)
    assert list(said(one, new)) == list(said(other))


def renamed(one: dict[str, Any], new: dict[str, str]) -> dict[str, Any]:
    return one | {"account_id": new[one["account_id"]]}


def said(outcome: Outcome, new: dict[str, str] | None = None) -> Iterator[Any]:
    for finding in outcome.findings:
        accounts = [replace(a, account_id=new[a.account_id] if new else a.account_id) for a in finding.accounts]
        yield replace(finding, accounts=tuple(sorted(accounts, key=lambda a: a.account_id)))


def test_detector_asks_only_what_other_engines_understand_too(
    tmp_path: Path, name: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, side = scene.found()
    with dataset_of(tmp_path, rows, **side) as dataset:
        seen = watched(dataset, monkeypatch)
        assert BY_NAME[name].detect(seen, WINDOW).status is Status.FOUND
    assert (seen.asked > 0, seen.unknown) == (True, set())
