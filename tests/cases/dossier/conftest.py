"""Fixtures of dossier tests: a case with everything in it, in a test that commits, no broker, a log of its own."""

from pathlib import Path

import pytest

from tests.cases.dossier.story import Story, make_story


@pytest.fixture
def story(transactional_db: None, no_broker: None, checkpoints_apart: Path) -> Story:
    """Six accounts, two findings, three shared values, one exhibit, one judged claim."""
    return make_story()
