"""Names the acting principal for the whole request, from the session that came with it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from spine.principal import NOBODY, acting_as


class PrincipalMiddleware:
    """Everything inside acts as the signed-in person; a bearer key takes over in the API's authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting_as(getattr(request.user, "principal", NOBODY)):
            return self.get_response(request)
