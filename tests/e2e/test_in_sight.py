"""What a person needs is where they look: the open tab, what was refused, a secret that is shown once."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows
from tests.factories import Cast, make_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]

OUT_OF_SIGHT = """() => [...document.querySelectorAll("nav > [aria-current=page]")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.left < 0 || box.right > window.innerWidth + 0.5;
}).map((one) => one.textContent)"""


def test_open_tab_and_place_are_in_sight_on_a_narrow_window(windows: Windows, committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    page = windows.open(committed_cast.lead, viewport={"width": 375, "height": 800})
    for address in (*(f"/cases/{case.ref}/{tab}" for tab in ("", "timeline/", "access/", "log/")), "/vault/", "/log/"):
        page.goto(address)
        assert (address, page.evaluate(OUT_OF_SIGHT)) == (address, [])
    expect(page.get_by_role("navigation", name="Main").locator("[aria-current=page]")).to_have_text("Log")


def refused_form(page: Page, ref: str) -> None:
    page.goto(f"/cases/{ref}/sets/new/")
    page.get_by_label("From").fill("2026-05-02T00:00")
    page.get_by_label("Up to").fill("2026-05-01T00:00")
    page.get_by_role("button", name="Make the set").click()


def test_refusal_is_told_on_top_and_at_its_field(windows: Windows, committed_cast: Cast) -> None:
    page = windows.open(committed_cast.lead)
    refused_form(page, make_case(committed_cast).ref)
    alert = page.get_by_role("alert")
    expect(alert).to_have_count(1)
    said = alert.inner_text()
    expect(page.get_by_text(said, exact=True)).to_have_count(2)
    alert.get_by_role("link").click()
    expect(page.get_by_label("Up to")).to_be_focused()


def test_secret_shown_once_is_copied_by_a_button(windows: Windows, committed_cast: Cast) -> None:
    page = windows.open(committed_cast.lead, "/me/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Make a token", exact=True).click()
    page.get_by_label("What it is for").fill("a program")
    page.get_by_label("leads.read").check()
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("#secrets").inner_text().strip()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copy")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == secret
