"""What an exhibit is and how it was taken, by every door; derivatives by page and API; uploads on the page."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from cases.actions import uploads
from cases.kinds import ADDABLE, NEEDS
from cases.models import Case, EvidenceItem, Upload
from tests.cases import api
from tests.cases.pages import client_of, text_of
from tests.factories import START, Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db
TAKEN = {"clock": "the gateway's, by NTP", "method": "query 7", "tool": "exporter", "tool_version": "4.1"}
DERIVED = {
    "derivation": "translation",
    "title": "In English",
    "tool": "J. Doe, sworn translator",
    "method": "read and translated line by line",
    "reason": "for the court",
}


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def file(content: bytes = b"a,b\n1,2\n", name: str = "rows.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/csv")


def fields(**changed: Any) -> dict[str, Any]:
    return {"file": file(), "title": "Rows", "source": "Gateway", "acquired_at": "2026-05-12T09:00", **changed}


@pytest.mark.parametrize("kind", ADDABLE)
def test_the_form_of_each_kind_asks_for_what_it_needs_and_the_exhibit_has_it(
    analyst: Client, case: Case, kind: str
) -> None:
    asked = {f"detail_{need.name}": f"what {need.name} is" for need in NEEDS.get(kind, ())}
    page = analyst.get(f"/cases/{case.ref}/evidence/", {"kind": kind})
    form = page.context["upload_form"]
    assert {name for name in form.fields if name.startswith("detail_")} == set(asked)
    assert all(field.help_text for name, field in form.fields.items() if name.startswith("detail_"))
    if asked:
        refused = analyst.post(f"/cases/{case.ref}/evidence/add/", fields(kind=kind))
        assert (refused.status_code, set(refused.context["upload_form"].errors)) == (422, set(asked))
    sent = analyst.post(f"/cases/{case.ref}/evidence/add/", fields(kind=kind, **asked, **TAKEN))
    assert sent.status_code == 302
    item = EvidenceItem.objects.get()
    assert (item.kind, item.details or {}) == (kind, {name.removeprefix("detail_"): v for name, v in asked.items()})
    event = item.custody.get(action="acquired")
    assert (event.clock, event.how, event.tool, event.tool_version) == tuple(TAKEN.values())


def test_how_it_was_taken_is_told_over_the_api_too_and_refused_by_field(case: Case, cast: Cast) -> None:
    client = api.client_of(cast.analyst)
    sent = fields(acquired_at="2026-05-12T09:00:00Z", **TAKEN)
    event = client.post(f"/api/v1/cases/{case.ref}/evidence/", sent, format="multipart").json()["custody"][0]
    assert (event["clock"], event["how"], event["tool"], event["tool_version"]) == tuple(TAKEN.values())
    begun = {**{name: value for name, value in sent.items() if name != "file"}, "file_name": "a", "size": 9}
    answer = client.post(f"/api/v1/cases/{case.ref}/uploads/", begun)
    assert (answer.status_code, answer.json()["clock"]) == (201, TAKEN["clock"])
    wrong = client.post(f"/api/v1/cases/{case.ref}/uploads/", {**begun, "tool": "", "clock": "c" * 61})
    assert (wrong.status_code, api.places(wrong)) == (400, ["/clock"])
    wrong = client.post(f"/api/v1/cases/{case.ref}/uploads/", {**begun, "tool": ""})
    assert (wrong.status_code, api.places(wrong)) == (400, ["/tool"])


def test_derivative_is_added_from_the_page_and_stands_in_the_tree(analyst: Client, case: Case, cast: Cast) -> None:
    original = add_exhibit(case, cast.analyst)
    assert "nothing was made from it" in text_of(analyst.get(f"/cases/{case.ref}/evidence/1/"))
    refused = analyst.post(f"/cases/{case.ref}/evidence/1/derive/", {**DERIVED, "reason": "", "file": file()})
    assert (refused.status_code, list(refused.context["derive_form"].errors)) == (422, ["reason"])
    sent = analyst.post(f"/cases/{case.ref}/evidence/1/derive/", {**DERIVED, "file": file()})
    assert (sent.status_code, sent["Location"]) == (302, f"/cases/{case.ref}/evidence/2/")
    made = EvidenceItem.objects.get(number=2)
    assert (made.derived_from_id, made.derivation, made.reason) == (original.id, "translation", "for the court")
    assert original.custody.filter(action="analysed", tool="J. Doe, sworn translator").count() == 1
    assert f'<a href="/cases/{case.ref}/evidence/2/">Exhibit 2</a>' in text_of(
        analyst.get(f"/cases/{case.ref}/evidence/1/")
    )
    assert f'<a href="/cases/{case.ref}/evidence/1/">Exhibit 1</a>' in text_of(
        analyst.get(f"/cases/{case.ref}/evidence/2/")
    )
    again = analyst.post(f"/cases/{case.ref}/evidence/1/derive/", {**DERIVED, "file": file()})
    assert (again.status_code, "Exhibit 2 already" in text_of(again)) == (409, True)
    assert client_of(cast.reader).post(f"/cases/{case.ref}/evidence/1/derive/").status_code == 403


def test_derivative_is_added_and_listed_over_the_api(case: Case, cast: Cast) -> None:
    add_exhibit(case, cast.analyst)
    client = api.client_of(cast.analyst)
    address = f"/api/v1/cases/{case.ref}/evidence/1/derivatives/"
    made = client.post(address, {**DERIVED, "file": file()}, format="multipart")
    assert (made.status_code, made.json()["derived_from"], made.json()["derivation"]) == (201, 1, "translation")
    assert [one["number"] for one in client.get(address).json()["results"]] == [2]
    redaction = client.post(address, {**DERIVED, "derivation": "redaction", "file": file(b"x")}, format="multipart")
    assert (redaction.status_code, api.places(redaction)) == (400, ["/derivation"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("no_broker")
def test_own_uploads_stand_on_the_page_with_how_far_they_are_and_why_they_were_refused(
    committed_cast: Cast, settings: Any, tmp_path: Any
) -> None:
    cast = committed_cast
    settings.INCOMING_ROOT = str(tmp_path)
    case = make_case(cast)
    upload = uploads.start_upload(
        case, actor=cast.analyst, title="Log", source="G", acquired_at=START, file_name="big.log", size=8
    )
    uploads.append(upload, actor=cast.analyst, body=io.BytesIO(b"half"), offset=0, length=4)
    address = f"/cases/{case.ref}/evidence/"
    assert "50 % of it arrived" in text_of(client_of(cast.analyst).get(address))
    assert "big.log" not in text_of(client_of(cast.lead).get(address))
    told = api.client_of(cast.analyst).get(f"/api/v1/cases/{case.ref}/uploads/{upload.id}/").json()
    assert (told["last_part"]["offset"], told["last_part"]["size"], len(told["last_part"]["sha256"])) == (0, 4, 64)
    Upload.objects.update(state="refused", problem="These bytes are Exhibit 7 already.")
    assert "These bytes are Exhibit 7 already." in text_of(client_of(cast.analyst).get(address))
