"""Pulls: what was fetched and the cursor stand or fall together, whatever the source and the worker do."""

import json
import os
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from config.embedded import postgres
from detection import feed_health, feed_verbs, pulling
from detection.models import Account, Feed, FeedFile, FeedPull, Finding, FindingBatch
from people.models import User
from spine import jobs
from spine.errors import Conflict, Refused
from spine.models import Condition, Job, JobState, LogEntry
from tests.detection.feeds.made import START, allow, done, given, make_feed, pull
from tests.detection.samples import DETECTOR
from tests.detection.test_ocsf import sample
from tests.factories import Cast, make_person
from tests.lying_server import Lying
from tests.servers import HOME

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(autouse=True)
def reached(lying: Lying, settings: Any, committed_cast: Cast) -> None:
    allow(settings, lying.url)


def uids() -> set[str]:
    return set(Finding.objects.values_list("uid", flat=True))


def names(count: int) -> set[str]:
    return {f"f-{n}" for n in range(count)}


def counts(record: FeedPull) -> tuple[int, ...]:
    return tuple(getattr(record, name) for name in pulling.COUNTS)


def test_pull_stores_what_the_source_has_and_says_so(lying: Lying) -> None:
    lying.control(items=given(7))
    feed = make_feed(lying)
    job = pull(feed)
    feed.refresh_from_db()
    record = FeedPull.objects.get()
    assert (job.state, uids(), counts(record)) == (JobState.DONE, names(7), (7, 7, 0, 0, 0))
    assert (record.state, record.pages, record.more) == ("done", 4, False)
    assert (feed.failures, feed.last_error, feed.caught_up_at is not None) == (0, "", True)
    assert timedelta(minutes=14) < feed.next_pull_at - timezone.now() < timedelta(minutes=16)
    assert LogEntry.objects.filter(action="findings.received", actor="user:admin").exists()
    pull(feed)
    assert counts(FeedPull.objects.latest("id")) == (7, 0, 7, 0, 0)
    assert Finding.objects.count() == 7


def test_page_of_several_batches_is_one_transaction(lying: Lying) -> None:
    lying.control(items=given(2500), size=2500)
    pull(make_feed(lying))
    assert counts(FeedPull.objects.get()) == (2500, 2500, 0, 0, 0)
    assert Finding.objects.count() == 2500


@pytest.mark.parametrize("mood", ["500", "429", "redirect", "truncated", "cut", "garbage", "repeat"])
def test_source_that_fails_in_the_middle_is_told_and_tried_again_without_loss(mood: str, lying: Lying) -> None:
    lying.control(items=given(9), size=3)
    feed = make_feed(lying, settings={"order": "oldest_first"})
    pull(feed)
    lying.control(items=given(15), mood=mood, times=1 if mood != "repeat" else -1)
    job = pull(feed)
    feed.refresh_from_db()
    assert (job.state, feed.failures) == (JobState.DONE, 1)
    assert feed.last_error == FeedPull.objects.latest("id").error != ""
    assert lying.url not in feed.last_error
    wait = (feed.next_pull_at - timezone.now()).total_seconds()
    assert (115 < wait < 140) if mood == "429" else (10 < wait < 35)
    lying.control(mood="")
    pull(feed)
    feed.refresh_from_db()
    assert (uids(), feed.failures, feed.last_error) == (names(15), 0, "")
    assert Finding.objects.count() == 15


@pytest.mark.parametrize("kind", ["bucket", "token"])
def test_wait_that_a_bucket_or_a_giver_of_tokens_asks_for_is_kept(kind: str, lying: Lying) -> None:
    lying.control(mood="429", where="/findings?" if kind == "bucket" else "/token")
    if kind == "bucket":
        where = {"endpoint": lying.url, "bucket": "findings", "settle_seconds": 0}
        feed = feed_verbs.create_feed(
            actor="user:admin", name="Bucket", detector=DETECTOR, kind="s3", settings=where, mapping={"as": "native"}
        )
    else:
        oauth = {"auth": "oauth2", "username": "us", "token_url": f"{lying.url}/token"}
        feed = make_feed(lying, settings=oauth, secret="s")
    pull(feed)
    feed.refresh_from_db()
    assert "status 429" in feed.last_error
    assert 115 < (feed.next_pull_at - timezone.now()).total_seconds() < 140
    assert len(lying.asked()) == 1


def test_rows_that_cannot_be_stored_are_counted_and_kept_with_place_and_reason(lying: Lying) -> None:
    items = given(5)
    items[1]["score"] = 7
    del items[4]["accounts"]
    lying.control(items=items)
    pull(make_feed(lying))
    record = FeedPull.objects.get()
    assert counts(record) == (5, 3, 0, 0, 2)
    assert record.rejections == [
        {"place": "page 1", "line": 2, "pointer": "/score", "detail": "1 or less is accepted"},
        {"place": "page 2", "line": 2, "pointer": "/accounts", "detail": "this field is required"},
    ]


def test_first_hundred_rejections_are_kept_and_all_are_counted(lying: Lying) -> None:
    lying.control(items=[{"bad": n} for n in range(150)], size=40)
    pull(make_feed(lying))
    record = FeedPull.objects.get()
    assert (record.rejected, len(record.rejections)) == (150, 100)


def test_mapped_rows_become_findings_of_the_feeds_detector(lying: Lying) -> None:
    lying.control(items=[{"n": 1, "risk": 40, "who": "acct_9", "at": "2026-05-04T00:00:00Z"}])
    fields = {
        "/detector/version": {"value": "1"},
        "/signal": {"value": "x-risk"},
        "/title": {"value": "High risk"},
        "/score": {"from": "/risk", "divide": 100.0},
        "/window/start": {"from": "/at"},
        "/window/end": {"from": "/at"},
        "/accounts/0/id": {"from": "/who"},
    }
    pull(make_feed(lying, mapping={"as": "mapped", "fields": fields}))
    found = Finding.objects.get()
    assert (found.detector.name, found.score, found.signal) == (DETECTOR, 0.4, "x-risk")
    assert Account.objects.get().provider_id == "acct_9"
    assert json.loads(bytes(found.payload))["source_row"]["n"] == 1


def test_cursor_and_findings_of_a_page_stand_or_fall_together(lying: Lying) -> None:
    """The lease is lost while a page is stored: neither its findings nor its cursor remain."""
    lying.control(items=given(9), size=3)
    feed = make_feed(lying, settings={"order": "oldest_first"})
    job = feed_verbs.request_pull(feed, actor="user:admin")
    taken = jobs._take(job.id)
    assert taken is not None
    with postgres.connect(HOME) as owner:  # another attempt takes over before the first page is kept
        owner.execute("UPDATE spine_job SET holder = gen_random_uuid() WHERE id = %s", [job.id])
    with pytest.raises(jobs.LeaseLost):
        pulling.pull(taken)
    feed.refresh_from_db()
    assert (uids(), feed.cursor) == (set(), {})
    Job.objects.filter(id=job.id).update(state=JobState.QUEUED, holder=None)
    done(job)
    assert uids() == names(9)


def test_attempt_that_is_taken_up_again_goes_on_with_its_pull(lying: Lying) -> None:
    lying.control(items=given(9), size=3, mood="hang", times=0)
    feed = make_feed(lying)
    job = feed_verbs.request_pull(feed, actor="user:admin")
    taken = jobs._take(job.id)
    assert taken is not None
    pulling._begun(taken, Feed.objects.get(), None)  # and here the worker was killed
    Job.objects.filter(id=job.id).update(state=JobState.QUEUED, holder=None)
    done(job)
    record = FeedPull.objects.get()
    assert (record.job_id, record.state, record.created) == (job.id, "done", 9)


def test_pause_in_the_middle_stops_the_pull_and_resuming_goes_on(lying: Lying) -> None:
    lying.control(items=given(30), size=3, mood="endless")
    feed = make_feed(lying, settings={"order": "oldest_first"})
    job = feed_verbs.request_pull(feed, actor="user:admin")

    def work() -> None:
        try:
            jobs.run(job.id)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    deadline = time.monotonic() + 30
    while not Finding.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    feed_verbs.pause_feed(feed, actor="user:admin", revision=1)
    worker.join(timeout=30)
    record = FeedPull.objects.get()
    assert (record.state, record.error) == ("stopped", "the feed was paused or changed meanwhile")
    assert Finding.objects.count() == record.created
    with pytest.raises(Refused, match="is paused"):
        feed_verbs.request_pull(feed, actor="user:admin")
    lying.control(mood="")
    resumed = feed_verbs.resume_feed(feed, actor="user:admin", revision=2)
    pull(feed_verbs.change_feed(resumed, actor="user:admin", revision=3, settings={**feed.settings, "order": "any"}))
    assert names(30) <= uids()


def test_pages_without_end_are_left_to_the_next_pull(lying: Lying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "MOST_PAGES", 5)
    lying.control(items=given(1), mood="endless", size=3)
    feed = make_feed(lying)
    pull(feed)
    feed.refresh_from_db()
    assert (FeedPull.objects.get().more, feed.caught_up_at, feed.next_pull_at <= timezone.now()) == (True, None, True)
    pull(feed)
    assert Finding.objects.count() == 30


def test_window_of_the_past_is_pulled_beside_the_cursor_and_goes_on_where_it_failed(lying: Lying) -> None:
    since = {"url": f"{lying.url}/since", "items": "", "paging": "since", "since_parameter": "since"}
    since |= {"since_at": "/updated_at", "until_parameter": "until", "size_parameter": "limit", "page_size": 2}
    lying.control(items=given(20))
    feed = make_feed(lying, settings=since)
    Feed.objects.update(cursor={"since": "2026-05-04T00:18:00Z"})
    window = {"start": START + timedelta(minutes=3), "end": START + timedelta(minutes=9)}
    job = feed_verbs.request_backfill(feed, actor="user:admin", **window)
    with pytest.raises(Conflict, match="already"):
        feed_verbs.request_backfill(feed, actor="user:admin", **window)
    lying.control(mood="500", times=1)
    assert done(job).state == JobState.FAILED
    assert "Start it again to go on" in job.error
    assert done(jobs.start_again(job, actor="user:admin")).state == JobState.DONE
    feed.refresh_from_db()
    assert uids() == {f"f-{n}" for n in range(3, 9)}
    assert (feed.cursor, feed.failures) == ({"since": "2026-05-04T00:18:00Z"}, 0)
    assert LogEntry.objects.get(action="feed.backfill_asked").data["name"] == "Gateway"


def test_feed_without_moments_has_no_past_to_ask_for(lying: Lying) -> None:
    with pytest.raises(Refused, match="no time to ask from"):
        feed_verbs.request_backfill(make_feed(lying), actor="user:admin", start=START, end=timezone.now())


def test_folder_is_read_file_by_file_each_once(lying: Lying, settings: Any, tmp_path: Path) -> None:
    allow(settings, tmp_path.as_uri())
    (tmp_path / "a.ndjson").write_text("\n".join(json.dumps(one) for one in given(3)) + "\nnot json\n")
    feed = feed_verbs.create_feed(
        actor="user:admin",
        name="Drop",
        detector=DETECTOR,
        kind="folder",
        settings={"folder": str(tmp_path), "settle_seconds": 0},
        mapping={"as": "either"},
    )
    pull(feed)
    record = FeedPull.objects.get()
    assert counts(record) == (4, 3, 0, 0, 1)
    assert [(one["place"], one["line"]) for one in record.rejections] == [("a.ndjson", 4)]
    (tmp_path / "b.ndjson").write_bytes((tmp_path / "a.ndjson").read_bytes())
    pull(feed)
    assert counts(FeedPull.objects.latest("id")) == (0, 0, 0, 0, 0)
    assert FeedFile.objects.count() == 2
    os.truncate(tmp_path / "a.ndjson", 0)
    (tmp_path / "a.ndjson").write_text("\n".join(json.dumps(one) for one in given(5)))
    pull(feed)
    assert counts(FeedPull.objects.latest("id")) == (5, 2, 3, 0, 0)


def test_ocsf_rows_of_a_folder_become_findings_as_they_were_received(
    lying: Lying, settings: Any, tmp_path: Path
) -> None:
    allow(settings, tmp_path.as_uri())
    second = sample(finding_info={**sample()["finding_info"], "uid": "ow-2"}, unknown={"kept": [1]})
    lines = [json.dumps(one) for one in (sample(), second, sample(class_uid=2005))]
    (tmp_path / "a.ndjson").write_text("\n".join(lines))
    feed = feed_verbs.create_feed(
        actor="user:admin",
        name="Watch",
        detector="example-watch",
        kind="folder",
        settings={"folder": str(tmp_path), "settle_seconds": 0},
        mapping={"as": "ocsf"},
    )
    pull(feed)
    record = FeedPull.objects.get()
    assert counts(record) == (3, 2, 0, 0, 1)
    assert [(one["place"], one["line"], one["pointer"]) for one in record.rejections] == [("a.ndjson", 3, "/class_uid")]
    found = Finding.objects.order_by("uid")
    assert [(one.uid, bytes(one.payload).decode()) for one in found] == [("ow-1", lines[0]), ("ow-2", lines[1])]
    assert {(one.detector.name, one.detector_version.version, one.signal, one.score) for one in found} == {
        ("example-watch", "3.2.0", "reasoning_elicitation", 0.93)
    }
    assert set(Account.objects.values_list("provider_id", flat=True)) == {f"acct_{n}" for n in range(1, 5)}
    shown = found[0].sightings.filter(account__provider_id="acct_1")
    assert set(shown.values_list("attribute__type", flat=True)) >= {"ip", "asn", "country", "user_agent", "ja4"}
    assert FindingBatch.objects.get().feed_id == feed.pk
    (tmp_path / "b.ndjson").write_text(f"{lines[0]}\n{json.dumps({**second, 'confidence_score': 50})}")
    pull(feed)
    assert counts(FeedPull.objects.latest("id")) == (2, 0, 1, 0, 1)  # the same again, and a conflict


def test_who_may_no_longer_ask_gets_no_pull(lying: Lying) -> None:
    lying.control(items=given(3))
    make_person("other", "administrator")
    job = feed_verbs.request_pull(make_feed(lying), actor="user:other")
    User.objects.filter(username="other").update(role="analyst")
    assert done(job).state == JobState.FAILED
    assert not Finding.objects.exists()


def test_destination_that_was_taken_off_the_list_is_not_asked(lying: Lying, settings: Any) -> None:
    feed = make_feed(lying)
    allow(settings)
    before = len(lying.asked())
    pull(feed)
    feed.refresh_from_db()
    assert "not on the list" in feed.last_error
    assert len(lying.asked()) == before


def test_full_database_fails_the_job_and_is_written_on_the_feed(lying: Lying) -> None:
    """The table of findings refuses rows: an error of ours, not of the source."""
    lying.control(items=given(3))
    feed = make_feed(lying)
    with postgres.connect(HOME) as owner:
        owner.execute("ALTER TABLE detection_finding ADD CONSTRAINT full_now CHECK (false) NOT VALID")
        try:
            job = pull(feed)
        finally:
            owner.execute("ALTER TABLE detection_finding DROP CONSTRAINT full_now")
    feed.refresh_from_db()
    assert (job.state, feed.failures, feed.cursor) == (JobState.FAILED, 1, {})
    assert feed.last_error == "it could not be stored (IntegrityError)"
    pull(feed)
    assert uids() == names(3)


# The schedule


def test_due_feeds_are_asked_for_once_and_paused_ones_not_at_all(lying: Lying) -> None:
    lying.control(items=given(3))
    feed, paused = make_feed(lying), make_feed(lying, "Other")
    feed_verbs.pause_feed(paused, actor="user:admin", revision=1)
    assert (feed_health.pull_due(), feed_health.pull_due()) == (1, 0)
    [job] = Job.objects.all()
    assert (job.kind, job.key, job.actor) == ("feed.pull", str(feed.pk), "system:feeds")
    assert feed_verbs.request_pull(feed, actor="user:admin") == job
    assert done(job).state == JobState.DONE
    Feed.objects.filter(pk=feed.pk).update(next_pull_at=timezone.now())
    assert feed_health.pull_due() == 1


def test_feed_that_delivers_nothing_is_a_condition_until_it_does(lying: Lying) -> None:
    lying.control(items=given(1), mood="500")
    feed = make_feed(lying)
    pull(feed)
    feed_health.pull_due()
    assert not Condition.objects.exists()
    Feed.objects.update(created_at=timezone.now() - timedelta(hours=2))
    feed_health.pull_due()
    told = Condition.objects.get()
    assert told.text == ("The feed Gateway is stalled: no pull has ever succeeded; it answers with status 500.")
    feed.refresh_from_db()
    assert feed_health.health(feed).state == "stalled"
    lying.control(mood="")
    pull(feed)
    assert not Condition.objects.exists()
    feed.refresh_from_db()
    assert feed_health.health(feed).state == "well"


def test_feed_of_which_nothing_is_kept_does_not_stand_well(lying: Lying) -> None:
    lying.control(items=[{"no": "finding"}, {"nor": "this"}])
    feed = make_feed(lying)
    pull(feed)
    for held in (Feed.objects.get(pk=feed.pk), feed_health.feeds().get(pk=feed.pk)):
        found = feed_health.health(held)
        assert (found.state, found.words) == ("failing", "Nothing of the last 24 hours was kept; rows refused: 2.")


def test_delay_grows_is_spread_and_keeps_to_what_the_source_asked() -> None:
    for failures, least, most in ((1, 15, 30), (2, 30, 60), (5, 240, 480), (50, 10800, 21600)):
        found = {pulling.delay(failures) for _ in range(50)}
        assert least <= min(found) < max(found) <= most
        assert len(found) > 40
    assert 120 <= pulling.delay(1, 120) <= 132


def test_worker_pulls_a_feed_that_is_due(lying: Lying, settings: Any) -> None:
    assert "detection.tasks.pull_due_feeds" in {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}
    from detection.tasks import pull_due_feeds

    lying.control(items=given(2))
    make_feed(lying)
    pull_due_feeds()
    done(Job.objects.get())
    assert uids() == names(2)


def test_command_pulls_and_says_the_counts(lying: Lying, capsys: pytest.CaptureFixture[str]) -> None:
    lying.control(items=[*given(2), {"bad": 1}])
    make_feed(lying)
    call_command("pull_feed", "Gateway")
    told = capsys.readouterr()
    assert json.loads(told.out) == {"received": 3, "created": 2, "duplicate": 0, "superseded": 0, "rejected": 1}
    assert "page 1:3: /uid: this field is required" in told.err
    lying.control(mood="500")
    with pytest.raises(CommandError, match="status 500"):
        call_command("pull_feed", "Gateway")
    with pytest.raises(CommandError, match="There is no feed Nothing"):
        call_command("pull_feed", "Nothing")


def test_fencing_holds_against_a_second_writer_of_the_cursor(lying: Lying) -> None:
    lying.control(items=given(9), size=3)
    feed = make_feed(lying)
    Feed.objects.update(cursor={"page": 2})
    stale = Feed.objects.get()
    job = feed_verbs.request_pull(feed, actor="user:admin")
    taken = jobs._take(job.id)
    assert taken is not None
    record = pulling._begun(taken, stale, None)
    Feed.objects.update(cursor={"page": 3})
    record.cursor_after = {"page": 2}
    with pytest.raises(pulling.Stopped):
        pulling._move(pulling._Pull(taken, stale, record, None, None), _page(), {"page": 2})  # type: ignore[arg-type]


def _page() -> Any:
    from detection.feeds.base import Page

    return Page((), {"page": 3}, more=False, place="")
