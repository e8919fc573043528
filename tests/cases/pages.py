"""How the tests of pages look at them: as a person who is signed in, by forms and what they would send."""

import re
from html import unescape
from typing import Any

from django.test import Client

from people.models import User

ALWAYS = {"/colours/", "/sign-out/"}  # forms of the frame, on every page


def client_of(person: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(person)
    return client


def text_of(response: Any) -> str:
    """The page."""
    return str(response.getvalue().decode())


def forms_of(response: Any) -> set[str]:
    """Where the forms of a page are sent, those of the frame left out; whatever follows `?` too."""
    found = re.findall(r'<form[^>]*method="post"[^>]*>', text_of(response))
    actions = {unescape(m.group(1)) for form in found if (m := re.search(r'action="([^"]*)"', form))}
    return {action.partition("?")[0] for action in actions} - ALWAYS


def sent_by(form: Any) -> dict[str, Any]:
    """What a shown form would send as it stands."""
    values = {bound.html_name: bound.value() for bound in form}
    return {name: "" if value is None else value for name, value in values.items()}
