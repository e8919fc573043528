"""What the pages on people share: who is signed in, and a secret shown once."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from people.models import User
from spine.errors import Conflict, Refused


def person(request: HttpRequest) -> User:
    """Who is signed in; these pages are never reached by anybody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Nobody is signed in.")
    return request.user


def shown_once(request: HttpRequest, **context: Any) -> HttpResponse:
    """A secret, in this answer and nowhere else: no redirect, nothing stored, no cache keeps it.

    Context: title, lede, secrets: [str], label, back: (words, address).
    """
    answer = render(request, "people/shown_once.html", {"page_title": context["title"], **context})
    answer["Cache-Control"] = "no-store"
    return answer


def refuse(form: Form, refusal: Refused, names: Mapping[str, str] | None = None) -> int:
    """Write a refusal beside its field; gives the status: 409 when somebody was faster, 422 when a rule says no."""
    name = (names or {}).get(refusal.field, refusal.field)
    form.add_error(name if name in form.fields else None, refusal.message)
    return 409 if isinstance(refusal, Conflict) else 422
