"""Telemetry of the accounts that `tests.factories` makes, read into their source as a file is, and sets made of it."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cases.actions import exchange_checks, exchange_sets, sampling
from cases.actions.exchange_sets import Choice
from cases.models import Case, ExchangeSet, SamplingPlan
from detection import sources
from detection.models import TelemetryFile, TelemetrySource
from people.models import User
from spine.models import JobState
from tests.factories import DAYS, START, run_job

PROMPT, RESPONSE = "Grade these four answers.", "The second is best."


def exchange(number: int, account: str = "", **more: Any) -> dict[str, Any]:
    """An exchange of one of the accounts acct-0000 … acct-0005, of which a case of four has the first four."""
    return {
        "request_id": f"req-{number:06d}",
        "ts": f"{START + timedelta(minutes=number * 7):%Y-%m-%dT%H:%M:%SZ}",
        "account_id": account or f"acct-{number % 6:04d}",
        "model": "aster-1" if number % 3 else "aster-2",
        "ip": f"192.0.2.{number % 200}",
        "input_tokens": 10,
        "output_tokens": 90 + number % 5,
        "temperature": 0.7,
        "prompt": f"{PROMPT} {number}",
        "response": RESPONSE,
        **more,
    }


def read_in(folder: Path, rows: Iterable[dict[str, Any]], name: str = "exchanges.jsonl") -> TelemetryFile:
    """Read these exchanges into the source `api-logs`."""
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = sources.source_named("api-logs")
    return sources.add_file(actor="system:test", source=source, kind="exchanges", path=path)[0]


def ask_for_set(case: Case, actor: User, **given: Any) -> Any:
    """Ask for a set over everything the case's accounts did."""
    asked = {
        "source": TelemetrySource.objects.get(name="api-logs"),
        "start": START,
        "end": START + timedelta(days=DAYS),
        "choice": Choice(),
        **given,
    }
    return exchange_sets.request_set(case, actor=actor, **asked)


def make_set(case: Case, actor: User, **given: Any) -> ExchangeSet:
    """Make it, as a worker would."""
    job = run_job(ask_for_set(case, actor, **given))
    assert job.state == JobState.DONE, job.error
    return ExchangeSet.objects.select_related("item__case", "source").get(job_id=job.id)


def make_plan(held: ExchangeSet, actor: User, **given: Any) -> SamplingPlan:
    """Draw a sample of ten, as a worker would."""
    asked = {"question": "Is it part of the collection?", "seed": "7", "per_stratum": 10, **given}
    job = run_job(sampling.request_sample(held, actor=actor, **asked))
    assert job.state == JobState.DONE, job.error
    return SamplingPlan.objects.select_related("exchange_set__item__case", "exchange_set__case").get(job_id=job.id)


def make_sample(case: Case, actor: User, folder: Path) -> SamplingPlan:
    """Telemetry, a set over it, the set asked again, a sample of it, and one result: all a set can have."""
    read_in(folder, [exchange(number) for number in range(60)])
    held = make_set(case, actor)
    assert run_job(exchange_checks.request_rerun(held, actor=actor)).state == JobState.DONE
    plan = make_plan(held, actor)
    first = plan.sample.get(ordinal=1)
    first.plan = plan
    sampling.judge_sampled(first, actor=actor, value="actor_controlled", note="grades answers")
    return plan
