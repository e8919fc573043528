"""A request id on every response, so that a person can name the request that failed."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from spine.ids import new_id

ACCEPTED = re.compile(r"^[A-Za-z0-9_-]{8,64}$")


class RequestId:
    """Keeps a well-formed `X-Request-Id` that came with the request, or makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if ACCEPTED.match(given) else str(new_id())  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response
