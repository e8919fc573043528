"""Custody events that people record, the chain with its gaps on page, API and paper."""

import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pikepdf
import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from cases import actions, exhibits
from cases.dossier import custody_form
from cases.models import Case, CustodyEvent, EvidenceItem
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases import api, pages
from tests.factories import Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 3, 9, 0, tzinfo=UTC)


def record(item: EvidenceItem, actor: Any, action: str = "transferred", **changed: Any) -> CustodyEvent:
    given = {"at": AT, "where": "Office", "why": "review", "how": "by courier", "party": "J. Doe", **changed}
    return actions.record_custody(item, actor=actor, action=action, **given)


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def item(cast: Cast, case: Case) -> EvidenceItem:
    return add_exhibit(case, cast.analyst)


def codes(item: EvidenceItem) -> list[str]:
    return [gap.code for gap in exhibits.whole(item).gaps]


def test_transfer_is_a_gap_until_it_is_acknowledged_once(cast: Cast, item: EvidenceItem) -> None:
    handed = record(item, cast.analyst, tool="GnuPG", tool_version="2.4")
    assert "not_received" in codes(item)
    received = record(item, cast.lead, "received", party="", who="J. Doe", answers=handed.id)

    assert (received.who, received.answers_id, received.recorded_by, received.clock) == (
        "J. Doe",
        handed.id,
        cast.lead,
        "as stated by who recorded it",
    )
    assert "not_received" not in codes(item)
    with pytest.raises(Conflict, match=r"acknowledged already, by J\. Doe on 03 Jun 2026 09:00 UTC"):
        record(item, cast.lead, "received", party="", answers=handed.id)
    entry = LogEntry.objects.filter(action="custody.recorded").latest("at")
    assert (entry.actor, entry.data["event"], entry.scope) == ("user:lead", "received", item.case_id)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"action": "hashed"}, "action"),
        ({"action": "verification_failed"}, "action"),
        ({"party": ""}, "party"),
        ({"where": " "}, "where"),
        ({"why": ""}, "why"),
        ({"how": "\x00"}, "how"),
        ({"at": timezone.now() + timedelta(days=1)}, "at"),
        ({"at": datetime(2026, 5, 1)}, "at"),  # noqa: DTZ001 - the point of it
        ({"sha256": "AB" * 32}, "sha256"),
        ({"answers": "00000000-0000-7000-8000-000000000000"}, "answers"),
        ({"action": "received", "answers": "00000000-0000-7000-8000-000000000000"}, "answers"),
    ],
)
def test_event_that_lacks_something_is_refused(
    cast: Cast, item: EvidenceItem, changed: dict[str, Any], field: str
) -> None:
    before = CustodyEvent.objects.count()
    with pytest.raises(Refused) as refused:
        record(item, cast.analyst, **changed)
    assert (refused.value.field, CustodyEvent.objects.count()) == (field, before)


def test_other_bytes_are_recorded_and_named(cast: Cast, item: EvidenceItem) -> None:
    record(item, cast.analyst, "analysed", sha256="cd" * 32)
    assert "other_bytes" in codes(item)


def test_reader_records_nothing_and_a_closed_case_still_takes_a_return(cast: Cast) -> None:
    case = make_case(cast, stage="closed")
    item = case.evidence.get()
    with pytest.raises(PermissionDenied):
        record(item, cast.reader)
    assert record(item, cast.lead, "returned").party == "J. Doe"


@pytest.mark.django_db(transaction=True)
def test_two_who_acknowledge_one_transfer_at_once_leave_one(committed_cast: Cast) -> None:
    item = add_exhibit(make_case(committed_cast), committed_cast.analyst)
    handed = record(item, committed_cast.analyst)
    said: list[str] = []

    def acknowledge() -> None:
        try:
            record(item, committed_cast.lead, "received", party="", answers=handed.id)
            said.append("recorded")
        except Conflict:
            said.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=acknowledge) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["recorded", "told"]
    assert CustodyEvent.objects.filter(answers=handed).count() == 1


def test_api_gives_the_chain_with_its_gaps_and_takes_an_event(cast: Cast, item: EvidenceItem) -> None:
    client = api.client_of(cast.analyst)
    url = f"/api/v1/cases/{item.case.ref}/evidence/1/custody/"
    body = {"action": "transferred", "at": "2026-06-03T09:00:00Z", "party": "J. Doe", "where": "Office"}
    lacking = client.post(url, body)
    added = client.post(url, {**body, "why": "review", "how": "by courier"})
    chain = client.get(url).json()

    assert (lacking.status_code, api.places(lacking)) == (400, ["/why", "/how"])
    assert (added.status_code, added.json()) == (201, chain)
    assert [event["action"] for event in chain["events"]] == ["acquired", "received", "hashed", "transferred"]
    assert {gap["code"] for gap in chain["gaps"]} == {"time_hole", "not_received"}
    assert (chain["exhibit"]["number"], chain["exhibit"]["sha256"], chain["comparisons"]) == (1, item.sha256, [])
    paper = client.get(f"{url}form/")
    assert (paper["Content-Type"], paper["X-Content-Type-Options"]) == ("application/pdf", "nosniff")
    assert paper["Content-Disposition"] == f'attachment; filename="{item.case.ref}-exhibit-001-custody.pdf"'


def test_custody_form_on_paper_bears_any_text_and_is_the_same_each_time(cast: Cast, item: EvidenceItem) -> None:
    record(item, cast.analyst, where='#panic("x") \u202e‮ *b* $x$', party="Αθήνα 東京")
    document = exhibits.custody_document(exhibits.whole(item))
    made = [custody_form.pdf(document, at=AT, by="analyst") for _ in range(2)]

    assert made[0] == made[1]
    with pikepdf.open(io.BytesIO(made[0])) as pdf:
        assert len(pdf.pages) >= 1
        assert str(pdf.docinfo["/Title"]) == f"{item.case.ref}, Exhibit 1: chain of custody"


def test_exhibits_page_shows_chain_gaps_and_records_an_event(cast: Cast, item: EvidenceItem) -> None:
    client = pages.client_of(cast.analyst)
    url = f"/cases/{item.case.ref}/evidence/1/"
    shown = client.get(url).content.decode()
    assert "Gaps in this chain" in shown
    assert "not since it arrived" in shown
    sent = {"action": "transferred", "at": "2026-06-03T09:00", "where": "Office", "why": "review", "how": "by courier"}
    lacking = client.post(f"{url}custody/record/", sent)
    done = client.post(f"{url}custody/record/", {**sent, "party": "J. Doe"})

    assert (lacking.status_code, "To or from whom is missing." in lacking.content.decode()) == (422, True)
    assert (done.status_code, done["Location"]) == (302, f"{url}#custody")
    after = client.get(url).content.decode()
    assert "Transferred to J. Doe on 03 Jun 2026 09:00 UTC and never acknowledged." in after
    assert "Which transfer it acknowledges" in after
    assert "Chain of custody: Exhibit 1" in client.get(f"{url}custody/").content.decode()


def test_text_of_an_exhibit_is_shown_as_text_with_what_hides_made_visible(cast: Cast, case: Case) -> None:
    content = "<script>alert(1)</script>\u202egpj.exe\u200b\tend".encode()
    item = add_exhibit(case, cast.analyst, content)
    answer = pages.client_of(cast.reader).get(f"/cases/{case.ref}/evidence/1/text/")
    shown = answer.content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩gpj.exe⟨U+200B⟩" in shown
    assert "<script>alert" not in shown
    event = CustodyEvent.objects.get(item=item, action="viewed")
    assert (event.who, event.how) == ("reader", "shown as text by Retort")


def test_what_is_no_text_is_not_shown(cast: Cast, case: Case) -> None:
    add_exhibit(case, cast.analyst, b"\x89PNG\r\n\x1a\n", file_name="a.png")
    answer = pages.client_of(cast.reader).get(f"/cases/{case.ref}/evidence/1/text/")
    assert (answer.status_code, CustodyEvent.objects.filter(action="viewed").count()) == (422, 0)


@pytest.mark.parametrize("path", ["/cases/{}/evidence/1/download/", "/api/v1/cases/{}/evidence/1/content/"])
def test_content_leaves_to_be_saved_in_a_sandbox_by_every_door(cast: Cast, item: EvidenceItem, path: str) -> None:
    answer = pages.client_of(cast.reader).get(path.format(item.case.ref))
    assert b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert answer["Content-Disposition"].startswith("attachment; ")
    assert (answer["X-Content-Type-Options"], answer["Content-Type"]) == ("nosniff", "application/octet-stream")
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert CustodyEvent.objects.get(action="copied").who == "reader"


@pytest.mark.parametrize("rows", [1, 3])
def test_page_of_an_exhibit_takes_one_number_of_queries(
    cast: Cast, case: Case, rows: int, django_assert_num_queries: Any
) -> None:
    items = [add_exhibit(case, cast.analyst, b"row %d" % number) for number in range(rows)]
    for _ in range(rows):
        record(items[0], cast.analyst)
    with django_assert_num_queries(3):
        exhibits.whole(items[0])
