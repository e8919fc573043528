"""Uploads in pieces: how far, how they end, what is refused; the row and the file always agree."""

import base64
import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from rest_framework.test import APIClient

from cases import incoming
from cases.actions import uploads as verbs
from cases.models import Case, CustodyEvent, EvidenceItem, Upload, UploadPart
from spine import vault
from spine.errors import Conflict, Refused
from spine.models import Job
from tests.cases.api import client_of, places
from tests.factories import START, Cast, add_exhibit, make_case, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
STREAM = "application/offset+octet-stream"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.INCOMING_ROOT = str(tmp_path / "uploads")
    return tmp_path / "uploads"


@pytest.fixture
def case(committed_cast: Cast) -> Case:
    return make_case(committed_cast)


@pytest.fixture
def api(committed_cast: Cast) -> APIClient:
    return client_of(committed_cast.analyst)


def begin(api: APIClient, case: Case, **changed: Any) -> Any:
    body = {
        "title": "Request log",
        "source": "Gateway export",
        "acquired_at": "2026-05-12T00:00:00Z",
        "file_name": "../extract.csv",
        "size": len(CONTENT),
        **changed,
    }
    return api.post(f"/api/v1/cases/{case.ref}/uploads/", body)


def address(case: Case, answer: Any, under: str = "") -> str:
    return f"/api/v1/cases/{case.ref}/uploads/{answer.json()['id']}/{under}"


def send(api: APIClient, url: str, offset: int, content: bytes, **headers: str) -> Any:
    return api.generic("PATCH", url, content, content_type=STREAM, HTTP_UPLOAD_OFFSET=str(offset), **headers)


def sent(cast: Cast, case: Case, content: bytes = CONTENT, **changed: Any) -> Upload:
    """An upload of which everything has arrived."""
    given = {"title": "Log", "source": "Gateway", "acquired_at": START, "file_name": "a.bin", **changed}
    upload = verbs.start_upload(case, actor=cast.analyst, size=len(content), **given)
    half = len(content) // 2
    for part, offset in ((content[:half], 0), (content[half:], half)):
        verbs.append(upload, actor=cast.analyst, body=Body(part), offset=offset, length=len(part))
    upload.refresh_from_db()
    return upload


class Body:
    """A request's body that ends, or breaks, where it does."""

    def __init__(self, content: bytes, breaks: bool = False) -> None:
        self.left = content
        self.breaks = breaks

    def read(self, size: int, /) -> bytes:
        piece, self.left = self.left[:size], self.left[size:]
        if not piece and self.breaks:
            raise OSError("the sender is gone")
        return piece


def test_file_sent_in_pieces_becomes_an_exhibit(api: APIClient, case: Case, folder: Path) -> None:
    begun = begin(api, case, sha256=DIGEST, authority="order 12")
    url = address(case, begun)
    assert (begun.status_code, begun["Location"]) == (201, f"http://testserver{url}")
    first = send(api, url, 0, CONTENT[:100_000])
    digest = base64.b64encode(hashlib.sha256(CONTENT[100_000:]).digest()).decode()
    early = api.post(f"{url}complete/")
    asked = api.head(url)
    rest = send(api, url, 100_000, CONTENT[100_000:], HTTP_CONTENT_DIGEST=f"sha-256=:{digest}:")

    assert (first.status_code, first["Upload-Offset"]) == (204, "100000")
    assert (early.status_code, early.json()["detail"]) == (
        409,
        "100,000 of 300,000 bytes have arrived: send the rest first.",
    )
    assert (asked["Upload-Offset"], asked["Upload-Length"], asked["Cache-Control"]) == ("100000", "300000", "no-store")
    assert (rest.status_code, rest["Upload-Offset"]) == (204, "300000")
    completed = [api.post(f"{url}complete/") for _ in range(2)]
    assert [answer.status_code for answer in completed] == [202, 202]
    job = run_job(Job.objects.get(pk=completed[0].json()["job"]["id"]))
    item = EvidenceItem.objects.get()

    assert completed[1].json()["job"]["id"] == str(job.id)
    assert job.result == {"upload": begun.json()["id"], "state": "done", "number": 1, "problem": ""}
    assert (item.sha256, item.size, item.file_name, vault.read(DIGEST)) == (DIGEST, 300_000, "extract.csv", CONTENT)
    assert list(CustodyEvent.objects.order_by("place").values_list("action", "why")) == [
        ("acquired", "order 12"),
        ("received", "order 12"),
        ("hashed", "order 12"),
    ]
    assert (list(folder.iterdir()), UploadPart.objects.count()) == ([], 0)
    assert api.get(url).json()["number"] == 1


def test_wrong_offset_and_wrong_digest_change_nothing_and_say_where_to_go_on(api: APIClient, case: Case) -> None:
    url = address(case, begin(api, case))
    send(api, url, 0, CONTENT[:1000])
    wrong = send(api, url, 999, CONTENT[999:])
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    damaged = send(api, url, 1000, CONTENT[1000:2000], HTTP_UPLOAD_CHECKSUM=f"sha256 {other}")
    more = send(api, url, 1000, CONTENT)

    assert (wrong.status_code, wrong["Upload-Offset"], "1,000 bytes" in wrong.json()["detail"]) == (409, "1000", True)
    assert (damaged.status_code, more.status_code) == (409, 409)
    assert api.head(url)["Upload-Offset"] == "1000"
    assert incoming.path_of(Upload.objects.get().id).stat().st_size == 1000


@pytest.mark.parametrize(
    ("headers", "kind", "status"),
    [
        ({}, STREAM, 400),
        ({"HTTP_UPLOAD_OFFSET": "-1"}, STREAM, 400),
        ({"HTTP_UPLOAD_OFFSET": "0", "HTTP_CONTENT_DIGEST": "sha-256=:x:"}, STREAM, 400),
        ({"HTTP_UPLOAD_OFFSET": "0", "HTTP_UPLOAD_CHECKSUM": "md5 x"}, STREAM, 400),
        ({"HTTP_UPLOAD_OFFSET": "0"}, "application/json", 415),
    ],
)
def test_request_that_is_not_well_formed_is_refused(
    api: APIClient, case: Case, headers: dict[str, str], kind: str, status: int
) -> None:
    url = address(case, begin(api, case))
    assert api.generic("PATCH", url, b"x", content_type=kind, **headers).status_code == status
    assert api.head(url)["Upload-Offset"] == "0"


@pytest.mark.parametrize(
    ("changed", "status", "pointer"),
    [
        ({"size": 0}, 400, "/size"),
        ({"size": 2**40}, 400, "/size"),
        ({"sha256": "x" * 64}, 400, "/sha256"),
        ({"title": " "}, 400, "/title"),
        ({"kind": "derivative"}, 400, "/kind"),
        ({"kind": "declaration"}, 400, "/declarant"),
        ({"acquired_at": "2999-01-01T00:00:00Z"}, 400, "/acquired_at"),
    ],
)
def test_what_would_be_refused_at_the_end_is_refused_at_the_start(
    api: APIClient, case: Case, changed: dict[str, Any], status: int, pointer: str
) -> None:
    answer = begin(api, case, **changed)
    assert (answer.status_code, places(answer), Upload.objects.count()) == (status, [pointer], 0)


def test_bytes_that_are_an_exhibit_already_are_not_taken_in_again(
    api: APIClient, case: Case, committed_cast: Cast
) -> None:
    add_exhibit(case, committed_cast.lead, CONTENT)
    told = begin(api, case, sha256=DIGEST)
    assert (told.status_code, "These bytes are Exhibit 1 already" in told.json()["detail"]) == (409, True)
    job = run_job(verbs.complete_upload(sent(committed_cast, case), actor=committed_cast.analyst))

    assert (job.state, job.result and job.result["state"], EvidenceItem.objects.count()) == ("done", "refused", 1)
    assert "These bytes are Exhibit 1 already" in Upload.objects.get().problem


def test_break_keeps_what_arrived_and_another_beginning_does_not_hurt(committed_cast: Cast, case: Case) -> None:
    cast = committed_cast
    upload = verbs.start_upload(
        case, actor=cast.analyst, title="L", source="G", acquired_at=START, file_name="a", size=len(CONTENT)
    )
    body = Body(CONTENT[:70_000], breaks=True)
    arrived = verbs.append(upload, actor=cast.analyst, body=body, offset=0, length=len(CONTENT))
    with incoming.path_of(upload.id).open("ab") as file:
        file.write(b"what a killed process left behind")
    whole = verbs.append(upload, actor=cast.analyst, body=Body(CONTENT[arrived:]), offset=arrived, length=230_000)

    assert (arrived, whole) == (70_000, 300_000)
    assert incoming.path_of(upload.id).read_bytes() == CONTENT


def test_two_requests_at_once_do_not_mix(committed_cast: Cast, case: Case) -> None:
    cast = committed_cast
    upload = sent(cast, case)
    Upload.objects.filter(pk=upload.pk).update(offset=0)
    with incoming.locked(upload.id), pytest.raises(incoming.Busy):
        verbs.append(upload, actor=cast.analyst, body=Body(b"x"), offset=0, length=1)


def test_bytes_that_changed_on_disk_after_they_arrived_are_refused_by_place(committed_cast: Cast, case: Case) -> None:
    upload = sent(committed_cast, case)
    with incoming.path_of(upload.id).open("r+b") as file:
        file.seek(200_000)
        file.write(b"\x00" * 8)
    job = run_job(verbs.complete_upload(upload, actor=committed_cast.analyst))

    assert job.result is not None
    assert job.result["problem"] == (
        "The bytes from 150,000 to 300,000 are no longer those that arrived: send it again."
    )
    assert EvidenceItem.objects.count() == 0


def test_what_arrived_and_is_gone_from_the_disk_is_told(committed_cast: Cast, case: Case) -> None:
    upload = sent(committed_cast, case)
    Upload.objects.filter(pk=upload.pk).update(size=len(CONTENT) + 1)
    incoming.remove(upload.id)
    with pytest.raises(Conflict, match="no longer on the disk"):
        verbs.append(upload, actor=committed_cast.analyst, body=Body(b"x"), offset=len(CONTENT), length=1)


def test_other_file_than_announced_is_refused(committed_cast: Cast, case: Case) -> None:
    upload = sent(committed_cast, case, sha256="0" * 64)
    job = run_job(verbs.complete_upload(upload, actor=committed_cast.analyst))

    assert job.result is not None
    assert f"not the one announced: it has the SHA-256 {DIGEST}" in job.result["problem"]


def test_upload_is_its_owners_alone(committed_cast: Cast, case: Case, api: APIClient) -> None:
    begun = begin(api, case)
    lead = client_of(committed_cast.lead)
    assert lead.get(address(case, begun)).status_code == 404
    assert lead.get(f"/api/v1/cases/{case.ref}/uploads/").json()["results"] == []
    assert len(api.get(f"/api/v1/cases/{case.ref}/uploads/").json()["results"]) == 1
    with pytest.raises(PermissionDenied):
        verbs.append(Upload.objects.get(), actor=committed_cast.lead, body=Body(b"x"), offset=0, length=1)
    assert api.delete(address(case, begun)).status_code == 204
    assert send(api, address(case, begun), 0, b"x").status_code == 409


def test_person_who_may_no_longer_write_adds_nothing(committed_cast: Cast, case: Case) -> None:
    job = verbs.complete_upload(sent(committed_cast, case), actor=committed_cast.analyst)
    committed_cast.analyst.role = "reader"
    committed_cast.analyst.save(update_fields=["role"])
    assert (run_job(job).result or {})["state"] == "refused"
    assert EvidenceItem.objects.count() == 0


def test_twenty_first_upload_at_a_time_is_refused(committed_cast: Cast, case: Case) -> None:
    given = {"title": "L", "source": "G", "acquired_at": START, "file_name": "a", "size": 9}
    for _ in range(verbs.MOST_OPEN):
        verbs.start_upload(case, actor=committed_cast.analyst, **given)
    with pytest.raises(Refused, match="20 uploads are under way"):
        verbs.start_upload(case, actor=committed_cast.analyst, **given)


def test_upload_nobody_goes_on_with_ends_and_its_bytes_are_removed(
    committed_cast: Cast, case: Case, folder: Path
) -> None:
    late, going = sent(committed_cast, case), sent(committed_cast, case, b"going on")
    Upload.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    orphan = folder / "0198b6a0-0000-7000-8000-000000000009.part"
    orphan.write_bytes(b"x")
    os.utime(orphan, (0, 0))

    assert (verbs.sweep_uploads(), verbs.sweep_uploads()) == (1, 0)
    assert [path.stem for path in folder.iterdir()] == [str(going.id)]
    late.refresh_from_db()
    assert (late.state, late.problem) == ("ended", "Nobody went on with it in time.")
