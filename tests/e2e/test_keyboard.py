"""The keyboard alone: from the queue to an approved dossier, and every key that the list of keys promises."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from cases import actions
from cases.models import Case, DossierVersion
from cases.vocabulary import ALTERNATIVES
from tests.e2e.browsing import Windows
from tests.factories import Cast, make_case, make_lead, provider_ids
from tests.servers import Worker

pytestmark = pytest.mark.django_db(transaction=True)

FURTHEST = 120  # presses of Tab after which something counts as out of reach
FOCUSED = "(one) => one === document.activeElement"


def press(page: Page, *keys: str) -> None:
    """Press keys one after another, each on a page that has come to rest."""
    for key in keys:
        page.wait_for_load_state()
        page.keyboard.press(key)


def tab_to(place: Locator, key: str = "Tab") -> None:
    """Press Tab until it has the focus."""
    place.first.wait_for()
    place.page.wait_for_load_state()
    for _ in range(FURTHEST):
        if place.first.evaluate(FOCUSED):
            return
        place.page.keyboard.press(key)
    raise AssertionError(f"{place} is not reached by {FURTHEST} times {key}")


def enter(place: Locator, key: str = "Tab") -> None:
    """Go to a link, button or fold, and press it."""
    tab_to(place, key)
    place.page.keyboard.press("Enter")


def write(place: Locator, text: str) -> None:
    """Go to a field and type, over what is there."""
    tab_to(place)
    place.page.keyboard.press("ControlOrMeta+a")
    place.page.keyboard.insert_text(text)


def choose(group: Locator, steps: int) -> None:
    """Go into a group of radio buttons and on by so many arrows; a space picks the first."""
    tab_to(group.get_by_role("radio"))
    group.page.keyboard.press("Space")
    for _ in range(steps):
        group.page.keyboard.press("ArrowDown")


def test_keys_go_where_their_list_says(windows: Windows, committed_cast: Cast) -> None:
    for prefix in ("one", "two"):
        make_lead(provider_ids(3, prefix))
    case = make_case(committed_cast)
    page = windows.open(committed_cast.analyst, "/")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    expect(keys.get_by_role("definition").filter(has_text="search")).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("jk?")  # in a field a letter is a letter
    expect(page.get_by_role("searchbox")).to_have_value("jk?")
    for second, heading in (("c", "Cases"), ("l", "Log"), ("q", "Queue")):
        press(page, "Escape", "g", second)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    rows_are_walked(page)
    page.goto(f"/cases/{case.ref}/accounts/")
    press(page, "j", "x")
    expect(page.get_by_role("checkbox", name=re.compile("Pick acc-")).first).to_be_checked()


def rows_are_walked(page: Page) -> None:
    rows = page.locator("[data-row-of]")
    for key, place in (("j", 0), ("j", 1), ("k", 0)):
        page.keyboard.press(key)
        expect(rows.nth(place)).to_be_focused()
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Why these accounts")).to_be_visible()


def test_a_lead_becomes_an_approved_dossier_by_keyboard_alone(
    worker: Worker, windows: Windows, committed_cast: Cast
) -> None:
    make_lead()
    page = windows.open(committed_cast.analyst, "/")
    open_and_start(page, committed_cast)
    ask_to_preserve(page)
    add_exhibit(page)
    judge_accounts(page)
    judge_claims(page)
    answer_explanations(page)
    leave_to_the_next_step(page, "Escalate")
    expect(page.locator("[aria-current=step]")).to_contain_text("Escalated")
    freeze(page)
    approve(windows.open(committed_cast.counsel, "/"))
    assert DossierVersion.objects.get().approval.approver == committed_cast.counsel


def give_back(cast: Cast) -> None:
    """Let nobody have the case: who opens one has it at once."""
    actions.assign_case(Case.objects.get(), actor=cast.lead, to=None, expected=cast.analyst)


def open_and_start(page: Page, cast: Cast) -> None:
    press(page, "j", "Enter")
    page.get_by_role("heading", name="Why these accounts").wait_for()
    press(page, "o")
    write(page.get_by_label("Summary"), "The accounts are suspected of collecting outputs. They pay alike.")
    enter(page.get_by_role("button", name="Open the case"))
    page.get_by_role("status").filter(has_text="Opened RT-").wait_for()
    give_back(cast)
    press(page, "g", "c")
    page.get_by_role("heading", name="Cases", level=1).wait_for()
    press(page, "j", "Enter")
    page.get_by_role("button", name="Take it").wait_for()
    press(page, "i")
    expect(page.get_by_role("status")).to_contain_text("Assigned to analyst.")
    leave_to_the_next_step(page, "Start investigating")


def leave_to_the_next_step(page: Page, label: str) -> None:
    """Open the panel of a step and press its button."""
    enter(page.locator("summary").filter(has_text=re.compile(rf"^{label}$")))
    enter(page.get_by_role("button", name=label))
    expect(page.get_by_role("status").first).to_contain_text("is now")


def tab_of_case(page: Page, name: str) -> None:
    tabs = page.get_by_role("navigation", name="Parts of this case")
    enter(tabs.get_by_role("link", name=re.compile(rf"^{name}\b")))
    expect(tabs.locator("[aria-current=page]")).to_contain_text(name)


def ask_to_preserve(page: Page) -> None:
    """The one source is chosen already."""
    tab_of_case(page, "Preservation")
    choose_one(page.locator("#preserve").get_by_label("request logs"))
    write(page.get_by_label("What is to be kept"), "All request logs of the listed accounts.")
    write(page.get_by_label("The log owner"), "Gateway team")
    write(page.get_by_label("On what authority"), "Terms of use")
    enter(page.get_by_role("button", name="Ask to preserve"))
    page.get_by_role("heading", name="request logs").wait_for()


def choose_one(box: Locator) -> None:
    """Go to a box and tick it."""
    tab_to(box)
    box.page.keyboard.press("Space")


def add_exhibit(page: Page) -> None:
    tab_of_case(page, "Evidence")
    file = page.get_by_label("File")
    tab_to(file)  # what opens from here is a window of the desktop, with keys of its own
    file.set_input_files({"name": "extract.csv", "mimeType": "text/csv", "buffer": b"day,exchanges\n"})
    write(page.get_by_label("Title"), "Request log extract")
    write(page.get_by_label("Where it comes from"), "Gateway export")
    tab_to(page.get_by_label("Taken at the source"))
    page.keyboard.type("01032026")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("090000AM")  # half a day only where the browser counts so
    enter(page.get_by_role("button", name="Add the exhibit"))
    expect(page.get_by_role("region", name="Request log extract")).to_be_visible()


def judge_accounts(page: Page) -> None:
    """Pick a row by its key, choose a verdict by its first letters."""
    tab_of_case(page, "Accounts")
    press(page, "j", "x")
    tab_to(page.get_by_label("Verdict", exact=True))
    page.keyboard.type("actor")
    write(page.locator("#id_reason"), "Shares the payment fingerprint.")
    enter(page.get_by_role("button", name="Set for those picked (1)"))
    expect(page.get_by_role("status")).to_contain_text("Decided: actor-controlled.")


def judge_claims(page: Page) -> None:
    tab_of_case(page, "Claims")
    for letter in "abc":
        claim = page.locator(f"#claim-{letter}")
        enter(claim.locator("summary").filter(has_text="Judge this claim"))
        choose(claim.get_by_role("group", name="Likelihood"), 4)
        choose(claim.get_by_role("group", name="Confidence"), 1)
        write(claim.get_by_label("Why", exact=True), "One payment fingerprint ties them.")
        write(claim.get_by_label("What else would explain it"), "A company that pays for its staff.")
        tab_to(claim.get_by_label(re.compile("Request log extract.*: for or against$")))
        page.keyboard.type("for")
        enter(claim.get_by_role("button", name="Record the judgement"))
        expect(page.get_by_role("status")).to_contain_text(f"Judged claim ({letter}).")
        expect(claim).to_contain_text("likely")


def answer_explanations(page: Page) -> None:
    for slug, name in ALTERNATIVES.items():
        one = page.locator(f"#alternative-{slug}")
        enter(one.locator("summary").filter(has_text="Answer"))
        choose(one, 0)
        write(one.get_by_label("Reason"), "The prompts do not fit it.")
        enter(one.get_by_role("button", name="Record the answer"))
        expect(page.get_by_role("status")).to_contain_text(f"Answered: {name}.")


def freeze(page: Page) -> None:
    tab_of_case(page, "Dossiers")
    enter(page.get_by_role("button", name="Freeze"))
    result = page.get_by_role("group", name="Freezing the dossier").get_by_role("link", name="See the result")
    enter(result)
    expect(page.get_by_text("Waits for approval.")).to_be_visible()


def approve(page: Page) -> None:
    press(page, "g", "c")
    page.get_by_role("heading", name="Cases", level=1).wait_for()
    press(page, "j", "Enter")
    tab_of_case(page, "Dossiers")
    press(page, "j", "Enter")
    write(page.get_by_label("Note"), "Read against the draft.")
    enter(page.get_by_role("button", name="Approve this snapshot"))
    expect(page.get_by_role("status").first).to_contain_text("Approved.")
