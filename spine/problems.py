"""Every refusal of the API as application/problem+json (RFC 9457), with a JSON Pointer (RFC 6901) to each bad field."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from spine import strict_json, tracing
from spine.api import BadDocument
from spine.errors import Conflict, NoRoom, Refused, Unreachable, is_no_room, sqlstate

logger = logging.getLogger(__name__)
PROBLEM = "application/problem+json"


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Any refusal as application/problem+json. None lets Django answer, for what is a mistake in the program."""
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(*error.args)
    if isinstance(error, Refused):
        return _refused(error)
    if is_no_room(error):
        logger.error("no room to store what was sent")
        return _later(NoRoom.message, NoRoom.retry_seconds)
    if isinstance(error, OperationalError):
        logger.error("database not reached: %s %s", type(error).__name__, sqlstate(error))
        return _later("The database cannot be reached just now; nothing was kept. Try again.", 5)
    if isinstance(error, Unreachable):
        logger.error("the evidence store is not reached")
        return _later("The evidence store cannot be reached just now; nothing was kept. Try again.", 30)
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    answer = _answer(error.status_code, _sentence(error), _places(error))
    for header, value in (("WWW-Authenticate", "auth_header"), ("Retry-After", "wait")):
        if getattr(error, value, None):
            answer[header] = str(getattr(error, value))
    return answer


def _later(detail: str, seconds: int) -> Response:
    set_rollback()
    answer = _answer(503, detail, [])
    answer["Retry-After"] = str(seconds)
    return answer


def _refused(refused: Refused) -> Response:
    set_rollback()
    status_code = 409 if isinstance(refused, Conflict) or not refused.field else 400
    pointer = "".join(f"/{strict_json.escape(step)}" for step in refused.field.split("/"))
    places = [{"pointer": pointer, "detail": refused.message}] if refused.field else []
    answer = _answer(status_code, refused.message, places)
    if refused.missing:
        answer.data["missing"] = list(refused.missing)
    return answer


def _answer(status_code: int, detail: str, errors: list[dict[str, str]]) -> Response:
    titles = {
        400: "Not acceptable as it is",
        401: "Not signed in",
        403: "Not allowed",
        404: "Not found",
        405: "Not a method of this address",
        409: "Not now",
        413: "Too large",
        415: "Not a type that is read here",
        503: "Not just now",
    }
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": titles.get(status_code, "Not done"),
        "status": status_code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    if status_code >= 500:
        body["request_id"] = tracing.current().request
    return Response(body, status=status_code, content_type=PROBLEM)


def _sentence(error: exceptions.APIException) -> str:
    if isinstance(error.detail, str):
        return str(error.detail)
    return "Some fields cannot be accepted; see errors."


def _places(error: exceptions.APIException) -> list[dict[str, str]]:
    if isinstance(error, BadDocument):
        return [{"pointer": error.pointer, "detail": str(error.detail)}]
    if isinstance(error.detail, str):
        return []
    return list(_walk(error.detail, ""))


def _walk(detail: Any, pointer: str) -> Any:
    if isinstance(detail, dict):
        for key, value in detail.items():
            yield from _walk(
                value, pointer if key == "non_field_errors" else f"{pointer}/{strict_json.escape(str(key))}"
            )
    elif isinstance(detail, list) and any(isinstance(item, (dict, list)) for item in detail):
        for index, item in enumerate(detail):
            yield from _walk(item, f"{pointer}/{index}")
    elif isinstance(detail, list):
        yield from ({"pointer": pointer, "detail": str(item)} for item in detail)
    else:
        yield {"pointer": pointer, "detail": str(detail)}
