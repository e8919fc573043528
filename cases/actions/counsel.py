"""Verbs on the counsel track: open it, let people in and out, write, correct and take back notes, export, read.

Every entry has the track's id as its scope and no words of anybody in its details; nothing here touches the case.
"""

from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max

from cases import counsel, counsel_export
from cases.access import visible_cases
from cases.actions import base
from cases.models import Case, CounselExport, CounselMember, CounselNote, CounselTrack
from people.models import User
from people.rights import may
from spine import log
from spine.errors import Conflict, Refused
from spine.models import AppendOnly, LogEntry

MOST_EXHIBITS = 50


@transaction.atomic
def open_track(case: Case, *, actor: User, purpose: str, direction: str) -> CounselTrack:
    """Open the counsel track of a case, once.

    Side effects: the track; one log entry. Raises Conflict when it is open already.
    """
    base.require(actor, "counsel.track")
    purpose = base.clean(purpose, field="purpose", label="What it serves", limit=1000)
    direction = base.clean(direction, field="direction", label="At whose direction", limit=300)
    _lock(case)
    known = CounselTrack.objects.filter(case=case).select_related("entry").first()
    if known is not None:
        raise base.lost("The counsel track is open already", known.entry)
    track = CounselTrack(
        case=case, purpose=purpose, direction=direction, marking=settings.COUNSEL_MARKING, opened_by=actor
    )
    _record(action="counsel.opened", actor=actor, track=track, about=track, rows=[track])
    return track


@transaction.atomic
def add_member(track: CounselTrack, *, actor: User, person: User, reason: str) -> CounselMember:
    """Let somebody into the track who can see the case; for counsel only to decide.

    Side effects: the membership; one log entry. Raises Conflict for who is a member already, Refused for who cannot
    see the case, which no administrator can.
    """
    base.require(actor, "counsel.track")
    reason = base.clean(reason, field="reason", label="The reason", limit=500)
    _lock(track.case)
    newest = CounselMember.objects.filter(track=track, user=person, superseded_by__isnull=True).first()
    if newest is not None and not newest.ended:
        raise base.lost(f"{person.username} is a member already", newest.entry)
    if not visible_cases(person).filter(pk=track.case_id).exists():
        raise Refused("A member can see the case already; administrators never can.", field="person")
    if may(person, "counsel.track"):
        raise Conflict(f"{person.username} is counsel and a member already.")
    member = CounselMember(track=track, user=person, reason=reason, decided_by=actor, supersedes=newest)
    data = {"person": person.username}
    _record(action="counsel.member_added", actor=actor, track=track, about=member, rows=[member], data=data)
    return member


@transaction.atomic
def end_member(member: CounselMember, *, actor: User, reason: str) -> CounselMember:
    """Let somebody out of the track again.

    Side effects: a row that ends the membership; one log entry. Raises Conflict when it was ended before.
    """
    base.require(actor, "counsel.track")
    reason = base.clean(reason, field="reason", label="The reason", limit=500)
    track = member.track
    _lock(track.case)
    later = CounselMember.objects.filter(supersedes=member).select_related("entry").first()
    if later is not None or member.ended:
        raise base.lost("This membership was ended", later.entry if later else member.entry)
    end = CounselMember(track=track, user=member.user, ended=True, reason=reason, decided_by=actor, supersedes=member)
    data = {"person": member.user.username}
    _record(action="counsel.member_ended", actor=actor, track=track, about=end, rows=[end], data=data)
    return end


@transaction.atomic
def add_note(
    track: CounselTrack,
    *,
    actor: User,
    topic: str,
    text: str,
    direction: str = "",
    exhibits: Iterable[int] = (),
    supersedes: CounselNote | None = None,
) -> CounselNote:
    """Write a note, or correct the one it supersedes.

    Side effects: the note; one log entry. Raises Conflict when the same note stands already, or the one to correct was
    corrected or taken back before; Refused for an exhibit that the case does not have.
    """
    _require_member(actor, track)
    note = CounselNote(
        track=track,
        topic=base.clean(topic, field="topic", label="The topic", limit=200),
        text=base.clean(text, field="text", label="The note", limit=20000),
        direction=base.clean(direction, field="direction", label="The direction", limit=300, required=False),
        marking=settings.COUNSEL_MARKING,
        exhibits=_checked(track.case, exhibits),
        author=actor,
    )
    _lock(track.case)
    if supersedes is not None:
        note.supersedes = _still_standing(track, supersedes)
    _refuse_the_same(note)
    if supersedes is None:
        _record(action="counsel.noted", actor=actor, track=track, about=note, rows=[note])
    else:
        data = {"corrects": str(supersedes.pk)}
        _record(action="counsel.corrected", actor=actor, track=track, about=note, rows=[note], data=data)
    return note


@transaction.atomic
def withdraw_note(note: CounselNote, *, actor: User) -> CounselNote:
    """Take a note back; it stays in the history.

    Side effects: a row that takes it back; one log entry. Raises Conflict when it was corrected or taken back before.
    """
    track = note.track
    _require_member(actor, track)
    _lock(track.case)
    old = _still_standing(track, note)
    end = CounselNote(
        track=track,
        topic=old.topic,
        text=old.text,
        direction=old.direction,
        marking=old.marking,
        exhibits=old.exhibits,
        withdrawn=True,
        supersedes=old,
        author=actor,
    )
    _record(action="counsel.withdrawn", actor=actor, track=track, about=old, rows=[end], data={"note": str(old.pk)})
    return end


@transaction.atomic
def export(track: CounselTrack, *, actor: User, recipient: str, purpose: str) -> tuple[CounselExport, bytes]:
    """Make a copy of the whole track for somebody, and enter it in the distribution log; gives the ZIP's bytes.

    Side effects: the export; one log entry. Each time is an export of its own.
    """
    _require_member(actor, track)
    recipient = base.clean(recipient, field="recipient", label="The recipient", limit=200)
    purpose = base.clean(purpose, field="purpose", label="The purpose", limit=500)
    _lock(track.case)
    last = CounselExport.objects.filter(track=track).aggregate(last=Max("number"))["last"] or 0
    row = CounselExport(track=track, number=last + 1, recipient=recipient, purpose=purpose, made_by=actor)
    package = counsel_export.package(row)
    row.notes, row.sha256, row.size = package.notes, package.sha256, len(package.content)
    data = {"number": row.number, "notes": row.notes, "sha256": row.sha256}
    _record(action="counsel.exported", actor=actor, track=track, about=row, rows=[row], data=data)
    return row, package.content


@transaction.atomic
def record_read(track: CounselTrack, *, actor: User, page: str) -> LogEntry:
    """Note that a member was shown a page of the track. Side effects: one log entry, once per view."""
    return _record(action="counsel.read", actor=actor, track=track, about=track, data={"page": page})


def _record(
    *,
    action: str,
    actor: User,
    track: CounselTrack,
    about: AppendOnly,
    rows: Sequence[AppendOnly] = (),
    data: Mapping[str, object] | None = None,
) -> LogEntry:
    return log.record(actor=actor.principal, action=action, about=about, scope=track.pk, data=data, rows=rows)


def _lock(case: Case) -> None:
    """One at a time; the case may be closed, counsel's work goes on."""
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)


def _require_member(actor: User, track: CounselTrack) -> None:
    found = counsel.door(actor, track.case.ref)
    if found is None or not found.writes:
        raise PermissionDenied("Only members of this counsel track who may write cases can do this.")


def _still_standing(track: CounselTrack, note: CounselNote) -> CounselNote:
    row = CounselNote.objects.filter(track=track, pk=note.pk, withdrawn=False).first()
    if row is None:
        raise Refused("There is no such note in this track.")
    later = CounselNote.objects.select_related("entry").filter(supersedes=row).first()
    if later is not None:
        raise base.lost(f"This note was {'taken back' if later.withdrawn else 'corrected'}", later.entry)
    return row


def _refuse_the_same(note: CounselNote) -> None:
    same = counsel.notes(note.track).filter(topic=note.topic, text=note.text, direction=note.direction)
    found = same.filter(exhibits=note.exhibits).select_related("entry").first()
    if found is not None:
        raise base.lost("This note is in the track already", found.entry)


def _checked(case: Case, numbers: Iterable[int]) -> list[int]:
    wanted = sorted(set(numbers))
    if len(wanted) > MOST_EXHIBITS:
        raise Refused(f"A note refers to at most {MOST_EXHIBITS} exhibits.", field="exhibits")
    unknown = [number for number in wanted if number not in counsel.exhibits(case, wanted)]
    if unknown:
        raise Refused(f"The case has no exhibit {', '.join(map(str, unknown))}.", field="exhibits")
    return wanted
