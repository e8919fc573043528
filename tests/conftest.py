"""Fixtures every test may ask for; servers and the database come from the plugins tests.servers and tests.database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis

from tests.authority import Authority
from tests.factories import Cast, make_cast
from tests.servers import HOME

# How long an example takes is the machine's affair: speed is measured in benchmarks/, never in tests.
hypothesis.register_profile("retort", deadline=None)
hypothesis.load_profile("retort")


# Files that take a minute and more begin first: none of them is left when everything else is over.
LONG = (
    "tests/e2e/",
    *(f"tests/test_{name}.py" for name in ("roles_pages", "kills", "fields", "matrix", "public_flaws", "roles_api")),
    *(f"tests/detection/test_{name}.py" for name in ("spark", "kills_findings")),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by that; the order stays what it was otherwise (and `--no-loadscope-reorder` has xdist keep it)."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture
def cast(db: None) -> Cast:
    """One person of each role: admin, lead, analyst, counsel, reader."""
    return make_cast()


@pytest.fixture
def committed_cast(transactional_db: None) -> Cast:
    """The same people in a test that commits: threads, workers and browsers see them."""
    return make_cast()


@pytest.fixture(autouse=True)
def signer_without_memory() -> None:
    """The signer knows no earlier log: what it signed in a test that was rolled back is gone."""
    (HOME.signer / "state.json").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    made = Authority(tmp_path_factory.mktemp("authority"))
    yield made
    made.close()


@pytest.fixture
def authority(_authority: Authority, settings: Any) -> Authority:
    """An honest time-stamp authority that this installation is configured for."""
    _authority.mood, _authority.skew, _authority.asked = "honest", "", 0
    settings.TSA_URL, settings.TSA_CA_FILE = _authority.url, str(_authority.roots)
    return _authority


@pytest.fixture
def no_broker(settings: Any) -> None:
    """Leave messages unsent: the test runs jobs itself."""
    settings.SEND_TASKS = False


@pytest.fixture
def checkpoints_apart(settings: Any, tmp_path: Path) -> Path:
    """Checkpoints kept outside the database go to a folder of this test, which knows no earlier log."""
    settings.CHECKPOINT_FOLDER = tmp_path / "checkpoints"
    return tmp_path / "checkpoints"
