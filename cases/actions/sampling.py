"""Verbs on samples of an exchange set: draw one by a plan, read a drawn exchange, say what it is."""

import hashlib
import json
from collections import defaultdict
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from cases import history
from cases.actions import base, custody
from cases.actions.exchange_sets import again
from cases.exchange_sets import kept, making, proving, sampling
from cases.models import CaseAccount, ExchangeSet, SampledExchange, SampleResult, SamplingPlan
from cases.models.exchange_sets import StratumKind
from cases.vocabulary import CustodyAction, VerdictValue
from detection.models import FindingAccount
from detection.telemetry import exchange_rows, exchange_set
from detection.telemetry.writer import moment
from people.models import User
from spine import jobs, log, vault
from spine.errors import Conflict, Refused
from spine.models import Job

DRAW = "exchange_set.sample"
LEVELS = (90, 95, 99)
MOST_PER_STRATUM = 1_000
NO_VERDICT, NO_SIGNAL, WITHDRAWN = "no verdict", "no signal", "no longer in the case"


@transaction.atomic
def request_sample(
    held: ExchangeSet,
    *,
    actor: User,
    question: str,
    seed: str,
    per_stratum: int,
    strata_by: str = "",
    confidence_level: int = 95,
) -> Job:
    """Ask for a sample by this plan; a job draws it.

    Side effects: a job; the same plan while it waits or runs is the same job. Raises Refused for what no plan can have.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(held.case)
    question = base.clean(question, field="question", label="The question", limit=300)
    seed = base.clean(seed, field="seed", label="The seed", limit=60)
    base.one_of(strata_by, StratumKind.values, field="strata_by", label="Strata by")
    if not 1 <= per_stratum <= MOST_PER_STRATUM:
        raise Refused(f"From 1 to {MOST_PER_STRATUM:,} rows are drawn from a stratum.", field="per_stratum")
    if confidence_level not in LEVELS:
        raise Refused("The level is 90, 95 or 99 percent.", field="confidence_level")
    args = {
        "set": str(held.id),
        "question": question,
        "seed": seed,
        "per_stratum": per_stratum,
        "strata_by": strata_by,
        "confidence_level": confidence_level,
    }
    digest = hashlib.sha256(json.dumps(args, sort_keys=True).encode()).hexdigest()
    return jobs.enqueue(DRAW, actor=actor.principal, key=digest, args=args, scope=row.id)


def draw(job: jobs.Running) -> dict[str, Any]:
    """Carry out `request_sample`: pass over the set's rows, which must be those it was made of, and keep those drawn.

    Side effects: the plan in the vault; the plan's row and one for each drawn exchange; one log entry. Raises Refused
    when the source has other rows now, or the plan draws more than people can review.
    """
    done = SamplingPlan.objects.filter(job_id=job.id).select_related("exchange_set__item").first()
    if done is not None:
        return _result(done)
    actor, _ = again(job)
    held = ExchangeSet.objects.select_related("item__case", "source", "case").get(pk=job.args["set"])
    by = job.args["strata_by"]
    asked = proving.question_of(held, _labels(held, by))
    drawing, tally = sampling.Draw(job.args["seed"], job.args["per_stratum"]), making.Tally()
    kind = by if by in exchange_set.STRATA else "account"
    try:
        rows = making.batches(asked, job.progress, strata=kind, total=held.row_count)
        for batch in tally.through(rows):
            drawing.add(batch.strata.to_pylist(), batch.request_ids.to_pylist())
        picked = drawing.drawn()
    except sampling.TooMuch as more:
        raise Refused(f"The plan would draw {more}: draw fewer from each, or divide by something coarser.") from None
    if tally.root != held.root:
        raise Refused("The source has other rows now than the set was made of: ask the set again to see which.")
    found = _rows_of(held, asked, picked)
    plan = sampling.plan_bytes(
        statement_sha256=held.item.sha256,
        root=held.root,
        seed=job.args["seed"],
        by=by,
        per_stratum=job.args["per_stratum"],
        level=job.args["confidence_level"],
        draw=drawing,
    )
    return _result(_store(job, actor, held, drawing, found, vault.put_bytes(plan).sha256))


@transaction.atomic
def _store(
    job: jobs.Running,
    actor: User,
    held: ExchangeSet,
    drawing: sampling.Draw,
    rows: list[SampledExchange],
    plan_sha256: str,
) -> SamplingPlan:
    job.confirm()
    base.locked_case(held.case)
    args = job.args
    plan = SamplingPlan(
        exchange_set=held,
        number=(held.plans.aggregate(last=Max("number"))["last"] or 0) + 1,
        job_id=job.id,
        question=args["question"],
        seed=args["seed"],
        strata_by=args["strata_by"],
        strata=drawing.strata(),
        per_stratum=args["per_stratum"],
        confidence_level=args["confidence_level"],
        plan_sha256=plan_sha256,
        planned_by=actor,
    )
    for row in rows:
        row.plan = plan
    data = {
        "ref": held.case.ref,
        "number": held.item.number,
        "plan": plan.number,
        "seed": plan.seed,
        "strata": plan.strata_by,
        "sampled": len(rows),
        "rows": held.row_count,
        "sha256": plan_sha256,
    }
    event = custody.note(
        held.item,
        action=CustodyAction.ANALYSED,
        actor=actor,
        why=plan.question,
        how=f"drew {len(rows):,} of {held.row_count:,} exchanges by plan {plan.number}, by the seed “{plan.seed}”",
    )
    log.record(
        actor=actor.principal,
        action="sampling.planned",
        about=held.item,
        scope=held.case_id,
        data=data,
        rows=[plan, *rows, event],
    )
    return plan


@transaction.atomic
def judge_sampled(
    sampled: SampledExchange, *, actor: User, value: str, note: str = "", supersedes: SampleResult | None = None
) -> SampleResult:
    """Say what a drawn exchange is, or correct what one said; `supersedes` is the own result the page showed, if any.

    Each reviewer has a result of their own. Side effects: the result; one log entry. Raises Conflict when one's own
    result is another by now.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(sampled.plan.exchange_set.case)
    base.one_of(value, VerdictValue.values, field="value", label="The result")
    words = base.clean(note, field="note", label="The note", limit=500, required=False)
    standing = sampled.results.filter(reviewer=actor, superseded_by=None).first()
    if (standing and standing.pk) != (supersedes and supersedes.pk):
        now = standing.get_value_display() if standing else "nothing"
        raise Conflict(f"Your result on this exchange is {now} now. Look again before you decide.")
    made = SampleResult(sampled=sampled, reviewer=actor, value=value, note=words, supersedes=standing)
    data = {**_told(sampled), "value": value, "old": standing.value if standing else ""}
    log.record(
        actor=actor.principal, action="sampling.judged", about=sampled.plan, scope=row.id, data=data, rows=[made]
    )
    return made


@transaction.atomic
def read_sampled(sampled: SampledExchange, *, actor: User) -> dict[str, Any]:
    """A drawn exchange with its content, as the source has it now; for somebody who reviews it.

    Side effects, before anything is given: the custody event viewed; one log entry. Raises Refused when the source has
    it no longer, or otherwise than when the set was made.
    """
    base.require(actor, "cases.write")
    held = sampled.plan.exchange_set
    asked = proving.question_of(held)
    with making.reading():
        there = exchange_set.rows_of(asked.parts, asked.selection, [sampled.request_id])
    same = (
        row
        for row in there
        if exchange_rows.leaf_hash(exchange_rows.canonical_row(row, bytes(held.key))).hex() == sampled.leaf_sha256
    )
    row = next(same, None)
    if row is None:
        raise Refused("The source no longer has this exchange as it was: ask the set again to see what is gone.")
    event = custody.note(
        held.item,
        action=CustodyAction.VIEWED,
        actor=actor,
        why=f"review of plan {sampled.plan.number}",
        where=f"telemetry source {held.source.name}",
        how=f"content of the exchange at index {sampled.index:,} shown",
        sha256=sampled.leaf_sha256,
    )
    log.record(
        actor=actor.principal,
        action="sampling.read",
        about=sampled.plan,
        scope=held.case_id,
        data=_told(sampled),
        rows=[event],
    )
    return row


def _told(sampled: SampledExchange) -> dict[str, Any]:
    plan = sampled.plan
    item = plan.exchange_set.item
    return {"ref": item.case.ref, "number": item.number, "plan": plan.number, "ordinal": sampled.ordinal}


def _rows_of(held: ExchangeSet, asked: making.Question, picked: list[sampling.Drawn]) -> list[SampledExchange]:
    """The drawn rows in canonical form. Raises Refused when one is no longer there."""
    accounts = {account.provider_id: account for account in making.accounts_of(held.accounts_sha256)}
    by_leaf: dict[bytes, exchange_set.CanonicalRow] = {}
    with making.reading():
        for row in exchange_set.canonical_rows_of(asked.parts, asked.selection, [one.request_id for one in picked]):
            by_leaf[exchange_rows.leaf_hash(row.canonical)] = row
    found = []
    with kept.opened(held.leaves_sha256, held.row_count) as leaves:
        for ordinal, one in enumerate(picked, 1):
            leaf = leaves.hashes(one.index, one.index + 1)
            drawn = by_leaf.get(leaf)
            if drawn is None:
                raise Refused("The source changed while the sample was drawn: start it again.")
            found.append(
                SampledExchange(
                    ordinal=ordinal,
                    stratum=one.stratum[:120],
                    index=one.index,
                    ts=moment(drawn.ts),
                    leaf_sha256=leaf.hex(),
                    account=accounts[drawn.account_id],
                    request_id=drawn.request_id,
                    canonical=drawn.canonical.decode(),
                )
            )
    return found


def _labels(held: ExchangeSet, by: str) -> dict[str, str]:
    """The stratum of each account by the provider's id, for strata that go by account."""
    if by in {"", "day", "model"}:
        return {}
    accounts = {account.id: account for account in making.accounts_of(held.accounts_sha256)}
    if by == StratumKind.ACCOUNT:
        return {account.provider_id: account.pseudonym for account in accounts.values()}
    if by == StratumKind.VERDICT:
        values = dict(CaseAccount.objects.filter(case=held.case_id).values_list("account_id", "value"))
        return {one.provider_id: values.get(pk, WITHDRAWN) or NO_VERDICT for pk, one in accounts.items()}
    signals: dict[UUID, set[str]] = defaultdict(set)
    stated = history.findings_at(held.case).order_by().values("id")
    pairs = FindingAccount.objects.filter(finding__in=stated).values_list("account_id", "finding__signal")
    for account_id, signal in pairs.iterator(chunk_size=10_000):
        signals[account_id].add(signal)
    return {one.provider_id: " + ".join(sorted(signals[pk])) or NO_SIGNAL for pk, one in accounts.items()}


def _result(plan: SamplingPlan) -> dict[str, Any]:
    return {"exhibit": plan.exchange_set.item.number, "plan": plan.number}
