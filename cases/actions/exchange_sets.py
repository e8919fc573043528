"""Verbs that make an exchange set: asked for here, made by a job in one pass, written in one transaction."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from cases.actions import base
from cases.actions.custody import note
from cases.exchange_sets import making
from cases.filters import AccountFilter, matching
from cases.kinds import EvidenceKind
from cases.models import Case, CustodyEvent, EvidenceItem, ExchangeSet
from cases.vocabulary import CustodyAction
from detection import retention
from detection.models import Account, TelemetrySource
from detection.records import Window
from detection.telemetry import exchange_rows
from people.models import User
from spine import jobs, log, vault
from spine.canonical import timestamp
from spine.errors import Refused
from spine.ids import new_id
from spine.models import Job

MAKE = "exchange_set.make"
MEDIA_TYPE = "application/json"
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Choice:
    """Which accounts of a case: those a filter lets through, or those listed by pseudonym."""

    wanted: AccountFilter = field(default_factory=AccountFilter)
    listed: tuple[str, ...] = ()


@transaction.atomic
def request_set(
    case: Case,
    *,
    actor: User,
    source: TelemetrySource,
    start: datetime,
    end: datetime,
    choice: Choice,
    title: str = "",
    authority: str = "",
) -> Job:
    """Ask for a set over these accounts' exchanges in a source from `start` up to `end`; a job makes it.

    Side effects: the list of accounts in the vault, a job. The accounts are those of this moment. The same question
    again while it waits or runs is the same job. Raises Refused for a window out of order or without files, for a
    choice that no account of the source meets, and for pseudonyms that the case does not have.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(case)
    title = base.clean(title, field="title", label="The title", limit=200, required=False)
    authority = base.clean(authority, field="authority", label="The authority", limit=300, required=False)
    _check_window(start, end)
    _check_files(source, Window(start, end))
    accounts, chosen = _chosen(row, source, choice)
    args = {
        "source": str(source.id),
        "start": timestamp(start),
        "end": timestamp(end),
        "accounts": making.accounts_blob(accounts).sha256,
        "chosen": chosen,
        "title": title,
        "authority": authority,
    }
    digest = hashlib.sha256(json.dumps(args, sort_keys=True).encode()).hexdigest()
    return jobs.enqueue(MAKE, actor=actor.principal, key=f"{row.id}:{digest}", args=args, scope=row.id)


def make(job: jobs.Running) -> dict[str, Any]:
    """Carry out `request_set`: one pass over the source, then everything in one transaction.

    Side effects: leaves, nodes and statement in the vault; the exhibit with its custody events hashed and received; the
    set's row; one log entry. Raises Refused when the case was closed meanwhile.
    """
    done = ExchangeSet.objects.filter(job_id=job.id).select_related("item").first()
    if done is not None:
        return _result(done)
    actor, case = again(job)
    source = TelemetrySource.objects.get(pk=job.args["source"])
    window = Window(datetime.fromisoformat(job.args["start"]), datetime.fromisoformat(job.args["end"]))
    accounts = making.accounts_of(job.args["accounts"])
    key = os.urandom(exchange_rows.KEY_BYTES)
    question = making.ask(source, window, {account.provider_id: "" for account in accounts}, key)
    found = making.take(question, job.progress)
    if not found.tally.tree.size:
        raise Refused("The source has no exchange of these accounts in the window.")
    made = _Making(job, actor, case, question, found)
    return _result(made.store())


@dataclass(frozen=True)
class _Making:
    """What a pass found, to be written down."""

    job: jobs.Running
    actor: User
    case: Case
    question: making.Question
    found: making.Found

    @transaction.atomic
    def store(self) -> ExchangeSet:
        """Write statement, exhibit, custody, set and log entry."""
        self.job.confirm()
        case = base.locked_case(self.case)
        now, set_id = timezone.now(), new_id()
        stated = making.statement(
            set_id=set_id,
            ref=case.ref,
            question=self.question,
            found=self.found,
            chosen=self.job.args["chosen"],
            expire_at=_expires(self.question.source, _at(self.found.tally.first)),
            made_at=now,
            made_by=self.actor.principal,
        )
        item = self._item(case, vault.put_bytes(stated), now)
        held = self._set(set_id, item, now)
        rows = [item, *self._events(item), held]
        data = {
            "ref": case.ref,
            "number": item.number,
            "sha256": item.sha256,
            "rows": held.row_count,
            "root": held.root,
            "source": held.source.name,
            "accounts": held.account_count,
            "job": str(self.job.id),
        }
        log.record(
            actor=self.actor.principal, action="exchange_set.made", about=item, scope=case.id, data=data, rows=rows
        )
        base.touch(case)
        return held

    def _item(self, case: Case, blob: vault.Blob, now: datetime) -> EvidenceItem:
        number = (case.evidence.aggregate(last=Max("number"))["last"] or 0) + 1
        window, source = self.question.selection.window, self.question.source
        count = self.found.tally.tree.size
        title = f"{count:,} exchanges of {len(self.question.selection.accounts):,} accounts in {source.name}"
        return EvidenceItem(
            case=case,
            number=number,
            kind=EvidenceKind.EXCHANGE_SET.value,
            title=self.job.args["title"] or title,
            source=f"telemetry source {source.name}, {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC",
            file_name=f"exchange-set-{number:03d}.json",
            media_type=MEDIA_TYPE,
            size=blob.size,
            sha256=blob.sha256,
            acquired_at=now,
            added_by=self.actor,
            added_at=now,
        )

    def _events(self, item: EvidenceItem) -> list[CustodyEvent]:
        why = self.job.args["authority"] or f"evidence in {item.case.ref}"
        source = f"telemetry source {self.question.source.name}"
        how = (
            f"{self.found.tally.tree.size:,} rows read where they lie and hashed in one pass; "
            f"Merkle root {self.found.tally.root}"
        )
        hashed = note(item, action=CustodyAction.HASHED, actor=self.actor, why=why, where=source, how=how)
        stored = "the statement of query, count and root was stored; the rows stayed at the source"
        return [hashed, note(item, action=CustodyAction.RECEIVED, actor=self.actor, why=why, how=stored)]

    def _set(self, set_id: UUID, item: EvidenceItem, now: datetime) -> ExchangeSet:
        tally, selection = self.found.tally, self.question.selection
        return ExchangeSet(
            id=set_id,
            item=item,
            case=item.case,
            source=self.question.source,
            job_id=self.job.id,
            key=selection.key,
            window_start=selection.window.start,
            window_end=selection.window.end,
            chosen=self.job.args["chosen"],
            account_count=len(selection.accounts),
            accounts_sha256=self.job.args["accounts"],
            row_count=tally.tree.size,
            root=tally.root,
            first_ts=_at(tally.first),
            last_ts=_at(tally.last),
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            leaves_sha256=self.found.leaves.sha256,
            nodes_sha256=self.found.nodes.sha256,
            made_at=now,
        )


def _check_window(start: datetime, end: datetime) -> None:
    if start.tzinfo is None or end.tzinfo is None:
        raise Refused("A window's times need a time zone.", field="start")
    if end <= start:
        raise Refused("The window ends before it begins.", field="end")
    if start > timezone.now():
        raise Refused("The window lies in the future.", field="start")


def _expires(source: TelemetrySource, first: datetime | None) -> datetime | None:
    """When the set's oldest row goes at the source; None where no limit is known."""
    days = retention.days_kept(source)
    return None if days is None or first is None else first + timedelta(days=days)


def _check_files(source: TelemetrySource, window: Window) -> None:
    if not making.files_of(source, window).exists():
        raise Refused(f"Nothing was read into {source.name} that lies in this window.", field="source")


def _chosen(case: Case, source: TelemetrySource, choice: Choice) -> tuple[list[Account], str]:
    """The accounts of the case that are meant and can be in this source, and the choice in words."""
    listed = sorted({base.clean(one, field="listed", label="A pseudonym", limit=40) for one in choice.listed})
    if len(listed) > MOST_LISTED:
        raise Refused(f"At most {MOST_LISTED:,} accounts can be listed: choose by verdict or cluster.", field="listed")
    held = matching(case, choice.wanted)
    if listed:
        held = held.filter(account__pseudonym__in=listed)
    accounts = [one.account for one in held.select_related("account").filter(account__namespace=source.namespace)]
    if listed:
        unknown = set(listed) - {account.pseudonym for account in accounts}
        if unknown:
            raise Refused(f"The case has no account {min(unknown)} in this source's namespace.", field="listed")
    if not accounts:
        raise Refused("No account of the case is meant by this choice and can be in this source.", field="source")
    words = choice.wanted.in_words()
    return accounts, f"{len(listed)} accounts by name" if listed else words[:300]


def again(job: jobs.Running) -> tuple[User, Case]:
    """Who asked and for which case, asked for their right again."""
    actor = User.objects.get(username=base.name_of(job.actor))
    base.require(actor, "cases.write")
    return actor, Case.objects.get(pk=job.scope)  # type: ignore[misc]


def _at(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _result(held: ExchangeSet) -> dict[str, Any]:
    return {"exhibit": held.item.number, "rows": held.row_count, "root": held.root}
