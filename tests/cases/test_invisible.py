"""A restricted case to who is no member of it: nothing anywhere, and every answer as if it were missing.

Every page and every address of the API is asked, found from the resolver, so that a new one is asked too. Then the
first wall is taken away, and the same questions are asked of the second one alone.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from cases import access, actions
from cases.actions import dossiers
from cases.models import Case, Lead
from people.rights import RIGHTS
from spine import jobs
from tests import test_roles_api as api
from tests import test_roles_pages as pages
from tests.cases.api import client_of as token_of
from tests.cases.exchanges import make_sample
from tests.cases.pages import client_of
from tests.cases.tracks import let_in, make_track, write_note
from tests.factories import START, Cast, make_case, make_lead, provider_ids

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
CANARY = "canary-7f31"
# Of a case's own: what differs between two requests anyway, and what names the address that was asked for.
OWN_HEADERS = {"X-Request-Id", "Set-Cookie", "Location"}
NAMED_BY_REFERENCE = re.compile(r"<(ref|letter|slug|number|username|exhibit|plan_number|plan|ordinal)>")


def missing_like(value: str) -> str:
    """Something of the same shape that there is none of."""
    try:
        uuid.UUID(value)
    except ValueError:
        return "RT-2026-00000" if value.startswith("RT-") else value
    return str(uuid.uuid4())


@pytest.fixture
def hidden(committed_cast: Cast, settings: Any, tmp_path: Path) -> dict[str, str]:
    """A restricted case full of canaries that the analyst is no member of; one of everything an address can name."""
    cast = committed_cast
    make_case(cast, stage="judged", accounts=provider_ids(3, "seen"))
    case = make_case(cast, stage="judged")
    lead = cast.lead
    actions.edit_case(case, actor=lead, changes={"title": (case.title, f"Accounts alike {CANARY}")})
    note = actions.add_timeline_note(
        case, actor=lead, lane="decisions", starts_at=START, text=CANARY, source="Mail", confidence="high"
    )
    track = make_track(case, cast)
    privileged, member = str(write_note(track, cast.counsel, CANARY).pk), str(let_in(track, cast, lead).pk)
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    plan = make_sample(case, lead, tmp_path)
    version = dossiers.freeze(case, actor=lead, edition="counsel")
    with transaction.atomic():
        job = jobs.enqueue("verdicts.set", actor="user:lead", key=CANARY, scope=case.id)
    type(job).objects.filter(pk=job.pk).update(state="failed", error=CANARY)
    actions.assign_case(case, actor=lead, to=lead, expected=cast.analyst)
    actions.restrict_case(case, actor=lead, reason=f"Few need to know {CANARY}")
    actions.break_glass(case.ref, actor=cast.counsel, reason=f"An order came {CANARY}")
    return {
        **{kind: str(uuid.uuid4()) for kind in pages.KINDS.values()},
        "counsel note": privileged,
        "counsel_note": privileged,
        "counsel member": member,
        "member": member,
        "ref": case.ref,
        "letter": "a",
        "slug": "reseller",
        "number": "1",
        "exhibit": str(plan.exchange_set.item.number),
        "plan_number": str(plan.number),
        "plan": str(plan.number),
        "ordinal": "1",
        "rerun_id": str(plan.exchange_set.reruns.get().pk),
        "username": "lead",
        "lead": str(Lead.objects.get(decisions__case=case).pk),
        "version": str(version.pk),
        "note": str(note.pk),
        "job": str(job.pk),
    }


@pytest.fixture
def no_first_wall(hidden: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The program asks nothing any more: no case is hidden from anybody, and an administrator may do everything."""
    monkeypatch.setattr(access, "hidden_cases", lambda user: Case.objects.none())
    monkeypatch.setitem(RIGHTS, "administrator", RIGHTS["administrator"] | RIGHTS["case_lead"])


def of_the_case(path: str) -> bool:
    """Whether an address names the case or something of it."""
    kinds = ("leads/<pk>", "jobs/<pk>", "dossiers/<pk>", "<lead_id>", "<job_id>", "<version_id>")
    return "<ref>" in path or any(kind in path for kind in kinds)


def page_addresses(found: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """(method, pattern, filled address) of every page that names the case or something of it."""
    stage = {f"<{name}>": value for name, value in found.items()} | found | {"version": found["version"]}
    for path in sorted(pages.every_page()):
        if of_the_case(path):
            for method in ("get", "post"):
                yield method, path, pages.filled(path, stage)


def api_addresses(found: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """The same for the API."""
    stage = found | {f"{name}_id": value for name, value in found.items()}
    for path, methods in sorted(api.every_address().items()):
        if of_the_case(path):
            for method in sorted(methods):
                yield method.lower(), path, api.filled(path, stage)


def answer(client: Any, method: str, address: str) -> tuple[int, dict[str, str], int, str]:
    """Status, headers and length of an answer, with what names the address itself put to one form; and the text."""
    response = getattr(client, method)(address)
    body = response.getvalue().decode(errors="replace")
    body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", body)
    headers = {name: value for name, value in response.items() if name not in OWN_HEADERS}
    headers.pop("Content-Length", None)
    return response.status_code, headers, len(body), body


def compared(client: Any, addresses: Any, found: dict[str, str]) -> list[str]:
    """Where the answer about the restricted case differs from the one about a missing case."""
    absent = {name: missing_like(value) for name, value in found.items()}
    wrong = []
    for (method, path, there), (_, _, nowhere) in zip(addresses(found), addresses(absent), strict=True):
        seen, missing = answer(client, method, there), answer(client, method, nowhere)
        if seen[:3] != missing[:3]:
            wrong.append(f"{method} {path}: {seen[:3]} for the restricted one, {missing[:3]} for a missing one")
        if CANARY in seen[3]:
            wrong.append(f"{method} {path}: shows {CANARY}")
    return wrong


def shown(client: Any, hidden: dict[str, str], lists: list[str]) -> list[str]:
    """Lists, counts and searches in which something of the restricted case can be read."""
    secrets = [CANARY, hidden["ref"], hidden["version"], hidden["job"], hidden["note"]]
    found = []
    for address in lists:
        body = client.get(address).getvalue().decode(errors="replace")
        found += [f"{address}: {secret}" for secret in secrets if secret in body]
    return found


LISTS = [
    *("/", "/?state=all", "/?state=in_case", "/?state=all&q=canary", "/cases/", "/cases/?q=canary", "/log/"),
    *("/log/?kind=case", "/log/?kind=lead", "/log/?kind=dossier", "/log/?q=lead"),
]
API_LISTS = [
    *("leads/", "leads/?state=in_case", "cases/", "cases/?search=canary", "cases/?assignee=lead", "log/"),
    *("log/?action=case.restricted", "log/?action=dossier.frozen", "log/?actor=user:lead", "notices/", "accounts/"),
    *("findings/", "clusters/", "attributes/"),
]


def test_every_answer_about_a_restricted_case_is_as_if_it_were_missing(
    committed_cast: Cast, hidden: dict[str, str]
) -> None:
    assert compared(client_of(committed_cast.analyst), page_addresses, hidden) == []
    assert compared(token_of(committed_cast.analyst), api_addresses, hidden) == []


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


@pytest.mark.parametrize("username", ["analyst", "admin"])
@pytest.mark.usefixtures("no_first_wall")
def test_database_alone_shows_nothing_of_a_restricted_case(
    committed_cast: Cast, hidden: dict[str, str], username: str
) -> None:
    person = getattr(committed_cast, username)
    page, token = client_of(person), token_of(person)
    assert shown(page, hidden, LISTS) == []
    assert shown(token, hidden, [f"/api/v1/{path}" for path in API_LISTS]) == []
    assert compared(token, api_addresses, hidden) == []
    assert compared(page, page_addresses, hidden) == []


def test_notice_of_a_broken_glass_is_for_members_alone(committed_cast: Cast, hidden: dict[str, str]) -> None:
    assert CANARY in client_of(committed_cast.lead).get("/cases/").getvalue().decode()
    assert CANARY not in client_of(committed_cast.reader).get("/cases/").getvalue().decode()
    actions.remove_member(
        Case.objects.get(ref=hidden["ref"]), actor=committed_cast.lead, person=committed_cast.counsel, reason="Over"
    )
    assert CANARY not in client_of(committed_cast.counsel).get("/cases/").getvalue().decode()


def test_lead_of_a_restricted_case_is_still_recognised_by_later_runs(
    committed_cast: Cast, hidden: dict[str, str]
) -> None:
    before = Lead.objects.count()
    make_lead(4)
    assert Lead.objects.count() == before
