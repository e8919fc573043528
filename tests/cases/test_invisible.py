"""A restricted case to who is no member of it: nothing anywhere, and every answer as if it were missing.

Every page and every address of the API is asked, found from the resolver, so that a new one is asked too. Then the
first wall is taken away, and the same questions are asked of the second one alone.
"""

from collections.abc import Callable
from typing import Any

import pytest

from cases import access, actions
from cases.models import Case, Lead
from people.models import User
from people.rights import RIGHTS
from spine.models import Job
from tests import test_roles_api as api
from tests import test_roles_pages as pages
from tests.cases.api import client_of as token_of
from tests.cases.hidden import CANARY, Addresses, answer, api_addresses, hide, missing, page_addresses
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_lead

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
page_stage, api_stage = pages.stage, api.stage


@pytest.fixture
def hidden(page_stage: dict[str, str], committed_cast: Cast) -> dict[str, str]:
    """The stage of the pages, with its case hidden from the analyst, and a job in it that failed."""
    Job.objects.filter(pk=page_stage["job"]).update(state="failed", error=CANARY)
    return hide(page_stage, committed_cast)


@pytest.fixture
def hidden_from_api(api_stage: dict[str, str], committed_cast: Cast) -> dict[str, str]:
    """The stage of the API, with its case hidden from the analyst."""
    return hide(api_stage, committed_cast)


def remove_first_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program asks nothing any more: no case is hidden from anybody, and an administrator may do everything."""
    monkeypatch.setattr(access, "hidden_cases", lambda user: Case.objects.none())
    monkeypatch.setitem(RIGHTS, "administrator", RIGHTS["administrator"] | RIGHTS["case_lead"])


def compared(client: Any, addresses: Callable[[dict[str, str]], Addresses], stage: dict[str, str]) -> list[str]:
    """Where the answer about the restricted case differs from the one about a missing case."""
    wrong = []
    for (method, path, there), (_, _, nowhere) in zip(addresses(stage), addresses(missing(stage)), strict=True):
        seen, absent = answer(client, method, there), answer(client, method, nowhere)
        if seen[:3] != absent[:3]:
            wrong.append(f"{method} {path}: {seen[:3]} for the restricted one, {absent[:3]} for a missing one")
        if CANARY in seen[3]:
            wrong.append(f"{method} {path}: shows {CANARY}")
    return wrong


def shown(client: Any, hidden: dict[str, str], lists: list[str]) -> list[str]:
    """Lists, counts and searches in which something of the restricted case can be read."""
    secrets = [CANARY, hidden["<ref>"], hidden["version"], hidden["job"], hidden["note"], hidden["lead"]]
    found = []
    for address in lists:
        body = client.get(address).getvalue().decode(errors="replace")
        found += [f"{address}: {secret}" for secret in secrets if secret in body]
    return found


LISTS = [
    *("/", "/?state=all", "/?state=in_case", "/?state=all&q=canary", "/cases/", "/cases/?q=canary", "/log/"),
    *("/log/?kind=case", "/log/?kind=lead", "/log/?kind=dossier", "/log/?q=lead"),
    *("/holds/", "/holds/?state=all", "/disclosures/"),
]
API_LISTS = [
    *("leads/", "leads/?state=in_case", "cases/", "cases/?search=canary", "cases/?assignee=lead", "log/"),
    *("log/?action=case.restricted", "log/?action=dossier.frozen", "log/?actor=user:lead", "notices/", "accounts/"),
    *("findings/", "clusters/", "attributes/", "holds/", "disclosures/", "preservation/"),
]


def test_every_page_about_a_restricted_case_is_as_if_it_were_missing(
    committed_cast: Cast, hidden: dict[str, str]
) -> None:
    assert compared(client_of(committed_cast.analyst), page_addresses, hidden) == []


def test_every_endpoint_about_a_restricted_case_answers_as_if_it_were_missing(
    committed_cast: Cast, hidden_from_api: dict[str, str]
) -> None:
    assert compared(token_of(committed_cast.analyst), api_addresses, hidden_from_api) == []


def test_no_list_count_or_search_tells_of_a_restricted_case(committed_cast: Cast, hidden: dict[str, str]) -> None:
    analyst = committed_cast.analyst
    assert shown(client_of(analyst), hidden, LISTS) == []
    assert shown(token_of(analyst), hidden, [f"/api/v1/{path}" for path in API_LISTS]) == []
    member = client_of(committed_cast.lead)
    assert shown(member, hidden, LISTS) != []  # there is something that could leak
    counts = client_of(analyst).get("/cases/").context["chips"]
    assert counts[0]["count"] == 1
    assert client_of(committed_cast.lead).get("/cases/").context["chips"][0]["count"] == 2
    assert client_of(analyst).get("/").context["failed_jobs"] == 0
    assert client_of(committed_cast.lead).get("/").context["failed_jobs"] == 1


def raised(person: User) -> int:
    """How many leads the log shows this person as raised."""
    return text_of(client_of(person).get("/log/?kind=lead&q=system:leads")).count("raised a lead")


def test_log_tells_nothing_of_the_lead_that_went_into_a_restricted_case(
    committed_cast: Cast, hidden: dict[str, str]
) -> None:
    known = raised(committed_cast.lead)
    assert known > 1
    assert raised(committed_cast.analyst) == raised(committed_cast.reader) == known - 1


def test_database_alone_hides_the_log_of_the_lead_that_went_into_a_restricted_case(
    committed_cast: Cast, hidden: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = raised(committed_cast.lead)
    remove_first_wall(monkeypatch)
    assert raised(committed_cast.lead) == known
    assert raised(committed_cast.analyst) == raised(committed_cast.reader) == known - 1
    assert raised(committed_cast.admin) == 0


@pytest.mark.parametrize("username", ["analyst", "admin"])
def test_database_alone_shows_no_page_or_list_anything_of_a_restricted_case(
    committed_cast: Cast, hidden: dict[str, str], username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_first_wall(monkeypatch)
    page, token = client_of(getattr(committed_cast, username)), token_of(getattr(committed_cast, username))
    assert shown(page, hidden, LISTS) == []
    assert shown(token, hidden, [f"/api/v1/{path}" for path in API_LISTS]) == []
    assert compared(page, page_addresses, hidden) == []


@pytest.mark.parametrize("username", ["analyst", "admin"])
def test_database_alone_shows_no_endpoint_anything_of_a_restricted_case(
    committed_cast: Cast, hidden_from_api: dict[str, str], username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_first_wall(monkeypatch)
    assert compared(token_of(getattr(committed_cast, username)), api_addresses, hidden_from_api) == []


def test_notice_of_a_broken_glass_is_for_members_alone(committed_cast: Cast, hidden: dict[str, str]) -> None:
    assert CANARY in client_of(committed_cast.lead).get("/cases/").getvalue().decode()
    assert CANARY not in client_of(committed_cast.reader).get("/cases/").getvalue().decode()
    actions.remove_member(
        Case.objects.get(ref=hidden["<ref>"]), actor=committed_cast.lead, person=committed_cast.counsel, reason="Over"
    )
    assert CANARY not in client_of(committed_cast.counsel).get("/cases/").getvalue().decode()


def test_lead_of_a_restricted_case_is_still_recognised_by_later_runs(
    committed_cast: Cast, hidden: dict[str, str]
) -> None:
    before = Lead.objects.count()
    make_lead(4)
    assert Lead.objects.count() == before
