"""How the tests sign in by the pages: by form, with codes as an app would make them."""

import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from people import actions, second_factors
from people.models import User
from tests.factories import PASSWORD


def post(client: Client, username: str, password: str = PASSWORD, **fields: Any) -> Any:
    """What the sign-in page answers to this name and password."""
    return client.post("/sign-in/", {"username": username, "password": password, **fields})


def code(secret: str, steps: int = 0) -> str:
    """What an app with this secret shows now, or so many half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // second_factors.PERIOD + steps)))


def with_app(person: User) -> tuple[str, list[str]]:
    """Set an app up, shown by the code of the half minute before; gives its secret and the recovery codes."""
    secret = second_factors.fresh_secret()
    return secret, actions.add_app(actor=person, secret=secret, code=code(secret, -1))


def is_in(client: Client) -> bool:
    """Whether this browser is signed in."""
    return bool(client.get("/me/").status_code == 200)
