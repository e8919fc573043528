"""Who has shown themselves: workers by a row that they renew, scheduled work by one that each run renews.

A worker that dies says nothing, so the silence is found by whoever looks: pages and /readyz ask here.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from spine.models import Condition, Seen
from spine.principal import acting_as

KEEPER = "system:presence"
WORKER, SCHEDULE = "worker:", "schedule:"
SWEEP = f"{SCHEDULE}spine.tasks.sweep"
NO_WORKER, NO_SCHEDULE = "work.no_worker", "work.no_schedule"
FORGOTTEN = timedelta(days=1)


def period() -> float:
    """Seconds between two signs of life of a worker."""
    return max(1.0, settings.WORKER_SILENT_SECONDS / 6)


@acting_as(KEEPER)
def begin(worker: str, **facts: Any) -> None:
    """A worker says that it takes jobs from now on. Rows of workers that were silent for a day go."""
    Seen.objects.filter(name__startswith=WORKER, seen__lt=Now() - FORGOTTEN).delete()
    _show(WORKER + worker, facts, "since", "seen", "facts")


@acting_as(KEEPER)
def renew(worker: str) -> bool:
    """The worker is still there; False when nothing is known of it, as after a restored backup."""
    return bool(Seen.objects.filter(name=WORKER + worker).update(seen=Now()))


@acting_as(KEEPER)
def leave(worker: str) -> None:
    """The worker ends in order."""
    Seen.objects.filter(name=WORKER + worker).delete()


@acting_as(KEEPER)
def ran(task: str) -> None:
    """A piece of scheduled work was done just now."""
    _show(SCHEDULE + task, {}, "seen")


def _show(name: str, facts: dict[str, Any], *changed: str) -> None:
    row = Seen(name=name[:200], since=Now(), seen=Now(), facts=facts)
    Seen.objects.bulk_create([row], update_conflicts=True, unique_fields=["name"], update_fields=changed)


def workers() -> list[tuple[Seen, timedelta]]:
    """Every worker that has shown itself within a day, by name, and for how long it has said nothing."""
    rows = Seen.objects.filter(name__startswith=WORKER).annotate(silent=Now() - F("seen")).order_by("name")
    return [(row, row.silent) for row in rows]


@acting_as(KEEPER)
def silences() -> list[Condition]:
    """What nobody is left to tell: no worker while work waits, no scheduled work while a worker is there. One query."""
    with connection.cursor() as cursor:
        cursor.execute(SILENCE, {"sweep": SWEEP})
        now, seen, began, waiting, swept = cursor.fetchone()
    patience = timedelta(seconds=settings.WORKER_SILENT_SECONDS)
    if seen is None or now - seen > patience:
        if waiting is None or now - waiting <= patience:
            return []
        text = "No worker shows itself, and work waits. See whether one runs and reaches the broker."
        return [Condition(name=NO_WORKER, text=text, since=seen or waiting, seen=now)]
    if swept is not None and now - swept > patience and now - began > patience:
        text = "Workers are there, but nothing that is scheduled has run. See whether beat runs."
        return [Condition(name=NO_SCHEDULE, text=text, since=swept, seen=now)]
    return []


SILENCE = """
SELECT now(), max(seen) FILTER (WHERE starts_with(name, 'worker:')),
       min(since) FILTER (WHERE starts_with(name, 'worker:')),
       least((SELECT min(created_at) FROM spine_job WHERE state = 'queued'),
             (SELECT min(created_at) FROM spine_outbox WHERE handled_at IS NULL)),
       max(seen) FILTER (WHERE name = %(sweep)s)
FROM spine_seen
"""
