"""What Django itself refuses or fails at, in the API's form under /api/ and as a page elsewhere."""

import http
import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from spine.problems import PROBLEM

logger = logging.getLogger(__name__)
RETRY_SECONDS = "5"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    if _is_api(request):
        return _problem(400, "The request is not well formed.")
    return _page(request, "400.html", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, a mistake in the program; the request id finds it in the log. 503 while the database is not reached."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _unavailable(request)
    if _is_api(request):
        named = getattr(request, "request_id", "")
        return _problem(500, f"This is a mistake in Retort, not in the request; it is logged under {named}.")
    return _page(request, "500.html", 500)


def _unavailable(request: HttpRequest) -> HttpResponse:
    logger.error("database not reached, request %s", getattr(request, "request_id", ""))
    if _is_api(request):
        answer = _problem(503, "The database cannot be reached just now; nothing was kept. Try again.")
    else:
        answer = _page(request, "503.html", 503)
    answer["Retry-After"] = RETRY_SECONDS
    return answer


def _page(request: HttpRequest, template: str, status: int) -> HttpResponse:
    """A page that stands alone: no context processor runs, for what failed may be what they ask."""
    content = loader.get_template(template).render({"request_id": getattr(request, "request_id", "")})
    return HttpResponse(content, status=status)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem(status: int, detail: str) -> HttpResponse:
    title = http.HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type=PROBLEM)
