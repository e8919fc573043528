"""Before an act with consequences the person confirms who they are, unless they have done so within the last minutes.

How another part asks for it:

- a page view: `@recently_proven` under its `@requires(…)`. The confirmation takes the place of the act's answer and
  carries what was typed; once confirmed, the act happens at once. A GET is never asked.
- an API view: `permission_classes = [TheirDoor, RecentlyProven]`. A session gets 403 that says so; a bearer key does
  not need it, since a key is made for its rights and for a time.
- what must not be known to be there: get it through its own door first, and ask after that. A page has its act in a
  function of its own under `@recently_proven`, an API view calls `demand_proof`.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from allauth.mfa.webauthn.internal import auth as webauthn
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from rest_framework import permissions
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from people import proving, second_factors, sessions
from people.authentication import SessionAuthentication
from people.models import User
from spine import log
from spine.errors import Refused

if TYPE_CHECKING:
    from rest_framework.views import APIView

View = Callable[..., HttpResponseBase]
FIELDS = ("confirm_password", "confirm_code", "confirm_credential")
OWN_FIELDS = {*FIELDS, "csrfmiddlewaretoken"}


def recently_proven(view: View) -> View:
    """A page whose POST needs a person who has proved who they are within `RETORT_REAUTHENTICATE_MINUTES`."""
    return _asking(view, {"POST"})


def proven_before_showing(view: View) -> View:
    """The same for a page that is not even shown before."""
    return _asking(view, {"POST", "GET", "HEAD"})


def _asking(view: View, methods: set[str]) -> View:
    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in methods or sessions.is_proved(request):
            return view(request, *args, **kwargs)
        person = request.user
        if not isinstance(person, User):
            return view(request, *args, **kwargs)  # the policy above answers those
        refusal = confirm(request, person)
        return view(request, *args, **kwargs) if refusal is None else confirmation(request, person, refusal)

    return asked


def confirm(request: HttpRequest, person: User) -> str | None:
    """Take what was sent as proof. None when it is one; else why not, empty when nothing was sent yet.

    Attempts are counted even though the request changes nothing else: they are committed before this returns.
    """
    given = {name: request.POST.get(name, "") for name in FIELDS}
    try:
        if given["confirm_credential"]:
            proving.by_passkey(person, _json(given["confirm_credential"]))
        elif given["confirm_code"]:
            proving.by_code(person, given["confirm_code"])
        elif given["confirm_password"]:
            proving.by_password(person, given["confirm_password"])
        else:
            return ""
    except Refused as refusal:
        return refusal.message
    sessions.prove(request)
    note_proof(actor=person)
    return None


@transaction.atomic
def note_proof(*, actor: User) -> None:
    """Write down that a person confirmed who they are. Side effects: one log entry."""
    log.record(actor=actor.principal, action="person.proved", about=actor)


def confirmation(request: HttpRequest, person: User, refusal: str = "", *, status: int = 422) -> HttpResponse:
    """The page that asks; it sends what was typed again, beside the proof, to the same address."""
    factors = second_factors.of(person)
    options = None
    if factors.passkeys and second_factors.passkey_domain(request):
        options = webauthn.begin_authentication(person)
    answer = render(
        request,
        "people/confirm.html",
        {
            "page_title": "Confirm that it is you",
            "refusal_text": refusal,
            "kept": [
                (name, value) for name, values in request.POST.lists() if name not in OWN_FIELDS for value in values
            ],
            "has_files": bool(request.FILES),
            "has_password": person.has_usable_password(),
            "has_code": factors.app is not None,
            "passkey_options": options,
            "provider": settings.OIDC if not (person.has_usable_password() or factors.any) else None,
        },
        status=status,
    )
    answer["Cache-Control"] = "no-store"
    if request.headers.get("HX-Request"):  # a fragment was expected: the page takes the place of the content
        answer["HX-Retarget"], answer["HX-Reselect"], answer["HX-Reswap"] = "#main", "#main", "outerHTML"
    return answer


class RecentlyProven(permissions.BasePermission):
    """For API views: a session whose person proved who they are within the last minutes, or a bearer key."""

    message = "Confirm that it is you first, on the page /confirm/; then send this again."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method in permissions.SAFE_METHODS:
            return True
        if isinstance(request.successful_authenticator, SessionAuthentication):
            return sessions.is_proved(request._request)
        return True


def demand_proof(request: Request, view: "APIView") -> None:
    """The same as `RecentlyProven`, for a view that has to find what it is about first. Raises PermissionDenied."""
    if not RecentlyProven().has_permission(request, view):
        raise PermissionDenied(RecentlyProven.message)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def minutes() -> int:
    """How long a proof is good for."""
    return int(settings.REAUTHENTICATE_SECONDS // 60)
