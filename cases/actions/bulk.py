"""Verbs on the verdicts of all accounts that match a filter: asked here, carried out by a job, undone by another.

What is asked is pinned by a digest over the matching accounts and their verdicts. The job does exactly that or nothing.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from cases.actions import base, verdicts
from cases.filters import AccountFilter, matching
from cases.models import Case, CaseAccount, Verdict
from people.models import User
from spine import jobs, log
from spine.errors import Conflict, Refused
from spine.models import Job, JobState, LogEntry

KIND = "verdicts.set"


@dataclass(frozen=True)
class Match:
    """How many accounts a decision would change, and the digest of which they are and what verdict each has."""

    count: int
    digest: str


def count_matching(case: Case, wanted: AccountFilter, value: str = "") -> int:
    """How many accounts match and have another verdict than `value`: the exact number a decision would change."""
    return _to_change(case, wanted, value).count()


@transaction.atomic
def set_verdicts_matching(
    case: Case, wanted: AccountFilter, *, actor: User, value: str, reason: str, expected_count: int
) -> Job:
    """Ask for one verdict on every account that matches and has another; `expected_count` is what the page showed.

    Side effects: a job, which writes the verdicts and the log entry. Raises Conflict when another number matches now,
    Refused when none does. The same question twice, while the first waits or runs, is the same job.
    """
    base.require(actor, "cases.write")
    value, reason = verdicts.checked(value, reason)
    row = base.locked_case(case)
    found = _fingerprint(_to_change(row, wanted, value))
    if found.count != expected_count:
        raise Conflict(f"{found.count:,} accounts match now, not {expected_count:,}. Look again before you decide.")
    if not found.count:
        raise Refused("No account matches that does not have this verdict already.")
    args = {"filter": wanted.as_args(), "value": value, "reason": reason, "count": found.count, "digest": found.digest}
    return _enqueue(row, actor, args)


@transaction.atomic
def undo_verdicts(job: Job, *, actor: User, reason: str = "") -> Job:
    """Ask to take back a decision by filter: each account that still has its verdict gets the earlier one again.

    Side effects: a job, which writes new verdicts and the log entry; nothing is removed. Raises Refused when the job
    wrote no verdicts, Conflict when none of them stands any more.
    """
    base.require(actor, "cases.write")
    if job.kind != KIND or job.state != JobState.DONE or job.scope is None:
        raise Refused("Only a finished decision about several accounts can be taken back.")
    reason = base.clean(reason, field="reason", label="The reason", limit=1000, required=False)
    row = base.locked_case(Case.objects.get(pk=job.scope))
    found = _fingerprint(_still_standing(row, job.id))
    if not found.count:
        undone = LogEntry.objects.filter(scope=row.id, action="verdicts.undone", data__undoes=str(job.id)).first()
        raise base.lost("None of its verdicts stands any more", undone)
    args = {"undoes": str(job.id), "reason": reason, "count": found.count, "digest": found.digest}
    return _enqueue(row, actor, args)


def carry_out(job: jobs.Running) -> dict[str, Any]:
    """Do what a job of this kind asks, once, in one transaction.

    Side effects: a verdict for each account; the index of newest verdicts; one log entry about the job. Raises Refused
    when the accounts or their verdicts are no longer those that were asked about; nothing is written then.
    """
    actor = User.objects.get(username=base.name_of(job.actor))
    base.require(actor, "cases.write")
    total = int(job.args["count"])
    job.progress(0, total, "writing the verdicts")
    with transaction.atomic():
        case = Case.objects.select_for_update(no_key=True).get(pk=str(job.scope))
        row = Job.objects.get(pk=job.id)
        entry = base.last_act(row, scope=case.id) or _write(base.locked_case(case), row, actor)
        job.confirm()
    job.progress(total, total, "done")
    return {"accounts": entry.row_count, "entry": str(entry.id), "case": entry.data["ref"]}


def _write(case: Case, job: Job, actor: User) -> LogEntry:
    args = job.args
    undoes = UUID(args["undoes"]) if "undoes" in args else None
    chosen = _still_standing(case, undoes) if undoes else _asked(case, args)
    found = _fingerprint(chosen)
    if found.digest != args["digest"]:
        raise Refused(
            f"Verdicts changed since this was asked: {args['count']:,} accounts matched then, {found.count:,} now. "
            "Nothing was changed. Look again and repeat it."
        )
    rows = [_decided(held, actor, args, job.id) for held in chosen.iterator(chunk_size=5000)]
    told = {"ref": case.ref, "accounts": len(rows), "job": str(job.id), "reason_given": args["reason"]}
    write = partial(log.record, actor=actor.principal, about=job, scope=case.id, rows=rows)
    if undoes:
        entry = write(action="verdicts.undone", data={**told, "undoes": str(undoes)})
    else:
        entry = write(action="verdicts.set", data={**told, "new": args["value"], "filter": args["filter"]})
    verdicts.point_at_newest(case, entry)
    base.touch(case)
    return entry


def _decided(held: CaseAccount, actor: User, args: dict[str, Any], job_id: UUID) -> Verdict:
    if "undoes" not in args:
        return verdicts.fresh(held, actor=actor, value=args["value"], reason=args["reason"], job_id=job_id)
    earlier = held.verdict.supersedes if held.verdict is not None else None
    reason = f"took back the decision about several accounts. {args['reason']}".strip()
    value = earlier.value if earlier is not None else ""
    return verdicts.fresh(held, actor=actor, value=value, reason=reason, job_id=job_id)


def _enqueue(case: Case, actor: User, args: dict[str, Any]) -> Job:
    digest = hashlib.sha256(json.dumps(args, sort_keys=True).encode()).hexdigest()
    return jobs.enqueue(KIND, actor=actor.principal, key=f"{case.id}:{digest}", args=args, scope=case.id)


def _asked(case: Case, args: dict[str, Any]) -> QuerySet[CaseAccount]:
    return _to_change(case, AccountFilter.of(args["filter"]), args["value"])


def _to_change(case: Case, wanted: AccountFilter, value: str) -> QuerySet[CaseAccount]:
    found = matching(case, wanted).order_by("account_id")
    return found.exclude(value=value) if value else found


def _still_standing(case: Case, job_id: UUID) -> QuerySet[CaseAccount]:
    standing = CaseAccount.objects.filter(case=case, verdict__job_id=job_id)
    return standing.select_related("verdict__supersedes").order_by("account_id")


def _fingerprint(chosen: QuerySet[CaseAccount]) -> Match:
    """Count and digest of the accounts with their newest verdicts, in account order."""
    digest, count = hashlib.sha256(), 0
    for account, verdict in chosen.values_list("account_id", "verdict_id").iterator(chunk_size=10000):
        digest.update(f"{account} {verdict}\n".encode())
        count += 1
    return Match(count, digest.hexdigest())
