"""Feeds over the API: the same rules as the page, and no secret in any answer."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from detection.models import Feed, FeedPull
from spine.models import Job, JobState
from tests.cases.api import client_of, places
from tests.detection.feeds.made import allow, done, given, make_feed
from tests.detection.samples import DETECTOR
from tests.factories import Cast
from tests.lying_server import Lying

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
SECRET = "S3cret-token-77"


@pytest.fixture
def admin(lying: Lying, settings: Any, committed_cast: Cast) -> APIClient:
    allow(settings, lying.url)
    return client_of(committed_cast.admin)


def body(lying: Lying, **changes: Any) -> dict[str, Any]:
    settings = {"url": f"{lying.url}/page", "items": "/data", "paging": "page", "page_parameter": "page"}
    return {"name": "Gateway", "detector": DETECTOR, "kind": "http", "settings": settings, **changes}


def test_feed_is_set_up_read_and_changed_and_no_answer_has_the_secret(admin: APIClient, lying: Lying) -> None:
    settings = {**body(lying)["settings"], "auth": "bearer"}
    made = admin.post("/api/v1/feeds/", body(lying, secret=SECRET, settings=settings))
    assert (made.status_code, made.json()["state"], made.json()["has_secret"]) == (201, "new", True)
    address = f"/api/v1/feeds/{made.json()['id']}/"
    changed = admin.patch(address, {"revision": 1, "schedule_minutes": 60, "secret": f"{SECRET}-2"})
    paused = admin.patch(address, {"revision": 2, "paused": True})
    assert (changed.json()["schedule_minutes"], paused.json()["state"]) == (60, "paused")
    stale = admin.patch(address, {"revision": 2, "paused": False})
    assert (stale.status_code, "changed meanwhile" in stale.json()["detail"]) == (409, True)
    listed = admin.get("/api/v1/feeds/")
    assert [one["name"] for one in listed.json()["results"]] == ["Gateway"]
    stored = Feed.objects.get().secret
    for answer in (made, changed, paused, stale, listed, admin.get(address), admin.get("/api/v1/log/")):
        assert SECRET.encode() not in answer.content
        assert stored.encode() not in answer.content


def test_refusal_names_the_field_and_every_setting(admin: APIClient, lying: Lying) -> None:
    answer = admin.post("/api/v1/feeds/", body(lying, settings={"url": "", "more": 1}))
    assert (answer.status_code, places(answer)) == (400, ["/settings"])
    assert sorted(answer.json()["missing"]) == [
        "settings/more: there is no such setting",
        "settings/url: this must not be empty",
    ]
    elsewhere = admin.post("/api/v1/feeds/", body(lying, settings={"url": "http://169.254.169.254/"}))
    assert (elsewhere.status_code, places(elsewhere)) == (400, ["/settings"])
    assert not Feed.objects.exists()


def test_pull_backfill_and_history(admin: APIClient, lying: Lying) -> None:
    lying.control(items=[*given(2), {"bad": 1}])
    feed = make_feed(lying)
    asked = admin.post(f"/api/v1/feeds/{feed.pk}/pull/")
    assert asked.status_code == 202
    assert admin.get(f"/api/v1/feeds/{feed.pk}/").json()["state"] == "running"
    done(Job.objects.get(pk=asked.json()["job_id"]))
    status = admin.get(asked.json()["status_url"])
    assert (status.status_code, status.json()["state"]) == (200, JobState.DONE)
    [pull] = admin.get(f"/api/v1/feeds/{feed.pk}/pulls/").json()["results"]
    assert (pull["received"], pull["created"], pull["rejected"], pull["state"]) == (3, 2, 1, "done")
    assert pull["rejections"][0]["place"] == "page 1"
    assert FeedPull.objects.count() == 1
    window = {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"}
    refused = admin.post(f"/api/v1/feeds/{feed.pk}/backfill/", window)
    assert (refused.status_code, "no time to ask from" in refused.json()["detail"]) == (409, True)


def test_trial_answers_with_rows_and_problems_and_stores_nothing(admin: APIClient, lying: Lying) -> None:
    lying.control(items=given(2))
    wanted = {name: value for name, value in body(lying).items() if name != "name"}
    answer = admin.post("/api/v1/feeds/try/", wanted)
    assert (answer.status_code, answer.json()["count"], answer.json()["accepted"]) == (200, 2, 2)
    lying.control(mood="500")
    failed = admin.post("/api/v1/feeds/try/", wanted)
    assert (failed.status_code, failed.json()["detail"]) == (409, "The source was not read: it answers with status 500")
    assert not Feed.objects.exists()
