"""What Django itself refuses or fails at, in the API's form under /api/ and as a page elsewhere."""

import http
import logging
import sys
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from spine.errors import NoRoom, Unreachable, is_no_room
from spine.problems import PROBLEM

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lacking:
    """What is not there just now, and after how many seconds to try again."""

    heading: str
    retry: str


DATABASE = Lacking("The database cannot be reached just now", "5")
STORE = Lacking("The evidence store cannot be reached just now", "30")
ROOM = Lacking("There is no room left to store this", str(NoRoom.retry_seconds))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    if _is_api(request):
        return _problem(400, "The request is not well formed.", request)
    return _page(request, "400.html", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, a mistake in the program; the request id finds it in the log. 503 while database, store or room lacks."""
    error = sys.exc_info()[1]
    if is_no_room(error):
        return _unavailable(request, ROOM)
    if isinstance(error, OperationalError | InterfaceError):
        return _unavailable(request, DATABASE)
    if isinstance(error, Unreachable):
        return _unavailable(request, STORE)
    if _is_api(request):
        named = getattr(request, "request_id", "")
        sentence = f"This is a mistake in Retort, not in the request; it is logged under {named}."
        return _problem(500, sentence, request)
    return _page(request, "500.html", 500)


def _unavailable(request: HttpRequest, lacking: Lacking) -> HttpResponse:
    logger.error(lacking.heading)
    if _is_api(request):
        answer = _problem(503, f"{lacking.heading}; nothing was kept. Try again.", request)
    else:
        answer = _page(request, "503.html", 503, heading=lacking.heading)
    answer["Retry-After"] = lacking.retry
    return answer


def _page(request: HttpRequest, template: str, status: int, **more: str) -> HttpResponse:
    """A page that stands alone: no context processor runs, for what failed may be what they ask."""
    content = loader.get_template(template).render({"request_id": getattr(request, "request_id", ""), **more})
    return HttpResponse(content, status=status)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem(status: int, detail: str, request: HttpRequest) -> HttpResponse:
    title = http.HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if status >= 500:
        body["request_id"] = getattr(request, "request_id", "")
    return JsonResponse(body, status=status, content_type=PROBLEM)
