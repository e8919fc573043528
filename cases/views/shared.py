"""What the pages share: filters and pages as addresses, refusals shown, the policy of chart pages."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from csp.constants import NONCE, SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from cases.paging import SIZE, Page
from people.models import User
from spine.errors import Conflict, Refused

View = Callable[..., HttpResponseBase]
# What plotly.js writes into its own style element; the element itself carries the page's nonce.
PLOTLY_STYLE = "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"


def chart_page(view: View) -> View:
    """Pages with a chart: plotly.js needs one style element and style attributes, and still no inline script."""
    relaxed: View = csp_update({"style-src-elem": [SELF, NONCE, PLOTLY_STYLE], "style-src-attr": [UNSAFE_INLINE]})(view)
    return relaxed


def address(request: HttpRequest, **changes: object) -> str:
    """This page's address with parameters changed; an empty value takes one out. It starts at page one again."""
    given = {name: value for name, value in request.GET.items() if name not in {"cursor", "at", "open"}}
    given.update({name: str(value) for name, value in changes.items()})
    kept = {name: value for name, value in given.items() if value not in {"", "None"}}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def pages(
    request: HttpRequest, page: Page[Any], noun: str, total: int | None = None, size: int = SIZE
) -> dict[str, Any]:
    """The shape of partials/pagination.html for a page by key; `at` in the address only counts for the eye."""
    at = max(0, whole(request.GET.get("at")))
    return {
        "first": at + 1,
        "last": at + len(page.rows) if page.rows else 0,
        "total": total,
        "previous_url": address(request, cursor=page.previous, at=max(0, at - size) or "") if page.previous else "",
        "next_url": address(request, cursor=page.next, at=at + len(page.rows)) if page.next else "",
        "noun": noun,
    }


def chips(
    request: HttpRequest, name: str, choices: Sequence[tuple[str, str]], counts: Mapping[str, int], current: str
) -> list[dict[str, Any]]:
    """One filter as links: `choices` are (value, label); a value that is not counted shows no number."""
    return [
        {
            "label": label,
            "count": counts.get(value),
            "address": address(request, **{name: value}),
            "current": value == current,
        }
        for value, label in choices
    ]


def kept(request: HttpRequest, *names: str) -> list[tuple[str, str]]:
    """Filters that stay when one searches."""
    return [(name, request.GET[name]) for name in names if request.GET.get(name)]


def searched(request: HttpRequest) -> str:
    """The words that are searched for, cut to what a database holds."""
    return request.GET.get("q", "").replace("\x00", "").strip()[:200]


def whole(text: str | None) -> int:
    """A whole number from an address; 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def person(request: HttpRequest) -> User:
    """Who is signed in; a page that changes something is never reached by anybody else."""
    if not isinstance(request.user, User):
        raise PermissionDenied("Nobody is signed in.")
    return request.user


def status_of(refusal: Refused) -> int:
    """409 when somebody was faster, 422 when a rule says no."""
    return 409 if isinstance(refusal, Conflict) else 422


def refused_page(view: View) -> View:
    """For views that cannot show a refusal beside their input: the sentence and what is missing, on a page of its own.

    Views with a form catch Refused themselves and render the form again, so that nothing typed is lost.
    """

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except Refused as refusal:
            context = {"refusal": refusal, "page_title": "Not done"}
            return render(request, "refused.html", context, status=status_of(refusal))

    return shown
