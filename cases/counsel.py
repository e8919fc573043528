"""The one door to the counsel track of a case, and what its members read there.

Who is no member finds nothing, whether or not there is a track: the same 404 as a page that does not exist. The track's
entries in the log have the track's id as their scope, which no other page asks for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from cases.access import Person, readers_of, visible_cases
from cases.models import Case, CaseMember, CounselExport, CounselMember, CounselNote, CounselTrack, EvidenceItem
from cases.models.access import MemberVia
from people.models import Role, User
from people.rights import RIGHTS, may, refusal
from spine.models import LogEntry

NOTHING = "There is no such page."


@dataclass(frozen=True)
class Door:
    """What stands open to a member: the case, its track if counsel has opened it, and why this person is let in."""

    case: Case
    track: CounselTrack | None
    counsel: bool
    writes: bool

    @property
    def marking(self) -> str:
        """The words above everything in the track."""
        return self.track.marking if self.track else settings.COUNSEL_MARKING


@dataclass(frozen=True)
class Member:
    """Somebody who can read the track, and why; `row` where somebody let them in."""

    user: User
    why: str
    row: CounselMember | None = None


def door_for(user: Person, ref: str, *, write: bool = False) -> Door:
    """The track's door. Http404 for who is no member, PermissionDenied on write for a member who only reads."""
    found = door(user, ref)
    if found is None:
        raise Http404(NOTHING)
    if write and not found.writes:
        raise PermissionDenied(refusal(user, "cases.write"))
    return found


def door(user: Person, ref: str) -> Door | None:
    """The same, None for who is no member."""
    storable = len(ref) <= 20 and "\x00" not in ref
    case = visible_cases(user).filter(ref=ref).first() if storable else None
    if case is None or not isinstance(user, User):
        return None
    counsel = may(user, "counsel.track") and not _through_the_glass(case).filter(person=user).exists()
    track = CounselTrack.objects.filter(case=case).select_related("opened_by").first()
    if not counsel and (track is None or not standing(track).filter(user=user).exists()):
        return None
    return Door(case, track, counsel, may(user, "cases.write"))


def track_for(user: Person, ref: str, *, write: bool = False) -> tuple[Case, CounselTrack]:
    """The case and its open track; Http404 too while counsel has not opened it."""
    found = door_for(user, ref, write=write)
    if found.track is None:
        raise Http404(NOTHING)
    return found.case, found.track


def standing(track: CounselTrack) -> QuerySet[CounselMember]:
    """The memberships by name that hold now. Whoever has become an administrator since is none."""
    roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
    rows = CounselMember.objects.filter(track=track, superseded_by__isnull=True, ended=False)
    return rows.filter(user__is_active=True, user__role__in=roles).select_related("user", "decided_by")


def members(case: Case, track: CounselTrack | None) -> list[Member]:
    """Everybody who can read the track now, counsel first, each with the reason."""
    roles = [role for role in Role.values if "counsel.track" in RIGHTS[role]]
    readers = readers_of(case)
    by_role = readers.filter(role__in=roles).exclude(pk__in=_through_the_glass(case).values("person"))
    found = [Member(user, "counsel who can see the case") for user in by_role]
    if track is not None:
        named = standing(track).filter(user__in=readers).exclude(user__in=by_role).order_by("user__username")
        found += [Member(row.user, row.reason, row) for row in named]
    return found


def _through_the_glass(case: Case) -> QuerySet[CaseMember]:
    """Who reads the case by breaking the glass alone: that opens the case and not the track."""
    rows = CaseMember.objects.filter(case=case, via=MemberVia.BREAK_GLASS)
    return rows if case.restricted else rows.none()


def member_of(track: CounselTrack, member_id: UUID) -> CounselMember:
    """A membership by name that holds, of this track."""
    found = standing(track).filter(pk=member_id).first()
    if found is None:
        raise Http404(NOTHING)
    return found


def note_of(track: CounselTrack, note_id: UUID) -> CounselNote:
    """A note of this track, whether or not it still stands."""
    found = CounselNote.objects.filter(track=track, pk=note_id, withdrawn=False).first()
    if found is None:
        raise Http404(NOTHING)
    return found


def notes(track: CounselTrack) -> QuerySet[CounselNote]:
    """The notes that stand: the newest version of each, without those taken back. Order by ("-at", "-id")."""
    rows = CounselNote.objects.filter(track=track, superseded_by__isnull=True, withdrawn=False)
    return rows.select_related("author")


def earlier(track: CounselTrack, shown: Iterable[CounselNote]) -> dict[UUID, list[CounselNote]]:
    """The earlier versions of each of these notes, newest first."""
    older = CounselNote.objects.filter(track=track, superseded_by__isnull=False).select_related("author")
    by_id = {note.pk: note for note in older}
    found: dict[UUID, list[CounselNote]] = {}
    for note in shown:
        chain, step = [], by_id.get(note.supersedes_id) if note.supersedes_id else None
        while step is not None:
            chain.append(step)
            step = by_id.get(step.supersedes_id) if step.supersedes_id else None
        found[note.pk] = chain
    return found


def exports(track: CounselTrack) -> QuerySet[CounselExport]:
    """The distribution log: what left, newest first."""
    return CounselExport.objects.filter(track=track).select_related("made_by").order_by("-number")


def entries(track: CounselTrack) -> QuerySet[LogEntry]:
    """Who opened, read, wrote, let in and exported; order by ("-at", "-id")."""
    return LogEntry.objects.filter(scope=track.pk).select_related("sequence").defer("row_digests")


def exhibits(case: Case, numbers: Iterable[int]) -> dict[int, EvidenceItem]:
    """The case's exhibits of these numbers."""
    return {item.number: item for item in EvidenceItem.objects.filter(case=case, number__in=list(numbers))}
