"""What all detectors have in common."""

from datetime import timedelta

import pytest

from detection.detectors import BY_NAME, DETECTORS, POOL_DETECTORS
from detection.detectors.base import Detector, overlap, rarity
from detection.records import AccountSeen, Window
from detection.telemetry.columns import ACCOUNTS, EXCHANGES
from tests.detection.telemetry.rows import START

WINDOW = Window(START, START + timedelta(days=1))


@pytest.mark.parametrize("detector", (*DETECTORS, *POOL_DETECTORS), ids=lambda d: d.name)
def test_detector_states_all_that_is_shown_beside_its_score(detector: Detector) -> None:
    stated = (detector.name, detector.signal, detector.version, detector.title, detector.idea, detector.source)
    assert all(stated)
    assert detector.requires or detector.requires_any
    assert set(detector.requires + detector.requires_any + detector.uses) <= {*EXCHANGES, *ACCOUNTS}
    assert detector.parameters
    assert detector.minimum_support > 0
    assert detector.support_unit
    assert detector.innocent_explanations
    assert len(detector.config_sha256) == 64
    assert BY_NAME[detector.name] is detector


@pytest.mark.parametrize(("holders", "weight"), [(1, 1.0), (100, 0.0), (10, 0.5)])
def test_rarity_of_a_value_among_a_hundred(holders: int, weight: float) -> None:
    assert rarity(holders, 100) == pytest.approx(weight)


def test_overlap_counts_the_moment_when_most_are_there() -> None:
    day = timedelta(days=1)
    spans = [(START, START + day), (START + day / 2, START + 2 * day), (START + 3 * day, START + 4 * day)]
    assert overlap(spans) == pytest.approx(2 / 3)
    assert overlap([]) == 0.0


def test_drafts_with_more_accounts_than_a_finding_carries_come_in_parts() -> None:
    accounts = [AccountSeen(f"a{n:05d}", 1, 0, 0, START, START) for n in range(10_001)]
    drafts = list(
        DETECTORS[0].drafts(
            WINDOW, ("ip", "x"), accounts, title="t", summary="s", score=2.0, confidence="low", support={}
        )
    )
    assert [len(draft.accounts) for draft in drafts] == [10_000, 1]
    assert len({draft.uid for draft in drafts}) == 2
    assert drafts[0].score == 1.0
