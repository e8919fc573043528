"""The whole story by clicking: two people and a real worker, from the queue to a sealed dossier that verifies."""

import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from playwright.sync_api import Page, expect

from cases.vocabulary import ALTERNATIVES
from config.embedded.processes import wait_until
from detection import runs, sources
from detection.simulate import Scale, simulate
from spine.models import Outbox
from tests.e2e.browsing import Windows, tab, unfold
from tests.killing import finished
from tests.servers import Worker

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])

SUMMARY = "Linked accounts are suspected of collecting outputs together. They share rare values and prompt frames."
EXHIBIT = "Terms of use, version 7 (sample text)"
TERMS = b"4.3 Accounts may not be opened or run to get around limits.\n"


def test_story_is_told_by_clicking(worker: Worker, windows: Windows, tmp_path: Path) -> None:
    call_command("first_run")
    detect(tmp_path)
    analyst = windows.sign_in("analyst", password("analyst"))
    reject_the_false_alarm(analyst)
    ref, accounts = open_the_case(analyst)
    move(analyst, "Start investigating")
    expect(analyst.get_by_role("status")).to_contain_text(f"{ref} is now investigating")
    refuse_to_escalate(analyst)
    ask_to_preserve(analyst)
    add_an_exhibit(analyst, tmp_path)
    judge_all_accounts(analyst, accounts, worker)
    judge_one_account(analyst, accounts)
    judge_the_claims(analyst)
    answer_the_explanations(analyst)
    move(analyst, "Escalate")
    expect(analyst.get_by_role("status")).to_contain_text(f"{ref} is now escalated")

    freeze(analyst)
    counsel = windows.sign_in("counsel", password("counsel"))
    approve(counsel, ref, snapshot=copied(analyst, "snapshot hash"))
    package = download(counsel, tmp_path)
    assert re.fullmatch(rf"{ref}-counsel-v1\.zip", package.name)
    assert_verifies(package, tmp_path / "elsewhere", key=copied(analyst, "key fingerprint"))


def detect(folder: Path) -> None:
    """Telemetry to leads through the queue, as an operator's commands ask for it."""
    made = simulate(Scale(), folder / "telemetry")
    source = sources.source_named("api-logs")
    files = (made.accounts, made.networks, made.models, made.telemetry)
    for kind, path in zip(("accounts", "networks", "models", "exchanges"), files, strict=True):
        finished(sources.request_telemetry(actor="system:test", source=source, kind=kind, path=path))
    finished(runs.request_run(actor="system:test", source=source))
    assert wait_until(lambda: not Outbox.objects.filter(handled_at=None).exists(), 60)


def password(username: str) -> str:
    """What first-run.txt says."""
    lines = (Path(settings.HOME.path) / "first-run.txt").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{username} "))


def go(page: Page, place: str) -> None:
    """By the navigation on top of every page."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=place, exact=True).click()


def open_lead(page: Page, kind: str) -> None:
    """From the queue to the lead that is consistent with this."""
    go(page, "Queue")
    page.get_by_role("row").filter(has_text=kind).get_by_role("link").click()
    expect(page.get_by_role("heading", name="Why these accounts")).to_be_visible()


def reject_the_false_alarm(page: Page) -> None:
    open_lead(page, "benign automation")
    panel = unfold(page, "Reject")
    panel.get_by_label("Reason").select_option("evaluation or benchmark harness")
    panel.get_by_label("Note").fill("One organisation's evaluation accounts, openly linked.")
    panel.get_by_role("button", name="Reject the lead").click()
    expect(page.get_by_role("status")).to_contain_text("Rejected. The reason is remembered")
    expect(page.get_by_role("main")).to_contain_text("evaluation or benchmark harness – Analyst")
    go(page, "Queue")
    expect(page.get_by_role("group", name="Leads", exact=True).get_by_role("row")).to_have_count(
        3
    )  # its head, and two leads
    page.get_by_role("navigation", name="Leads by state").get_by_role("link", name="Rejected").click()
    expect(page.get_by_role("row").filter(has_text="benign automation")).to_be_visible()


def open_the_case(page: Page) -> tuple[str, int]:
    """Read the lead, open a case; gives its reference and how many accounts it has."""
    open_lead(page, "coordinated extraction")
    accounts = int(page.locator(".figure").filter(has_text="accounts").first.get_by_role("link").inner_text())
    reasons = page.get_by_role("region", name="Why these accounts").get_by_role("listitem")
    assert reasons.count() >= 2
    expect(page.get_by_role("region", name="What it might be instead").get_by_role("listitem")).not_to_have_count(0)
    panel = unfold(page, "Open a case")
    panel.get_by_label("Title").fill(f"Suspected extraction through {accounts} linked accounts")
    panel.get_by_label("Summary").fill(SUMMARY)
    panel.get_by_role("button", name="Open the case").click()
    status = page.get_by_role("status").filter(has_text="Opened RT-")
    return re.findall(r"RT-\d{4}-\w{5}", status.inner_text())[0], accounts


def move(page: Page, label: str) -> None:
    """Press the button of a step in its panel."""
    unfold(page, label).get_by_role("button", name=label).click()


def refuse_to_escalate(page: Page) -> None:
    """Too early: the page says what is missing, and the step stays what it was."""
    move(page, "Escalate")
    refusal = page.get_by_role("alert").filter(has_text="cannot be escalated yet").first
    expect(refusal).to_contain_text("at least one exhibit")
    expect(refusal.get_by_role("listitem")).to_have_count(
        3 + len(ALTERNATIVES) + 3  # claims a, b, c; verdict, exhibit, preservation
    )
    expect(page.locator("[aria-current=step]")).to_contain_text("Investigating")
    page.keyboard.press("Escape")  # the panel stays open over the tabs


def ask_to_preserve(page: Page) -> None:
    """The one source is chosen already; the request stands there with its clock."""
    tab(page, "Preservation")
    panel = page.locator("#preserve")
    panel.get_by_label("request logs").check()
    panel.get_by_label("What is to be kept").fill("All request logs of the listed accounts.")
    panel.get_by_label("The log owner").fill("Gateway team")
    panel.get_by_label("On what authority").fill("Terms of use, section 9")
    panel.get_by_role("button", name="Ask to preserve").click()
    expect(page.get_by_role("heading", name="api-logs: request logs")).to_be_visible()


def add_an_exhibit(page: Page, folder: Path) -> None:
    (folder / "terms-of-use-v7.txt").write_bytes(TERMS)
    tab(page, "Evidence")
    page.get_by_label("File").set_input_files(folder / "terms-of-use-v7.txt")
    page.get_by_label("Title").fill(EXHIBIT)
    page.get_by_label("Where it comes from").fill("Legal's register of terms")
    page.get_by_label("Taken at the source").fill("2026-03-01T09:00:00")
    page.get_by_role("button", name="Add the exhibit").click()
    exhibit = page.get_by_role("region", name=EXHIBIT)
    expect(exhibit).to_contain_text("terms-of-use-v7.txt")
    unfold(exhibit, "Custody")
    expect(exhibit.get_by_role("cell", name="received")).to_be_visible()


@contextmanager
def paused(worker: Worker) -> Iterator[None]:
    """Hold the worker still, so that the page shows work before it is done."""
    os.killpg(worker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(worker.pid, signal.SIGCONT)


def judge_all_accounts(page: Page, accounts: int, worker: Worker) -> None:
    """One verdict for all that match; the page says how many, and shows the work until it is done."""
    tab(page, "Accounts")
    page.get_by_role("navigation", name="Accounts by verdict").get_by_role("link", name="Not judged").click()
    page.get_by_label("Verdict", exact=True).select_option("actor-controlled")
    page.locator("#id_reason").fill("Tied by rare shared values and the same prompt frames; sampled and read.")
    work = page.get_by_role("group", name="Setting verdicts")
    with paused(worker):
        page.get_by_role("button", name=f"Set for all {accounts} that match").click()
        expect(work.get_by_role("status")).to_contain_text("Waiting for a worker.")
        expect(work.get_by_role("progressbar")).to_be_visible()
    expect(work.get_by_role("status")).to_contain_text("Finished")  # without loading the page again
    work.get_by_role("link", name="See the result").click()
    chips = page.get_by_role("navigation", name="Accounts by verdict")
    expect(chips.get_by_role("link", name=f"Actor-controlled {accounts}")).to_be_visible()


def judge_one_account(page: Page, accounts: int) -> None:
    page.get_by_role("columnheader", name="Strength").get_by_role("link").click()
    page.get_by_role("checkbox", name=re.compile(r"Pick acc-")).last.check()
    page.get_by_label("Verdict", exact=True).select_option("unknown")
    page.locator("#id_reason").fill("The weakest tie of all; too few exchanges to tell.")
    page.get_by_role("button", name="Set for those picked (1)").click()
    chips = page.get_by_role("navigation", name="Accounts by verdict")
    expect(chips.get_by_role("link", name=f"Actor-controlled {accounts - 1}")).to_be_visible()
    expect(chips.get_by_role("link", name="Unknown 1")).to_be_visible()


def judge_the_claims(page: Page) -> None:
    tab(page, "Claims")
    for letter, likelihood in (("a", "almost certain"), ("b", "very likely"), ("c", "likely")):
        claim = page.locator(f"#claim-{letter}")
        unfold(claim, "Judge this claim")
        claim.get_by_label(likelihood, exact=True).check()
        claim.get_by_label("moderate", exact=True).check()
        claim.get_by_label("Why", exact=True).fill("The linked accounts share rare values and fill the same frames.")
        claim.get_by_label("What else would explain it").fill("A reseller's pool shares payment, not prompt frames.")
        claim.get_by_label(re.compile(rf"{re.escape(EXHIBIT)}.*: for or against$")).select_option("for")
        claim.get_by_label(re.compile(rf"^Note on .*{re.escape(EXHIBIT)}")).fill("Clause 4.3.")
        claim.get_by_role("button", name="Record the judgement").click()
        expect(page.get_by_role("status")).to_contain_text(f"Judged claim ({letter}).")
        expect(claim.get_by_role("list").first).to_contain_text(EXHIBIT)


def answer_the_explanations(page: Page) -> None:
    for slug, name in ALTERNATIVES.items():
        one = page.locator(f"#alternative-{slug}")
        unfold(one, "Answer")
        one.get_by_label("ruled out", exact=True).check()
        one.get_by_label("Reason").fill("The prompts do not fit it.")
        one.get_by_role("button", name="Record the answer").click()
        expect(page.get_by_role("status")).to_contain_text(f"Answered: {name}.")
    expect(page.get_by_text("Before this case can be escalated")).to_have_count(0)


def freeze(page: Page) -> None:
    """Freeze; the preparer sees that a second person is needed and is offered no button."""
    tab(page, "Dossiers")
    page.get_by_label("Recipient").fill("Counsel of the provider")
    page.get_by_label("Legal basis").fill("Legal hold 7 (sample)")
    page.get_by_role("button", name="Freeze").click()
    work = page.get_by_role("group", name="Freezing the dossier")
    work.get_by_role("link", name="See the result").click()
    expect(page.get_by_text("Waits for approval.")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("You prepared this version")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def copied(page: Page, what: str) -> str:
    """A digest, whole, as its button copies it."""
    return page.get_by_role("button", name=f"Copy {what}").get_attribute("data-copy") or ""


def approve(page: Page, ref: str, snapshot: str) -> None:
    """Counsel finds the version, compares the hash and approves it; the page shows the work until it is sealed."""
    go(page, "Cases")
    page.get_by_role("row").filter(has_text=ref).get_by_role("link").click()
    tab(page, "Dossiers")
    page.get_by_role("row").filter(has_text="waits for approval").get_by_role("link").click()
    form = page.get_by_role("region", name="Approve")
    expect(form).to_contain_text(snapshot)
    form.get_by_label("Note").fill("Read against the draft.")
    form.get_by_role("button", name="Approve this snapshot").click()
    expect(page.get_by_role("status").filter(has_text="Approved.")).to_be_visible()


def download(page: Page, folder: Path) -> Path:
    """Wait until it is sealed, as a person would, and take the package."""
    link = page.get_by_role("link", name="Download the package")
    result = page.get_by_role("group", name="Rendering the dossier").get_by_role("link", name="See the result")
    expect(link.or_(result).first).to_be_visible(timeout=120_000)
    if result.count():
        result.click()
    expect(page.locator("[aria-current=step]")).to_contain_text("Sealed")
    with page.expect_download() as started:
        link.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def assert_verifies(package: Path, folder: Path, *, key: str) -> None:
    """The package's own program, with Python alone, says that it holds."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "--key", key],
        cwd=folder / package.stem,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"ACCEPTED  {package.stem}: every check holds"
