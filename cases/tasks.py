"""What the worker does for cases: each handler takes a job, calls one function and is safe to run twice."""

from typing import Any

from cases.actions import bulk
from spine import jobs


def set_verdicts(job: jobs.Running) -> dict[str, Any]:
    """Carry out or take back a decision about many accounts (`cases.actions.bulk`)."""
    return bulk.carry_out(job)
