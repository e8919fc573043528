"""Browser windows that keep an ear on whatever a browser complains about, and what several tests do in them."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response

from people.models import User

PATIENCE = 30_000  # milliseconds: the machine may be busy
# A refused form comes back with its status and Chromium remarks on that; Windows.answered judges the status itself.
REMARK_ON_STATUS = "Failed to load resource: the server responded with a status of"
REFUSALS = {404, 409, 422}
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
# What plotly.js does that a strict policy refuses without harm: see Windows.said.
ALLOWED: tuple[str, ...] = ()


class Windows:
    """Opens windows on one site, each with a profile of its own; `trouble` is all that went wrong in any of them."""

    def __init__(self, browser: Browser, site: str) -> None:
        self.browser = browser
        self.site = site
        self.trouble: list[str] = []
        self.contexts: list[BrowserContext] = []

    def open(self, person: User | None = None, path: str = "", **options: Any) -> Page:
        """A window in which this person is signed in already; with a path, at that page."""
        context = self.browser.new_context(base_url=self.site, **options)
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.set_default_navigation_timeout(PATIENCE)
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self.said)
        context.on("weberror", lambda error: self.trouble.append(f"script: {error.error}"))
        context.on("dialog", self.asked)
        context.on("request", self.requested)
        context.on("response", self.answered)
        if person is not None:
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session(person), "url": self.site}])
        page = context.new_page()
        if path:
            page.goto(path)
        return page

    def sign_in(self, username: str, password: str, **options: Any) -> Page:
        """A window in which this person signs in by the form."""
        page = self.open(path="/", **options)
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Queue", level=1).wait_for()
        return page

    def close(self) -> None:
        """Close every window."""
        for context in self.contexts:
            context.close()

    def said(self, message: ConsoleMessage) -> None:
        """A console message: errors are trouble, which every violation of the content security policy is."""
        harmless = message.text.startswith(REMARK_ON_STATUS) or any(part in message.text for part in ALLOWED)
        if message.type == "error" and not harmless:
            self.trouble.append(f"console: {message.text} at {message.location}")

    def asked(self, dialog: Any) -> None:
        """No page of ours ever opens a dialog of the browser's."""
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def requested(self, request: Request) -> None:
        """Nothing is asked of any other server."""
        if urlsplit(request.url).scheme != "data" and not request.url.startswith(f"{self.site}/"):
            self.trouble.append(f"asked elsewhere: {request.url}")

    def answered(self, response: Response) -> None:
        """Failures are trouble, and so is a page without a strict policy."""
        page = response.request.is_navigation_request()
        if response.status >= 400 and not (page and response.status in REFUSALS):
            self.trouble.append(f"{response.status}: {response.request.method} {response.url}")
        if page and not is_strict(response.headers.get("content-security-policy", "")):
            self.trouble.append(f"policy of {response.url}: {response.headers.get('content-security-policy')}")


def session(person: User) -> str:
    """The key of a fresh session of this person."""
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def is_strict(policy: str) -> bool:
    """Whether a content security policy lets nothing run but the site's own files, whatever a page may contain."""
    parts = [part.split() for part in policy.split(";") if part.strip()]
    given = {part[0]: part[1:] for part in parts}
    nothing = ["'none'"]
    if "sandbox" in given:  # a file that is handed out: nothing at all
        return given == {"sandbox": [], "default-src": nothing}
    return (
        given.get("default-src") == nothing
        and given.get("script-src") == ["'self'"]
        and given.get("base-uri") == nothing
        and given.get("frame-ancestors") == nothing
        and given.get("form-action") == ["'self'"]
        and given.get("object-src") == nothing
        and not {"script-src-elem", "script-src-attr"} & set(given)
    )


def unfold(place: Page | Locator, text: str) -> Locator:
    """Open the fold or menu with this label; gives it."""
    label = place.locator("summary").filter(has_text=re.compile(rf"^\s*{re.escape(text)}"))
    label.click()
    return place.locator("details[open]").filter(has=label)


def tab(page: Page, name: str) -> None:
    """Go to a tab of the case."""
    page.get_by_role("navigation", name="Parts of this case").get_by_role(
        "link", name=re.compile(rf"^{name}\b")
    ).click()
    page.wait_for_load_state()
