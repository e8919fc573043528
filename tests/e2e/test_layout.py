"""Layout: every page fits every width, charts are drawn under the policy, and all works without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from cases.models import Judgement
from tests.e2e.browsing import Windows, tab, unfold
from tests.e2e.world import make_world
from tests.factories import Cast, make_case, make_lead, make_release

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]

WIDTHS = (320, 375, 640, 768, 1440)  # 640 is a window of 1,280 at 200 % zoom
# How far the document reaches to the right of the window, and the innermost elements that do.
OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide <= 0) return "";
  const over = [...document.body.querySelectorAll("*")].filter((one) =>
    one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5
    && !one.closest(".table-wrap, pre, .plot, .visually-hidden"));
  const names = over.slice(-3).map((one) => `${one.tagName.toLowerCase()}.${one.className}`);
  return `${wide} px: ${names.join(", ")}`;
}"""


def test_every_page_fits_every_width(windows: Windows, committed_cast: Cast) -> None:
    world = make_world(committed_cast)
    page = windows.open(world.cast.lead)
    found = []
    for name, address in [*world.pages, ("404", "/nothing/"), ("API", "/api/v1/docs/")]:
        page.goto(address)
        found += overflows(page, name)
    stranger = windows.open(path="/")
    assert [*found, *overflows(stranger, "sign-in")] == []


def overflows(page: Page, name: str) -> list[str]:
    """Where the document is wider than its window."""
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        if over := page.evaluate(OVERFLOW):
            found.append(f"{name} at {width}: {over}")
    return found


def test_charts_are_drawn_under_the_policy_and_have_their_tables(windows: Windows, committed_cast: Cast) -> None:
    make_release()
    case = make_case(committed_cast)
    page = windows.open(committed_cast.analyst)
    for address in (f"/cases/{case.ref}/", f"/cases/{case.ref}/timeline/"):
        page.goto(address)
        chart = page.get_by_role("figure", name="Exchanges a day by model")
        bars = chart.locator("svg.main-svg .barlayer .point path")
        expect(bars).to_have_count(20)  # two models on each of ten days
        tallest = max(bar.bounding_box()["height"] for bar in bars.all() if bar.bounding_box())
        assert tallest > 40
        expect(chart.get_by_text("aster-2 released")).not_to_have_count(0)
        unfold(chart, "The 10 rows behind this picture")
        expect(chart.get_by_role("table").get_by_role("row")).to_have_count(11)


def test_everything_is_read_and_decided_without_javascript(windows: Windows, committed_cast: Cast) -> None:
    lead = make_lead()
    plain = {"java_script_enabled": False, "viewport": {"width": 375, "height": 800}}
    analyst = windows.open(committed_cast.analyst, f"/leads/{lead.pk}/", **plain)
    unfold(analyst, "Open a case").get_by_role("button", name="Open the case").click()
    ref = re.findall(r"RT-\d{4}-\w{5}", analyst.get_by_role("status").inner_text())[0]
    for name in ("Claims", "Accounts", "Findings", "Timeline", "Evidence", "Dossiers", "Log", "Summary"):
        tab(analyst, name)
        expect(analyst).to_have_title(f"{ref} {name} · Retort")
    set_a_verdict(analyst)
    judge_a_claim(analyst)
    assert Judgement.objects.get(case__ref=ref).claim == "d"


def set_a_verdict(page: Page) -> None:
    tab(page, "Accounts")
    page.get_by_role("checkbox", name=re.compile("Pick acc-")).first.check()
    page.get_by_label("Verdict", exact=True).select_option("benign")
    page.locator("#id_reason").fill("A class behind one address.")
    page.get_by_role("button", name="Set for those picked").click()
    expect(page.get_by_role("status")).to_contain_text("Decided: benign.")


def judge_a_claim(page: Page) -> None:
    tab(page, "Claims")
    claim = page.locator("#claim-d")
    unfold(claim, "Judge this claim")
    claim.get_by_label("roughly even chance", exact=True).check()
    claim.get_by_label("low", exact=True).check()
    claim.get_by_label("Why", exact=True).fill("Nothing names an actor yet.")
    claim.get_by_label("What else would explain it").fill("Several actors.")
    claim.get_by_role("button", name="Record the judgement").click()
    expect(claim).to_contain_text("Nothing names an actor yet.")


def test_dossier_is_approved_without_javascript(windows: Windows, committed_cast: Cast) -> None:
    world = make_world(committed_cast)
    plain = {"java_script_enabled": False}
    draft = world.dossiers["draft"]
    counsel = windows.open(committed_cast.counsel, f"/dossiers/{draft.pk}/", **plain)
    counsel.get_by_role("button", name="Approve this snapshot").click()
    expect(counsel.get_by_role("status").first).to_contain_text("Approved.")
    expect(counsel.get_by_role("group", name="Rendering the dossier")).to_contain_text("Waiting for a worker.")
    counsel.get_by_role("link", name="Refresh").click()
    expect(counsel.get_by_role("region", name="Record")).to_contain_text("counsel")
    sealed = windows.open(committed_cast.reader, f"/dossiers/{world.dossiers['sealed'].pk}/", **plain)
    with sealed.expect_download() as started:
        sealed.get_by_role("link", name="Download the package").click()
    assert started.value.suggested_filename.endswith("-counsel-v1.zip")
