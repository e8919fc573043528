"""Hostile content: what others wrote is shown as text, what cannot be seen is shown as its code, and nothing runs."""

import re
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Page, expect

from cases import actions
from cases.models import Case, CaseAccount
from detection import ingest
from detection.models import Cluster, ClusterFinding, Finding
from spine import log
from tests.e2e.browsing import Windows, tab
from tests.factories import START, Cast, make_case

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"
HIDDEN = "safe\u202egpj.exe\u200b\u2066x"
SHOWN = "safe⟨U+202E⟩gpj.exe⟨U+200B⟩⟨U+2066⟩x"
# Every element and attribute that would run something, and every character that would hide or reorder text.
ACTIVE = """() => [
  ...[...document.querySelectorAll("script:not([src]):not([type='application/json']), [srcdoc], iframe, object, embed")]
    .map((one) => one.outerHTML),
  ...[...document.querySelectorAll("*")].flatMap((one) => [...one.attributes]
    .filter((a) => a.name.startsWith("on") || /^\\s*javascript:/i.test(a.value)).map((a) => `${a.name}=${a.value}`)),
  ...(document.body.innerText.match(/[\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069]/g) ?? []),
]"""


def test_hostile_text_is_shown_and_nothing_of_it_runs(windows: Windows, committed_cast: Cast) -> None:
    case = make_case(committed_cast, stage="investigating")
    send_finding(case)
    write_everywhere(case, committed_cast)
    page = windows.open(committed_cast.analyst)
    upload(page, case)
    account, finding = CaseAccount.objects.filter(case=case).earliest("pk"), Finding.objects.get(uid__startswith="h-")
    for address, shown in (
        (reverse("case", args=[case.ref]), MARKUP),
        (reverse("case_claims", args=[case.ref]), MARKUP),
        (f"{reverse('case_accounts', args=[case.ref])}?open={account.account.pseudonym}", SHOWN),
        (f"{reverse('case_findings', args=[case.ref])}?open={finding.pk}", MARKUP),
        (f"{reverse('case_findings', args=[case.ref])}?open={finding.pk}", SHOWN),
        (reverse("case_timeline", args=[case.ref]), SHOWN),
        (reverse("case_evidence", args=[case.ref]), "<img src=x onerror=alert(2)>.csv"),
        (reverse("case_log", args=[case.ref]), case.ref),
        (reverse("cases") + "?q=" + "%22%3E%3Cscript%3Ealert(4)%3C%2Fscript%3E", "No case matches"),
        (reverse("log"), "Log"),
    ):
        page.goto(address)
        expect(page.get_by_role("main")).to_contain_text(shown)
        assert page.evaluate(ACTIVE) == [], address


def send_finding(case: Case) -> None:
    """A detector's document whose every text is hostile."""
    held = CaseAccount.objects.filter(case=case).select_related("account").earliest("pk")
    attribute = {"type": "payment_fingerprint", "value": HIDDEN, "count": 3}
    document: dict[str, Any] = {
        "uid": f"h-{MARKUP}",
        "detector": {"name": "hostile", "version": "1"},
        "signal": "no_human_cadence",
        "title": f"{MARKUP} {HIDDEN}",
        "summary": f"{HIDDEN} {MARKUP}",
        "score": 0.5,
        "window": {"start": "2026-05-02T00:00:00Z", "end": "2026-05-03T00:00:00Z"},
        "accounts": [{"id": held.account.provider_id, "exchanges": 9, "attributes": [attribute]}],
    }
    assert ingest.store([document], actor="detector:hostile", detector="hostile").created == 1
    joined = ClusterFinding(cluster=Cluster.objects.get(cases__case=case), finding=Finding.objects.latest("pk"))
    with transaction.atomic():
        log.record(actor="system:test", action="run.finished", data={}, rows=[joined])


def write_everywhere(case: Case, cast: Cast) -> None:
    """What a person may type."""
    changes = {"title": (case.title, f"Suspected {MARKUP}"), "summary": (case.summary, f"{MARKUP} {HIDDEN}")}
    actions.edit_case(case, actor=cast.analyst, changes=changes)
    held = CaseAccount.objects.filter(case=case).select_related("account").earliest("pk")
    reason = f"{MARKUP} {HIDDEN}"
    actions.set_verdict(case, held.account, actor=cast.analyst, value="unknown", reason=reason, expected=None)
    noted = {"lane": "decisions", "starts_at": START, "text": reason, "source": reason, "confidence": "low"}
    actions.add_timeline_note(case, actor=cast.analyst, **noted)
    actions.answer_alternative(case, actor=cast.analyst, alternative="gateway", state="ruled_out", reason=reason)


def upload(page: Page, case: Case) -> None:
    page.goto(f"/cases/{case.ref}/")
    tab(page, "Evidence")
    file = {"name": "<img src=x onerror=alert(2)>.csv", "mimeType": "text/html", "buffer": b"<script>alert(5)</script>"}
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("Title").fill(MARKUP)
    page.get_by_label("Where it comes from").fill(MARKUP)
    page.get_by_label("Taken at the source").fill("2026-03-01T09:00:00")
    page.get_by_role("button", name="Add the exhibit").click()
    expect(page.get_by_role("link", name="Download")).to_be_visible()


def test_after_signing_out_going_back_shows_nothing(windows: Windows, committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    page = windows.open(committed_cast.analyst, f"/cases/{case.ref}/")
    expect(page.get_by_role("main")).to_contain_text(case.title)
    page.locator("details.menu", has=page.locator("summary .who")).locator("summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in/"))
    page.go_back()
    page.wait_for_load_state()
    assert case.title not in page.content()
