"""For each kind of job that brings findings in: SIGKILL to the worker's whole process group at five moments."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from cases.models import Lead
from detection import detector_verbs, feed_verbs, ingest, pulling
from detection.models import Cluster, Feed, FeedPull, Finding, GroupingDue
from spine.allowlist import parse
from spine.models import Job
from tests.detection.feeds.made import START, given
from tests.detection.registered import ADMIN, make_detector
from tests.detection.samples import DETECTOR, finding
from tests.factories import make_cast
from tests.lying_server import running
from tests.servers import Worker
from tests.surviving import MakeJob, survives

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])


def test_pull_over_http_survives_its_worker(worker: Worker) -> None:
    with running() as lying:
        lying.control(items=given(120), size=4)
        worker.restart(RETORT_OUTGOING_ALLOWED=lying.url)

        def prepare() -> MakeJob:
            feed = feed_of(
                lying.url, "http", {"url": f"{lying.url}/page", "items": "/data", "paging": "page", **OLDEST_FIRST}
            )
            return lambda: feed_verbs.request_pull(feed, actor="user:admin")

        survives(worker, prepare, pulled)


def test_pull_of_a_folder_survives_its_worker(worker: Worker, tmp_path: Path) -> None:
    for part in range(20):
        lines = [json.dumps(one) for one in given(25, 25 * part)]
        (tmp_path / f"{part:02}.ndjson").write_text("\n".join([*lines, "no finding"]))
    worker.restart(RETORT_OUTGOING_ALLOWED=tmp_path.as_uri())

    def prepare() -> MakeJob:
        feed = feed_of(tmp_path.as_uri(), "folder", {"folder": str(tmp_path), "settle_seconds": 0})
        return lambda: feed_verbs.request_pull(feed, actor="user:admin")

    survives(worker, prepare, pulled, moments=(0.4, 0.7))


def test_backfill_of_a_feed_survives_its_worker(worker: Worker) -> None:
    with running() as lying:
        lying.control(items=given(120))
        worker.restart(RETORT_OUTGOING_ALLOWED=lying.url)

        def prepare() -> MakeJob:
            feed = feed_of(lying.url, "http", {"url": f"{lying.url}/since", **SINCE})
            Feed.objects.update(next_pull_at=timezone.now() + timedelta(days=1))  # the schedule adds no pull of its own
            window = {"start": START, "end": START + timedelta(minutes=100)}

            def ask() -> Job:
                with override_settings(OUTGOING_ALLOWED=[parse(lying.url)]):
                    return feed_verbs.request_backfill(feed, actor="user:admin", **window)

            return ask

        survives(worker, prepare, pulled_since)


def test_findings_group_survives_its_worker(worker: Worker) -> None:
    """All findings come in one batch, as a sender's would: the job that groups them is asked for with them."""

    def prepare() -> MakeJob:
        make_cast()
        detector = detector_verbs.set_grouping(make_detector()[0], actor=ADMIN, revision=1, grouping=RULE)

        def send() -> Job:
            documents = [document for value in range(40) for document in sharing(f"pf_{value}", 40)]
            counts = ingest.store(
                documents, actor=f"detector:{detector.name}", detector=detector.name, origin=ingest.Origin()
            )
            assert not counts.rejected, counts.errors
            return Job.objects.get(kind="findings.group")

        return send

    def joined() -> tuple[int, int, int]:
        return Cluster.objects.count(), Lead.objects.count(), GroupingDue.objects.count()

    survives(worker, prepare, joined)


RULE = {"by": ["payment_fingerprint"], "window_hours": 24, "least_findings": 2, "least_accounts": 3}


def sharing(value: str, accounts: int) -> list[dict[str, Any]]:
    """Two findings of so many accounts each that all show the value."""
    shown = [{"type": "payment_fingerprint", "value": value, "count": 2}]
    return [
        finding(
            f"{value}-{part}",
            accounts=[{"id": f"{value}-{part}-{n}", "exchanges": 10, "attributes": shown} for n in range(accounts)],
            detector={"name": "outside", "version": "1.0"},
        )
        for part in range(2)
    ]


SINCE = {
    "items": "",
    "paging": "since",
    "since_parameter": "since",
    "since_at": "/updated_at",
    "until_parameter": "until",
    "size_parameter": "limit",
    "page_size": 4,
}
OLDEST_FIRST = {"page_parameter": "page", "order": "oldest_first"}


def feed_of(allowed: str, kind: str, where: dict[str, Any]) -> Feed:
    make_cast()
    with override_settings(OUTGOING_ALLOWED=[parse(allowed)]):
        return feed_verbs.create_feed(
            actor="user:admin",
            name="Gateway",
            detector=DETECTOR,
            kind=kind,
            settings=where,
            mapping={"as": "native"},
        )


def pulled_since() -> tuple[Any, ...]:
    """The same where a source is asked by time: what bears a page's last moment is asked for again, as a duplicate.

    How often depends on where the worker died. Everything that came is in the counts, and nothing is new twice.
    """
    most, found, counted, pages, *rest = pulled()
    counts = dict(zip(pulling.COUNTS, counted, strict=True))
    asked_again = counts.pop("duplicate")
    return most, found, counts.pop("received") - asked_again, counts, pages > 0, *rest


def pulled() -> tuple[Any, ...]:
    """Every finding once, and a cursor and counts that say just that: each page's cursor committed with its findings.

    What an attempt had not committed is asked for again by the next one, so nothing counts as a duplicate.
    """
    feed, record = Feed.objects.get(), FeedPull.objects.get()
    uids = Counter(Finding.objects.values_list("uid", flat=True))
    counted = [getattr(record, name) for name in pulling.COUNTS]
    return max(uids.values()), len(uids), counted, record.pages, record.state, feed.cursor, feed.failures
