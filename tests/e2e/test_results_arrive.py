"""What a job came to appears on the page that waits for it, and leaves what is typed; a link does it without script."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from cases.actions import redactions
from cases.models import EvidenceItem
from cases.redaction import Mark
from detection import sources
from spine import sequencer
from spine.models import Job
from tests.detection.detectors.scenes import explained
from tests.detection.telemetry.rows import file_of
from tests.e2e.browsing import Windows, unfold
from tests.factories import Cast, add_exhibit, make_case, run_job

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"]),
    pytest.mark.usefixtures("no_broker"),
]


@pytest.fixture
def item(committed_cast: Cast) -> EvidenceItem:
    return add_exhibit(make_case(committed_cast), committed_cast.analyst, b"one two three", declared_type="text/plain")


def work(kind: str) -> None:
    run_job(Job.objects.filter(kind=kind).latest("created_at"))


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def test_comparison_of_an_exhibit_arrives_and_leaves_what_is_typed(
    windows: Windows, committed_cast: Cast, item: EvidenceItem
) -> None:
    address = f"/cases/{item.case.ref}/evidence/{item.number}/"
    page = windows.open(committed_cast.analyst, address)
    page.get_by_role("button", name="Verify now").click()
    progress = page.get_by_role("group", name="Comparing stored files with their digests")
    expect(progress).to_contain_text("Waiting for a worker.")
    unfold(page, "Record an event that happened outside Retort")
    page.get_by_label("Where", exact=True).fill("court, room 7")
    work("vault.compare")
    expect(progress).to_contain_text("Read 1 file to the end, 13\u00a0bytes. It has the bytes that were hashed.")
    expect(section(page, "Comparisons")).to_contain_text("UTC: same, 13\u00a0bytes read")
    expect(page.locator("#facts")).not_to_contain_text("not since it arrived")
    expect(page.get_by_label("Where", exact=True)).to_have_value("court, room 7")
    progress.get_by_role("link", name="See the result").click()
    expect(page).to_have_url(re.compile(rf"{address}#checks$"))


def test_redaction_that_was_approved_arrives_in_the_tree(
    windows: Windows, committed_cast: Cast, item: EvidenceItem
) -> None:
    redactions.propose_redaction(item, actor=committed_cast.analyst, marks=[Mark(0, 3, "secret")])
    page = windows.open(committed_cast.counsel, f"/cases/{item.case.ref}/evidence/{item.number}/redact/")
    page.get_by_label("Approve: make the redacted exhibit").check()
    page.get_by_role("button", name="Decide").click()
    progress = page.get_by_role("group", name="Making a redacted exhibit")
    expect(progress).to_contain_text("Waiting for a worker.")
    work("evidence.redact")
    expect(progress).to_contain_text("Made Exhibit 2.")
    section(page, "What was made from what").get_by_role("link", name="Exhibit 2").click()
    expect(page.get_by_role("heading", name="Exhibit 1, redacted")).to_be_visible()


def test_verification_of_log_and_vault_arrive(windows: Windows, committed_cast: Cast, item: EvidenceItem) -> None:
    sequencer.sequence()
    page = windows.open(committed_cast.analyst, "/log/chain/")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("group", name="Verifying the log")).to_contain_text("Waiting for a worker.")
    work("log.verify")
    expect(page.get_by_role("heading", name="The log verifies")).to_be_visible()
    page.goto("/vault/")
    page.get_by_role("button", name="Verify everything now").click()
    expect(section(page, "State")).to_contain_text("not all of them were compared yet")
    work("vault.compare")
    expect(section(page, "State")).not_to_contain_text("not all of them were compared yet")


def test_measuring_is_stopped_asked_for_again_and_arrives_in_the_table(
    windows: Windows, committed_cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    source, path = sources.source_named("benign-1"), file_of(tmp_path / "benign.ndjson", explained()[0])
    sources.add_file(actor="user:admin", source=source, kind="exchanges", path=path)
    address = f"/sources/{source.pk}/runs/"
    page = windows.open(committed_cast.admin, address)
    ask = page.get_by_role("button", name="Measure on this source")
    unfold(page, "Measure detectors on this source")
    ask.click()
    progress = page.get_by_role("group", name="Measuring detectors on a benign reference")
    progress.get_by_role("button", name="Stop it").click()
    expect(progress).to_contain_text("Stopped by admin; nothing of it was kept.")
    page.goto(address)
    unfold(page, "Measure detectors on this source")
    ask.click()
    expect(progress).to_contain_text("Waiting for a worker.")
    table = section(page, "What detectors name on it, taken as benign")
    expect(table).to_contain_text("No detector was measured on this source.")
    work("detectors.measure")
    expect(progress).to_contain_text("could not tell")
    expect(table.get_by_role("row", name="Accounts that ask for the model")).to_contain_text("0.0% – 6.0%")
    progress.get_by_role("link", name="See the result").click()
    expect(page).to_have_url(re.compile(rf"{address}#measures$"))


def test_simulated_telemetry_is_stopped_asked_for_again_and_arrives_as_a_source(
    windows: Windows, committed_cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    page = windows.open(committed_cast.admin, "/sources/")
    page.get_by_role("link", name="Make simulated telemetry").click()
    made = section(page, "Simulated sources")
    expect(made).to_contain_text("None was made yet.")

    def ask() -> None:
        for label, value in (("Name", "trial"), ("Accounts", "300"), ("Exchanges", "4000"), ("Days", "8")):
            page.get_by_label(label, exact=True).fill(value)
        for kind in ("cot elicitation", "logit probe"):
            page.get_by_label(kind).uncheck()
        page.get_by_role("button", name="Make it").click()

    ask()
    progress = page.get_by_role("group", name="Making simulated telemetry")
    progress.get_by_role("button", name="Stop it").click()
    expect(progress).to_contain_text("Stopped by admin; nothing of it was kept.")
    page.goto("/sources/simulate/")
    ask()
    expect(progress).to_contain_text("Waiting for a worker.")
    work("telemetry.simulate")
    expect(progress).to_contain_text("with 8 suspected campaigns among them.")
    expect(made.get_by_role("row", name="simulated: trial")).to_be_visible()
    progress.get_by_role("link", name="See the result").click()
    expect(page.get_by_role("heading", name="simulated: trial")).to_be_visible()
    expect(page.get_by_label("Simulated telemetry")).to_contain_text("Nothing found in it is evidence of anything.")
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_label("Simulated telemetry")).to_be_visible()
    unfold(page, "Start a run now")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("group", name="Running detectors")).to_contain_text("Waiting for a worker.")


def test_result_is_a_link_away_without_javascript(windows: Windows, committed_cast: Cast, item: EvidenceItem) -> None:
    page = windows.open(
        committed_cast.reader, f"/cases/{item.case.ref}/evidence/{item.number}/", java_script_enabled=False
    )
    page.get_by_role("button", name="Verify now").click()
    work("vault.compare")
    page.get_by_role("link", name="Refresh").click()
    expect(section(page, "Comparisons")).to_contain_text("UTC: same, 13\u00a0bytes read")
