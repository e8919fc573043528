"""The pages of feeds: set up without scripts, tried before they are saved, told when they fail."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from detection import feed_health
from detection.models import Feed, Finding
from spine.models import Job
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.detection.feeds.made import allow, done, given, make_feed, pull
from tests.detection.samples import DETECTOR
from tests.factories import Cast
from tests.lying_server import Lying

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
SECRET = "S3cret-token-77"


@pytest.fixture
def admin(lying: Lying, settings: Any, committed_cast: Cast) -> Client:
    allow(settings, lying.url)
    return client_of(committed_cast.admin)


def typed(lying: Lying, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "http",
        "name": "Gateway",
        "detector": DETECTOR,
        "schedule_minutes": 15,
        "url": f"{lying.url}/page",
        "items": "/data",
        "auth": "none",
        "body": "auto",
        "paging": "page",
        "page_parameter": "page",
        "first_page": "1",
        "order": "any",
        "since_form": "rfc3339",
        "overlap_seconds": 60,
        "read_as": "native",
        **changes,
    }


def test_kind_is_chosen_and_its_form_offered(admin: Client) -> None:
    assert "No feed yet" in text_of(admin.get("/feeds/"))
    kinds = text_of(admin.get("/feeds/new/"))
    for kind in ("http", "folder", "s3", "sql"):
        assert f'href="/feeds/new/?kind={kind}"' in kinds
        page = admin.get(f"/feeds/new/?kind={kind}")
        assert (page.status_code, forms_of(page)) == (200, {"/feeds/new/"})


def test_feed_is_tried_then_saved_then_pulled(admin: Client, lying: Lying) -> None:
    items = given(3)
    items[2]["title"] = "<script>alert(1)</script>\u202e"
    del items[1]["signal"]
    lying.control(items=items, auth=("Authorization", f"Bearer {SECRET}"))
    wanted = typed(lying, auth="bearer", secret=SECRET)
    tried = admin.post("/feeds/new/", {**wanted, "do": "try"})
    text = text_of(tried)
    assert (tried.status_code, Feed.objects.exists(), Finding.objects.exists()) == (200, False, False)
    assert "2 of 3 rows would be findings." in text
    assert "/signal: this field is required" in text
    assert "<script>alert" not in text
    assert SECRET not in text
    saved = admin.post("/feeds/new/", {**wanted, "do": "save"}, follow=True)
    feed = Feed.objects.get()
    assert (saved.redirect_chain[-1][0], "Not pulled yet" in text_of(saved)) == (f"/feeds/{feed.pk}/", True)
    asked = admin.post(f"/feeds/{feed.pk}/pull/", follow=True)
    assert "Pulling a feed" in text_of(asked)
    done(Job.objects.get())
    text = text_of(admin.get(f"/feeds/{feed.pk}/"))
    assert "Up to date. Rows not kept in the last 24 hours: 1 of 3." in text
    assert "Rows not kept in the last 24 hours: 1 of 3." in text_of(admin.get("/feeds/"))
    assert "page 1, row 2" in text
    assert SECRET not in text


def test_refused_form_keeps_what_was_typed_and_says_every_reason(admin: Client, lying: Lying) -> None:
    page = admin.post("/feeds/new/", typed(lying, url="http://169.254.169.254/", do="save"))
    assert (page.status_code, "RETORT_OUTGOING_ALLOWED" in text_of(page)) == (422, True)
    assert 'value="http://169.254.169.254/"' in text_of(page)
    page = admin.post("/feeds/new/", typed(lying, auth="basic", items="data", do="save"))
    assert "settings/items: a JSON Pointer" in text_of(page)
    page = admin.post("/feeds/new/", typed(lying, read_as="mapped", fields="{not json", do="save"))
    assert (page.status_code, "This is not JSON that can be read" in text_of(page)) == (422, True)
    lying.control(mood="500")
    page = admin.post("/feeds/new/", typed(lying, do="try"))
    assert "The source was not read: it answers with status 500" in text_of(page)
    assert not Feed.objects.exists()


def test_each_kind_of_form_makes_settings_the_verb_takes(admin: Client, lying: Lying, settings: Any) -> None:
    allow(settings, "file:///mnt/findings", "https://s3.example.com", "postgresql://db.example.com")
    common = {"detector": DETECTOR, "schedule_minutes": 5, "read_as": "mapped", "do": "save"}
    common["fields"] = '{"/score": {"from": "/risk", "divide": 100}}'
    files = {"form": "auto", "delimiter": "\t", "settle_seconds": 10}
    sent = [
        {"kind": "folder", "folder": "/mnt/findings/in", **files},
        {"kind": "s3", "endpoint": "https://s3.example.com", "bucket": "findings", **files},
        {
            "kind": "sql",
            "host": "db.example.com",
            "port": 5432,
            "database": "d",
            "username": "reader",
            "tls": "verify-full",
            "query": "SELECT *\r\nFROM flagged",
            "since": "at",
            "since_type": "time",
            "overlap": 60,
        },
    ]
    for one in sent:
        page = admin.post("/feeds/new/", {**common, **one, "name": one["kind"]})
        assert page.status_code == 302, text_of(page)
    sql = Feed.objects.get(kind="sql")
    assert sql.settings["query"] == "SELECT *\nFROM flagged"
    assert sql.mapping == {"as": "mapped", "fields": {"/score": {"from": "/risk", "divide": 100}}}
    unchanged = admin.get(f"/feeds/{sql.pk}/edit/").context["form"]
    again = {name: unchanged[name].value() for name in unchanged.fields if unchanged[name].value() is not None}
    page = admin.post(f"/feeds/{sql.pk}/edit/", {**again, "kind": "sql", "do": "save"})
    assert "Nothing was changed" in text_of(page)


def test_feed_is_changed_paused_and_resumed_and_a_stale_page_is_told(admin: Client, lying: Lying) -> None:
    feed = make_feed(lying)
    address = f"/feeds/{feed.pk}/"
    changed = typed(lying, revision=1, schedule_minutes=60, do="save")
    assert admin.post(f"{address}edit/", changed).status_code == 302
    stale = admin.post(f"{address}edit/", changed)
    assert (stale.status_code, "changed meanwhile" in text_of(stale)) == (409, True)
    assert admin.post(f"{address}pause/", {"revision": 2, "do": "pause"}).status_code == 302
    page = text_of(admin.get(address))
    assert "Paused: nothing is pulled until it is resumed." in page
    assert "Pull now" not in page
    refused = admin.post(f"{address}pull/")
    assert (refused.status_code, "resume it first" in text_of(refused)) == (422, True)
    assert admin.post(f"{address}pause/", {"revision": 3, "do": "resume"}).status_code == 302


def test_past_is_asked_for_where_the_feed_can_be_asked(admin: Client, lying: Lying) -> None:
    plain = make_feed(lying)
    assert "Ask for the past" not in text_of(admin.get(f"/feeds/{plain.pk}/"))
    timed = {"since_parameter": "since", "since_at": "/updated_at"}
    feed = make_feed(lying, "Timed", settings=timed)
    address = f"/feeds/{feed.pk}/backfill/"
    wrong = admin.post(address, {"start": "2026-05-05 00:00", "end": "2026-05-04 00:00"})
    assert (wrong.status_code, "begins before it ends" in text_of(wrong)) == (422, True)
    asked = admin.post(address, {"start": "2026-05-04 00:00", "end": "2026-05-05 00:00"}, follow=True)
    assert "Pulling a feed&#x27;s past" in text_of(asked)


def test_who_only_reads_is_offered_nothing_to_do(admin: Client, lying: Lying, committed_cast: Cast) -> None:
    lying.control(items=given(1), mood="500")
    feed = make_feed(lying)
    pull(feed)
    reader = client_of(committed_cast.reader)
    listed, page = reader.get("/feeds/"), reader.get(f"/feeds/{feed.pk}/")
    assert "it answers with status 500" in text_of(listed)
    assert "Set up a feed" not in text_of(listed)
    assert forms_of(page) == set()


def test_stalled_feed_is_a_banner_with_the_way_to_it(admin: Client, lying: Lying) -> None:
    feed = make_feed(lying)
    Feed.objects.update(created_at=timezone.now() - timedelta(hours=3), next_pull_at=timezone.now() + timedelta(days=1))
    feed_health.pull_due()
    text = text_of(admin.get("/log/"))
    assert "The feed Gateway is stalled: no pull has ever succeeded." in text
    assert f'href="/feeds/{feed.pk}/">See the feed</a>' in text


@pytest.mark.parametrize("count", [1, 3])
def test_list_asks_the_database_the_same_whatever_its_length(
    count: int, admin: Client, lying: Lying, django_assert_num_queries: Any
) -> None:
    for n in range(count):
        make_feed(lying, f"Feed {n}")
    admin.get("/feeds/")
    with django_assert_num_queries(13):
        assert text_of(admin.get("/feeds/")).count('<th scope="row">') == count


def test_how_far_a_feed_is_behind_is_told_alike_by_pages_api_and_metric(
    admin: Client, lying: Lying, settings: Any, committed_cast: Cast
) -> None:
    settings.METRICS_TOKEN = "metrics-token-of-the-tests"
    feed, program = make_feed(lying), api_of(committed_cast.admin)

    def shown() -> tuple[list[str], list[float | None], list[float]]:
        pages = [text_of(admin.get(path)) for path in ("/feeds/", f"/feeds/{feed.pk}/", "/system/")]
        behind = re.compile(r'(?:data-label="Behind by"|<dt>Behind by</dt><dd)>([^<]*)<')
        told = [one for page in pages for one in behind.findall(page)]
        one, system = (program.get(f"/api/v1/{path}").json() for path in (f"feeds/{feed.pk}/", "system/"))
        scraped = Client().get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})
        families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
        lags = families["retort_feed_lag_seconds"].samples
        assert all(sample.labels == {"feed": "Gateway"} for sample in lags)
        seconds = [one["lag_seconds"], *(each["lag_seconds"] for each in system["feeds"])]
        return told, seconds, [sample.value for sample in lags]

    assert shown() == (["–", "not read to its end yet", "–"], [None, None], [])
    Feed.objects.update(caught_up_at=timezone.now() - timedelta(hours=5, minutes=10))
    told, seconds, scraped = shown()
    assert (told, len(seconds), len(scraped)) == (["5 h", "5 h", "5 h"], 2, 1)
    assert all(18_600 <= one < 18_660 for one in (*seconds, *scraped) if one is not None)
    lying.control(items=given(1))
    pull(feed)
    told, seconds, scraped = shown()
    assert told[:2] == ["0 min", "0 min"]
    assert all(0 <= one < 60 for one in (*seconds, *scraped) if one is not None)
