"""Accessibility: axe finds nothing on any page in any state, in light and in dark colours."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows
from tests.e2e.world import make_world
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]

AXE = Axe()
# Between the colour schemes nothing but colours differs, and one rule is about colours.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
OPEN_FOLDS = "document.querySelectorAll('details.fold').forEach((one) => { one.open = true })"
NO_MOTION = {"reduced_motion": "reduce", "color_scheme": "light"}


def test_every_page_has_no_violation_in_light_and_dark(windows: Windows, committed_cast: Cast) -> None:
    world = make_world(committed_cast)
    page = windows.open(world.cast.lead, **NO_MOTION)
    found = []
    for name, address in world.pages:
        page.goto(address)
        page.evaluate(OPEN_FOLDS)
        found += violations(page, name)
    assert found == []


def test_every_open_panel_has_no_violation(windows: Windows, committed_cast: Cast) -> None:
    world = make_world(committed_cast)
    page = windows.open(world.cast.analyst, **NO_MOTION)
    pages, found = dict(world.pages), []
    for name in ("lead", "fresh Summary"):
        page.goto(pages[name])
        for menu in page.locator("details.menu").all():
            menu.evaluate("(one) => { one.open = true }")
            found += violations(page, f"{name}: {menu.locator('summary').inner_text()}")
            menu.evaluate("(one) => { one.open = false }")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    assert [*found, *violations(page, "list of keys")] == []


def test_pages_for_strangers_and_refusals_have_no_violation(windows: Windows, committed_cast: Cast) -> None:
    found = []
    stranger = windows.open(path="/", **NO_MOTION)
    found += violations(stranger, "sign-in")
    stranger.get_by_label("Username").fill("nobody")
    stranger.get_by_label("Password").fill("wrong")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("alert").first).to_be_visible()
    found += violations(stranger, "sign-in, refused")
    page = windows.open(committed_cast.analyst, **NO_MOTION)
    for name, address in (("queue, empty", "/"), ("cases, none", "/cases/"), ("404", "/cases/RT-2026-NONE0/")):
        page.goto(address)
        found += violations(page, name)
    assert found == []


def violations(page: Page, name: str) -> list[str]:
    """What axe finds in light, and in dark, as lines a person can act on."""
    page.emulate_media(color_scheme="light")
    light = AXE.run(page).response
    page.emulate_media(color_scheme="dark")
    dark = AXE.run(page, options=COLOURS).response
    return [f"{name}: {line}" for line in (*told(light, "light"), *told(dark, "dark"))]


def told(response: dict[str, Any], scheme: str) -> list[str]:
    return [
        f"{scheme}: {one['id']} at {node['target']}: {node['failureSummary']}"
        for one in response["violations"]
        for node in one["nodes"]
    ]
