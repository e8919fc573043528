"""What a job of any kind must stand: killed at five moments, everything counts as undisturbed."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Count

from cases.models import VersionPrecision
from detection.models import ReceivedHour
from spine import verification
from spine.models import Job, JobState, LogEntry, Outbox
from tests.database import clean
from tests.killing import KILLS_A_JOB, MOMENTS, kill_at, undisturbed
from tests.servers import Worker

MakeJob = Callable[[], Job]
MOST_ROUNDS = 8


def survives(
    worker: Worker,
    prepare: Callable[[], MakeJob],
    extra: Callable[[], Any] = lambda: None,
    moments: Sequence[float] = MOMENTS,
) -> None:
    """Run once in peace, then kill at each moment, two a job; what there is afterwards must be the same.

    A kill that came after the job was done is tried again earlier: each of the moments meets the job at work.
    """
    empty_folder(Path(settings.CHECKPOINT_FOLDER))
    make_job = prepare()
    seconds = undisturbed(make_job)
    expected = census(), extra()
    waiting = [moment * seconds for moment in moments]
    for _ in range(MOST_ROUNDS):
        settle()
        clean()
        empty_folder(Path(settings.CHECKPOINT_FOLDER))
        make_job = prepare()
        delays, waiting = waiting[:KILLS_A_JOB], waiting[KILLS_A_JOB:]
        met = kill_at(worker, make_job, delays)
        waiting += [delay / 2 for delay, hit in zip(delays, met, strict=True) if not hit]
        found = census(), extra()
        assert found == expected, (set(expected[0].items()) ^ set(found[0].items()), expected[1], found[1])
        assert [str(problem) for problem in verification.verify().problems] == []
        if not waiting:
            return
    raise AssertionError(f"{len(waiting)} of {len(moments)} kills never met the job at work")


def settle(timeout: float = 120) -> None:
    """Wait until no job and no message is under way and every entry has its number."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        jobs = Job.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists()
        messages = Outbox.objects.filter(handled_at=None).exists()
        if not jobs and not messages and not LogEntry.objects.filter(sequence=None).exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"still at work: {list(Job.objects.values('kind', 'state', 'note', 'error'))}")


def census() -> dict[str, Any]:
    """How many rows each table of ours has, and how many acts of each kind the log has, when all work is done."""
    settle()
    models = [m for label in ("detection", "cases") for m in apps.get_app_config(label).get_models()]
    # What came in before and after a full hour are two rows, and precision is measured when its minute comes.
    counted = [m for m in models if m not in {ReceivedHour, VersionPrecision}]
    acts = LogEntry.objects.order_by().values_list("action").annotate(n=Count("id"))
    return {m._meta.db_table: m._default_manager.count() for m in counted} | dict(acts) | {"jobs": Job.objects.count()}


def empty_folder(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
