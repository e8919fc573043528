"""Hundreds of script payloads in every text column, on every page and in every answer of the API, in a real browser.

Nothing runs, nothing is loaded from elsewhere, no element comes to be, no policy is broken, nothing stays hidden.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from django.template import engines
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route

from cases.models import Case
from detection.models import Account, BadLine, DetectorVersion, Finding
from people.models import User
from spine.models import Job, Outbox
from tests import test_roles_api, test_roles_pages
from tests.cases.pages import client_of
from tests.database import clean
from tests.detection.registered import make_measure
from tests.e2e import hostile_world
from tests.e2e.browsing import Windows
from tests.e2e.payloads import AWAY, FALLS_FOR, PAYLOADS, Payload
from tests.e2e.watching import found_on
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])]
api_stage, page_stage = test_roles_api.stage, test_roles_pages.stage  # fixtures
# Columns that no page and no answer shows, and why. One that is shown or gone has to leave this list.
NOT_SHOWN: dict[str, str] = {
    **dict.fromkeys(
        (
            "answer.hubs",
            "apitoken.networks",
            "apitoken.rights",
            "archivelisting.tool",
            "counselnote.exhibits",
            "destruction.commitment",
            "destructionorder.kept",
            "destructionorder.targets",
            "detector.grouping",
            "detectorkey.networks",
            "disclosureask.data_classes",
            "disclosureask.recipient_kind",
            "feed.cursor",
            "feedfile.name",
            "feedfile.stamp",
            "feedpull.cursor_after",
            "feedpull.cursor_before",
            "hold.query",
            "keyhandover.new_key",
            "keyhandover.new_signature",
            "keyhandover.old_key",
            "keyhandover.old_signature",
            "keyhandover.origin",
            "legalbasis.permits",
            "question.account_set",
            "redactionproposal.marks",
            "timestamp.nonce",
            "timestamp.quarantine",
            "timestamp.response",
            "timestamp.serial",
            "timestampchain.pem",
            "vaultcheck.store",
        ),
        "made by the program from keys and bytes, and shown, where it is, by words of ours",
    ),
    **dict.fromkeys(
        (
            "account.namespace",
            "canary.namespace",
            "account.provider_id",
            "job.request_id",
            "job.worker",
            "outbox.request_id",
            "sampledexchange.canonical",
            "sanctionedaccount.namespace",
            "sanctionedaccount.provider_id",
            "upload.authority",
            "upload.clock",
            "upload.declared_type",
            "upload.details",
            "upload.method",
            "upload.source",
            "upload.tool",
            "upload.tool_version",
        ),
        "on no page: an address of the API gives it to programs, or it never leaves the database",
    ),
    **dict.fromkeys(
        (
            "answer.reason",
            "archivelisting.members",
            "archivelisting.stopped",
            "clusterlink.signal",
            "departure.destination",
            "departure.detail",
            "job.actor",
            "job.note",
            "leaddecision.note",
            "leadsnooze.note",
            "modelrelease.model",
            "samplingplan.strata",
            "timestampdue.error",
            "upload.file_name",
            "upload.problem",
            "upload.title",
        ),
        "shown in a state that this story is not in; tests/test_templates_visible.py holds every template to `visible`",
    ),
}
# The first exhibit, told as made from the second one of its case, with what a kind of evidence needs.
DERIVED = """
UPDATE cases_evidenceitem one SET kind = 'derivative', derivation = 'extract', details = '{"channel": "by post"}',
    derived_from_id = (SELECT id FROM cases_evidenceitem other WHERE other.case_id = one.case_id AND other.number = 2)
WHERE number = 1"""
PARAMETERS = "[...document.links].flatMap((one) => [...new URL(one.href).searchParams.keys()])"
QUERY = "x\"'><img data-rx src=x onerror=window.__xss=1> javascript:window.__xss=1 \u202ex"


@contextmanager
def filled_everywhere() -> Iterator[list[str]]:
    """Every text column filled; gives those without a row. Everything is gone afterwards."""
    Job.objects.filter(state="queued").update(state="failed", error="it failed", note="at the end")
    with hostile_world.owner() as connection, hostile_world.without_limits(connection):
        try:
            connection.execute(DERIVED)
            yield hostile_world.fill(connection)
        finally:
            clean()


def roles_with(ladder: dict[str, str], roles: tuple[str, ...], line: str) -> str | None:
    """A role that this address answers with 200, the case lead if possible."""
    answers = dict(zip(roles, ladder[line].split(), strict=True))
    served = [
        role for role in ("case_lead", *roles) if answers[role] == "200" and role not in {"anonymous", "detector"}
    ]
    return served[0] if served else None


def visits(module: Any, stage: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every address that shows something, as (line of the ladder, role, address)."""
    for line in module.LADDER:
        method, _, path = line.partition(" ")
        role = roles_with(module.LADDER, module.ROLES, line) if method == "GET" else None
        if role is not None:
            yield line, role, module.filled(path, stage)


def test_nothing_of_any_payload_comes_to_life_on_any_page(
    windows: Windows, committed_cast: Cast, no_broker: None, page_stage: dict[str, str]
) -> None:
    assert len(PAYLOADS) >= 200
    BadLine.objects.create(file_id=page_stage["<file>"], line=1, reason="no account")
    Outbox.objects.create(topic="run.finished", error="it failed", attempts=2)
    make_measure(DetectorVersion.objects.get(detector__name="outside"))
    people = {person.role: windows.open(person) for person in committed_cast.all()}
    seen: set[str] = set()
    names: set[str] = set()
    asked: dict[str, set[str]] = {}
    with filled_everywhere() as empty:
        found = [
            one
            for visit in visits(test_roles_pages, page_stage)
            for one in looked_at(people, visit, seen, names, asked)
        ]
        found += asked_back(people["case_lead"], page_stage, asked)
        found += sent_back(people["case_lead"], committed_cast.lead, page_stage, names - {"csrfmiddlewaretoken"})
    fields = hostile_world.text_columns()
    marks = {hostile_world.mark(field): f"{field.model._meta.model_name}.{field.name}" for field in fields}
    unseen = {name for one, name in marks.items() if one not in seen}
    assert summed_up(found) == {}
    assert empty == []
    assert unseen == set(NOT_SHOWN)


def test_nothing_of_any_payload_comes_to_life_in_any_answer_of_the_api(
    windows: Windows,
    committed_cast: Cast,
    no_broker: None,
    api_stage: dict[str, str],
) -> None:
    people = {person.role: windows.open(person) for person in committed_cast.all()}
    seen: set[str] = set()
    with filled_everywhere():
        found = [
            one for visit in visits(test_roles_api, api_stage) for one in looked_at(people, visit, seen, set(), {})
        ]
    assert [one for one in found if "hidden" not in one] == []  # JSON is for programs: nothing in it is spelt out
    assert len(seen) > 30


def looked_at(
    people: dict[str, Page], visit: tuple[str, str, str], seen: set[str], names: set[str], asked: dict[str, set[str]]
) -> list[str]:
    """What is found at one address; adds the columns, the names of fields and the parameters that are seen there."""
    line, role, address = visit
    page, found = people[role], []
    for one in (address, *opened(address, line)):
        if goes(page, one):
            found += [f"{line}: {fault}" for fault in found_on(page)]
            seen |= set(re.findall(r"rxcol-[a-z0-9-]+?-(?=[^a-z0-9-]|$)", page.content().lower()))
            names |= set(page.evaluate("[...document.querySelectorAll('[name]')].map((one) => one.name)"))
            asked[line] = set(page.evaluate(PARAMETERS))
    return found


def summed_up(found: list[str]) -> dict[str, list[str]]:
    """Each fault with the first of the addresses where it is."""
    places: dict[str, list[str]] = {}
    for one in found:
        line, _, fault = one.partition(": ")
        places.setdefault(fault, []).append(line)
    return {fault: lines[:3] for fault, lines in sorted(places.items())}


def opened(address: str, line: str) -> list[str]:
    """The same page with something opened beside it."""
    if line == "GET findings/" and not address.startswith("/api/"):
        return [f"{address}?open={Finding.objects.earliest('pk').pk}"]
    if not address.startswith("/cases/"):
        return []
    if line == "GET cases/<ref>/accounts/":
        mine = Account.objects.filter(cases__case__ref=address.split("/")[2]).order_by("pk")
        # as they are stored: what is read as a model carries payloads here; which of them was decided about is open
        return [f"{address}?open={name}" for name in mine.values_list("pseudonym", flat=True).distinct()[:8]]
    if line == "GET cases/<ref>/findings/":
        case = Case.objects.get(ref=address.split("/")[2])
        return [f"{address}?open={Finding.objects.filter(clusters__cluster__cases__case=case).earliest('pk').pk}"]
    return []


def goes(page: Page, address: str) -> bool:
    """Whether the address was shown; a file that is handed out instead is never shown."""
    try:
        answer = page.goto(address, wait_until="domcontentloaded")
    except Error as error:
        assert "Download is starting" in str(error), f"{address}: {error}"
        return False
    assert answer is not None and answer.status == 200, f"{address}: {answer and answer.status}"
    return True


def asked_back(page: Page, stage: dict[str, str], asked: dict[str, set[str]]) -> list[str]:
    """Every page that takes parameters asked with hostile ones, those its links name and a few more."""
    found = []
    for line, named in asked.items():
        if not named or roles_with(test_roles_pages.LADDER, test_roles_pages.ROLES, line) != "case_lead":
            continue
        query = urlencode(dict.fromkeys({*named, "q", "next", "open"} - {"cursor"}, QUERY))
        answer = page.goto(f"{test_roles_pages.filled(line.removeprefix('GET '), stage)}?{query}")
        assert answer is not None and answer.status in {200, 404}, f"{line}: {answer and answer.status}"
        found += [f"{line}?…: {fault}" for fault in found_on(page)]
    return found


def sent_back(page: Page, person: User, stage: dict[str, str], names: set[str]) -> list[str]:
    """Every form sent with hostile text in every field; what is refused is shown again with what was sent."""
    client, found, shown = client_of(person), [], 0
    text = f"{hostile_world.HIDDEN} {hostile_world.rotated(0)}"
    for line, expected in test_roles_pages.LADDER.items():
        method, _, path = line.partition(" ")
        if method == "POST" and expected.split()[2] in {"422", "409"}:
            address = test_roles_pages.filled(path, stage)
            answer: Any = client.post(address, dict.fromkeys(names, text))
            if answer.status_code not in {422, 409}:
                continue
            found += [f"{line}: {fault}" for fault in faults_of(page, address, answer.content, dict(answer.headers))]
            shown += 1
    assert shown > 10
    return found


def faults_of(page: Page, address: str, body: bytes, headers: dict[str, str]) -> list[str]:
    """What is found on a page of this site made of these bytes."""

    def answer(route: Route) -> None:
        route.fulfill(status=200, body=body, headers=headers)

    page.route(f"**{address}", answer, times=1)
    page.goto(address)
    return found_on(page)


# That all this can fail


@pytest.fixture
def bare(chromium: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page of no site and without a policy, and what it asks for or says."""
    context: BrowserContext = chromium.new_context(base_url="http://planted.example")
    noticed: list[str] = []
    page = context.new_page()
    page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
    context.on("request", lambda request: noticed.append(request.url) if request.url.startswith(AWAY) else None)
    context.route(f"{AWAY}/**", lambda route: route.abort())
    yield page, noticed
    context.close()


def planted(page: Page, body: str) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=200, body=f"<!doctype html>{body}", headers={"Content-Type": "text/html; charset=utf-8"})

    for left in reversed(range(10)):
        page.unroute("http://planted.example/**")
        page.route("http://planted.example/**", answer)
        try:
            page.goto("/planted", wait_until="commit")
            break
        except Error as error:  # the page before this one was about to leave for another
            assert left, error.message
            assert "interrupted" in error.message, error.message
            with suppress(Error):  # it stands still before long, on a busy machine too
                page.wait_for_timeout(100 * (10 - left))
    with suppress(Error):  # it has left already
        page.wait_for_load_state("domcontentloaded")


def test_every_payload_is_noticed_on_a_page_that_trusts_it(bare: tuple[Page, list[str]]) -> None:
    page, noticed = bare
    missed = []
    for one in PAYLOADS:
        noticed.clear()
        planted(page, FALLS_FOR[one.place](one.text))
        try:
            found = found_on(page) or noticed
            for _ in range(0 if found else 20):  # a busy machine takes its time to run what is planted
                page.wait_for_timeout(250)
                found = found or found_on(page) or noticed
        except Error:  # it has left for another page already
            found = ["gone"]
        missed += [] if found else [f"{one.place}: {one.text}"]
    assert missed == []


def test_no_payload_is_noticed_on_a_page_that_escapes_as_ours_do(bare: tuple[Page, list[str]]) -> None:
    page, noticed = bare
    for one in (Payload("all", hostile_world.rotated(0)), *PAYLOADS[::20]):
        shown = engines["django"].from_string(
            '<p title="{{ x|visible }}">{{ x|visible }}</p><textarea>{{ x }}</textarea>'
        )
        planted(page, shown.render({"x": one.text}))
        assert (found_on(page), noticed) == ([], [])


def test_a_template_that_does_not_escape_is_noticed_under_the_policy_too(
    windows: Windows, committed_cast: Cast
) -> None:
    page = windows.open(committed_cast.lead)
    headers = dict(Client().get("/sign-in/").headers)
    shown = engines["django"].from_string("{% autoescape off %}<body>{{ x }}</body>{% endautoescape %}")
    for text in (f"<img data-rx src={AWAY}/x.png>", "<p onclick=alert(1)>x</p>", "<script>alert(1)</script>"):
        assert faults_of(page, "/planted/", shown.render({"x": text}).encode(), headers) != []
    assert faults_of(page, "/planted/", "<body>a\u202eb</body>".encode(), headers) != []
    told = " ".join(windows.trouble)
    assert "policy: script-src-elem inline" in told
    assert "policy: img-src" in told
    windows.trouble.clear()


def test_every_place_has_a_page_that_falls_for_it() -> None:
    assert {one.place for one in PAYLOADS} == set(FALLS_FOR)
    assert Payload("text", "<script data-rx>window.__xss=1</script>") in PAYLOADS
