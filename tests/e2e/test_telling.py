"""Webhooks and notices in a browser: at every width, light and dark, nothing overflows and axe finds nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from cases import actions
from cases.actions import webhooks as verbs
from cases.models import Webhook
from people.models import MailAddress
from tests.cases.webhooks import allow_too, make_webhook, relay, send_all
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import NO_MOTION, OPEN_FOLDS, violations
from tests.e2e.test_layout import overflows
from tests.factories import Cast, make_case
from tests.lying_server import Lying, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(scope="module")
def server() -> Iterator[Lying]:
    with running() as lying:
        yield lying


def looked_at(page: Page, name: str) -> list[str]:
    """What is wrong with the page at every width, in both schemes."""
    page.evaluate(OPEN_FOLDS)
    return [*overflows(page, name), *violations(page, name)]


def test_webhook_and_its_deliveries(windows: Windows, committed_cast: Cast, server: Lying, settings: Any) -> None:
    server.control(fresh=True)
    allow_too(settings, server.url)
    page = windows.open(committed_cast.admin, path="/webhooks/", **NO_MOTION)
    found = looked_at(page, "no-webhook")
    page.get_by_role("main").get_by_role("link", name="Set up a webhook").first.click()
    page.get_by_label("Name", exact=True).fill("Ticketing")
    page.get_by_label("Address", exact=True).fill("https://nowhere.example.com/")
    page.get_by_label("lead.raised: a lead waits for somebody").check()
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("main")).to_contain_text("This destination is not on the list of allowed ones")
    found += looked_at(page, "webhook-refused")
    webhook, _ = make_webhook(committed_cast.admin, f"{server.url}/hook", types=["lead.raised", "case.opened"])
    make_case(committed_cast)
    send_all()
    server.control(mood="garbage")
    verbs.test_webhook(webhook, actor=committed_cast.admin)
    send_all()
    server.control(mood="503")
    verbs.test_webhook(webhook, actor=committed_cast.admin)
    send_all()
    page.goto(page.url.partition("/webhooks/")[0] + f"/webhooks/{webhook.pk}/")
    expect(page.get_by_role("main")).to_contain_text("it answers with status 503")
    found += looked_at(page, "webhook-failing")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("main")).to_contain_text("Paused")
    server.control(mood="410")
    verbs.resume_webhook(Webhook.objects.get(), actor=committed_cast.admin, revision=2)
    verbs.test_webhook(webhook, actor=committed_cast.admin)
    send_all()
    page.goto(page.url.partition("/webhooks/")[0] + "/webhooks/")
    expect(page.get_by_role("link", name="See the webhook")).to_be_visible()
    found += looked_at(page, "webhooks-disabled")
    assert not found, "\n".join(found)


def test_notices_and_what_one_wants_to_be_told(windows: Windows, committed_cast: Cast) -> None:
    cast = committed_cast
    MailAddress.objects.create(user=cast.lead, address="lead@example.com", confirmed_at=timezone.now())
    case = make_case(cast)
    actions.assign_case(case, actor=cast.analyst, to=cast.lead, expected=cast.analyst)
    actions.move_case(case, actor=cast.analyst, to="investigating", expected_from="open")
    relay()
    page = windows.open(cast.lead, path="/notices/", **NO_MOTION)
    found = looked_at(page, "notices")
    page.get_by_role("link", name="What is sent, and how").click()
    found += looked_at(page, "notice-settings")
    page.get_by_label("A case of mine moved on").select_option("off")
    page.get_by_role("button", name="Keep it so").click()
    expect(page.get_by_text("Kept.")).to_be_visible()
    expect(page.get_by_label("A case of mine moved on")).to_have_value("off")
    page.get_by_role("link", name="Change or end it").click()
    found += looked_at(page, "own-mail")
    page.goto(page.url.partition("/me/")[0] + "/me/")
    found += looked_at(page, "me")
    assert not found, "\n".join(found)
