"""Verbs on preservation: ask a log owner to keep what expires, write down the answer, explain why nothing was asked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from cases import preservation
from cases.actions import base
from cases.models import Case, PreservationAbsence, PreservationAnswer, PreservationRequest
from detection.models import DataClass, SourceRetention, TelemetrySource
from people.models import User
from spine import log
from spine.canonical import timestamp
from spine.errors import Conflict, Refused

CLOCKS_APART = timedelta(minutes=5)


@transaction.atomic
def request_preservation(
    case: Case,
    *,
    actor: User,
    source: TelemetrySource,
    data_classes: Sequence[str],
    scope: str,
    custodian: str,
    authority: str,
    contact: str = "",
    window_start: datetime | None = None,
    window_end: datetime | None = None,
) -> list[PreservationRequest]:
    """Ask the log owner of a source to keep kinds of data over a window, by default the case's own there.

    Side effects: one row for each kind, with what was already gone when it was asked; one log entry. Raises Refused
    for a source the case's accounts do not come from, Conflict when the same is asked and unanswered.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(case)
    start, end = _window(row, source, window_start, window_end)
    _check_classes(data_classes)
    words = {
        "scope": base.clean(scope, field="scope", label="What is to be kept", limit=4000),
        "custodian": base.clean(custodian, field="custodian", label="The log owner", limit=200),
        "contact": base.clean(contact, field="contact", label="The contact", limit=300, required=False),
        "authority": base.clean(authority, field="authority", label="The authority", limit=300),
    }
    _refuse_repeat(row, source, data_classes, start, end)
    rows = _requests(row, source, data_classes, start, end, actor, words)
    gone = max((one.gone_before for one in rows if one.gone_before), default=None)
    data = {
        "ref": row.ref,
        "source": source.name,
        "what": ", ".join(DataClass(one.data_class).label for one in rows),
        "window": [timestamp(start), timestamp(end)],
        "gone_before": timestamp(gone) if gone else None,
    }
    log.record(actor=actor.principal, action="preservation.requested", about=row, scope=row.id, data=data, rows=rows)
    base.touch(row)
    return rows


def _window(
    case: Case, source: TelemetrySource, start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    """What is asked for: by default the window of the case at this source. Raises Refused where it has none there."""
    span = preservation.windows([case]).get(case.pk, {}).get(source.pk)
    if span is None:
        raise Refused(f"No account of {case.ref} comes from {source.name}.", field="source")
    start, end = start or span.start, end or span.end
    if end <= start:
        raise Refused("The window ends before it begins.", field="window_end")
    return start, end


def _check_classes(data_classes: Sequence[str]) -> None:
    if not data_classes:
        raise Refused("Say which data is to be kept.", field="data_classes")
    for one in data_classes:
        base.one_of(one, DataClass.values, field="data_classes", label="The data")


def _requests(
    case: Case,
    source: TelemetrySource,
    data_classes: Sequence[str],
    start: datetime,
    end: datetime,
    actor: User,
    words: dict[str, str],
) -> list[PreservationRequest]:
    """One row for each kind of data, with what was already gone."""
    accounts, now = case.accounts.count(), timezone.now()
    stated = {one.data_class: one for one in SourceRetention.objects.filter(source=source, superseded_by=None)}
    return [
        PreservationRequest(
            case=case,
            source=source,
            data_class=one,
            window_start=start,
            window_end=end,
            account_count=accounts,
            days_kept=stated[one].days if one in stated else None,
            gone_before=_gone(stated.get(one), start, end, now),
            requested_by=actor,
            at=now,
            **words,
        )
        for one in dict.fromkeys(data_classes)
    ]


@transaction.atomic
def answer_preservation(
    request: PreservationRequest,
    *,
    actor: User,
    kind: str,
    answered_by: str,
    answered_at: datetime,
    what: str,
    number: str = "",
    preserved_from: datetime | None = None,
    preserved_to: datetime | None = None,
    keeps_until: datetime | None = None,
    gone: str = "",
    supersedes: UUID | None = None,
) -> PreservationAnswer:
    """Write down what the log owner answered; a receipt covers the requested window unless it says otherwise.

    Side effects: the row; one log entry. `supersedes` is the answer its author saw, None for the first. Raises
    Conflict when another was written down meanwhile, Refused for a receipt without a number.
    """
    base.require(actor, "cases.write")
    row = base.locked_case(request.case)
    base.one_of(kind, PreservationAnswer.Kind.values, field="kind", label="The answer")
    receipt = kind == PreservationAnswer.Kind.RECEIPT
    standing = preservation.newest_answer(PreservationRequest.objects.get(pk=request.pk))
    if (standing.pk if standing else None) != supersedes:
        raise base.lost("The answer is another one now", standing.entry if standing else None)
    if answered_at > timezone.now() + CLOCKS_APART:
        raise Refused("The answer cannot lie in the future.", field="answered_at")
    if keeps_until is not None and keeps_until <= answered_at:
        raise Refused("It is kept until after the answer, or it is not kept.", field="keeps_until")
    start = (preserved_from or request.window_start) if receipt else None
    end = (preserved_to or request.window_end) if receipt else None
    if start is not None and end is not None and end <= start:
        raise Refused("What was preserved ends before it begins.", field="preserved_to")
    answer = PreservationAnswer(
        request=request,
        kind=kind,
        number=base.clean(number, field="number", label="The receipt's number", limit=100, required=receipt),
        answered_by=base.clean(answered_by, field="answered_by", label="Who answered", limit=200),
        answered_at=answered_at,
        what=base.clean(what, field="what", label="What was preserved, or why not,", limit=4000),
        preserved_from=start,
        preserved_to=end,
        keeps_until=keeps_until if receipt else None,
        gone=base.clean(gone, field="gone", label="What was gone", limit=4000, required=False),
        recorded_by=actor,
        supersedes=standing,
    )
    data = {
        "ref": row.ref,
        "source": request.source.name,
        "what": DataClass(request.data_class).label,
        "answer": PreservationAnswer.Kind(kind).label,
        "number": answer.number,
        "keeps_until": timestamp(answer.keeps_until) if answer.keeps_until else None,
    }
    log.record(actor=actor.principal, action="preservation.answered", about=row, scope=row.id, data=data, rows=[answer])
    base.touch(row)
    return answer


@transaction.atomic
def explain_absence(case: Case, *, actor: User, source: TelemetrySource, reason: str) -> PreservationAbsence:
    """Say why nothing is asked of a source. Side effects: the row; one log entry. A repeat of the words is refused."""
    base.require(actor, "cases.write")
    row = base.locked_case(case)
    if source.pk not in preservation.windows([row]).get(row.pk, {}):
        raise Refused(f"No account of {row.ref} comes from {source.name}.", field="source")
    reason = base.clean(reason, field="reason", label="The reason", limit=4000)
    last = row.preservation_absences.filter(source=source).order_by("at", "id").last()
    if last is not None and last.reason == reason:
        raise Conflict(f"That is what {last.explained_by} said of {source.name} already.")
    absence = PreservationAbsence(case=row, source=source, reason=reason, explained_by=actor)
    data = {"ref": row.ref, "source": source.name}
    log.record(
        actor=actor.principal, action="preservation.explained", about=row, scope=row.id, data=data, rows=[absence]
    )
    base.touch(row)
    return absence


def letter(request: PreservationRequest) -> str:
    """The request as text to send to the log owner; it names counts and a window, and no account."""
    lines = [
        f"Request to preserve, {request.case.ref}, {request.at:%d %b %Y}",
        "",
        f"To: {request.custodian}" + (f" ({request.contact})" if request.contact else ""),
        f"Source: {request.source.name}",
        f"Data: {DataClass(request.data_class).label}",
        f"Window (UTC): {timestamp(request.window_start)} to before {timestamp(request.window_end)}",
        f"Accounts: {request.account_count:,}; the list is handed over separately",
        f"Authority: {request.authority}",
        f"Asked by: {request.requested_by}",
        "",
        request.scope,
        "",
        "Please keep it unchanged, and answer with a receipt: its number, who preserved what and when, until when it",
        "is kept, and which part of the window was already gone.",
    ]
    if request.gone_before:
        lines += ["", f"By our record everything from before {timestamp(request.gone_before)} has expired already."]
    return "\n".join(lines) + "\n"


def _gone(stated: SourceRetention | None, start: datetime, end: datetime, now: datetime) -> datetime | None:
    """The end of the part of the window that has expired; None when nothing has, or nobody knows."""
    if stated is None or stated.days is None:
        return None
    edge = now - timedelta(days=stated.days)
    return min(edge, end) if edge > start else None


def _refuse_repeat(
    case: Case, source: TelemetrySource, data_classes: Sequence[str], start: datetime, end: datetime
) -> None:
    same = case.preservation_requests.filter(source=source, data_class__in=data_classes, answers=None)
    waiting = same.filter(window_start=start, window_end=end).select_related("requested_by").first()
    if waiting is not None:
        what = DataClass(waiting.data_class).label
        raise Conflict(f"{waiting.requested_by} asked {source.name} to keep these {what} on {waiting.at:%d %b %Y}.")
