"""The one door to cases, leads and what lies under them: a stranger finds nothing, a reader may not write.

A restricted case is there for its members alone. For everybody else it is as if it were missing: it is in no list, no
count, no log and no job; so is the lead it came from. `cases.walls` holds the same in the database.
"""

from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat, Now
from django.http import Http404

from cases.models import (
    Case,
    CaseMember,
    DisclosureAsk,
    DossierVersion,
    EvidenceItem,
    ExchangeSet,
    Hold,
    HoldCustodian,
    Lead,
    LeadDecision,
    PreservationRequest,
    RedactionProposal,
    SampledExchange,
    SamplingPlan,
    TimelineNote,
)
from detection.models import KeptApart
from people.models import Role, User
from people.rights import RIGHTS, may, refusal
from spine.models import Job, LogEntry

Person = User | AnonymousUser
DESK_ACTS = ("deconfliction.compared", "deconfliction.read", "deconfliction.weighed")
# Acts of places apart: only those show them, by scopes of their own (cases/counsel.py, cases/deconfliction.py).
APART = ("counsel.", *DESK_ACTS)
LEAD_ENTRIES = "cases.lead:"  # how an entry names the lead it is about
_LEAD_NAME = Concat(Value(LEAD_ENTRIES), Cast("lead_id", CharField()))
# Acts that tell nothing of what was found or judged, by how their codes begin.
OPEN_ACTS = (
    "log.",
    "vault.",
    "detector.",
    "feed.",
    "telemetry.",
    "run.",
    "releases.",
    "findings.",
    "person.",
    "token.",
    "detector_key.",
    "testers.",
    "broker.",
    "webhook.",
)


def memberships(user: Person) -> QuerySet[CaseMember]:
    """The memberships of this person that have not ended."""
    return CaseMember.objects.filter(Q(until=None) | Q(until__gt=Now()), person_id=user.pk)


def hidden_cases(user: Person) -> QuerySet[Case]:
    """The restricted cases this person is no member of; for queries inside, never to be shown or counted."""
    return Case.objects.filter(~Exists(memberships(user).filter(case=OuterRef("pk"))), restricted=True)


def visible_cases(user: Person) -> QuerySet[Case]:
    """The cases this person may know of."""
    if not _allowed(user, "cases.read"):
        return Case.objects.none()
    return Case.objects.exclude(pk__in=hidden_cases(user).values("pk"))


def visible_leads(user: Person) -> QuerySet[Lead]:
    """The leads this person may know of: all but those that went into a case that is hidden from them."""
    if not _allowed(user, "leads.read"):
        return Lead.objects.none()
    return Lead.objects.exclude(pk__in=_hidden_leads(user))


def visible_decisions(user: Person) -> QuerySet[KeptApart]:
    """The decisions to keep accounts apart that this person may know of: as they may of the lead it was said about."""
    if not _allowed(user, "leads.read"):
        return KeptApart.objects.none()
    return KeptApart.objects.exclude(cluster__sighting__lead__in=_hidden_leads(user))


def visible_jobs(user: Person) -> QuerySet[Job]:
    """The jobs this person may know of: of no case, and of cases they may know of."""
    if not _allowed(user, "cases.read"):
        return Job.objects.filter(scope=None)
    return Job.objects.exclude(scope__in=hidden_cases(user).values("pk"))


def visible_entries(user: Person) -> QuerySet[LogEntry]:
    """The log as this person may read it: what they may know of with the right to read cases, else nothing of those."""
    if not _allowed(user, "log.read"):
        return LogEntry.objects.none()
    if _allowed(user, "cases.read"):
        shown = LogEntry.objects.exclude(_of(APART)).exclude(scope__in=hidden_cases(user).values("pk"))
        return shown.exclude(about__in=_hidden_leads(user).values(name=_LEAD_NAME))
    return LogEntry.objects.filter(_of(OPEN_ACTS), scope=None)


def _of(starts: tuple[str, ...]) -> Q:
    """Acts whose codes begin with one of these."""
    kinds = Q()
    for start in starts:
        kinds |= Q(action__startswith=start)
    return kinds


def may_know(user: Person, case: Case) -> bool:
    """Whether this person may know of this case."""
    return visible_cases(user).filter(pk=case.pk).exists()


def readers_of(case: Case) -> QuerySet[User]:
    """Everybody who may read this case now, by name: its members if it is restricted, else whoever may read cases."""
    roles = [role for role in Role.values if "cases.read" in RIGHTS[role]]
    people = User.objects.filter(is_active=True, role__in=roles).order_by("username")
    if not case.restricted:
        return people
    staying = CaseMember.objects.filter(Q(until=None) | Q(until__gt=Now()), case=case)
    return people.filter(pk__in=staying.values("person"))


def _hidden_leads(user: Person) -> QuerySet[LeadDecision, UUID]:
    return LeadDecision.objects.filter(case__in=hidden_cases(user)).order_by().values("lead_id")  # type: ignore[return-value]


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


def decision_for(user: Person, lead: Lead, decision_id: UUID) -> KeptApart:
    """A decision to keep accounts apart that was said about this lead."""
    said = visible_decisions(user).filter(cluster__sighting__lead=lead)
    found = said.filter(pk=decision_id).first()
    if found is None:
        raise Http404("There is no such decision.")
    return found


def evidence_for(user: Person, ref: str, number: int) -> EvidenceItem:
    """An exhibit of a case this person may read."""
    item = case_for(user, ref).evidence.select_related("case", "added_by", "derived_from").filter(number=number).first()
    if item is None:
        raise Http404("There is no such exhibit.")
    return item


def preservation_for(user: Person, ref: str, request_id: UUID, *, write: bool = False) -> PreservationRequest:
    """A request to preserve of a case, by the same rule."""
    case = case_for(user, ref, write=write)
    asked = case.preservation_requests.select_related("case", "source", "requested_by").filter(pk=request_id).first()
    if asked is None:
        raise Http404("There is no such request.")
    return asked


def hold_for(user: Person, hold_id: UUID) -> Hold:
    """A hold of a case this person may read, with what its page shows; who may act on it the verbs say."""
    rows = Hold.objects.filter(case__in=visible_cases(user).values("pk"))
    rows = rows.select_related("case", "placed_by", "exhibit", "source", "release__releaser", "release__asker")
    shown = ("acknowledgement__by", "acknowledgement__document", "reminders", "person")
    found = rows.prefetch_related("release_asks__asker", *(f"custodians__{one}" for one in shown)).filter(pk=hold_id)
    hold = found.first()
    if hold is None:
        raise Http404("There is no such hold.")
    return hold


def custodian_for(user: Person, custodian_id: UUID) -> HoldCustodian:
    """A custodian of a hold of a case this person may read."""
    named = HoldCustodian.objects.filter(pk=custodian_id).first()
    if named is None:
        raise Http404("There is no such custodian.")
    named.hold = hold_for(user, named.hold_id)
    return named


def exchange_set_for(user: Person, ref: str, number: int, *, write: bool = False) -> ExchangeSet:
    """The exchange set that is this exhibit of a case, by the same rule."""
    sets = ExchangeSet.objects.select_related("item__case", "item__added_by", "source", "case")
    found = sets.filter(case=case_for(user, ref, write=write), item__number=number).first()
    if found is None:
        raise Http404("There is no such exchange set.")
    return found


def plan_for(user: Person, ref: str, number: int, plan: int, *, write: bool = False) -> SamplingPlan:
    """A sampling plan of an exchange set, by the same rule."""
    held = exchange_set_for(user, ref, number, write=write)
    found = held.plans.select_related("planned_by").filter(number=plan).first()
    if found is None:
        raise Http404("There is no such sampling plan.")
    found.exchange_set = held
    return found


def sampled_for(
    user: Person, ref: str, number: int, plan: int, ordinal: int, *, write: bool = False
) -> SampledExchange:
    """An exchange that a plan drew, by the same rule."""
    of = plan_for(user, ref, number, plan, write=write)
    found = of.sample.select_related("account").filter(ordinal=ordinal).first()
    if found is None:
        raise Http404("There is no such exchange in the sample.")
    found.plan = of
    return found


def proposal_for(user: Person, ref: str, proposal_id: UUID, *, write: bool = False) -> RedactionProposal:
    """A proposed redaction of an exhibit of a case, by the same rule."""
    found = RedactionProposal.objects.filter(pk=proposal_id, item__case=case_for(user, ref, write=write))
    proposal = found.select_related("item__case", "item__derived_from", "proposer").first()
    if proposal is None:
        raise Http404("There is no such redaction.")
    return proposal


def dossier_for(user: Person, version_id: UUID, *, write: bool = False) -> DossierVersion:
    """A dossier version of a case this person may read."""
    versions = DossierVersion.objects.filter(case__in=visible_cases(user).values("pk")).select_related("case")
    found = versions.filter(pk=version_id).first()
    if found is None:
        raise Http404("There is no such dossier.")
    _check_write(user, "cases.write", write)
    return found


def disclosure_for(user: Person, ask_id: UUID) -> DisclosureAsk:
    """A disclosure of a case this person may read; who may act on it the verbs say."""
    asks = DisclosureAsk.objects.filter(version__case__in=visible_cases(user).values("pk"))
    found = asks.select_related("version__case", "asker").filter(pk=ask_id).first()
    if found is None:
        raise Http404("There is no such disclosure.")
    return found


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
        raise PermissionDenied(refusal(user, right))


def _storable(text: str) -> bool:
    return len(text) <= 20 and "\x00" not in text
