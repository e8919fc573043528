"""Verbs on a case's own fields: edit, assign, move."""

from collections.abc import Callable, Mapping

from django.db import transaction
from django.utils import timezone

from cases import access, language, lifecycle
from cases.actions import base
from cases.actions.leads import check_assignee
from cases.models import Case
from cases.vocabulary import Marking
from people.models import User
from spine import log
from spine.errors import Refused
from spine.models import LogEntry


def _title(value: str) -> str:
    text = base.clean(value, field="title", label="The title", limit=200)
    language.check(text, field="title", ladder=False)
    return text


def _summary(value: str) -> str:
    text = base.clean(value, field="summary", label="The summary", limit=4000, required=False)
    language.check(text, field="summary")
    return text


def _marking(value: str) -> str:
    return base.one_of(value, Marking.values, field="marking", label="The marking")


EDITABLE: dict[str, Callable[[str], str]] = {"title": _title, "summary": _summary, "marking": _marking}


@transaction.atomic
def edit_case(case: Case, *, actor: User, changes: Mapping[str, tuple[str, str]]) -> Case:
    """Change title, summary or marking; `changes` holds for each field the value its editor saw and the one wanted.

    Side effects: the fields; one log entry with old and new values. Raises Conflict when a field is no longer what its
    editor saw, Refused when nothing would change.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(case)
    changed: dict[str, list[str]] = {}
    for field, (old, new) in changes.items():
        accepted = EDITABLE[field](new)
        present = getattr(row, field)
        if present != old:
            raise base.lost(f"The {field} of {row.ref} is now: {present}", _last_change(row, field))
        if accepted != present:
            changed[field] = [present, accepted]
            setattr(row, field, accepted)
    if not changed:
        raise Refused("Nothing was changed: the values are what they were.")
    row.updated_at = timezone.now()
    row.save(update_fields=[*changed, "updated_at"])
    data = {"ref": row.ref, "fields": " and ".join(changed), "changes": changed}
    log.record(actor=actor.principal, action="case.edited", about=row, scope=row.id, data=data)
    return row


@transaction.atomic
def assign_case(case: Case, *, actor: User, to: User | None, expected: User | None) -> Case:
    """Give a case to somebody, or to nobody.

    Side effects: the assignee; one log entry. Raises Conflict when it is not `expected` who has it now.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(case)
    check_assignee(to, "cases.write")
    if to is not None and not access.may_know(to, row):
        raise Refused(f"{to.username} is no member of {row.ref}: add them first.", field="assignee")
    if row.assignee_id != (expected.id if expected else None):
        holder = row.assignee.username if row.assignee else "nobody"
        raise base.lost(f"{row.ref} is now assigned to {holder}", _last_change(row, "assignee"))
    if to == expected:
        raise Refused("That is who has it already.", field="assignee")
    old, new = expected.username if expected else "", to.username if to else ""
    row.assignee, row.updated_at = to, timezone.now()
    row.save(update_fields=["assignee", "updated_at"])
    data = {"ref": row.ref, "old": old, "new": new, "changes": {"assignee": [old, new]}}
    log.record(actor=actor.principal, action="case.assigned", about=row, scope=row.id, data=data)
    return row


@transaction.atomic
def move_case(
    case: Case, *, actor: User, to: str, expected_from: str, closing_reason: str = "", note: str = ""
) -> Case:
    """Move a case to another step of `lifecycle.TRANSITIONS`; `expected_from` is the step its mover saw.

    Side effects: status, and closing reason where the case is closed or reopened; one log entry. Raises Conflict when
    somebody moved it before, Refused when there is no such move, or with the list of what escalation still needs.
    """
    row = Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    move = lifecycle.find(expected_from, to)
    base.require(actor, move.right if move else "cases.write")
    if row.status != expected_from:
        raise base.lost(f"{row.ref} is now {row.get_status_display()}", _last_change(row, "status"))
    if move is None:
        raise Refused(f"There is no move from {expected_from} to {to}.", field="to")
    if move.closing_reasons or closing_reason:
        base.one_of(closing_reason, move.closing_reasons, field="closing_reason", label="The reason for closing")
    note = base.clean(note, field="note", label="The note", limit=2000, required=False)
    missing = lifecycle.missing_for_escalation(row) if to == lifecycle.ESCALATED else []
    if missing:
        raise Refused(f"{row.ref} cannot be escalated yet.", missing=[one.text for one in missing])
    changes = {"status": [row.status, to]}
    if closing_reason != row.closing_reason:
        changes["closing_reason"] = [row.closing_reason, closing_reason]
    row.status, row.closing_reason, row.updated_at = to, closing_reason, timezone.now()
    row.save(update_fields=["status", "closing_reason", "updated_at"])
    data = {"ref": row.ref, "old": expected_from, "new": to, "note": note, "changes": changes}
    log.record(actor=actor.principal, action="case.moved", about=row, scope=row.id, data=data)
    return row


def _last_change(case: Case, field: str) -> LogEntry | None:
    return base.last_act(case, data__changes__has_key=field)
