"""The lying server, one process for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.lying_server import Lying, running


@pytest.fixture(scope="module")
def _server() -> Iterator[Lying]:
    with running() as lying:
        yield lying


@pytest.fixture
def lying(_server: Lying) -> Lying:
    """The server as if it had just been started, honest."""
    _server.control(fresh=True)
    return _server
