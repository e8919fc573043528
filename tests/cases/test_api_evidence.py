"""Exhibits over the API: upload, custody, and how the content leaves."""

import hashlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from cases.api.shared import saved_as
from cases.models import Case, CustodyEvent
from spine import vault
from tests.cases.api import client_of, places
from tests.factories import Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db
HOSTILE = b"<html><script>alert(1)</script></html>"


@pytest.fixture
def api(cast: Cast) -> APIClient:
    return client_of(cast.analyst)


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


def url(case: Case, under: str = "") -> str:
    return f"/api/v1/cases/{case.ref}/evidence/{under}"


def form(content: bytes = b"r-1,aster-2\n", name: str = "extract.csv", **changed: Any) -> dict[str, Any]:
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    fields = {"title": "Request log", "source": "Gateway export", "acquired_at": "2026-05-12T00:00:00Z"}
    return {"file": file, **fields, **changed}


def test_an_upload_is_hashed_numbered_and_has_its_custody(api: APIClient, case: Case) -> None:
    added = api.post(url(case), form(authority="terms of service"), format="multipart")
    assert (added.status_code, added.json()["number"], added.json()["file_name"]) == (201, 1, "extract.csv")
    assert added.json()["sha256"] == hashlib.sha256(b"r-1,aster-2\n").hexdigest()
    assert [one["action"] for one in added.json()["custody"]] == ["acquired", "received", "hashed"]
    assert api.get(url(case, "1/")).json() == added.json()
    twice = api.post(url(case), form(), format="multipart")
    assert twice.status_code == 409
    assert "Exhibit 1" in twice.json()["detail"]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"file": "not a file"}, "/file"),
        ({"title": "\x00"}, "/title"),
        ({"title": " "}, "/title"),
        ({"acquired_at": "2026-05-12"}, "/acquired_at"),
        ({"acquired_at": "2999-05-12T00:00:00Z"}, "/acquired_at"),
    ],
)
def test_a_bad_upload_names_its_place(api: APIClient, case: Case, changed: dict[str, Any], pointer: str) -> None:
    answer = api.post(url(case), form(**changed), format="multipart")
    assert (answer.status_code, places(answer), case.evidence.count()) == (400, [pointer], 0)


def test_an_empty_file_is_refused(api: APIClient, case: Case) -> None:
    answer = api.post(url(case), form(b""), format="multipart")
    assert (answer.status_code, places(answer)) == (400, ["/file"])


@pytest.mark.parametrize("body", [b"", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n--x--", b"\xff" * 50])
def test_a_form_that_is_not_well_formed_is_a_bad_request(api: APIClient, case: Case, body: bytes) -> None:
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        assert api.generic("POST", url(case), body, content_type=kind).status_code == 400


def test_a_form_with_more_fields_than_are_read_is_a_bad_request(api: APIClient, case: Case, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = api.post(url(case), form(title="x" * 200), format="multipart")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_uploads_are_forms_and_nothing_else(api: APIClient, case: Case) -> None:
    assert api.post(url(case), {"title": "x"}, format="json").status_code == 415


def test_content_leaves_as_an_attachment_in_a_sandbox_and_is_a_custody_event(
    api: APIClient, case: Case, cast: Cast
) -> None:
    add_exhibit(case, cast.analyst, HOSTILE, file_name="page.html")
    answer = api.get(url(case, "1/content/"), HTTP_ACCEPT="text/html")
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, HOSTILE)
    assert {name: answer[name] for name in ("Content-Type", "Content-Disposition", "X-Content-Type-Options")} == {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="page.html"',
        "X-Content-Type-Options": "nosniff",
    }
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    seen = CustodyEvent.objects.filter(action="copied").values_list("who", "sha256")
    assert list(seen) == [("analyst", hashlib.sha256(HOSTILE).hexdigest())]


def test_asking_for_the_head_of_content_is_no_view_of_it(api: APIClient, case: Case, cast: Cast) -> None:
    add_exhibit(case, cast.analyst)
    assert api.head(url(case, "1/content/")).status_code == 405
    assert not CustodyEvent.objects.filter(action="copied").exists()


def test_a_file_larger_than_is_kept_in_memory_is_taken_whole(api: APIClient, case: Case, settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    content = bytes(range(256)) * 20_000
    added = api.post(url(case), form(content), format="multipart")
    assert (added.status_code, added.json()["size"]) == (201, len(content))
    assert b"".join(api.get(url(case, "1/content/")).streaming_content) == content


def test_a_file_over_the_limit_is_refused_at_its_place(api: APIClient, case: Case, settings: Any) -> None:
    settings.MAX_EVIDENCE_BYTES = 100
    answer = api.post(url(case), form(b"x" * 101), format="multipart")
    assert (answer.status_code, places(answer), case.evidence.count()) == (400, ["/file"], 0)


def test_content_that_the_vault_lost_is_told_and_not_noted_as_seen(api: APIClient, case: Case, cast: Cast) -> None:
    item = add_exhibit(case, cast.analyst, b"bytes that will be lost")
    vault.path_of(item.sha256).unlink()
    answer = api.get(url(case, "1/content/"))
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert not CustodyEvent.objects.filter(action="copied").exists()


@pytest.mark.parametrize("rows", [1, 3])
def test_exhibits_take_one_number_of_queries(
    api: APIClient, case: Case, cast: Cast, rows: int, django_assert_num_queries: Any
) -> None:
    for number in range(rows):
        add_exhibit(case, cast.analyst, b"row %d" % number)
    api.get(url(case))
    with django_assert_num_queries(6):
        assert [one["number"] for one in api.get(url(case)).json()["results"]] == list(range(rows, 0, -1))


def test_an_exhibit_nobody_added_is_not_found(api: APIClient, case: Case) -> None:
    for number in ("7", "99999999999999999999"):
        assert [api.get(url(case, f"{number}/")).status_code, api.get(url(case, f"{number}/content/")).status_code] == [
            404,
            404,
        ]


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("safe\u202egpj.exe", "safe⟨U+202E⟩gpj.exe"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\r\nSet-Cookie: x=1", "a⟨U+000D⟩ Set-Cookie_ x=1"),
        ('q"uote\\.csv', "q_uote_.csv"),
        ("...", "file"),
        ("данные.csv", "данные.csv"),
    ],
)
def test_a_download_is_saved_under_a_name_that_shows_what_it_is(name: str, saved: str) -> None:
    assert saved_as(name) == saved
