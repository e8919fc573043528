"""The log page: who reads what of it, failed work and its second start, the checkpoint to take away."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases import actions
from spine import checkpoint, jobs, sequencer
from spine.models import Job, JobState, LogEntry, Outbox
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]


def failed_job(kind: str = "detectors.run", **fields: Any) -> Job:
    job = jobs.enqueue(kind, actor="user:analyst", key="k", **fields)
    ended = {
        "state": JobState.FAILED,
        "attempts": 1,
        "error": "OSError: the disk is full",
        "finished_at": timezone.now(),
    }
    Job.objects.filter(pk=job.pk).update(**ended)
    job.refresh_from_db()
    return job


def sentences(client: Client, query: str = "") -> list[str]:
    return [entry["sentence"] for entry in client.get(f"/log/{query}").context["entries"]]


def test_a_reader_reads_every_entry_newest_first(cast: Cast) -> None:
    case = make_case(cast)
    context = client_of(cast.reader).get("/log/").context
    assert len(context["entries"]) == LogEntry.objects.count()
    newest = context["entries"][0]
    told = f"opened {case.ref} from a lead with 4 accounts"
    assert (newest["actor"], newest["sentence"], newest["object_url"]) == ("analyst", told, f"/cases/{case.ref}/")
    assert newest["index"] is None


def test_an_administrator_reads_nothing_of_leads_and_cases(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    actions.reject_lead(make_lead(provider_ids(2, "b")), actor=cast.analyst, reason="evaluation")
    client = client_of(cast.admin)
    for query in ("", "?kind=case", "?kind=lead", "?kind=dossier", f"?q={case.ref}", "?q=analyst"):
        shown = sentences(client, query)
        assert [one for one in shown if "lead" in one or "case" in one or "verdict" in one or case.ref in one] == []
        assert case.ref not in text_of(client.get("/log/"))
    assert [chip["label"] for chip in client.get("/log/").context["chips"]] == [
        *("everything", "detection", "people", "log", "testers")
    ]
    assert sentences(client) != []


def test_filters_in_the_address_narrow_the_log(cast: Cast) -> None:
    case = make_case(cast)
    client = client_of(cast.analyst)
    assert sentences(client, "?kind=case") == [f"opened {case.ref} from a lead with 4 accounts"]
    assert sentences(client, f"?q={case.ref.lower()}") == sentences(client, "?kind=case")
    assert len(sentences(client, "?kind=lead")) == 1
    assert "No entry matches" in text_of(client.get("/log/?q=zzz"))


def test_the_head_says_what_is_numbered_and_signed(cast: Cast, checkpoints_apart: Any) -> None:
    make_case(cast)
    total = LogEntry.objects.count()
    client = client_of(cast.reader)
    head = client.get("/log/").context["head"]
    assert (head["size"], head["waiting"], head["checkpoint_url"]) == (0, total, "")
    sequencer.sequence()
    head = client.get("/log/").context["head"]
    assert (head["size"], head["waiting"], len(head["root"])) == (total, 0, 64)


def test_the_checkpoint_that_is_downloaded_is_the_signed_one(cast: Cast, checkpoints_apart: Any) -> None:
    client = client_of(cast.admin)
    assert client.get("/log/checkpoint/").status_code == 404
    make_case(cast)
    sequencer.sequence()
    response = client.get("/log/checkpoint/")
    size = LogEntry.objects.count()
    assert response["Content-Disposition"] == f'attachment; filename="checkpoint-{size}.txt"'
    assert checkpoint.parse(text_of(response)).size == size


def test_failed_work_is_a_banner_and_a_list_for_who_can_act(cast: Cast) -> None:
    job = failed_job()
    Outbox.objects.create(topic="run.finished", attempts=2, error="not yet")
    for person in (cast.admin, cast.lead, cast.analyst, cast.counsel):
        response = client_of(person).get("/log/")
        assert (response.context["failed_jobs"], response.context["failed_followups"]) == (1, 1)
        assert [one["title"] for one in response.context["failed"]] == [
            "Running detectors and clustering accounts",
            "follow-up of run.finished",
        ]
        assert f"/jobs/{job.pk}/start-again/" in forms_of(response)
    response = client_of(cast.reader).get("/log/")
    assert (response.context["failed"], "Background work has failed" in text_of(response)) == ([], False)


def test_failed_work_on_a_case_is_nothing_to_an_administrator(cast: Cast) -> None:
    job = failed_job("verdicts.set", scope=make_case(cast).pk)
    response = client_of(cast.admin).get("/log/")
    assert (response.context["failed_jobs"], response.context["failed"]) == (0, [])
    assert client_of(cast.admin).post(f"/jobs/{job.pk}/start-again/").status_code == 404
    assert client_of(cast.analyst).get("/log/").context["failed_jobs"] == 1


def test_starting_again_makes_a_job_of_its_own_and_clears_the_banner(cast: Cast) -> None:
    job, client = failed_job(), client_of(cast.analyst)
    response = client.post(f"/jobs/{job.pk}/start-again/")
    fresh = Job.objects.exclude(pk=job.pk).get()
    assert (response["Location"], fresh.state, fresh.key) == (f"/jobs/{fresh.pk}/", "queued", job.key)
    assert client.get("/log/").context["failed_jobs"] == 0


def test_starting_again_what_did_not_fail_is_refused(cast: Cast) -> None:
    job = jobs.enqueue("detectors.run", actor="user:analyst", key="k")
    response = client_of(cast.analyst).post(f"/jobs/{job.pk}/start-again/")
    assert (response.status_code, response.templates[0].name) == (422, "refused.html")
    assert Job.objects.count() == 1


def test_a_reader_may_not_start_work_again(cast: Cast) -> None:
    job = failed_job()
    assert client_of(cast.reader).post(f"/jobs/{job.pk}/start-again/").status_code == 404
    assert Job.objects.count() == 1


def test_few_entries_and_many_cost_the_same_queries(cast: Cast) -> None:
    client = client_of(cast.analyst)
    make_case(cast)
    client.get("/log/")
    with CaptureQueriesContext(connection) as few:
        client.get("/log/")
    make_case(cast, stage="judged", accounts=provider_ids(2, "b"))
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/log/").context["entries"]) > 10
    assert len(many) == len(few)
