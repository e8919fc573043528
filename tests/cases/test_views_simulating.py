"""Simulated telemetry on the page and over the API: asked for, watched, stopped, and said of whatever comes from it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cases import leads
from cases.models import Lead
from detection import runs, simulating
from detection.models import TelemetrySource
from spine.ids import new_id
from spine.models import Job, JobState, LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.factories import Cast, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
PAGE, API = "/sources/simulate/", "/api/v1/telemetry/simulate/"
SMALL = {"accounts": 300, "exchanges": 4000, "days": 8, "kinds": ["hydra"], "look_alikes": "few", "seed": 3}
SAID = "Nothing found in it is evidence of anything."


@pytest.fixture(autouse=True)
def root(settings: Any, tmp_path: Path) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"


def made(name: str = "trial") -> TelemetrySource:
    """A small simulated source."""
    given = {**SMALL, "kinds": ("hydra",)}
    scale = replace(simulating.USUAL, **given)
    run_job(simulating.request_simulation(actor="user:admin", name=name, scale=scale))
    return TelemetrySource.objects.get(name=f"simulated: {name}")


def test_what_the_form_begins_with_is_made_by_a_worker_and_told_with_its_campaigns(cast: Cast) -> None:
    client = client_of(cast.admin)
    assert PAGE in text_of(client.get("/sources/"))
    form = client.get(PAGE).context["form"]
    fresh = sent_by(form) | {"name": "trial"}
    simulating.check(replace(simulating.USUAL, kinds=tuple(fresh["kinds"])))
    answer = client.post(PAGE, fresh | SMALL)
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
    assert "The simulated telemetry is asked for." in text_of(client.get(PAGE))
    job = run_job(Job.objects.get())
    source = TelemetrySource.objects.get(name="simulated: trial")
    rows = (job.result or {})["exchanges"]
    page = client.get(PAGE)
    assert f"{rows:,} exchanges of 300 accounts were made and read, with 1 suspected campaign among them." in text_of(
        page
    )
    assert f'href="/sources/{source.pk}/"' in text_of(page)
    assert [one["source"] for one in page.context["made"]] == [source]


def test_the_page_of_the_source_says_of_what_it_was_made_and_takes_no_files(cast: Cast) -> None:
    source = made()
    page = client_of(cast.admin).get(f"/sources/{source.pk}/")
    assert page.context["simulated"]["kinds"] == [("hydra", 1)]
    assert SAID in text_of(page)
    assert "1 hydra" in text_of(page)
    assert "manage.py simulate --accounts 300 --exchanges 4000" in text_of(page)
    assert not [one for one in forms_of(page) if "add" in str(one)]
    other = TelemetrySource.objects.create(name="api-logs")
    assert SAID not in text_of(client_of(cast.admin).get(f"/sources/{other.pk}/"))
    sent = {"name": source.name, "path": "/x", "kind": "exchanges"}
    refused = client_of(cast.admin).post("/sources/add/", sent)
    assert "are of telemetry made up here" in text_of(refused)


def test_runs_and_leads_of_a_simulated_source_say_so(cast: Cast) -> None:
    source = made()
    run = runs.run_detectors(actor="user:admin", source=source, job_id=new_id())
    leads.on_run_finished({"run": str(run.pk)})
    lead = Lead.objects.order_by("pk")[0]
    client = client_of(cast.analyst)
    addresses = [f"/sources/{source.pk}/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/changes/", f"/leads/{lead.pk}/"]
    assert [address for address in addresses if SAID not in text_of(client.get(address))] == []
    assert "Simulated: " in text_of(client.get("/"))
    assert token_of(cast.analyst).get(f"/api/v1/leads/{lead.pk}/").json()["source"] == "simulated: trial"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("accounts", "5001", "from 1 to 5,000 is accepted"),
        ("exchanges", "60001", "from 1 to 60,000 is accepted"),
        ("accounts", "3", "too few for 1 campaigns"),
        ("days", "3", "greater than or equal to 7"),
        ("kinds", "kraken", "kraken is not one of the available choices"),
        ("campaign_exchanges", "1", "at least 0 and below 1"),
        ("name", "", "This field is required"),
    ],
)
def test_numbers_that_cannot_be_are_refused_at_their_field_with_what_was_typed(
    field: str, value: str, said: str, cast: Cast, settings: Any
) -> None:
    settings.SIMULATE_MOST = {"accounts": 5_000, "exchanges": 60_000}
    client = client_of(cast.admin)
    sent = sent_by(client.get(PAGE).context["form"]) | {"name": "trial"} | SMALL | {field: value}
    answer = client.post(PAGE, sent)
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert answer.context["form"]["seed"].value() == "3"
    assert Job.objects.count() == 0


def test_api_asks_once_gives_the_same_job_and_refuses_at_the_place(cast: Cast, settings: Any) -> None:
    settings.SIMULATE_MOST = {"accounts": 5_000, "exchanges": 60_000}
    admin, body = token_of(cast.admin), {**SMALL, "name": "trial"}
    first, again = admin.post(API, body), admin.post(API, body)
    assert (first.status_code, again.json()) == (202, first.json())
    assert first["Location"] == first.json()["status_url"]
    job = run_job(Job.objects.get())
    assert admin.post(API, body).json() == first.json()
    assert admin.get(first.json()["status_url"]).json()["result"]["source"] == str(TelemetrySource.objects.get().pk)
    assert (Job.objects.count(), TelemetrySource.objects.count()) == (1, 1)
    other = admin.post(API, {**body, "seed": 4})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (409, "/name")
    large = admin.post(API, {**body, "name": "large", "exchanges": 60_001})
    assert (large.status_code, large.json()["errors"][0]["pointer"]) == (400, "/exchanges")
    odd = admin.post(API, {**body, "name": "odd", "kinds": ["kraken"]})
    assert (odd.status_code, odd.json()["errors"][0]["pointer"]) == (400, "/kinds/0")
    assert job.state == JobState.DONE


def test_api_stops_what_it_asked_for_and_who_may_not_write_asks_for_nothing(cast: Cast) -> None:
    admin = token_of(cast.admin)
    job = admin.post(API, {"name": "usual"}).json()["job_id"]
    assert admin.post(f"/api/v1/jobs/{job}/stop/").json()["error"] == "stopped by admin; nothing of it was kept"
    assert LogEntry.objects.filter(action="job.stopped").count() == 1
    for person in (cast.lead, cast.analyst, cast.counsel, cast.reader):
        assert token_of(person).post(API, {"name": "more"}).status_code == 403
        assert client_of(person).post(PAGE, {"name": "more"}).status_code == 403
        assert client_of(person).get(PAGE).context["form"] is None
        assert PAGE not in str(forms_of(client_of(person).get("/sources/")))
    assert Job.objects.count() == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_takes_one_number_of_queries(cast: Cast, rows: int, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        TelemetrySource.objects.create(name=f"simulated: {number}", namespace=f"simulated: {number}")
        Job.objects.create(kind=simulating.KIND, key=str(number), args={}, actor="user:admin")
    client = client_of(cast.admin)
    client.get(PAGE)
    with django_assert_num_queries(15):
        assert len(client.get(PAGE).context["jobs"]) == rows
