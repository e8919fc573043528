"""The authorisation matrix: every address × method × principal × state of the object.

Addresses and methods come from the URL resolver, for the API from the OpenAPI file too; an address in one and not in
the other fails. Answers about an open case are the two ladders, written by hand (tests/test_roles_pages.py,
tests/test_roles_api.py). Here stand, by hand, the principals and states beyond them: strangers of many kinds before a
restricted case, members of it, a closed case, a missing one, keys that ended.
"""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from cases import actions
from cases.models import Case
from people.models import ApiToken, User
from tests import test_roles_api as api
from tests import test_roles_pages as pages
from tests.cases.api import client_of as token_of
from tests.cases.api import client_of_detector
from tests.cases.hidden import answer, api_addresses, hide, missing, page_addresses
from tests.cases.pages import client_of
from tests.factories import Cast, make_case, make_person, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
# What does not depend on the object: the sign-in page, a role that lacks the right, a method that is not served.
WITHOUT_LOOKING = {"401", "403", "404", "405"}
# Addresses of verbs lead who merely opens them back to the tab or page, before anything is looked up.
LED_ON = {"302"}


def test_every_address_of_the_api_is_in_the_schema_with_its_methods_and_no_other() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1/').replace('{', '<').replace('}', '>')}"
        for path, methods in schema["paths"].items()
        for method in methods
    }
    served = {f"{method} {path}" for path, methods in api.every_address().items() for method in methods}
    assert described == served - {"GET schema/"}


def strangers(cast: Cast, case: Case) -> dict[str, User]:
    """People who may read cases, one of each way of not knowing of this one."""
    ex_member = make_person("ex-member", "case_lead")
    actions.add_member(case, actor=cast.lead, person=ex_member, reason="For a day")
    actions.remove_member(case, actor=cast.lead, person=ex_member, reason="The day is over")
    elsewhere = make_person("elsewhere", "counsel")
    actions.restrict_case(make_case(cast, accounts=provider_ids(3, "elsewhere")), actor=elsewhere, reason="Another one")
    return {"case_lead": ex_member, "counsel": elsewhere, "analyst": cast.analyst, "reader": cast.reader}


def expected(ladder: dict[str, str], line: str, role: str, place: int) -> set[str]:
    """The answer about a hidden or missing object: as if nothing was looked up, else 404."""
    open_answer = ladder[line].split()[place]
    kept = WITHOUT_LOOKING | (LED_ON if line.startswith("GET ") or role == "anonymous" else set())
    return {open_answer, "404"} if open_answer in kept else {"404"}


def wrong_cells(
    client: Any, role: str, found: dict[str, str], addresses: Any, ladder: dict[str, str], roles: Any
) -> list[str]:
    """Cells in which a hidden object is answered otherwise than a missing one, or otherwise than written by hand."""
    wrong = []
    for (method, path, there), (_, _, nowhere) in zip(addresses(found), addresses(missing(found)), strict=True):
        line = f"{method.upper()} {path}"
        seen, absent = answer(client, method, there), answer(client, method, nowhere)
        if seen[:3] != absent[:3]:
            wrong.append(f"{line} as {role}: {seen[:3]}, for a missing one {absent[:3]}")
        wanted = EXCEPTIONS.get((line, role)) or expected(ladder, line, role, roles.index(role))
        if str(seen[0]) not in wanted:
            wrong.append(f"{line} as {role}: {seen[0]}, by hand {wanted}")
    return wrong


# Cells that the rule above does not say, by hand.
COUNSEL_VERBS = ("open", "members/<pk>/end", "notes/<pk>/withdraw")
EXCEPTIONS: dict[tuple[str, str], set[str]] = {
    # Seeing a notice that is none, or not one's own, leads back without a word.
    **{("POST notices/<pk>/seen/", role): {"302"} for role in pages.ROLES},
    # In the counsel track even an address that leads on is not there.
    **{(f"GET cases/<ref>/counsel/{verb}/", "counsel"): {"404"} for verb in COUNSEL_VERBS},
}


page_stage, api_stage = pages.stage, api.stage


@pytest.fixture
def hidden_pages(page_stage: dict[str, str], committed_cast: Cast) -> dict[str, str]:
    return hide(page_stage, committed_cast)


@pytest.fixture
def hidden_api(api_stage: dict[str, str], committed_cast: Cast) -> dict[str, str]:
    return hide(api_stage, committed_cast)


def case_of(stage: dict[str, str]) -> Case:
    return Case.objects.get(ref=stage.get("<ref>") or stage["ref"])


def test_pages_of_a_restricted_case_are_missing_to_every_kind_of_stranger(
    committed_cast: Cast, hidden_pages: dict[str, str]
) -> None:
    wrong = []
    for role, person in strangers(committed_cast, case_of(hidden_pages)).items():
        wrong += wrong_cells(client_of(person), role, hidden_pages, page_addresses, pages.LADDER, pages.ROLES)
    for role, client in (("anonymous", Client()), ("administrator", client_of(committed_cast.admin))):
        wrong += wrong_cells(client, role, hidden_pages, page_addresses, pages.LADDER, pages.ROLES)
    assert not wrong, "\n".join(wrong)


def test_endpoints_of_a_restricted_case_are_missing_to_every_kind_of_stranger(
    committed_cast: Cast, hidden_api: dict[str, str]
) -> None:
    wrong = []
    clients: dict[str, Any] = {
        role: token_of(person) for role, person in strangers(committed_cast, case_of(hidden_api)).items()
    }
    clients |= {"anonymous": APIClient(), "administrator": token_of(committed_cast.admin)}
    clients |= {"detector": client_of_detector()}
    for role, client in clients.items():
        wrong += wrong_cells(client, role, hidden_api, api_addresses, api.LADDER, api.ROLES)
    assert not wrong, "\n".join(wrong)


def test_key_that_ended_opens_nothing(committed_cast: Cast, hidden_api: dict[str, str]) -> None:
    """Keys of somebody switched off, revoked and made-up keys are refused everywhere, before anything is looked up."""
    suspended, revoked, made_up = token_of(committed_cast.lead), token_of(committed_cast.counsel), APIClient()
    ApiToken.objects.filter(user=committed_cast.counsel).update(revoked_at=timezone.now())
    made_up.credentials(HTTP_AUTHORIZATION="Bearer rt_tok_00000000_made-up")
    User.objects.filter(username="lead").update(is_active=False)
    for client in (suspended, revoked, made_up):
        assert {answer(client, method, address)[0] for method, _, address in api_addresses(hidden_api)} == {401}


def test_session_of_a_person_who_was_switched_off_opens_nothing(
    committed_cast: Cast, hidden_pages: dict[str, str]
) -> None:
    page = client_of(committed_cast.lead)
    User.objects.filter(username="lead").update(is_active=False)
    assert {answer(page, method, address)[0] for method, _, address in page_addresses(hidden_pages)} == {302}


def test_member_of_a_restricted_case_gets_the_answers_of_an_open_one(
    committed_cast: Cast, hidden_pages: dict[str, str]
) -> None:
    reader = committed_cast.reader
    actions.add_member(case_of(hidden_pages), actor=committed_cast.lead, person=reader, reason="Reads along")
    client, wrong = client_of(reader), []
    for method, path, address in page_addresses(hidden_pages):
        by_hand = pages.LADDER[f"{method.upper()} {path}"].split()[pages.ROLES.index("reader")]
        status = str(answer(client, method, address)[0])
        if status != by_hand:
            wrong.append(f"{method.upper()} {path}: {status}, not {by_hand}")
    assert not wrong, "\n".join(wrong)


def test_closed_case_is_read_as_an_open_one_and_takes_no_change(committed_cast: Cast) -> None:
    case = make_case(committed_cast, stage="closed")
    reader, analyst = client_of(committed_cast.reader), client_of(committed_cast.analyst)
    wrong = []
    for path in sorted(pages.every_page()):
        if path.count("<") == 1 and "<ref>" in path:
            address = f"/{path.replace('<ref>', case.ref)}"
            by_hand = pages.LADDER[f"GET {path}"].split()[pages.ROLES.index("reader")]
            status = str(reader.get(address).status_code)
            wrong += [] if status == by_hand else [f"GET {path}: {status}, not {by_hand}"]
            changed = analyst.post(address).status_code
            refused = pages.LADDER[f"POST {path}"].split()[pages.ROLES.index("analyst")]
            wrong += [] if str(changed) in {refused, "409", "422"} else [f"POST {path}: {changed}"]
    assert not wrong, "\n".join(wrong)
