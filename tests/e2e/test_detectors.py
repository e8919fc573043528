"""Detectors in a browser: described, moved, a canary planted, a key's findings set aside; looked at in each state."""

import pytest
from playwright.sync_api import expect

from detection.models import Detector
from tests.detection.registered import make_detector
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import NO_MOTION
from tests.e2e.test_feeds import looked_at
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


def test_detector_is_held_to_account(windows: Windows, committed_cast: Cast) -> None:
    make_detector("outside-watch")
    page = windows.open(committed_cast.admin, path="/detectors/", **NO_MOTION)
    found = looked_at(page, "list")
    page.get_by_role("link", name="outside-watch").click()
    found += looked_at(page, "fresh")
    page.locator("#describe_owner").fill("Trust team")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("The description is saved.")).to_be_visible()
    page.get_by_text("Move it on").click()
    page.locator("input[name=to][value=monitor]").check()
    page.locator("#move_reason").fill("Not measured yet")
    page.get_by_role("button", name="Move it", exact=True).click()
    expect(page.get_by_role("heading", name="outside-watch monitor")).to_be_visible()
    page.get_by_text("Plant a canary").click()
    page.locator("#canary_account_id").fill("acct_canary")
    page.get_by_role("button", name="Plant it").click()
    expect(page.get_by_text("The canary is planted.")).to_be_visible()
    page.get_by_text("Set findings of a key aside").click()
    page.locator("#quarantine_since").fill("yesterday")
    page.locator("#quarantine_reason").fill("It leaked")
    page.get_by_role("button", name="Set them aside").click()
    expect(page.get_by_text("Enter a valid date/time").first).to_be_visible()
    found += looked_at(page, "refused")
    page.locator("#quarantine_since").fill("2026-05-04 00:00")
    page.get_by_role("button", name="Set them aside").click()
    expect(page.get_by_text("The findings are set aside.")).to_be_visible()
    found += looked_at(page, "set aside")
    assert Detector.objects.get().quarantines.count() == 1
    assert not found, "\n".join(found)
