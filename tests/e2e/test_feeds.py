"""Feeds in a browser: set up, tried, saved, pulled, failed; nothing overflows and axe finds nothing."""

import json
import shutil

import pytest
from playwright.sync_api import Page, expect

from detection.models import Feed
from tests.detection.feeds.made import given, pull
from tests.detection.samples import DETECTOR
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import NO_MOTION, OPEN_FOLDS, violations
from tests.e2e.test_layout import overflows
from tests.factories import Cast
from tests.servers import HOME

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


def looked_at(page: Page, name: str) -> list[str]:
    page.evaluate(OPEN_FOLDS)
    return [*overflows(page, name), *violations(page, name)]


def test_feed_is_set_up_tried_pulled_and_seen_to_fail(windows: Windows, committed_cast: Cast) -> None:
    drop = HOME.path / "drop"  # what the site may reach
    drop.mkdir()
    items = given(3)
    items[1]["score"] = 7
    (drop / "a.ndjson").write_text("\n".join(json.dumps(one) for one in items))
    page = windows.open(committed_cast.admin, path="/feeds/", **NO_MOTION)
    found = looked_at(page, "no feed")
    page.get_by_role("main").get_by_role("link", name="Set up a feed").first.click()
    found += looked_at(page, "kinds")
    for kind in ("HTTP API", "S3 prefix", "SQL query", "Folder"):
        page.goto(page.url.partition("?")[0])
        page.get_by_role("link", name=kind).click()
        page.wait_for_url("**/feeds/new/?kind=*")
        found += looked_at(page, kind)
    page.get_by_label("Name", exact=True).fill("Drop")
    page.get_by_label("Detector", exact=True).fill(DETECTOR)
    page.get_by_label("Folder", exact=True).fill(str(drop))
    page.get_by_label("Wait").fill("0")
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("status").first).to_contain_text("2 of 3 rows would be findings.")
    found += looked_at(page, "tried")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Drop")).to_be_visible()
    found += looked_at(page, "not pulled")
    pull(Feed.objects.get())
    shutil.rmtree(drop)
    pull(Feed.objects.get())
    page.reload()
    expect(page.get_by_text("The last pull failed (once)")).to_be_visible()
    found += looked_at(page, "failed")
    page.goto(page.url.partition("/feeds/")[0] + "/feeds/")
    found += looked_at(page, "list")
    assert not found, "\n".join(found)
