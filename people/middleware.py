"""Around every request: sessions that have lasted too long end, and the acting principal is named."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from people import second_factors, sessions
from people.models import User
from spine.principal import NOBODY, acting_as, kind
from spine.problems import PROBLEM
from spine.tracing import PRINCIPAL_KIND

Answer = Callable[[HttpRequest], HttpResponse]


class SessionMiddleware:
    """Ends a session that has lasted or idled too long, and remembers when the others were used."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.session.get(SESSION_KEY):
            if sessions.is_over(request):
                request.session.flush()
            else:
                sessions.note(request)
        return self.get_response(request)


class PrincipalMiddleware:
    """Everything inside acts as the signed-in person; a bearer key takes over in the API's authentication."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting_as(getattr(request.user, "principal", NOBODY)):
            response = self.get_response(request)
            request.META[PRINCIPAL_KIND] = kind()
            return response


class UnfinishedMiddleware:
    """Who has a one-time password, or has to have a second factor and has none, settles that before anything else."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if not isinstance(request.user, User) or getattr(view, "before_anything", False):
            return None
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return None  # a key stands for itself; the session that came along is not asked
        if request.user.one_time_until is not None:
            return _led(request, "own_password", "Change the one-time password first: sign in on the pages.")
        if second_factors.is_missing(request):
            return _led(request, "own_second_factor", "Your role needs a second factor: set one up on the pages first.")
        return None


def _led(request: HttpRequest, place: str, sentence: str) -> HttpResponseBase:
    if request.path.startswith("/api/"):
        body = {"type": "about:blank", "title": "Not allowed", "status": 403, "detail": sentence}
        return JsonResponse(body, status=403, content_type=PROBLEM)
    address = reverse(place)
    return redirect(
        f"{address}?{urlencode({'next': request.get_full_path()}, safe='/')}" if request.method == "GET" else address
    )
