"""The Findings, Timeline, Evidence and Log tabs: what is shown of outside text, notes, uploads, downloads, queries."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cases import actions
from cases.models import Case, CustodyEvent, EvidenceItem, TimelineNote
from cases.views.masking import masked
from detection.models import Account, Finding
from spine import vault
from spine.models import LogEntry
from tests.cases.pages import client_of, sent_by, text_of
from tests.factories import Cast, add_exhibit, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db
NOTE: dict[str, Any] = {
    "lane": "accounts",
    "starts_at": "2026-05-03T14:30",
    "text": "Rate limits were lowered.",
    "source": "change record",
    "confidence": "high",
}


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def newest(case: Case) -> tuple[str, str]:
    entry = LogEntry.objects.filter(scope=case.id).latest("at")
    return entry.actor, entry.action


def count_queries(client: Client, name: str, case: Case) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(reverse(name, args=[case.ref])).status_code == 200
    return len(queries)


# Findings


def test_a_finding_is_shown_under_pseudonyms_wherever_it_names_an_account(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    finding, account = Finding.objects.get(), Account.objects.get(provider_id="acct-0001")
    response = analyst.get(reverse("case_findings", args=[case.ref]), {"open": str(finding.pk)})
    assert account.pseudonym in response.context["drawer"]["payload"]
    assert "acct-" not in text_of(response)
    assert f"?cite=finding-{finding.pk}" in text_of(response)


def test_ids_in_a_title_become_pseudonyms(cast: Cast) -> None:
    make_case(cast)
    account = Account.objects.get(provider_id="acct-0001")
    title = "One key (acct-0001), also used by acct-0001: look; not acct-00012"
    expected = f"One key ({account.pseudonym}), also used by {account.pseudonym}: look; not acct-00012"
    assert masked([title])(title) == expected


def test_findings_narrow_by_signal_and_words(analyst: Client, cast: Cast) -> None:
    address = reverse("case_findings", args=[make_case(cast).ref])
    found = [
        len(analyst.get(address, query).context["findings"])
        for query in ({}, {"signal": "shared_attribute"}, {"signal": "unknown"}, {"q": "fingerprint"}, {"q": "nothing"})
    ]
    assert found == [1, 1, 1, 1, 0]
    assert analyst.get(address, {"open": "no id"}).context["drawer"] is None


# Lists


def test_lists_take_one_number_of_queries_for_one_row_and_for_three(analyst: Client, cast: Cast) -> None:
    few, many = make_case(cast, accounts=provider_ids(2, "few")), make_case(cast, accounts=provider_ids(2, "many0"))
    for number in (1, 2):
        actions.join_case(make_lead(provider_ids(2, f"many{number}")), many, actor=cast.analyst)
    for case, rows in ((few, 1), (many, 3)):
        for number in range(rows):
            add_exhibit(case, cast.analyst, content=b"%d" % number)
            actions.add_timeline_note(
                case, actor=cast.analyst, **{**NOTE, "starts_at": case.created_at, "text": f"entry {number}"}
            )
    names = ("case_findings", "case_timeline", "case_evidence", "case_log", "case_claims", "case")
    for name in names:
        count_queries(analyst, name, few)
        assert (name, count_queries(analyst, name, few)) == (name, count_queries(analyst, name, many))


# Timeline


def add_note(client: Client, case: Case, **data: Any) -> Any:
    return client.post(reverse("case_timeline", args=[case.ref]), {**NOTE, **data})


def entries(response: Any) -> list[dict[str, Any]]:
    return [entry for day in response.context["days"] for entry in day["entries"]]


def test_an_entry_is_added_corrected_and_taken_back(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    address = reverse("case_timeline", args=[case.ref])
    assert (add_note(analyst, case).status_code, newest(case)) == (302, ("user:analyst", "timeline.added"))
    note = TimelineNote.objects.get()
    assert (note.starts_at.isoformat(), note.ends_at) == ("2026-05-03T14:30:00+00:00", None)

    sent = sent_by(analyst.get(address, {"correct": str(note.pk)}).context["note_form"])
    assert add_note(analyst, case, supersedes=sent["supersedes"], text="Limits were lowered.").status_code == 302
    shown = [entry for entry in entries(analyst.get(address)) if entry["note"]]
    assert [(entry["text"], entry["may_withdraw"]) for entry in shown] == [("Limits were lowered.", True)]

    withdraw = reverse("withdraw_timeline_note", args=[case.ref, shown[0]["note"]])
    assert client_of(cast.reader).post(withdraw).status_code == 403
    assert (analyst.post(withdraw).status_code, newest(case)) == (302, ("user:analyst", "timeline.withdrawn"))
    late = client_of(cast.lead).post(withdraw)
    assert (late.status_code, "taken back (by analyst" in text_of(late)) == (409, True)
    assert [entry for entry in entries(analyst.get(address)) if entry["note"]] == []


def test_an_entry_that_is_refused_keeps_its_input(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    refused = add_note(analyst, case, ends_at="2026-05-01T00:00")
    assert (refused.status_code, list(refused.context["note_form"].errors)) == (422, ["ends_at"])
    assert refused.context["note_form"]["text"].value() == NOTE["text"]
    assert add_note(analyst, case).status_code == 302
    assert add_note(client_of(cast.lead), case).status_code == 409


def test_the_timeline_narrows_to_a_lane_and_escapes_what_deceives(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    add_note(analyst, case, text="Seen \u202egnp.exe")
    response = analyst.get(reverse("case_timeline", args=[case.ref]), {"lane": "accounts"})
    assert {entry["lane"] for entry in entries(response)} == {"accounts"}
    assert ("⟨U+202E⟩gnp.exe" in text_of(response), "\u202e" in text_of(response)) == (True, False)


# Evidence


def upload(client: Client, case: Case, content: bytes = b"a,b\n1,2\n", name: str = "rows.csv", **data: Any) -> Any:
    given = {"title": "Rows", "source": "gateway export", "acquired_at": "2026-05-12T09:00", **data}
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return client.post(reverse("add_evidence", args=[case.ref]), {**given, "file": file})


def test_an_exhibit_is_added_hashed_and_shown_with_its_custody(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    response = upload(analyst, case, name="invoice\u202efdp.csv")
    item = EvidenceItem.objects.get()
    assert (response["Location"], newest(case)) == (
        f"/cases/{case.ref}/evidence/#exhibit-1",
        ("user:analyst", "evidence.added"),
    )
    assert vault.read(item.sha256) == b"a,b\n1,2\n"
    page = analyst.get(reverse("case_evidence", args=[case.ref]))
    assert [event.action for event in page.context["exhibits"][0].custody] == ["acquired", "received", "hashed"]
    assert "\u202e" not in text_of(page)


def test_the_same_bytes_are_refused_with_the_exhibit_they_are_and_the_input_kept(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    upload(analyst, case)
    again = upload(client_of(cast.lead), case, title="Again")
    assert (again.status_code, "Exhibit 1 already" in text_of(again)) == (409, True)
    assert again.context["upload_form"]["title"].value() == "Again"
    assert upload(analyst, case, b"").status_code == 422


def test_a_download_is_an_attachment_and_a_custody_event(cast: Cast) -> None:
    case = make_case(cast)
    add_exhibit(case, cast.analyst)
    address = reverse("download_evidence", args=[case.ref, 1])
    response: Any = client_of(cast.reader).get(address)
    assert b"".join(response.streaming_content) == b"request_id,model\nr-1,aster-2\n"
    assert response["Content-Disposition"] == 'attachment; filename="extract.csv"'
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert (response["X-Content-Type-Options"], response["Content-Type"]) == ("nosniff", "application/octet-stream")
    event = CustodyEvent.objects.get(action="copied")
    assert (event.who, newest(case)) == ("reader", ("user:reader", "evidence.copied"))
    assert client_of(cast.admin).get(address).status_code == 404
    assert client_of(cast.lead).get(reverse("download_evidence", args=[case.ref, 2])).status_code == 404


def test_an_exhibit_that_is_gone_is_said_to_be_gone(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    item = add_exhibit(case, cast.analyst, content=b"will be lost")
    vault.path_of(item.sha256).unlink()
    response = analyst.get(reverse("download_evidence", args=[case.ref, 1]))
    assert (response.status_code, "Exhibit 1 cannot be given out" in text_of(response)) == (422, True)
    assert CustodyEvent.objects.filter(action="copied").count() == 0


# Log


def test_the_log_tells_every_act_of_the_case_newest_first(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, stage="escalated")
    rows = analyst.get(reverse("case_log", args=[case.ref])).context["entries"]
    assert len(rows) == LogEntry.objects.filter(scope=case.id).count()
    assert (rows[0]["actor"], rows[0]["sentence"]) == ("lead", f"moved {case.ref} from investigating to escalated")
