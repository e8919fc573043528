"""Verbs on manual timeline entries: add or correct one, take one back."""

from datetime import datetime

from django.db import transaction

from cases import language
from cases.actions import base
from cases.models import Case, TimelineNote
from cases.vocabulary import Confidence, Lane
from people.models import User
from spine import log
from spine.errors import Refused
from spine.ids import new_id


@transaction.atomic
def add_timeline_note(
    case: Case,
    *,
    actor: User,
    lane: str,
    starts_at: datetime,
    ends_at: datetime | None = None,
    text: str,
    source: str,
    confidence: str,
    supersedes: TimelineNote | None = None,
) -> TimelineNote:
    """Add an entry to the timeline: an instant, or a span when it ends; or correct the one it supersedes.

    Side effects: the entry; one log entry. Raises Conflict when the same entry is there already, or the one to correct
    was corrected or taken back before.
    """
    base.require(actor, "cases.write")
    note = TimelineNote(
        lane=base.one_of(lane, Lane.values, field="lane", label="The lane"),
        starts_at=_aware(starts_at, "starts_at"),
        ends_at=_aware(ends_at, "ends_at") if ends_at else None,
        text=base.clean(text, field="text", label="The text", limit=1000),
        source=base.clean(source, field="source", label="How we know it", limit=300),
        confidence=base.one_of(confidence, Confidence.values, field="confidence", label="The confidence"),
        author=actor,
    )
    language.check(note.text, field="text", ladder=False)
    if note.ends_at is not None and note.ends_at < note.starts_at:
        raise Refused("The span ends before it starts.", field="ends_at")
    note.case = base.locked_case(case)
    if supersedes is not None:
        note.supersedes = _standing(note.case, supersedes)
    _refuse_the_same(note)
    data = {"lane": lane, "starts_at": note.starts_at.isoformat()}
    data |= {"corrects": str(supersedes.id)} if supersedes else {}
    log.record(actor=actor.principal, action="timeline.added", about=note, scope=note.case_id, data=data, rows=[note])
    base.touch(note.case)
    return note


@transaction.atomic
def withdraw_timeline_note(note: TimelineNote, *, actor: User, reason: str = "") -> TimelineNote:
    """Take an entry back; it stays in the history.

    Side effects: a row that takes it back; one log entry with the reason. Raises Conflict when it was corrected or
    taken back before.
    """
    base.require(actor, "cases.write")
    reason = base.clean(reason, field="reason", label="The reason", limit=1000, required=False)
    case = base.locked_case(note.case)
    standing = _standing(case, note)
    taken_back = TimelineNote(
        id=new_id(),
        case=case,
        lane=standing.lane,
        starts_at=standing.starts_at,
        ends_at=standing.ends_at,
        text=standing.text,
        source=standing.source,
        confidence=standing.confidence,
        withdrawn=True,
        supersedes=standing,
        author=actor,
    )
    data = {"note": str(standing.id), "reason_given": reason}
    log.record(
        actor=actor.principal, action="timeline.withdrawn", about=standing, scope=case.id, data=data, rows=[taken_back]
    )
    base.touch(case)
    return taken_back


def _standing(case: Case, note: TimelineNote) -> TimelineNote:
    """The entry, if it belongs to the case and nothing supersedes it."""
    row = TimelineNote.objects.filter(case=case, pk=note.pk, withdrawn=False).first()
    if row is None:
        raise Refused("There is no such entry in this timeline.")
    later = TimelineNote.objects.select_related("entry").filter(supersedes=row).first()
    if later is not None:
        raise base.lost(f"This entry was {'taken back' if later.withdrawn else 'corrected'}", later.entry)
    return row


def _refuse_the_same(note: TimelineNote) -> None:
    standing = TimelineNote.objects.filter(case=note.case, withdrawn=False, superseded_by__isnull=True)
    same = standing.filter(
        lane=note.lane, starts_at=note.starts_at, ends_at=note.ends_at, text=note.text, source=note.source
    )
    if note.supersedes is not None:
        same = same.filter(confidence=note.confidence)
    found = same.select_related("entry").first()
    if found is not None:
        raise base.lost("This entry is in the timeline already", found.entry)


def _aware(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise Refused("A time needs its time zone.", field=field)
    return moment
