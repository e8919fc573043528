"""One pull of a feed: page by page, each with its cursor in one transaction, under the job's lease.

What goes wrong at the source is written on the feed and on the pull, and tried again later; what goes wrong here
fails the job.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from detection import feed_verbs, ingest
from detection.feeds import FEEDS
from detection.feeds.base import Broken, Cursor, Opening, Page, Reach, Window
from detection.feeds.mapping import RowMapping, form_of, mapped
from detection.ingest import KEPT_ERRORS, Counts
from detection.models_feeds import Feed, FeedFile, FeedPull
from people.models import User
from people.rights import may
from spine import conditions
from spine.errors import Refused
from spine.jobs import LeaseLost, Running
from spine.outgoing import NoAnswer, NotAllowed

# What one pull takes at most; the next one goes on. A window of the past may take longer, it has no next one.
MOST_PAGES = 2000
MOST_SECONDS = 900.0
LONGER = 50
FIRST_DELAY = 30.0
LONGEST_DELAY = 6 * 3600.0
COUNTS = ("received", "created", "duplicate", "superseded", "rejected")


class Stopped(Exception):  # noqa: N818 - what happened
    """The feed was paused or changed: this pull ends, and what it had not kept is read again."""


@dataclass(frozen=True)
class _Pull:
    """What one pull stands on."""

    job: Running
    feed: Feed
    record: FeedPull
    mapping: RowMapping
    window: Window | None


class _Files:
    """What the database remembers of a feed's files."""

    def __init__(self, feed: Feed) -> None:
        self._done = FeedFile.objects.filter(feed=feed, done=True)

    def stamp(self, name: str) -> str | None:
        return self._done.filter(name=name).values_list("stamp", flat=True).first()

    def digest(self, sha256: str) -> bool:
        return self._done.filter(sha256=sha256).exists()


def reach(**limits: Any) -> Reach:
    """How sources are reached, with the limits of a pull unless others are given."""
    spool = Path(settings.FILE_UPLOAD_TEMP_DIR)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Reach(feed_verbs.outgoing(), spool, **{"file_bytes": settings.MAX_BULK_BYTES, **limits})


def pull(job: Running) -> dict[str, Any]:
    """Take what the source has, from the cursor on, and write down what came of it.

    Side effects, a transaction for each page: its findings, the cursor, the counts of the pull. Raises LeaseLost when
    another attempt took over, Refused for who may no longer ask and for a backfill that failed.
    """
    feed = Feed.objects.select_related("detector").get(id=job.args["feed"])
    _authorise(job.actor)
    window = _window(job.args)
    record = _begun(job, feed, window)
    if feed.paused and window is None:
        return _ended(job, record, FeedPull.State.STOPPED, "the feed is paused")
    trouble, wait = "", 0
    try:
        usable, mapping = feed_verbs.understood(feed.kind, feed.settings, feed.mapping)
        opening = Opening(usable, feed_verbs.secret_of(feed), reach(), window, _Files(feed))
        trouble = _pages(_Pull(job, feed, record, mapping, window), opening)
    except (Broken, NoAnswer, NotAllowed, Refused) as failed:
        trouble, wait = str(failed), getattr(failed, "wait", 0)
    except Stopped as stopped:
        return _ended(job, record, FeedPull.State.STOPPED, str(stopped))
    except LeaseLost:
        raise
    except Exception as error:
        _failed(job, feed, record, f"it could not be stored ({type(error).__name__})", 0)
        raise
    if trouble:
        return _failed(job, feed, record, trouble, wait)
    return _succeeded(job, feed, record)


def _pages(pull: _Pull, opening: Opening) -> str:
    """Page after page to the end, or to what one pull takes; gives the first trouble there was."""
    cursor: Cursor = pull.record.cursor_after
    times = LONGER if pull.window else 1
    trouble, ends = "", time.monotonic() + MOST_SECONDS * times
    with FEEDS[pull.feed.kind].open(opening) as source:
        for _ in range(MOST_PAGES * times):
            page = source.fetch(cursor)
            _keep(pull, page, cursor)
            cursor, trouble = page.cursor, trouble or page.trouble
            note = f"{pull.record.received:,} findings received, {pull.record.created:,} new"
            pull.job.progress(0, 0, f"{page.place}: {note}" if page.place else note)
            if not page.more:
                return trouble
            if time.monotonic() > ends:
                break
    FeedPull.objects.filter(pk=pull.record.pk).update(more=True)
    return trouble


def _keep(pull: _Pull, page: Page, before: Cursor) -> None:
    """A page's findings and the cursor behind it, both or neither; the lease and the feed's state are asked last."""
    documents = [mapped(row, pull.mapping, detector=pull.feed.detector.name) for row in page.rows]
    with transaction.atomic():
        counts = ingest.store(
            documents,
            actor=pull.job.actor,
            detector=pull.feed.detector.name,
            namespace="default",
            form=form_of(pull.mapping),
            origin=ingest.Origin(feed=pull.feed.pk),
        )
        _remember_file(pull.feed, page)
        _count(pull.record, page, counts)
        _move(pull, page, before)
        pull.job.confirm()
    pull.record.refresh_from_db()


def _move(pull: _Pull, page: Page, before: Cursor) -> None:
    same = Feed.objects.filter(pk=pull.feed.pk, revision=pull.feed.revision)
    if pull.window is not None:
        changed = same.exists()
    else:
        moved: dict[str, Any] = {"cursor": page.cursor}
        if page.reached is not None:
            moved["reached_at"] = Greatest(F("reached_at"), page.reached)
        changed = bool(same.filter(cursor=before).update(**moved))
    if not changed:
        raise Stopped("the feed was paused or changed meanwhile")


def _remember_file(feed: Feed, page: Page) -> None:
    file = page.file
    if file is None:
        return
    row = FeedFile(
        feed=feed,
        name=file.name,
        stamp=file.stamp,
        sha256=file.sha256,
        size=file.size,
        rows=file.rows,
        done=file.done,
    )
    changed = ["stamp", "sha256", "size", "rows", "done", "read_at"]
    FeedFile.objects.bulk_create([row], update_conflicts=True, unique_fields=["feed", "name"], update_fields=changed)


def _count(record: FeedPull, page: Page, counts: Counts) -> None:
    room = KEPT_ERRORS - len(record.rejections)
    fresh = [
        {
            "place": page.place[:300],
            "line": page.first + one.line - 1,
            "pointer": one.pointer[:300],
            "detail": one.detail,
        }
        for one in counts.errors[:room]
    ]
    figures = {name: F(name) + getattr(counts, name) for name in COUNTS}
    FeedPull.objects.filter(pk=record.pk).update(
        **figures, pages=F("pages") + 1, rejections=[*record.rejections, *fresh], cursor_after=page.cursor
    )


def _authorise(actor: str) -> None:
    """Whoever asked may still ask; who is no person here is the product itself."""
    kind, _, name = actor.partition(":")
    if kind == "user":
        person = User.objects.filter(username=name, is_active=True).first()
        if person is None or not may(person, "detectors.write"):
            raise Refused("Who asked for this pull may not ask for it any more.")


def _window(args: Mapping[str, Any]) -> Window | None:
    if "start" not in args:
        return None
    return Window(datetime.fromisoformat(args["start"]), datetime.fromisoformat(args["end"]))


@transaction.atomic
def _begun(job: Running, feed: Feed, window: Window | None) -> FeedPull:
    """The row of this pull: the one an earlier attempt of the job made, else a new one."""
    known = FeedPull.objects.filter(job_id=job.id).first()
    if known is not None:
        if known.window_start is None:
            known.cursor_after = feed.cursor
        return known
    cursor = feed.cursor if window is None else _left_at(feed, window)
    span = {"window_start": window.start, "window_end": window.end} if window else {}
    Feed.objects.filter(pk=feed.pk).update(last_pull_at=Now())
    made = FeedPull(feed=feed, job_id=job.id, revision=feed.revision, cursor_before=cursor, cursor_after=cursor, **span)
    made.save(force_insert=True)
    return made


def _left_at(feed: Feed, window: Window) -> Cursor:
    """Where the last pull of the same window stopped, if that one was not finished."""
    before = (
        FeedPull.objects.filter(feed=feed, window_start=window.start, window_end=window.end).order_by("-id").first()
    )
    unfinished = before is not None and before.revision == feed.revision and before.state != FeedPull.State.DONE
    return before.cursor_after if before is not None and (unfinished or before.more) else {}


def _succeeded(job: Running, feed: Feed, record: FeedPull) -> dict[str, Any]:
    record.refresh_from_db()
    with transaction.atomic():
        if record.window_start is None:
            later = Now() if record.more else Now() + timedelta(minutes=feed.schedule_minutes)
            told: dict[str, Any] = {"failures": 0, "last_error": "", "last_success_at": Now(), "next_pull_at": later}
            if not record.more:
                told["caught_up_at"] = Now()
            Feed.objects.filter(pk=feed.pk, revision=feed.revision).update(**told)
            conditions.settle(f"feed:{feed.pk}")
        return _ended(job, record, FeedPull.State.DONE, "")


def _failed(job: Running, feed: Feed, record: FeedPull, trouble: str, wait: int) -> dict[str, Any]:
    with transaction.atomic():
        if record.window_start is None:
            failures = feed.failures + 1
            later = Now() + timedelta(seconds=delay(failures, wait))
            Feed.objects.filter(pk=feed.pk, revision=feed.revision).update(
                failures=failures, last_error=trouble[:500], next_pull_at=later
            )
        result = _ended(job, record, FeedPull.State.FAILED, trouble)
    if record.window_start is not None:
        raise Refused(f"The backfill stopped: {trouble}. Start it again to go on.")
    return result


def _ended(job: Running, record: FeedPull, state: str, error: str) -> dict[str, Any]:
    with transaction.atomic():
        job.confirm()
        FeedPull.objects.filter(pk=record.pk).update(state=state, error=error[:500], finished_at=Now())
    record.refresh_from_db()
    if error:
        job.progress(0, 0, f"Not to the end: {error}")
    figures = {name: getattr(record, name) for name in COUNTS}
    return {"pull": str(record.pk), "feed": str(record.feed_id), "state": str(state), "error": error, **figures}


def delay(failures: int, wait: int = 0) -> float:
    """Seconds until the next try: twice as long after each failure, up to six hours, and never the same for two feeds.

    What the source asked for is the least.
    """
    longest: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 20))
    return max(longest * random.uniform(0.5, 1.0), wait * random.uniform(1.0, 1.1))  # noqa: S311 - only spreads load
