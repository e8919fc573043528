"""The page of the chain and its API: signer, copies and stamps, proofs shown, a verification on demand."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from cases.models import Case
from spine import checking, checkpoint, conditions, departures, destinations, merkle, sequencer, timestamps
from spine.models import Checkpoint, Departure, Job, JobState, LogEntry
from tests.authority import Authority
from tests.cases import api
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, run_job
from tests.spine.test_log import ALIASES, tamper

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=ALIASES),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]


@pytest.fixture
def case(committed_cast: Cast) -> Case:
    made = make_case(committed_cast)
    sequencer.sequence()
    return made


@pytest.fixture
def reader(committed_cast: Cast, case: Case) -> Client:
    return client_of(committed_cast.reader)


@pytest.fixture
def caller(committed_cast: Cast, case: Case) -> APIClient:
    return api.client_of(committed_cast.analyst)


def test_page_says_what_is_signed_and_that_nothing_is_outside(reader: Client) -> None:
    text = text_of(reader.get("/log/chain/"))
    size = Checkpoint.objects.get().size
    assert f"signed {size} entries last" in text
    assert "No destination outside is configured" in text
    assert "lies <strong>beside</strong> the database, not outside" in text
    assert "No time-stamp authority is configured" in text
    assert Checkpoint.objects.get().note.splitlines()[2] in text


def test_page_says_when_a_copy_left_last_and_what_fails(reader: Client, settings: Any, tmp_path: Path) -> None:
    missing, there = (tmp_path / "gone").as_uri(), tmp_path.as_uri()
    settings.CHECKPOINT_DESTINATIONS = [destinations.parse(missing), destinations.parse(there)]
    departures.send_due()
    response = reader.get("/log/chain/")
    state = response.context["now"].departures
    assert [(one.failures, one.last is not None) for one in state.outlooks] == [(1, False), (0, True)]
    assert "the folder is not there" in text_of(response)
    assert "0\xa0minutes ago" in text_of(response)
    assert Departure.objects.count() == 2


def test_signer_that_is_away_is_a_banner_for_who_can_act(committed_cast: Cast, case: Case, settings: Any) -> None:
    settings.SIGNER_SOCKET = "/nowhere/signer.sock"
    make_case(committed_cast, accounts=["other-1", "other-2"])
    sequencer.sequence()
    text = text_of(client_of(committed_cast.admin).get("/log/chain/"))
    assert "does not answer: entries are numbered" in text
    assert "no checkpoint is signed over them" in text
    assert "no checkpoint is signed over them" not in text_of(client_of(committed_cast.reader).get("/log/"))
    assert client_of(committed_cast.lead).get("/cases/").status_code == 200


def test_verify_now_shows_its_work_and_keeps_the_result(committed_cast: Cast, case: Case) -> None:
    client = client_of(committed_cast.analyst)
    page = client.get("/log/chain/")
    assert "/log/verify/" in forms_of(page)
    response = client.post("/log/verify/")
    job = Job.objects.get(kind=checking.KIND)
    assert response["Location"] == f"/log/verifications/{job.pk}/"
    assert client.post("/log/verify/")["Location"] == response["Location"]  # one at a time
    assert "Waiting for a worker" in text_of(client.get(response["Location"]))
    assert run_job(job).state == JobState.DONE
    shown = client.get(response["Location"])
    assert "The log verifies" in text_of(shown)
    assert shown.context["found"]["entries"] == Checkpoint.objects.get().size
    assert shown.context["found"]["rows"] > 0
    told = LogEntry.objects.get(action="log.verified")
    assert (told.actor, told.data["problems"]) == ("user:analyst", 0)
    assert [one["problem_count"] for one in client.get("/log/chain/").context["past"]] == [0]


def test_verification_that_fails_names_the_row_and_is_a_banner_until_the_next_one_holds(
    committed_cast: Cast, case: Case
) -> None:
    name = LogEntry.objects.order_by("sequence__index").first()
    assert name is not None
    tamper("UPDATE spine_logentry SET actor = 'user:nobody' WHERE id = %s", name.pk)
    job = run_job(checking.ask(actor="user:analyst"))
    assert job.result is not None
    assert job.result["problems"][0]["row"] == str(name.pk)
    page = client_of(committed_cast.lead).get(f"/log/verifications/{job.pk}/")
    assert str(name.pk) in text_of(page)
    assert "The log does not verify" in text_of(client_of(committed_cast.admin).get("/log/"))
    tamper("UPDATE spine_logentry SET actor = %s WHERE id = %s", name.actor, name.pk)
    run_job(checking.ask_daily())
    assert conditions.standing() == []


def test_reader_is_not_offered_a_verification_and_gets_none(committed_cast: Cast, reader: Client) -> None:
    assert "/log/verify/" not in forms_of(reader.get("/log/chain/"))
    assert reader.post("/log/verify/").status_code == 403
    assert not Job.objects.filter(kind=checking.KIND).exists()


def test_proof_between_two_checkpoints_is_shown_with_its_finding(committed_cast: Cast, reader: Client) -> None:
    old = Checkpoint.objects.get().size
    make_case(committed_cast, accounts=["other-1", "other-2"])
    sequencer.sequence()
    new = Checkpoint.objects.latest("size").size
    response = reader.get(f"/log/chain/?old={old}&new={new}")
    assert "It holds." in text_of(response)
    assert response.context["proof"].proof[0] in text_of(response)
    assert "No checkpoint was signed at 999" in text_of(reader.get(f"/log/chain/?old={old}&new=999"))
    assert "whole number" in text_of(reader.get("/log/chain/?old=x&new=2"))


def test_note_of_any_checkpoint_can_be_taken_away(reader: Client) -> None:
    made = Checkpoint.objects.get()
    response = reader.get(f"/log/checkpoints/{made.size}/")
    assert (text_of(response), response["Content-Disposition"]) == (
        made.note,
        f'attachment; filename="checkpoint-{made.size}.txt"',
    )
    assert reader.get("/log/checkpoints/99999/").status_code == 404


# The API


def test_api_tells_how_the_log_stands(caller: APIClient, authority: Authority) -> None:
    timestamps.stamp_due()
    body = caller.get("/api/v1/log/chain/").json()
    newest = Checkpoint.objects.order_by("size").first()
    assert newest is not None
    assert (body["size"], body["signer"]["answers"], body["signer"]["trouble"]) == (newest.size, True, "")
    assert body["checkpoint"]["note"] == newest.note
    assert (body["stamps"]["counted"], body["stamps"]["due"]) == (1, 0)
    assert body["departures"] == {"last_left": None, "waiting_since": body["departures"]["waiting_since"]} | {
        "alarm": False,
        "destinations": [],
    }


def test_api_checkpoints_and_their_notes(caller: APIClient) -> None:
    made = Checkpoint.objects.get()
    listed = caller.get("/api/v1/log/checkpoints/").json()["results"]
    assert listed == [{"size": made.size, "root_hash": bytes(made.root).hex(), "note": made.note}]
    assert caller.get(f"/api/v1/log/checkpoints/{made.size}/").json() == listed[0]
    note = caller.get(f"/api/v1/log/checkpoints/{made.size}/note/")
    assert (note.getvalue().decode(), note["Content-Type"]) == (made.note, "text/plain; charset=utf-8")
    assert caller.get("/api/v1/log/checkpoints/99999999999999999999/").status_code == 404


def test_api_consistency_proof_can_be_checked_by_the_caller(committed_cast: Cast, caller: APIClient) -> None:
    old = Checkpoint.objects.get()
    make_case(committed_cast, accounts=["other-1", "other-2"])
    sequencer.sequence()
    new = Checkpoint.objects.latest("size")
    body = caller.get(f"/api/v1/log/consistency/?old={old.size}&new={new.size}").json()
    first, second = checkpoint.parse(body["old_note"]), checkpoint.parse(body["new_note"])
    steps = [bytes.fromhex(step) for step in body["proof"]]
    assert merkle.is_consistent(first.size, second.size, first.root, second.root, steps)
    assert (body["signatures_hold"], body["proof_holds"]) == (True, True)
    assert caller.get("/api/v1/log/consistency/?old=1&new=999").status_code == 409
    assert caller.get("/api/v1/log/consistency/?old=0&new=x").status_code == 400


def test_api_inclusion_proof_is_for_entries_one_may_know_of(
    committed_cast: Cast, caller: APIClient, case: Case
) -> None:
    entry = LogEntry.objects.get(action="case.opened")
    body = caller.get(f"/api/v1/log/entries/{entry.pk}/proof/?place=0").json()
    note = checkpoint.verify(body["checkpoint"], bytes.fromhex(body["key"]))
    leaf = merkle.leaf_hash(body["canonical"].encode())
    steps = [bytes.fromhex(step) for step in body["path"]]
    assert merkle.is_included(leaf, body["index"], note.size, steps, note.root)
    assert body["row"]["place"] == 0
    address = f"/api/v1/log/entries/{entry.pk}/proof/"
    assert api.client_of(committed_cast.admin).get(address).status_code == 404
    assert caller.get(f"{address}?place=9999").status_code == 409


def test_api_verification_is_a_job_whose_result_stays(caller: APIClient) -> None:
    response = caller.post("/api/v1/log/verifications/")
    job = Job.objects.get(kind=checking.KIND)
    assert (response.status_code, response.json()["job"]["id"]) == (202, str(job.pk))
    run_job(job)
    listed = caller.get("/api/v1/log/verifications/").json()["results"]
    assert [one["result"]["problem_count"] for one in listed] == [0]
    assert "cases_case" not in listed[0]["result"]["tables"]
    assert "spine_keyhandover" in listed[0]["result"]["tables"]
