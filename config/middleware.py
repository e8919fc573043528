"""What every response carries: a request id, so that a person can name the request that failed, and what a browser must
not do with it.
"""

import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from config import logs, measures
from spine import tracing
from spine.ids import new_id

ACCEPTED = re.compile(r"[A-Za-z0-9_-]{8,64}", flags=re.ASCII)


class RequestId:
    """Keeps a well-formed `X-Request-Id` that came with the request, or makes one; all that is done inside has it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        named = given if ACCEPTED.fullmatch(given) else str(new_id())
        request.request_id = named  # type: ignore[attr-defined]
        with tracing.within(request=named):
            response = self.get_response(request)
        response["X-Request-Id"] = named
        request.META[tracing.REQUEST_ID], request.META[tracing.ROUTE] = named, logs.route_of(request)
        return response


class Measured:
    """Counts the answer, and how long it took until its first byte could leave, by the pattern of its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        response = self.get_response(request)
        measures.count(request, response.status_code, time.monotonic() - started)
        return response


class ApiOverHttps:
    """Behind HTTPS, refuses what comes to the API in the clear, where a page is redirected.

    A program that sends its key in the clear has to fail, or nobody would notice.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and request.path.startswith("/api/") and not request.is_secure():
            return JsonResponse(IN_THE_CLEAR, status=403, content_type="application/problem+json")
        return self.get_response(request)


IN_THE_CLEAR = {
    "type": "about:blank",
    "title": "Not allowed",
    "status": 403,
    "detail": "The API answers over HTTPS alone. A key that was sent in the clear is to be revoked.",
}

# Of no use to any page, so no page may ask for it, whatever it comes to contain.
PERMISSIONS = (
    *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "gamepad"),
    *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
    *("payment", "picture-in-picture", "screen-wake-lock", "serial", "storage-access", "usb", "xr-spatial-tracking"),
)
ALWAYS = {
    "X-Frame-Options": "DENY",  # also where Django refuses before its own middleware runs
    "Permissions-Policy": ", ".join(f"{name}=()" for name in PERMISSIONS),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}


class Headers:
    """Headers that no view decides: nothing is kept in a cache but our own files, and nothing is read from elsewhere.

    Django's SecurityMiddleware adds nosniff, the referrer and opener policies and, behind HTTPS, HSTS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in ALWAYS.items():
            response.setdefault(name, value)
        response.setdefault("Cache-Control", "no-store, private")
        return response
