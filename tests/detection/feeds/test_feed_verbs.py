"""Setting up and changing feeds: refused with reasons, logged without secrets, secrets sealed and bound to a place."""

import json
from typing import Any

import pytest

from detection import feed_verbs, trying
from detection.models import Detector, Feed
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.detection.feeds.made import allow, given, make_feed
from tests.detection.samples import DETECTOR
from tests.factories import Cast
from tests.lying_server import Lying

pytestmark = pytest.mark.django_db
SECRET = "S3cret-token-77"


@pytest.fixture(autouse=True)
def reached(lying: Lying, settings: Any, cast: Cast) -> None:
    allow(settings, lying.url, "https://other.example.com")


def everything_stored() -> str:
    entries = list(LogEntry.objects.values("action", "about", "data"))
    return str(list(Feed.objects.values())) + json.dumps(entries, default=str)


def test_feed_is_set_up_with_its_secret_sealed_and_its_detector_registered(lying: Lying) -> None:
    feed = make_feed(lying, secret=SECRET, settings={"auth": "bearer"})
    assert feed_verbs.secret_of(feed) == SECRET
    assert SECRET not in everything_stored()
    assert Detector.objects.get().name == DETECTOR
    entry = LogEntry.objects.get(action="feed.created")
    assert (entry.actor, entry.data["name"], entry.data["kind"]) == ("user:admin", "Gateway", "http")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "<b>"}, "name"),
        ({"detector": "shared-attribute"}, "detector"),
        ({"detector": "Not A Name"}, "detector"),
        ({"kind": "carrier-pigeon"}, "kind"),
        ({"settings": {"no_such": 1}}, "settings"),
        ({"settings": {"url": "https://evil.example.net/"}}, "settings"),
        ({"settings": {"url": "http://169.254.169.254/"}}, "settings"),
        ({"settings": {"auth": "oauth2", "username": "u", "token_url": "https://evil.example.net"}}, "settings"),
        ({"settings": {"auth": "basic"}}, "settings"),
        ({"mapping": {"as": "mapped", "fields": {"/x": {"value": 1}}}}, "mapping"),
        ({"schedule_minutes": 0}, "schedule_minutes"),
        ({"schedule_minutes": 100_000}, "schedule_minutes"),
        ({"secret": "line\nbreak"}, "secret"),
        ({"secret": "ü"}, "secret"),
    ],
)
def test_feed_that_cannot_be_set_up_is_refused_at_its_field(changes: dict[str, Any], field: str, lying: Lying) -> None:
    with pytest.raises(Refused) as refused:
        make_feed(lying, **changes)
    assert refused.value.field == field
    assert not Feed.objects.exists()


def test_name_stands_for_one_feed(lying: Lying) -> None:
    make_feed(lying)
    with pytest.raises(Refused, match="already"):
        make_feed(lying)


def test_change_is_logged_with_old_and_new_and_keeps_the_secret(lying: Lying) -> None:
    feed = make_feed(lying, secret=SECRET, settings={"auth": "bearer"})
    Feed.objects.update(cursor={"page": 7}, failures=3, last_error="x")
    changed = feed_verbs.change_feed(feed, actor="user:admin", revision=1, schedule_minutes=30)
    assert (changed.revision, changed.cursor, changed.failures, changed.last_error) == (2, {"page": 7}, 0, "")
    assert feed_verbs.secret_of(changed) == SECRET
    data = LogEntry.objects.get(action="feed.changed").data
    assert (data["fields"], data["old"], data["new"]) == (
        "schedule_minutes",
        {"schedule_minutes": 15},
        {"schedule_minutes": 30},
    )
    with pytest.raises(Conflict, match="changed meanwhile"):
        feed_verbs.change_feed(feed, actor="user:admin", revision=1, schedule_minutes=60)
    with pytest.raises(Refused, match="Nothing was changed"):
        feed_verbs.change_feed(changed, actor="user:admin", revision=2, schedule_minutes=30)


def test_other_place_begins_anew_and_takes_no_secret_along(lying: Lying) -> None:
    feed = make_feed(lying, secret=SECRET, settings={"auth": "bearer"})
    Feed.objects.update(cursor={"page": 7})
    elsewhere = {**feed.settings, "url": "https://other.example.com/page"}
    with pytest.raises(Refused, match="give the secret again") as refused:
        feed_verbs.change_feed(feed, actor="user:admin", revision=1, settings=elsewhere)
    assert refused.value.field == "secret"
    with pytest.raises(Refused, match="give the secret again"):
        trying.try_feed(kind="http", detector=DETECTOR, settings=elsewhere, mapping={"as": "native"}, feed=feed)
    changed = feed_verbs.change_feed(feed, actor="user:admin", revision=1, settings=elsewhere, secret="another")
    assert (changed.cursor, feed_verbs.secret_of(changed)) == ({}, "another")
    assert "another" not in json.dumps(LogEntry.objects.get(action="feed.changed").data)


def test_pause_and_resume_are_logged_and_refused_twice(lying: Lying) -> None:
    feed = make_feed(lying)
    feed_verbs.pause_feed(feed, actor="user:admin", revision=1)
    with pytest.raises(Refused, match="paused already"):
        feed_verbs.pause_feed(feed, actor="user:admin", revision=2)
    feed_verbs.resume_feed(feed, actor="user:admin", revision=2)
    with pytest.raises(Refused, match="not paused"):
        feed_verbs.resume_feed(feed, actor="user:admin", revision=3)
    assert LogEntry.objects.filter(action__in=["feed.paused", "feed.resumed"]).count() == 2


def test_secret_under_another_key_is_asked_for_again(lying: Lying) -> None:
    feed = make_feed(lying, secret=SECRET, settings={"auth": "bearer"})
    feed.secret = "00000000:gAAAA"
    with pytest.raises(Refused, match="give it again"):
        feed_verbs.secret_of(feed)


def tried(lying: Lying, **changes: Any) -> trying.Trial:
    settings = {"url": f"{lying.url}/page", "items": "/data", "paging": "page", "page_parameter": "page"}
    given_ = {"kind": "http", "detector": DETECTOR, "settings": settings, "mapping": {"as": "native"}}
    return trying.try_feed(**{**given_, **changes})


def test_trial_shows_first_rows_with_what_is_wrong_and_stores_nothing(lying: Lying) -> None:
    items = given(9)
    items[1]["score"] = 2
    lying.control(items=items, size=8)
    trial = tried(lying)
    assert (trial.count, trial.accepted, trial.more, len(trial.rows)) == (8, 7, True, 5)
    assert [row.problems for row in trial.rows[:3]] == [(), ("/score: 1 or less is accepted",), ()]
    assert json.loads(trial.rows[0].received)["uid"] == "f-0"
    assert not Feed.objects.exists()
    assert not Detector.objects.exists()
    assert len(lying.asked()) == 1


def test_trial_shows_the_mapped_finding(lying: Lying) -> None:
    lying.control(items=[{"who": "a1", "risk": 50}])
    fields = {"/accounts/0/id": {"from": "/who"}, "/score": {"from": "/risk", "divide": 100.0}}
    [row] = tried(lying, mapping={"as": "mapped", "fields": fields}).rows
    assert json.loads(row.finding)["accounts"] == [{"id": "a1"}]
    assert "/signal: this field is required" in row.problems


@pytest.mark.parametrize(("mood", "says"), [("500", "status 500"), ("garbage", "not JSON"), ("cut", "too early")])
def test_trial_of_a_source_that_fails_says_why(mood: str, says: str, lying: Lying) -> None:
    lying.control(items=given(1), mood=mood)
    with pytest.raises(Refused, match=says):
        tried(lying)


def test_trial_uses_the_stored_secret_at_the_same_place_alone(lying: Lying) -> None:
    lying.control(items=given(1), auth=("Authorization", f"Bearer {SECRET}"))
    feed = make_feed(lying, secret=SECRET, settings={"auth": "bearer"})
    assert tried(lying, settings=feed.settings, feed=feed).count == 1
    with pytest.raises(Refused, match="refuses the credentials"):
        tried(lying, settings=feed.settings)
