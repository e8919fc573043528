"""Verifying the log as a job: asked for by a person or once a day, with progress, its result kept and told."""

from typing import Any

from django.db import transaction

from spine import conditions, jobs, log, verification
from spine.models import Job
from spine.principal import acting_as

KIND = "log.verify"
CONDITION = "log.verification"


@transaction.atomic
def ask(*, actor: str) -> Job:
    """Ask for a verification of the whole log; while one waits or runs, that one is given."""
    return jobs.enqueue(KIND, actor=actor, key="whole")


@acting_as("system:verifier")
def ask_daily() -> Job:
    """The same, by the clock."""
    return ask(actor="system:verifier")


def run(job: jobs.Running) -> dict[str, Any]:
    """Verify, write down what came of it, and tell when it fails.

    Side effects: one log entry with the counts; a condition while the newest verification found problems.
    """

    def progress(done: int, total: int, note: str) -> None:
        job.progress(done, total, note)

    found = verification.verify(progress=progress).plain()
    problems = found["problem_count"]
    job.progress(1, 1, f"{problems:,} problem{'' if problems == 1 else 's'}." if problems else "No problem was found.")
    with transaction.atomic():
        job.confirm()
        kept = {name: found[name] for name in ("rows", "entries", "checkpoints", "tokens", "root")}
        first = [f"{one['table']} {one['row']}: {one['what']}" for one in found["problems"][:20]]
        log.record(
            actor=job.actor,
            action="log.verified",
            data={**kept, "problems": found["problem_count"], "first": first},
        )
    if found["problem_count"]:
        first_one = found["problems"][0]
        conditions.tell(
            CONDITION,
            f"The log does not verify: {found['problem_count']} problems, the first in {first_one['table']} "
            f"{first_one['row']}: {first_one['what']}.",
        )
    else:
        conditions.settle(CONDITION)
    return found


def past(limit: int = 20) -> list[Job]:
    """The newest verifications, newest first."""
    return list(Job.objects.filter(kind=KIND).order_by("-created_at")[:limit])
