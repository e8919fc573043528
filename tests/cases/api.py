"""How the tests of the API call it: as a person with a real token, or as a detector with a real key."""

from typing import Any

from rest_framework.test import APIClient

from people.actions import create_detector_key, create_token
from people.models import User


def client_of(person: User) -> APIClient:
    """A client that sends this person's token."""
    return _bearing(create_token(actor="system:test", username=person.username))


def client_of_detector(name: str = "shared_attribute") -> APIClient:
    """A client that sends a detector's key."""
    return _bearing(create_detector_key(actor="system:test", detector=name))


def _bearing(key: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def places(response: Any) -> list[str]:
    """The JSON Pointers of a refusal."""
    return [one["pointer"] for one in response.json().get("errors", [])]
