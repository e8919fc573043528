"""How the work stands: workers, queues, follow-ups, the schedule and the log; for the page, the API and /metrics.

Read as the system: counts, kinds and ages alone, nothing of what any job is about. All ages are by the database's
clock; None stands for "never" and "nothing".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from spine import conditions, presence
from spine.models import Condition, Job, JobState
from spine.principal import acting_as

KEEPER = "system:operations"


@dataclass(frozen=True)
class Doing:
    """A job at work; seconds since this attempt began."""

    id: UUID
    kind: str
    attempt: int
    seconds: float
    scoped: bool


@dataclass(frozen=True)
class Worker:
    """A worker that has shown itself within a day."""

    name: str
    since: datetime
    seen: datetime
    silent_seconds: float
    alive: bool
    slots: int | None
    version: str
    doing: tuple[Doing, ...]


@dataclass(frozen=True)
class Queue:
    """Jobs of one kind that are not done. `failed` and `parked` wait for a person: the same work was not done since."""

    kind: str
    queued: int = 0
    running: int = 0
    failed: int = 0
    parked: int = 0
    oldest_seconds: float | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing waits, runs or has failed."""
        return not (self.queued or self.running or self.failed or self.parked)


@dataclass(frozen=True)
class FollowUps:
    """Messages of one topic in the outbox; `failing` have been tried and are tried again."""

    topic: str
    waiting: int = 0
    failing: int = 0
    oldest_seconds: float | None = None


@dataclass(frozen=True)
class Scheduled:
    """Work that beat sends, and how long ago it was done last."""

    task: str
    seconds: float | None


@dataclass(frozen=True)
class Head:
    """The log: entries numbered, how old the newest of them is, what waits for a number, a signature, a departure."""

    entries: int
    head_seconds: float | None
    unnumbered: int
    unnumbered_seconds: float | None
    checkpoint_entries: int
    checkpoint_seconds: float | None
    departed_seconds: float | None

    @property
    def unsigned(self) -> int:
        """Entries numbered that no checkpoint covers."""
        return max(0, self.entries - self.checkpoint_entries)


@dataclass(frozen=True)
class Operations:
    """The whole."""

    workers: tuple[Worker, ...]
    queues: tuple[Queue, ...]
    follow_ups: tuple[FollowUps, ...]
    schedule: tuple[Scheduled, ...]
    head: Head
    conditions: tuple[Condition, ...]

    @property
    def alive(self) -> tuple[Worker, ...]:
        """The workers that have shown themselves just now."""
        return tuple(one for one in self.workers if one.alive)

    @property
    def queued(self) -> int:
        """Jobs that wait, of every kind."""
        return sum(one.queued for one in self.queues)

    @property
    def waiting_for_a_person(self) -> int:
        """Jobs that failed or were set aside, of every kind."""
        return sum(one.failed + one.parked for one in self.queues)

    @property
    def oldest_seconds(self) -> float | None:
        """How long the oldest job has waited."""
        return max((one.oldest_seconds for one in self.queues if one.oldest_seconds is not None), default=None)


@acting_as(KEEPER)
def operations() -> Operations:
    """Ask everything once: eight queries, whatever there is."""
    return Operations(
        workers=_workers(),
        queues=queues(),
        follow_ups=follow_ups(),
        schedule=schedule(),
        head=head(),
        conditions=tuple(conditions.standing()),
    )


@acting_as(KEEPER)
def queues() -> tuple[Queue, ...]:
    """Every kind of job, in the order of settings."""
    found: dict[str, dict[str, Any]] = {kind: {} for kind in settings.JOB_KINDS}
    for kind, state, count, oldest in _rows(QUEUES):
        of_kind = found.setdefault(kind, {})
        of_kind[state] = count
        if state == JobState.QUEUED:
            of_kind["oldest_seconds"] = _age(oldest)
    return tuple(Queue(kind, **figures) for kind, figures in found.items())


@acting_as(KEEPER)
def follow_ups() -> tuple[FollowUps, ...]:
    """Every topic of the outbox, in the order of settings."""
    found: dict[str, tuple[Any, ...]] = dict.fromkeys(settings.OUTBOX_HANDLERS, ())
    found |= {topic: (waiting, failing, _age(oldest)) for topic, waiting, failing, oldest in _rows(FOLLOW_UPS)}
    return tuple(FollowUps(topic, *figures) for topic, figures in found.items())


@acting_as(KEEPER)
def schedule() -> tuple[Scheduled, ...]:
    """All that beat sends, in the order of settings."""
    ages = {name: _age(age) for name, age in _rows(SCHEDULE)}
    tasks = [str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()]
    return tuple(Scheduled(task, ages.get(presence.SCHEDULE + task)) for task in tasks)


@acting_as(KEEPER)
def head() -> Head:
    """The log's figures."""
    [(last, newest, unnumbered, oldest, signed, covered, left)] = _rows(HEAD)
    return Head(
        entries=0 if last is None else last + 1,
        head_seconds=_age(newest),
        unnumbered=unnumbered,
        unnumbered_seconds=_age(oldest),
        checkpoint_entries=signed or 0,
        checkpoint_seconds=_age(covered),
        departed_seconds=_age(left),
    )


@acting_as(KEEPER)
def silent_seconds() -> tuple[int, float | None]:
    """How many workers have shown themselves just now, and for how long the last of all has been silent."""
    silences = [silent.total_seconds() for _, silent in presence.workers()]
    return sum(seconds <= settings.WORKER_SILENT_SECONDS for seconds in silences), min(silences, default=None)


def _workers() -> tuple[Worker, ...]:
    doing: dict[str, list[Doing]] = {}
    running = Job.objects.filter(state=JobState.RUNNING).annotate(age=Now() - F("started_at")).order_by("started_at")
    for job in running.only("id", "kind", "attempts", "worker", "scope"):
        one = Doing(job.id, job.kind, job.attempts, _seconds(job.age) or 0.0, job.scope is not None)
        doing.setdefault(job.worker, []).append(one)
    found = []
    for row, span in presence.workers():
        name, silent = row.name.removeprefix(presence.WORKER), span.total_seconds()
        alive = silent <= settings.WORKER_SILENT_SECONDS
        slots, version = row.facts.get("slots"), str(row.facts.get("version", ""))
        work = tuple(doing.get(name, ()))
        found.append(Worker(name, row.since, row.seen, silent, alive, slots, version, work))
    return tuple(found)


def _rows(query: str) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _age(seconds: Any) -> float | None:
    """What `extract(epoch …)` gave; a clock that was set back makes no negative age."""
    return None if seconds is None else max(0.0, float(seconds))


def _seconds(span: Any) -> float | None:
    return None if span is None else _age(span.total_seconds())


QUEUES = """
SELECT kind, state, count(*), extract(epoch FROM now() - min(created_at))
FROM spine_job WHERE state IN ('queued', 'running') GROUP BY kind, state
UNION ALL
SELECT kind, state, count(*), NULL
FROM spine_job failed WHERE state IN ('failed', 'parked') AND NOT EXISTS (
    SELECT FROM spine_job later
    WHERE later.kind = failed.kind AND later.key = failed.key AND later.created_at > failed.created_at)
GROUP BY kind, state
"""
FOLLOW_UPS = """
SELECT topic, count(*), count(*) FILTER (WHERE attempts > 0), extract(epoch FROM now() - min(created_at))
FROM spine_outbox WHERE handled_at IS NULL GROUP BY topic
"""
SCHEDULE = "SELECT name, extract(epoch FROM now() - seen) FROM spine_seen WHERE starts_with(name, 'schedule:')"
HEAD = """
WITH head AS (SELECT "index", entry_id FROM spine_sequence ORDER BY "index" DESC LIMIT 1),
signed AS (SELECT size FROM spine_checkpoint ORDER BY size DESC LIMIT 1),
waiting AS (SELECT count(*) AS n, min(entry.at) AS oldest
            FROM spine_pending pending JOIN spine_logentry entry ON entry.id = pending.entry_id)
SELECT (SELECT "index" FROM head),
       extract(epoch FROM now() - (SELECT at FROM spine_logentry WHERE id = (SELECT entry_id FROM head))),
       waiting.n,
       extract(epoch FROM now() - waiting.oldest),
       (SELECT size FROM signed),
       extract(epoch FROM now() - (SELECT entry.at FROM spine_sequence sequence
                                   JOIN spine_logentry entry ON entry.id = sequence.entry_id
                                   WHERE sequence."index" = (SELECT size - 1 FROM signed))),
       extract(epoch FROM now() - (SELECT max(at) FROM spine_departure WHERE "left"))
FROM waiting
"""
