"""Small things of the frame: colours."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from people.policy import signed_in

SCHEMES = ("auto", "light", "dark")
YEAR = 365 * 24 * 3600


def scheme(request: HttpRequest) -> HttpResponse:
    """Remember which colours this browser shows, and go back to where one was."""
    if request.method != "POST":
        return redirect("queue")
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = reverse("queue")
    response = HttpResponseRedirect(target)
    chosen = request.POST.get("scheme", "")
    if chosen in SCHEMES:
        response.set_cookie(
            "retort_scheme", chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=False
        )
    return response


set_scheme = signed_in(scheme)
