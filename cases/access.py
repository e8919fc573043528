"""The one door to cases, leads and what lies under them: a stranger finds nothing, a reader may not write.

Restricted cases will be left out of `visible_cases`; every list and every door below stands on it.
"""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from cases.models import Case, EvidenceItem, Lead, TimelineNote
from people.models import User
from people.rights import MEANINGS, may
from spine.models import Job, LogEntry

Person = User | AnonymousUser
# Acts that tell nothing of what was found or judged, by how their codes begin.
OPEN_ACTS = ("detector.", "telemetry.", "run.", "releases.", "findings.", "person.", "token.", "detector_key.")


def visible_cases(user: Person) -> QuerySet[Case]:
    """The cases this person may know of."""
    return Case.objects.all() if _allowed(user, "cases.read") else Case.objects.none()


def visible_leads(user: Person) -> QuerySet[Lead]:
    """The leads this person may know of."""
    return Lead.objects.all() if _allowed(user, "leads.read") else Lead.objects.none()


def visible_entries(user: Person) -> QuerySet[LogEntry]:
    """The log as this person may read it: all of it with the right to read cases, else nothing of cases and leads."""
    if not _allowed(user, "log.read"):
        return LogEntry.objects.none()
    if _allowed(user, "cases.read"):
        return LogEntry.objects.all()
    kinds = Q()
    for start in OPEN_ACTS:
        kinds |= Q(action__startswith=start)
    return LogEntry.objects.filter(kinds, scope=None)


def case_for(user: Person, ref: str, *, write: bool = False) -> Case:
    """The case of this reference. A stranger gets Http404 as if it were missing, a reader PermissionDenied on write."""
    case = visible_cases(user).select_related("assignee").filter(ref=ref).first() if _storable(ref) else None
    if case is None:
        raise Http404("There is no such case.")
    _check_write(user, "cases.write", write)
    return case


def lead_for(user: Person, lead_id: UUID, *, write: bool = False) -> Lead:
    """The lead of this id, by the same rule."""
    leads = visible_leads(user).select_related("cluster__run__source", "assignee", "earlier__cluster")
    lead = leads.filter(pk=lead_id).first()
    if lead is None:
        raise Http404("There is no such lead.")
    _check_write(user, "leads.write", write)
    return lead


def evidence_for(user: Person, ref: str, number: int) -> EvidenceItem:
    """An exhibit of a case this person may read."""
    item = case_for(user, ref).evidence.select_related("case", "added_by", "derived_from").filter(number=number).first()
    if item is None:
        raise Http404("There is no such exhibit.")
    return item


def note_for(user: Person, ref: str, note_id: UUID, *, write: bool = False) -> TimelineNote:
    """A manual timeline entry of a case, by the same rule."""
    note = case_for(user, ref, write=write).timeline_notes.select_related("case").filter(pk=note_id).first()
    if note is None:
        raise Http404("There is no such entry.")
    return note


def job_for(user: Person, ref: str, job_id: UUID, *, write: bool = False) -> Job:
    """A job of a case, by the same rule."""
    job = Job.objects.filter(pk=job_id, scope=case_for(user, ref, write=write).pk).first()
    if job is None:
        raise Http404("There is no such job.")
    return job


def _allowed(user: Person, right: str) -> bool:
    return user.is_active and may(user, right)


def _check_write(user: Person, right: str, write: bool) -> None:
    if write and not may(user, right):
        raise PermissionDenied(f"Your role does not let you {MEANINGS[right]}.")


def _storable(text: str) -> bool:
    return len(text) <= 20 and "\x00" not in text
