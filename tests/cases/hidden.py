"""A restricted case with one of everything an address can name, for tests of what strangers see of it: nothing.

The stages are those of the two ladders, so that whoever adds an address adds its object for these tests too.
"""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from cases import actions
from cases.models import Case, Lead
from tests import test_roles_api as api
from tests import test_roles_pages as pages
from tests.factories import Cast, make_case, provider_ids

CANARY = "canary-7f31"
# What differs between two requests anyway, and what names the address that was asked for.
OWN_HEADERS = {"X-Request-Id", "Set-Cookie", "Location", "Content-Length"}
# Objects of a stage that belong to no case.
OF_NO_CASE = (
    "source",
    "file",
    "cluster",
    "run",
    "finding",
    "account",
    "attribute",
    "detector",
    "person",
    "token",
    "key",
    "test",
    "feed",
    "webhook",
    "delivery",
    "policy",
    "order",
)
# A broker sees questions of any case, without content.
OF_NO_CASE += ("term", "question", "match")
OF_NO_CASE += ("decision",)
OF_NO_CASE += ("canary", "quarantine", "detector_version", "excluded")
AMONG = {"<decision>", "<file>", "<token_id>", "<delivery>", "<canary>", "<found>", "<version>"}
UNSCOPED = {*AMONG, *OF_NO_CASE, *(f"{name}_id" for name in OF_NO_CASE)}
Addresses = Iterator[tuple[str, str, str]]


def hide(stage: dict[str, str], cast: Cast) -> dict[str, str]:
    """Fill the stage's case with canaries, restrict it to the case lead, and have counsel break the glass.

    Another case stays open beside it. Gives the stage with the lead that went into the case.
    """
    case = Case.objects.get(ref=stage.get("<ref>") or stage["ref"])
    make_case(cast, stage="judged", accounts=provider_ids(3, "seen"))
    actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, f"Accounts alike {CANARY}")})
    actions.assign_case(case, actor=cast.lead, to=cast.lead, expected=cast.analyst)
    actions.restrict_case(case, actor=cast.lead, reason=f"Few need to know {CANARY}")
    actions.break_glass(case.ref, actor=cast.counsel, reason=f"An order came {CANARY}")
    lead = str(Lead.objects.get(decisions__case=case).pk)
    return {**stage, **{name: lead for name in ("lead", "lead_id") if name in stage}}


def missing(stage: dict[str, str]) -> dict[str, str]:
    """The same stage with the ids of nothing, in the same shape."""
    return {name: value if name in UNSCOPED else _like(value) for name, value in stage.items()}


def _like(value: str) -> str:
    try:
        uuid.UUID(value)
    except ValueError:
        nothing = "RT-2026-00000" if value != "RT-2026-00000" else "RT-2026-00001"
        return nothing if value.startswith("RT-") else value
    return str(uuid.UUID(int=uuid.UUID(value).int ^ 1))


def page_addresses(stage: dict[str, str]) -> Addresses:
    """(method, pattern, address) of every page that names the case or something of it."""
    for path in sorted(pages.every_page()):
        if pages.filled(path, stage) != pages.filled(path, missing(stage)):
            for method in ("get", "post"):
                yield method, path, pages.filled(path, stage)


def api_addresses(stage: dict[str, str]) -> Addresses:
    """The same for the API."""
    for path, methods in sorted(api.every_address().items()):
        if api.filled(path, stage) != api.filled(path, missing(stage)):
            for method in sorted(methods):
                yield method.lower(), path, api.filled(path, stage)


def answer(client: Any, method: str, address: str) -> tuple[int, dict[str, str], int, str]:
    """Status, headers, length and text of an answer; tokens that differ each time are left out."""
    response = getattr(client, method)(address)
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.getvalue().decode(errors="replace"))
    headers = {name: value for name, value in response.items() if name not in OWN_HEADERS}
    return response.status_code, headers, len(body), body
