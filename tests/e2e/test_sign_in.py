"""Second factors in a real browser: an app's codes, and a passkey made and used by a virtual authenticator."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from people import actions, second_factors
from people.models import DetectorKey
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import OPEN_FOLDS, violations
from tests.e2e.test_layout import overflows
from tests.factories import PASSWORD, Cast
from tests.people.signing import code, with_app

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


@pytest.fixture
def by_name(chromium: Browser, live_site: str) -> Iterator[Windows]:
    """Windows on the same site by its name: an IP address is no passkey domain."""
    opened = Windows(chromium, live_site.replace("127.0.0.1", "localhost"))
    try:
        yield opened
    finally:
        opened.close()
    assert opened.trouble == []


def sign_in(page: Page, username: str) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def authenticator(page: Page) -> Any:
    """A device that makes passkeys and always finds its owner present (WebAuthn, 11)."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def test_an_app_is_set_up_and_asked_for(committed_cast: Cast, windows: Windows) -> None:
    page = windows.open(committed_cast.lead, "/me/")
    page.get_by_role("link", name="Set up or change").click()
    page.get_by_role("link", name="Set up an app").click()
    secret = page.locator(".secret-key").inner_text()
    expect(page.get_by_role("img", name="Square code")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code(secret, -1))
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.get_by_role("region", name="Recovery codes").get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10

    other = windows.open()
    sign_in(other, "lead")
    expect(other.get_by_role("heading", name="Second step")).to_be_visible()
    other.get_by_label("Code").fill("000000")
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("alert").filter(has_text="not right")).to_be_visible()
    other.get_by_label("Code").fill(code(secret))
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("heading", name="Queue", level=1)).to_be_visible()


def test_a_passkey_is_made_and_opens_as_second_step_and_alone(committed_cast: Cast, by_name: Windows) -> None:
    page = by_name.open()
    authenticator(page)
    sign_in(page, "lead")
    page.goto("/me/second-factor/passkey/")
    page.get_by_label("Name").fill("virtual key")
    page.get_by_role("button", name="Set it up").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    assert second_factors.of(committed_cast.lead).passkeys[0].data["name"] == "virtual key"

    leave(page)
    sign_in(page, "lead")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()

    leave(page)
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()

    page.goto("/me/second-factor/")
    page.get_by_role("button", name=re.compile("Take away")).click()
    expect(page.get_by_role("status").filter(has_text="It is taken away")).to_be_visible()
    assert not second_factors.has_any(committed_cast.lead)


def leave(page: Page) -> None:
    """Sign out by the menu."""
    page.goto("/me/")
    page.locator("details.menu summary").last.click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_pages_on_people_fit_and_have_no_violation(committed_cast: Cast, by_name: Windows) -> None:
    with_app(committed_cast.lead)
    actions.create_token(actor="system:test", username="admin", name="notebook")
    actions.create_detector_key(actor="system:test", detector="gateway", networks=["192.0.2.0/24"])
    page = by_name.open(committed_cast.admin, reduced_motion="reduce")
    places = ("/me/", "/me/password/", "/me/second-factor/", "/me/second-factor/app/", "/me/second-factor/passkey/")
    places += (
        "/confirm/",
        "/people/",
        "/people/roles/",
        "/people/detector-keys/",
        f"/people/detector-keys/{DetectorKey.objects.get().pk}/replace/",
        f"/people/{committed_cast.lead.pk}/",
    )
    found = []
    for place in places:
        page.goto(place)
        page.evaluate(OPEN_FOLDS)
        found += violations(page, place)
        found += overflows(page, place)
    assert found == [], "\n".join(found)
