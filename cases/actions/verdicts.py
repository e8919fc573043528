"""Verbs on verdicts: on one account, and on the accounts somebody picked. Decisions by filter are in `bulk`."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import connection, transaction

from cases import language
from cases.actions import base
from cases.models import Case, CaseAccount, Verdict
from cases.vocabulary import VerdictValue
from detection.models import Account
from people.models import User
from spine import log
from spine.errors import Refused
from spine.models import LogEntry

MOST_PICKED = 500


@transaction.atomic
def set_verdict(
    case: Case, account: Account, *, actor: User, value: str, reason: str, expected: UUID | None
) -> Verdict:
    """Decide about one account of a case; `expected` is the verdict its reader saw, None for none.

    Side effects: the verdict, over the expected one; the index of newest verdicts; one log entry. Raises Conflict when
    somebody decided in between, Refused when the account is not in the case.
    """
    base.require(actor, "cases.write")
    value, reason = checked(value, reason)
    row = base.locked_case(case)
    held = CaseAccount.objects.select_related("account", "verdict__entry").filter(case=row, account=account).first()
    if held is None:
        raise Refused(f"{account.pseudonym} is not in {row.ref}.", field="account")
    _unchanged([held], {held.id: expected})
    verdict = fresh(held, actor=actor, value=value, reason=reason)
    data = {"ref": row.ref, "account": account.pseudonym, "old": held.value, "new": value}
    entry = log.record(actor=actor.principal, action="verdict.set", about=held, scope=row.id, data=data, rows=[verdict])
    point_at_newest(row, entry)
    base.touch(row)
    return verdict


@transaction.atomic
def set_verdicts_picked(
    case: Case, picks: Mapping[UUID, UUID | None], *, actor: User, value: str, reason: str
) -> LogEntry:
    """Decide about picked accounts of a page at once; `picks` maps each CaseAccount id to the verdict its reader saw.

    Side effects: a verdict each; the index of newest verdicts; one log entry. All or none: raises Conflict when
    somebody decided about one of them in between.
    """
    base.require(actor, "cases.write")
    value, reason = checked(value, reason)
    if not picks or len(picks) > MOST_PICKED:
        raise Refused(f"Pick between 1 and {MOST_PICKED} accounts, or set all that match.", field="account")
    row = base.locked_case(case)
    held = list(
        CaseAccount.objects.select_related("account", "verdict__entry").filter(case=row, id__in=picks).order_by("id")
    )
    if len(held) != len(picks):
        raise Refused(f"{len(picks) - len(held)} of the picked accounts are not in {row.ref}.", field="account")
    _unchanged(held, picks)
    rows = [fresh(one, actor=actor, value=value, reason=reason) for one in held]
    data = {"ref": row.ref, "accounts": len(rows), "new": value, "reason_given": reason}
    entry = log.record(actor=actor.principal, action="verdicts.set", about=row, scope=row.id, data=data, rows=rows)
    point_at_newest(row, entry)
    base.touch(row)
    return entry


def checked(value: str, reason: str) -> tuple[str, str]:
    """Value and reason as they are stored; raises Refused for an unknown value or a reason that accuses."""
    base.one_of(value, VerdictValue.values, field="value", label="The verdict")
    text = base.clean(reason, field="reason", label="The reason", limit=2000)
    language.check(text, field="reason", ladder=False)
    return value, text


def fresh(held: CaseAccount, *, actor: User, value: str, reason: str, job_id: UUID | None = None) -> Verdict:
    """An unsaved verdict over the account's newest one."""
    return Verdict(
        case_id=held.case_id,
        account_id=held.account_id,
        value=value,
        reason=reason,
        decided_by=actor,
        job_id=job_id,
        supersedes_id=held.verdict_id,
    )


def point_at_newest(case: Case, entry: LogEntry) -> None:
    """Point the index at the verdicts this entry wrote; one statement for any number of accounts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE cases_caseaccount held SET verdict_id = fresh.id, value = fresh.value
            FROM cases_verdict fresh
            WHERE fresh.entry_id = %s AND held.case_id = %s AND held.account_id = fresh.account_id
            """,
            [entry.pk, case.pk],
        )


def _unchanged(held: Iterable[CaseAccount], seen: Mapping[UUID, UUID | None]) -> None:
    for one in held:
        if one.verdict_id != seen[one.id]:
            now = one.get_value_display() or "without a verdict"
            entry = one.verdict.entry if one.verdict is not None else None
            raise base.lost(f"{one.account.pseudonym} is now {now}", entry)
