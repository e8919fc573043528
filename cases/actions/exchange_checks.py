"""Verbs on exchange sets that stand: ask one again and keep the difference, give out the proof of one exchange."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from cases.actions import base
from cases.actions.custody import note
from cases.actions.exchange_sets import again
from cases.exchange_sets import comparing, kept, making, proving
from cases.models import ExchangeSet, ExchangeSetRerun
from cases.vocabulary import CustodyAction
from detection import retention
from detection.telemetry import exchange_rows
from people.models import User
from spine import jobs, log, vault
from spine.canonical import canonical_json, timestamp
from spine.errors import Refused
from spine.models import Job

RERUN = "exchange_set.rerun"
LONGEST_ID = 500


@transaction.atomic
def request_rerun(held: ExchangeSet, *, actor: User) -> Job:
    """Ask the set's question again; a job compares. Side effects: a job, one at a time for a set."""
    base.require(actor, "cases.write")
    args = {"set": str(held.id)}
    return jobs.enqueue(RERUN, actor=actor.principal, key=str(held.id), args=args, scope=held.case_id)


def rerun(job: jobs.Running) -> dict[str, Any]:
    """Carry out `request_rerun`. A closed case can be asked again too: its evidence still expires.

    Side effects: the difference report in the vault; a row; the custody event analysed; one log entry. Raises Refused
    when what the set keeps in the vault is damaged.
    """
    done = ExchangeSetRerun.objects.filter(job_id=job.id).select_related("exchange_set__item").first()
    if done is not None:
        return _rerun_result(done)
    actor, _ = again(job)
    held = ExchangeSet.objects.select_related("item__case", "source").get(pk=job.args["set"])
    now = timezone.now()
    days = retention.days_kept(held.source)
    before = None if days is None else round((now - timedelta(days=days)).timestamp() * 1_000_000)
    difference, tally = comparing.Difference(before), making.Tally()
    try:
        if not vault.check(held.leaves_sha256):
            raise vault.Missing("the set's leaves in the vault are not the ones it was made with")
        with kept.opened(held.leaves_sha256, held.row_count) as leaves:
            asked = making.batches(proving.question_of(held), job.progress)
            for _batch in comparing.compare(leaves.blocks(), tally.through(asked), difference):
                pass
    except vault.Missing as missing:
        raise Refused(f"The set cannot be compared: {missing}.") from None
    return _rerun_result(_store_rerun(job, actor, held, tally, difference, days, now))


@transaction.atomic
def _store_rerun(
    job: jobs.Running,
    actor: User,
    held: ExchangeSet,
    tally: making.Tally,
    found: comparing.Difference,
    days: int | None,
    now: datetime,
) -> ExchangeSetRerun:
    job.confirm()
    counts = {name: getattr(found, name) for name in ("missing", "expired", "added", "changed")}
    report = {
        "v": 1,
        "format": "retort-exchange-set-difference",
        "set": held.item.sha256,
        "at": timestamp(now),
        "before": {"count": held.row_count, "root": held.root},
        "now": {"count": tally.tree.size, "root": tally.root},
        **counts,
        "kept": found.kept,
        "examples": found.examples,
    }
    made = ExchangeSetRerun(
        exchange_set=held,
        job_id=job.id,
        asked_by=actor,
        at=now,
        row_count=tally.tree.size,
        root=tally.root,
        **counts,
        retention_days=days,
        report_sha256=vault.put_bytes(canonical_json(report)).sha256,
    )
    how = f"asked the source again: {_in_words(made)}; Merkle root {made.root}"
    event = note(
        held.item,
        action=CustodyAction.ANALYSED,
        actor=actor,
        why=f"whether the source still has {held.item.exhibit}",
        where=f"telemetry source {held.source.name}",
        how=how,
    )
    data = {"ref": held.item.case.ref, "number": held.item.number, "root": made.root, "rows": made.row_count, **counts}
    data["said"] = _in_words(made)
    log.record(
        actor=actor.principal,
        action="exchange_set.compared",
        about=held.item,
        scope=held.case_id,
        data=data,
        rows=[made, event],
    )
    return made


@transaction.atomic
def prove_exchange(
    held: ExchangeSet, *, actor: User, request_id: str, columns: Sequence[str] = (), purpose: str = ""
) -> bytes:
    """The proof file for one exchange of a set; `columns` are opened in it, the others stay commitments.

    Side effects: the custody event exported; one log entry. Raises Refused for an unknown column, for a request id the
    set does not have, and while no checkpoint covers the set.
    """
    base.require(actor, "cases.read", *(["cases.write"] if columns else []))
    request_id = base.clean(request_id, field="request_id", label="The request id", limit=LONGEST_ID)
    purpose = base.clean(purpose, field="purpose", label="The purpose", limit=300, required=False)
    for column in columns:
        base.one_of(column, exchange_rows.COMMITTED, field="columns", label="The column")
    content = proving.proof(held, proving.row_named(held, request_id), columns)
    record_proof(held, actor=actor, content=content, columns=columns, purpose=purpose)
    return content


@transaction.atomic
def record_proof(
    held: ExchangeSet, *, actor: User, content: bytes, columns: Sequence[str] = (), purpose: str = ""
) -> None:
    """Note that a proof was given out. Side effects: the custody event exported; one log entry."""
    index = json.loads(content)["row"]["index"]
    opened = f", with {', '.join(sorted(columns))} opened" if columns else ""
    event = note(
        held.item,
        action=CustodyAction.EXPORTED,
        actor=actor,
        why=purpose or f"work on {held.item.case.ref}",
        how=f"proof that the exchange at index {index:,} belongs to the set{opened}",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    data = {"ref": held.item.case.ref, "number": held.item.number, "index": index, "opened": sorted(columns)}
    log.record(
        actor=actor.principal,
        action="exchange_set.proved",
        about=held.item,
        scope=held.case_id,
        data=data,
        rows=[event],
    )


def _in_words(made: ExchangeSetRerun) -> str:
    if not (made.missing or made.added or made.changed):
        return f"the same {made.row_count:,} rows"
    parts = [f"{made.missing:,} missing ({made.expired:,} of them older than the source keeps)"] if made.missing else []
    parts += [f"{made.added:,} added"] if made.added else []
    return ", ".join([*parts, *([f"{made.changed:,} changed"] if made.changed else [])])


def _rerun_result(made: ExchangeSetRerun) -> dict[str, Any]:
    return {"exhibit": made.exchange_set.item.number, "rerun": str(made.id), "said": _in_words(made)}
