"""The API's description and its page: how callers prove who they are, the OpenAPI file, and the browsable page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import permissions
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from people.policy import signed_in


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer <key>`."""

    target_class = "people.authentication.BearerAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "a person's token, or a detector's key"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The browser's session."""

    target_class = "people.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class SignedIn(permissions.IsAuthenticated):
    """Anybody who is known: a person of any role, or a detector's key."""

    rights = ("any", "any")


class Schema(SpectacularAPIView):
    """The OpenAPI file."""

    permission_classes = [SignedIn]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer


class Nowhere(APIView):
    """Any other address under the API: a problem document instead of a page."""

    permission_classes = [SignedIn]

    @extend_schema(exclude=True)
    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotFound("There is nothing at this address. Addresses end with a slash.")


@signed_in
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The browsable page, from packaged files."""
    return render(request, "api/docs.html", {"page_title": "API"})
