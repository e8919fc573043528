"""A job's progress: a page, a fragment that asks for itself, and who may see it."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db.models.functions import Now

from cases.views.jobs import TITLES
from spine import jobs
from spine.models import Job, JobState
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]


def test_every_kind_of_work_has_a_title() -> None:
    assert set(TITLES) == set(settings.JOB_KINDS)


def test_a_page_by_itself_and_a_fragment_for_who_polls(cast: Cast) -> None:
    job, client = jobs.enqueue("detectors.run", actor="user:analyst", key="k"), client_of(cast.analyst)
    whole, part = client.get(f"/jobs/{job.pk}/"), client.get(f"/jobs/{job.pk}/", headers={"HX-Request": "true"})
    assert (whole.templates[0].name, part.templates[0].name) == ("spine/job.html", "partials/job_progress.html")
    for response in (whole, part):
        assert ("Waiting for a worker." in text_of(response), f'hx-get="/jobs/{job.pk}/"' in text_of(response)) == (
            True,
            True,
        )


def test_a_job_that_runs_says_how_long_it_takes_still(cast: Cast) -> None:
    job, client = jobs.enqueue("log.verify", actor="user:analyst", key="k"), client_of(cast.analyst)
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, started_at=Now() - timedelta(minutes=1), total=40_000)
    assert "left" not in text_of(client.get(f"/jobs/{job.pk}/"))
    Job.objects.filter(pk=job.pk).update(done=10_000)
    assert "170 a second, about 3 min left" in text_of(client.get(f"/jobs/{job.pk}/"))
    told = api_of(cast.analyst).get(f"/api/v1/jobs/{job.pk}/").json()["pace"]
    assert told["seconds_left"] == pytest.approx(180, abs=10)
    assert told["per_second"] == pytest.approx(167, abs=5)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
    assert "a second" not in text_of(client.get(f"/jobs/{job.pk}/"))
    assert api_of(cast.analyst).get(f"/api/v1/jobs/{job.pk}/").json()["pace"] is None


def test_every_place_that_shows_a_job_passes_its_pace_on() -> None:
    root = settings.BASE_DIR / "templates"
    included = re.compile(r"{% include \"partials/job_progress.html\" with [^%]*job_title=[^%]*%}")
    found = [one for path in root.rglob("*.html") for one in included.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 5
    assert [one for one in found if " pace=" not in one] == []


def test_a_finished_job_asks_no_more_and_leads_to_its_result(cast: Cast) -> None:
    case = make_case(cast)
    job = jobs.enqueue("verdicts.set", actor="user:analyst", key="k", scope=case.pk)
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
    page = text_of(client_of(cast.reader).get(f"/jobs/{job.pk}/"))
    assert ("hx-get" in page, f'href="/cases/{case.ref}/accounts/"' in page) == (False, True)


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "Failed: the disk"), ("stopped", "The disk"), ("parked", "Set aside after 3 attempts")],
)
def test_a_job_that_ended_badly_says_why_and_offers_a_second_start(cast: Cast, state: str, words: str) -> None:
    job = jobs.enqueue("detectors.run", actor="user:analyst", key="k")
    Job.objects.filter(pk=job.pk).update(state=state, attempts=3, error="the disk\u202e is full")
    analyst, reader = (client_of(one).get(f"/jobs/{job.pk}/") for one in (cast.analyst, cast.reader))
    assert (words in text_of(analyst), " disk⟨U+202E⟩ is full" in text_of(analyst)) == (True, True)
    assert (forms_of(analyst), forms_of(reader)) == ({f"/jobs/{job.pk}/start-again/"}, set())


def test_a_job_of_a_case_is_not_there_for_an_administrator(cast: Cast) -> None:
    job = jobs.enqueue("verdicts.set", actor="user:analyst", key="k", scope=make_case(cast).pk)
    other = jobs.enqueue("detectors.run", actor="user:analyst", key="k")
    admin = client_of(cast.admin)
    answers = [admin.get(f"/jobs/{pk}/").status_code for pk in (job.pk, other.pk, uuid4())]
    assert answers == [404, 200, 404]
