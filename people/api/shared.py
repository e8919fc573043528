"""What the endpoints on people and keys share."""

from rest_framework import exceptions
from rest_framework.request import Request

from people.models import ApiToken, User

NO_STORE = {"Cache-Control": "no-store"}


def person(request: Request) -> User:
    """Who asks: a person, by their session or their token."""
    if not isinstance(request.user, User):
        raise exceptions.PermissionDenied
    return request.user


def token_of(request: Request) -> ApiToken | None:
    """The token the request came with, if it came with one."""
    return request.auth if isinstance(request.auth, ApiToken) else None
