"""Setting up a feed and changing it: each verb writes one log entry, and none of them says a secret."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as product
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from detection import registry
from detection.feeds import FEEDS
from detection.feeds.base import Settings, checked
from detection.feeds.mapping import RowMapping
from detection.models_feeds import Feed
from spine import conditions, jobs, log, sealing
from spine.errors import Conflict, Refused
from spine.models import Job, JobState
from spine.outgoing import NotAllowed, Outgoing

PURPOSE = "feeds"  # what secrets of feeds are sealed for
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", flags=re.ASCII)
LONGEST_SCHEDULE = 7 * 24 * 60
LONGEST_SECRET = 4000
LONGEST_WINDOW = timedelta(days=366 * 5)


def outgoing() -> Outgoing:
    """The way out, with the list of what may be reached."""
    return Outgoing(product.OUTGOING_ALLOWED, product.OUTGOING_CA_FILE)


def understood(kind: str, settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> tuple[Settings, RowMapping]:
    """Settings and mapping in their shape, the destination on the list. Raises Refused with all that is wrong."""
    if kind not in FEEDS:
        raise Refused(f"No such kind of feed: accepted are {', '.join(FEEDS)}.", field="kind")
    for field, model, given in (("settings", FEEDS[kind].settings, settings), ("mapping", RowMapping, mapping)):
        found = checked(model, given)
        if isinstance(found, list):
            wrong = [f"{field}{one.pointer}: {one.detail}" for one in found]
            raise Refused(f"The {field} cannot be used as they are.", field=field, missing=wrong)
    usable, rows = checked(FEEDS[kind].settings, settings), checked(RowMapping, mapping)
    assert isinstance(usable, Settings)
    assert isinstance(rows, RowMapping)
    try:
        FEEDS[kind].check(usable, outgoing())
    except NotAllowed as refused:
        raise Refused(str(refused), field="settings") from None
    return usable, rows


@transaction.atomic
def create_feed(
    *,
    actor: str,
    name: str,
    detector: str,
    kind: str,
    settings: Mapping[str, Any],
    mapping: Mapping[str, Any],
    secret: str = "",
    schedule_minutes: int = 15,
) -> Feed:
    """Set up a feed; it is due at once. Side effects: the feed, its detector when that is new, one log entry."""
    if not NAME.fullmatch(name):
        raise Refused(
            "A feed's name has 1 to 60 characters: letters, digits, space, dot, dash, underscore.", field="name"
        )
    understood(kind, settings, mapping)
    owner = registry.registered(_detector(detector), actor=actor)
    feed = Feed(
        name=name,
        detector=owner,
        kind=kind,
        settings=dict(settings),
        mapping=dict(mapping),
        secret=_sealed(secret),
        schedule_minutes=_minutes(schedule_minutes),
        next_pull_at=Now(),
    )
    try:
        with transaction.atomic():
            feed.save(force_insert=True)
    except IntegrityError:
        raise Refused(f"There is a feed {name} already.", field="name") from None
    data = {"name": name, "detector": owner.name, "kind": kind, "settings": dict(settings)}
    log.record(actor=actor, action="feed.created", about=feed, data=data)
    return Feed.objects.get(pk=feed.pk)


@transaction.atomic
def change_feed(
    feed: Feed,
    *,
    actor: str,
    revision: int,
    settings: Mapping[str, Any] | None = None,
    mapping: Mapping[str, Any] | None = None,
    schedule_minutes: int | None = None,
    secret: str = "",
) -> Feed:
    """Change a feed; what is left out stays, and so does the secret when none is given.

    `revision` is the one its author saw. Where the feed reads from another place the cursor begins anew, and the
    secret has to be given again. Side effects: the feed; a pull that runs stops at its next page; one log entry.
    """
    held = _held(feed, revision)
    given: dict[str, Any] = {"settings": settings, "mapping": mapping, "schedule_minutes": schedule_minutes}
    new = {name: value for name, value in given.items() if value is not None and value != getattr(held, name)}
    if not new and not secret:
        raise Refused("Nothing was changed: the values are what they were.")
    usable, _ = understood(held.kind, new.get("settings", held.settings), new.get("mapping", held.mapping))
    if "schedule_minutes" in new:
        _minutes(new["schedule_minutes"])
    before = checked(FEEDS[held.kind].settings, held.settings)
    if held.secret and not secret and FEEDS[held.kind].place(usable) != _place_of(held, before):
        raise Refused("The feed would send its secret to another place: give the secret again.", field="secret")
    old = {name: getattr(held, name) for name in new}
    fields = {**new, **({"secret": _sealed(secret)} if secret else {})}
    if _begins_anew(held.kind, before, usable):
        fields["cursor"] = {}
    Feed.objects.filter(pk=held.pk).update(
        **fields, revision=held.revision + 1, failures=0, last_error="", next_pull_at=Now()
    )
    names = ", ".join([*sorted(new), *(["secret"] if secret else [])])
    data = {"name": held.name, "fields": names, "old": old, "new": new}
    log.record(actor=actor, action="feed.changed", about=held, data=data)
    return Feed.objects.get(pk=held.pk)


@transaction.atomic
def pause_feed(feed: Feed, *, actor: str, revision: int) -> Feed:
    """Pull no more until it is resumed; a pull that runs stops at its next page. Side effects: one log entry."""
    held = _held(feed, revision)
    if held.paused:
        raise Refused(f"The feed {held.name} is paused already.")
    Feed.objects.filter(pk=held.pk).update(paused=True, revision=held.revision + 1)
    conditions.settle(f"feed:{held.pk}")
    log.record(actor=actor, action="feed.paused", about=held, data={"name": held.name})
    return Feed.objects.get(pk=held.pk)


@transaction.atomic
def resume_feed(feed: Feed, *, actor: str, revision: int) -> Feed:
    """Pull on the schedule again, at once and from where it stood. Side effects: one log entry."""
    held = _held(feed, revision)
    if not held.paused:
        raise Refused(f"The feed {held.name} is not paused.")
    fresh = {"failures": 0, "last_error": "", "next_pull_at": Now()}
    Feed.objects.filter(pk=held.pk).update(paused=False, revision=held.revision + 1, **fresh)
    log.record(actor=actor, action="feed.resumed", about=held, data={"name": held.name})
    return Feed.objects.get(pk=held.pk)


@transaction.atomic
def request_pull(feed: Feed, *, actor: str) -> Job:
    """Ask for a pull now; one that waits or runs already is given instead."""
    if Feed.objects.get(pk=feed.pk).paused:
        raise Refused(f"The feed {feed.name} is paused: resume it first.")
    return jobs.enqueue("feed.pull", actor=actor, key=str(feed.pk), args={"feed": str(feed.pk)})


@transaction.atomic
def request_backfill(feed: Feed, *, actor: str, start: datetime, end: datetime) -> Job:
    """Ask for a past window once more, beside the schedule. Side effects: one job, one log entry.

    A window that was not finished is gone on with. Refused while another backfill of the feed waits or runs.
    """
    if not start < end or end - start > LONGEST_WINDOW:
        raise Refused("The window begins before it ends, and is five years long at most.", field="end")
    usable, _ = understood(feed.kind, feed.settings, feed.mapping)
    reason = FEEDS[feed.kind].windowed(usable)
    if reason:
        raise Refused(reason)
    standing = Job.objects.filter(kind="feed.backfill", key=str(feed.pk))
    if standing.filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists():
        raise Conflict("A backfill of this feed waits or runs already: wait for its end.")
    window = {"start": start.isoformat(), "end": end.isoformat()}
    data = {"name": feed.name, "from": window["start"], "until": window["end"]}
    log.record(actor=actor, action="feed.backfill_asked", about=feed, data=data)
    return jobs.enqueue("feed.backfill", actor=actor, key=str(feed.pk), args={"feed": str(feed.pk), **window})


def secret_of(feed: Feed) -> str:
    """The secret in clear, for whoever opens the source. Raises Refused when it cannot be read."""
    try:
        return sealing.unseal(feed.secret, purpose=PURPOSE) if feed.secret else ""
    except sealing.Unreadable:
        raise Refused("The feed's secret was stored under another key: give it again.", field="secret") from None


def _held(feed: Feed, revision: int) -> Feed:
    held = Feed.objects.select_for_update().select_related("detector").get(pk=feed.pk)
    if held.revision != revision:
        raise Conflict(f"The feed {held.name} was changed meanwhile. Look again before you decide.")
    return held


def _place_of(feed: Feed, settings: Any) -> str:
    return FEEDS[feed.kind].place(settings) if isinstance(settings, Settings) else ""


def _begins_anew(kind: str, before: Any, after: Settings) -> bool:
    return any(getattr(before, name, None) != getattr(after, name) for name in FEEDS[kind].start)


def _detector(name: str) -> str:
    if not registry.NAME.fullmatch(name):
        raise Refused("A detector's name has 1 to 120 characters: a–z, 0–9, dot, dash, underscore.", field="detector")
    if name in registry.built_in_titles():
        raise Refused(f"{name} is one of the built-in detectors, whose findings come from runs.", field="detector")
    return name


def _minutes(value: int) -> int:
    if not 1 <= value <= LONGEST_SCHEDULE:
        raise Refused(f"The schedule is 1 to {LONGEST_SCHEDULE:,} minutes.", field="schedule_minutes")
    return value


def _sealed(secret: str) -> str:
    if not secret:
        return ""
    if len(secret) > LONGEST_SECRET or not secret.isprintable() or not secret.isascii():
        raise Refused(f"A secret has at most {LONGEST_SECRET:,} printable ASCII characters.", field="secret")
    return sealing.seal(secret, purpose=PURPOSE)
