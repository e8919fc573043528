"""Every page says who may open it. A test walks all URLs and fails on one that says nothing."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from people.rights import may, refusal

View = Callable[..., HttpResponseBase]


def requires(read: str, write: str = "", *, hidden: bool = False, elsewhere: str = "") -> Callable[[View], View]:
    """The right a page asks for; `write` for methods that change something, by default the same as for reading.

    A `hidden` page is not there (404) for who may not read it, so that its address tells nothing. With `elsewhere`,
    the name of another page, who may not read this one is led there.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if hidden and not may(request.user, read):
                raise Http404("There is no such page.")
            if elsewhere and not may(request.user, read):
                return redirect(elsewhere)
            right = read if request.method in {"GET", "HEAD"} else (write or read)
            if not may(request.user, right):
                raise PermissionDenied(refusal(request.user, right))
            return view(request, *args, **kwargs)

        checked.policy = (read, write or read)  # type: ignore[attr-defined]
        return checked

    return decorate


def public(reason: str) -> Callable[[View], View]:
    """A page that needs no sign-in, and why."""

    def decorate(view: View) -> View:
        opened = login_not_required(view)
        opened.policy = ("public", reason)  # type: ignore[attr-defined]
        return opened

    return decorate


def signed_in(view: View) -> View:
    """A page for everybody who is signed in, whatever their role."""
    view.policy = ("signed in",)  # type: ignore[attr-defined]
    return view


def while_unfinished(view: View) -> View:
    """A page that is open also to who has a one-time password to change, or a second factor still to set up."""
    view.before_anything = True  # type: ignore[attr-defined]
    return view
