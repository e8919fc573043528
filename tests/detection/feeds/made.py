"""Feeds as the tests of pulls set them up, and findings as their sources give them."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detection import feed_verbs
from detection.models import Feed
from spine.allowlist import parse
from spine.jobs import run
from spine.models import Job
from tests.detection.samples import DETECTOR, finding
from tests.lying_server import Lying

WHO = "user:admin"
START = datetime.fromisoformat("2026-05-04T00:00:00+00:00")


def given(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Findings with a moment each, a minute apart."""
    found = []
    for n in range(start, start + count):
        at = START + timedelta(minutes=n)
        accounts = [{"id": f"acct_{n}"}]
        found.append(finding(f"f-{n}", updated_at=at.strftime("%Y-%m-%dT%H:%M:%SZ"), accounts=accounts))
    return found


def allow(settings: Any, *urls: str) -> None:
    settings.OUTGOING_ALLOWED = [parse(url) for url in urls]


def make_feed(lying: Lying, name: str = "Gateway", **changes: Any) -> Feed:
    """A feed over HTTP from the lying server, page by page."""
    paging = {"items": "/data", "paging": "page", "page_parameter": "page"}
    settings = {"url": f"{lying.url}/page", **paging, **changes.pop("settings", {})}
    return feed_verbs.create_feed(
        **{
            "actor": WHO,
            "name": name,
            "detector": DETECTOR,
            "kind": "http",
            "settings": settings,
            "mapping": {"as": "native"},
            **changes,
        }
    )


def make_folder_feed(settings: Any, folder: Path, name: str = "Drop") -> Feed:
    """A feed of a folder of its own, with one finding and one line that is none."""
    drop = folder / "drop"
    drop.mkdir()
    (drop / "a.ndjson").write_text(f"{json.dumps(finding('drop-1'))}\nno finding\n")
    allow(settings, drop.as_uri())
    return feed_verbs.create_feed(
        actor=WHO,
        name=name,
        detector=DETECTOR,
        kind="folder",
        settings={"folder": str(drop), "settle_seconds": 0},
        mapping={"as": "native"},
    )


def done(job: Job) -> Job:
    """Do a job here and now, as a worker would."""
    run(job.id)
    job.refresh_from_db()
    return job


def pull(feed: Feed) -> Job:
    return done(feed_verbs.request_pull(Feed.objects.get(pk=feed.pk), actor=WHO))
