"""Dossiers over the API: asked for, frozen, approved by a second person, downloaded as a draft and sealed."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cases.dossier import build
from cases.models import Case, CustodyEvent, DossierVersion
from spine import sequencer
from spine.ids import new_id
from spine.models import Job, LogEntry
from tests.cases.api import client_of, places
from tests.factories import Cast, make_case, run_job

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]


@pytest.fixture(autouse=True)
def renders_apart(settings: Any, tmp_path: Path) -> None:
    settings.RENDER_ROOT = tmp_path / "renders"


def ask(case: Case, cast: Cast, **body: Any) -> Any:
    return client_of(cast.analyst).post(f"/api/v1/cases/{case.ref}/dossiers/", body)


def frozen(case: Case, cast: Cast, **body: Any) -> DossierVersion:
    sequencer.sequence()
    job = run_job(Job.objects.get(id=ask(case, cast, **body).json()["job"]["id"]))
    return DossierVersion.objects.get(id=job.result["version"])


def rendered(version: DossierVersion) -> Job:
    return run_job(Job.objects.filter(kind="dossier.render", args__version=str(version.id)).latest("created_at"))


def test_a_dossier_is_prepared_approved_and_downloaded(committed_cast: Cast) -> None:
    cast, case = committed_cast, make_case(committed_cast, stage="judged")
    version = frozen(case, cast, recipient="Counsel of the provider", basis="legal hold 7")
    analyst, lead = client_of(cast.analyst), client_of(cast.lead)
    address = f"/api/v1/dossiers/{version.id}/"
    before = analyst.get(address).json()
    assert (before["state"], before["ready"], before["job"]["state"]) == ("draft", False, "queued")
    assert analyst.get(address + "download/").status_code == 409
    rendered(version)
    draft = analyst.get(address + "download/", HTTP_ACCEPT="application/zip")
    assert draft["Content-Disposition"] == f'attachment; filename="{version.bag_name}-draft.zip"'
    b"".join(draft.streaming_content)

    approved = lead.post(address + "approve/", {"snapshot_sha256": before["snapshot_sha256"]})
    assert (approved.status_code, approved.json()["state"]) == (201, "approved")
    assert approved.json()["approval"]["approver"] == "lead"
    assert lead.post(address + "approve/", {"snapshot_sha256": before["snapshot_sha256"]}).status_code == 409
    rendered(version)
    after = analyst.get(address).json()
    sealed = analyst.get(address + "download/")
    content = b"".join(sealed.streaming_content)
    assert (after["state"], after["package"]["sha256"]) == ("sealed", hashlib.sha256(content).hexdigest())
    assert (sealed["Content-Type"], sealed["Content-Length"]) == ("application/zip", str(after["package"]["size"]))
    downloads = LogEntry.objects.filter(action="dossier.downloaded").order_by("at")
    assert [one.data["package"] for one in downloads][1:] == [after["package"]["sha256"]]
    assert CustodyEvent.objects.filter(action="exported").count() == 2


def test_what_was_rendered_can_be_rendered_again(committed_cast: Cast) -> None:
    version = frozen(make_case(committed_cast), committed_cast)
    rendered(version)
    path = build.rendered(version)
    assert path is not None
    path.unlink()
    analyst = client_of(committed_cast.analyst)
    assert analyst.get(f"/api/v1/dossiers/{version.id}/download/").status_code == 409
    asked = analyst.post(f"/api/v1/dossiers/{version.id}/render/")
    assert (asked.status_code, asked["Location"]) == (202, asked.json()["status_url"])
    rendered(version)
    assert analyst.get(asked.json()["status_url"]).json()["result"]["package"] == path.name


def test_who_prepared_it_cannot_approve_and_another_hash_is_refused(committed_cast: Cast) -> None:
    cast, case = committed_cast, make_case(committed_cast)
    lead, counsel = client_of(cast.lead), client_of(cast.counsel)
    sequencer.sequence()
    job = lead.post(f"/api/v1/cases/{case.ref}/dossiers/", {}).json()["job"]["id"]
    version = DossierVersion.objects.get(id=run_job(Job.objects.get(id=job)).result["version"])
    address, sha256 = f"/api/v1/dossiers/{version.id}/approve/", version.snapshot_sha256
    assert lead.post(address, {"snapshot_sha256": sha256}).status_code == 409
    for wrong in ("00" * 32, sha256.upper(), sha256[:-1], ""):
        answer = counsel.post(address, {"snapshot_sha256": wrong})
        assert (answer.status_code, places(answer)) == (400, ["/snapshot_sha256"])
    assert not hasattr(DossierVersion.objects.get(), "approval")


def test_the_same_question_while_it_waits_is_the_same_job(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    first, second = ask(case, committed_cast), ask(case, committed_cast)
    assert (first.status_code, first["Location"]) == (202, second.json()["status_url"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"edition": "press"}, "/edition"),
        ({"recipient": "Somebody"}, "/basis"),
        ({"as_of": "2999-01-01T00:00:00Z"}, "/as_of"),
        ({"as_of": "2026-01-01T00:00:00"}, "/as_of"),
    ],
)
def test_a_bad_question_names_its_place(committed_cast: Cast, body: dict[str, Any], pointer: str) -> None:
    answer = ask(make_case(committed_cast), committed_cast, **body)
    assert (answer.status_code, places(answer)) == (400, [pointer])


@pytest.mark.parametrize("rows", [1, 3])
def test_dossiers_take_one_number_of_queries(committed_cast: Cast, rows: int, django_assert_num_queries: Any) -> None:
    case = make_case(committed_cast)
    for number in range(rows):
        frozen(case, committed_cast, recipient=f"Counsel {number}", basis="legal hold 7")
    reader = client_of(committed_cast.reader)
    address = f"/api/v1/cases/{case.ref}/dossiers/"
    reader.get(address)
    with django_assert_num_queries(6):
        assert len(reader.get(address).json()["results"]) == rows


def test_a_dossier_nobody_froze_is_not_found(committed_cast: Cast) -> None:
    analyst = client_of(committed_cast.analyst)
    for verb in ("", "download/"):
        assert analyst.get(f"/api/v1/dossiers/{new_id()}/{verb}").status_code == 404
