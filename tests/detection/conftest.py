"""Callers of the API in tests: a person of each role, and a detector with its key."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from detection import registry
from people.actions import create_token
from tests.detection.samples import DETECTOR
from tests.factories import Cast


class Caller:
    """Somebody with a bearer key."""

    def __init__(self, key: str) -> None:
        self.headers = {"Authorization": f"Bearer {key}"}
        self.client = Client(raise_request_exception=True)

    def get(self, path: str, **query: Any) -> Any:
        return _kept(self.client.get(f"/api/v1/{path}", query, headers=self.headers))

    def post(self, path: str, body: bytes, content_type: str = "application/json", encoding: str = "") -> Any:
        headers = self.headers | ({"Content-Encoding": encoding} if encoding else {})
        return _kept(self.client.post(f"/api/v1/{path}", body, content_type=content_type, headers=headers))


def _kept(answer: Any) -> Any:
    """The answer, with the test's own transaction left usable: a refusal rolls back whatever transaction it is in."""
    if transaction.get_connection().in_atomic_block:
        transaction.set_rollback(False)
    return answer


@pytest.fixture
def detector_key(db: None) -> str:
    return registry.create_detector(actor="user:admin", name=DETECTOR)[1]


@pytest.fixture
def detector(detector_key: str) -> Caller:
    return Caller(detector_key)


@pytest.fixture
def callers(cast: Cast, detector: Caller) -> dict[str, Caller]:
    """Everybody who can call, by role; `nobody` has no key."""
    found = {person.role: Caller(create_token(actor="user:admin", username=person.username)) for person in cast.all()}
    nobody = Caller("")
    nobody.headers = {}
    return found | {"detector": detector, "nobody": nobody}


@pytest.fixture
def analyst(callers: dict[str, Caller]) -> Caller:
    return callers["analyst"]
