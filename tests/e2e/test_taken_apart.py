"""In a browser: accounts are picked and taken out of a case, put back, and picked on a lead and kept apart."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cases import actions
from cases.models import CaseAccount, Lead
from detection.models import KeptApartEffect
from tests.cases.keeping_apart import make_effect
from tests.e2e.browsing import Windows
from tests.e2e.test_layout import overflows
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
SHOTS = os.environ.get("RETORT_SHOTS", "")


def look(page: Page, name: str) -> None:
    """Kept where somebody wants to look at it."""
    if SHOTS:
        for width in (1440, 375):
            for scheme in ("light", "dark"):
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)
        page.set_viewport_size({"width": 1440, "height": 900})


def test_picked_accounts_leave_a_case_and_come_back(windows: Windows, committed_cast: Cast) -> None:
    case = make_case(committed_cast, accounts=provider_ids(5, "e2e"))
    actions.join_case(make_lead(provider_ids(3, "more")), case, actor=committed_cast.analyst)
    page = windows.open(committed_cast.analyst, f"/cases/{case.ref}/accounts/")
    for box in page.locator("input[name=account]").all()[:2]:
        box.check()
    page.get_by_label("Reason", exact=True).first.fill("They belong to a course, as its teacher wrote.")
    page.get_by_role("button", name="Take those picked out").click()
    expect(page.get_by_text("2 accounts are taken out of the case.")).to_be_visible()
    assert CaseAccount.objects.filter(case=case).count() == 6
    page.get_by_text("Take it out", exact=True).first.click()
    page.locator("#held details[open] textarea").fill("Another operation.")
    look(page, "held-open")
    page.get_by_role("button", name="Take it out of the case").first.click()
    expect(page.get_by_text("left with it.").first).to_be_visible()
    assert overflows(page, "accounts") == []
    look(page, "held")
    for _ in range(2):
        page.get_by_role("button", name="Undo").first.click()
        expect(page.get_by_text("It is part of the case again.")).to_be_visible()
    assert CaseAccount.objects.filter(case=case).count() == 8


def test_picked_accounts_are_kept_apart_on_their_lead(windows: Windows, committed_cast: Cast) -> None:
    lead = make_lead(provider_ids(5, "e2e"))
    page = windows.open(committed_cast.analyst, f"/leads/{lead.pk}/")
    for box in page.locator("input[name=account]").all()[:2]:
        box.check()
    page.locator("#apart_reason").fill("A course: the prompts are its exercises.")
    page.get_by_role("button", name="Keep those picked apart").click()
    expect(page.get_by_text("Kept apart: 2 from 3.")).to_be_visible()
    expect(page.get_by_text("stands apart")).to_have_count(2)
    assert overflows(page, "lead") == []
    look(page, "lead")
    effect: KeptApartEffect = make_effect(committed_cast.lead)
    page.goto(f"/leads/{Lead.objects.get(cluster=effect.cluster).pk}/")
    expect(page.get_by_text("were not joined.")).to_be_visible()
    look(page, "not-joined")
