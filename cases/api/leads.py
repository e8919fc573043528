"""Leads over the API: the queue, one lead, and the decisions about it: open, join, reject, put back, assign."""

from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, matching
from cases.actions import leads as verbs
from cases.api.shared import Username, Words, person, person_named, sent_as
from cases.models import Case, Lead, LeadDecision, LeadMatch, LeadSighting
from cases.models.lead import LeadState
from cases.vocabulary import RejectReason
from detection import standing
from detection.api.clusters import MARKED, MarkedSerializer
from detection.models import AssessmentLabel
from people.authentication import needs
from people.models import User
from spine.answers import answers, asked, checked

TAGS = ["leads"]
SEEN = "the lead's `cluster` as you read it; when a newer run changed it, that is told instead of decided"


class LeadFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    state = serializers.ChoiceField(LeadState.choices, required=False)
    assessment = serializers.ChoiceField(AssessmentLabel.choices, required=False)


class LeadSerializer(MarkedSerializer, serializers.ModelSerializer[Lead]):
    """A lead as the queue shows it; the figures are those of its newest version."""

    cluster = serializers.UUIDField(source="cluster_id", help_text="the newest version of the cluster")
    title = serializers.CharField(source="cluster.title")
    assessment = serializers.ChoiceField(AssessmentLabel.choices, source="cluster.assessment")
    score = serializers.FloatField(source="cluster.score", help_text="0–1, for the assessment")
    signals = serializers.ListField(child=serializers.CharField(), source="cluster.signals")
    account_count = serializers.IntegerField(source="cluster.account_count")
    exchanges = serializers.IntegerField(source="cluster.exchanges")
    first_seen = serializers.DateTimeField(source="cluster.first_seen")
    last_seen = serializers.DateTimeField(source="cluster.last_seen")
    assignee = Username(allow_null=True)

    class Meta:
        model = Lead
        fields = [
            "id",
            "state",
            "title",
            "why_now",
            "assessment",
            "score",
            "signals",
            "account_count",
            "exchanges",
            "first_seen",
            "last_seen",
            "cluster",
            *MARKED,
            "assignee",
            "raised_at",
            "changed_at",
        ]
        read_only_fields = fields


class LeadDecisionSerializer(serializers.ModelSerializer[LeadDecision]):
    """What a person decided about a lead, on which version of it."""

    case = serializers.CharField(source="case.ref", allow_null=True, default=None, help_text="reference of the case")
    decided_by = Username()

    class Meta:
        model = LeadDecision
        fields = ["id", "kind", "reason", "note", "case", "cluster", "decided_by", "at"]
        read_only_fields = fields


class LeadSightingSerializer(serializers.ModelSerializer[LeadSighting]):
    """A run that produced this lead's cluster, or one with mostly the same accounts."""

    class Meta:
        model = LeadSighting
        fields = ["cluster", "overlap", "at"]
        read_only_fields = fields


class LeadMatchSerializer(serializers.ModelSerializer[LeadMatch]):
    """A closed or quiet case that this lead shares accounts or rare values with; `shared` counts values by type."""

    case = serializers.CharField(source="case.ref")
    shared = serializers.DictField(source="values", child=serializers.IntegerField())

    class Meta:
        model = LeadMatch
        fields = ["case", "accounts", "shared", "at"]
        read_only_fields = fields


class WholeLeadSerializer(LeadSerializer):
    """A lead with the reasons for its assessment, what was decided, and every run that saw it."""

    source = serializers.CharField(source="cluster.run.source.name")  # type: ignore[assignment]
    reasons = serializers.JSONField(
        source="cluster.assessment_detail",
        help_text="for and against, and look-alikes: `fits` is null where one could not be checked",
    )
    earlier = serializers.UUIDField(source="earlier_id", allow_null=True, help_text="a rejected lead this one outgrew")
    decisions = LeadDecisionSerializer(many=True)
    sightings = LeadSightingSerializer(many=True)
    matched_cases = serializers.SerializerMethodField(help_text="of those you may know of")

    @extend_schema_field(LeadMatchSerializer(many=True))
    def get_matched_cases(self, lead: Lead) -> Any:
        return LeadMatchSerializer(matching.matches_of(lead, self.context["person"]), many=True).data

    class Meta(LeadSerializer.Meta):
        fields = [
            *LeadSerializer.Meta.fields,
            "source",
            "reasons",
            "earlier",
            "decisions",
            "sightings",
            "matched_cases",
        ]
        read_only_fields = fields


class OpenCaseSerializer(serializers.Serializer[Any]):
    """The case to open."""

    title = Words()
    summary = Words(required=False, allow_blank=True, default="", help_text="the allegation in two sentences")
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text=SEEN)


class JoinCaseSerializer(serializers.Serializer[Any]):
    """The case to join."""

    case = serializers.CharField(help_text="reference, for example RT-2026-K7Q4M")
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text=SEEN)


class RejectLeadSerializer(serializers.Serializer[Any]):
    """Why the lead is not pursued."""

    reason = serializers.ChoiceField(RejectReason.choices)
    note = Words(required=False, allow_blank=True, default="", help_text="needed with the reason `other`")
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text=SEEN)


class SnoozeLeadSerializer(serializers.Serializer[Any]):
    """Until when, and how much growth ends it before."""

    until = serializers.DateTimeField()
    factor = serializers.FloatField(
        required=False, allow_null=True, default=None, help_text="2: until it has twice the accounts it has now"
    )
    note = Words(required=False, allow_blank=True, default="")
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text=SEEN)


class LeadNoteSerializer(serializers.Serializer[Any]):
    """A note for the log."""

    note = Words(required=False, allow_blank=True, default="")


class AssignLeadSerializer(serializers.Serializer[Any]):
    """Who has it next, and who had it when you looked."""

    to = serializers.CharField(allow_null=True, help_text="user name; null for nobody")
    expected = serializers.CharField(allow_null=True, help_text="user name of who has it now; null for nobody")


class CaseReferenceSerializer(serializers.ModelSerializer[Case]):
    """The case a lead went into."""

    class Meta:
        model = Case
        fields = ["ref", "title", "status", "marking", "created_at", "updated_at"]
        read_only_fields = fields


class Leads(generics.ListAPIView[Lead]):
    """The queue."""

    permission_classes = [needs("leads.read")]
    serializer_class = LeadSerializer
    queryset = Lead.objects.none()

    @extend_schema(
        summary="List leads",
        description="Newest first. `why_now` says what brings each to a person's attention.",
        tags=TAGS,
        parameters=[LeadFilter],
        responses=answers(200, LeadSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Lead]:
        wanted = asked(LeadFilter, self.request)
        leads = access.visible_leads(person(self.request)).select_related("cluster", "assignee")
        names = {"state": "state", "assessment": "cluster__assessment"}
        return leads.filter(**{names[name]: value for name, value in wanted.items()})

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Of a page, with what does not count any more of the clusters on it."""
        rows: list[Lead] = args[0] if args else []
        marks = standing.marks([row.cluster_id for row in rows])
        return super().get_serializer(*args, **kwargs, context={**self.get_serializer_context(), "marks": marks})


class OneLead(APIView):
    """One lead."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read a lead",
        description="With the ranked reasons, the look-alikes, what was decided about it, and the runs that saw it.",
        tags=TAGS,
        responses=answers(200, WholeLeadSerializer, 404),
    )
    def get(self, request: Request, lead_id: UUID) -> Response:
        return Response(_whole(access.lead_for(person(request), lead_id), person(request)))


class LeadVerb(APIView):
    """A decision about a lead."""

    permission_classes = [needs("", "leads.write")]

    def lead(self, lead_id: UUID) -> Lead:
        """The lead of the address, through the one door."""
        return access.lead_for(person(self.request), lead_id, write=True)


class OpenCase(LeadVerb):
    """Lead → new case."""

    @extend_schema(
        summary="Open a case from a waiting lead",
        description="The case holds the lead's cluster as it is now. 409 when somebody decided before.",
        tags=TAGS,
        request=OpenCaseSerializer,
        responses=answers(201, CaseReferenceSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        lead = self.lead(lead_id)
        case = verbs.open_case(lead, actor=person(request), **checked(OpenCaseSerializer, request.data))
        return Response(CaseReferenceSerializer(case).data, status=201)


class JoinCase(LeadVerb):
    """Lead → existing case."""

    @extend_schema(
        summary="Join a waiting lead to a case",
        description="The case gets the cluster and the accounts it did not have. 409 when somebody decided before.",
        tags=TAGS,
        request=JoinCaseSerializer,
        responses=answers(200, CaseReferenceSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        lead = self.lead(lead_id)
        given = checked(JoinCaseSerializer, request.data)
        case = access.visible_cases(person(request)).filter(ref=given["case"]).first()
        if case is None:
            raise serializers.ValidationError({"case": ["There is no such case."]})
        joined = verbs.join_case(lead, case, actor=person(request), cluster=given["cluster"])
        return Response(CaseReferenceSerializer(joined).data)


class RejectLead(LeadVerb):
    """Lead → rejected."""

    @extend_schema(
        summary="Reject a waiting lead",
        description="Remembered: later runs that find mostly the same accounts do not raise it again.",
        tags=TAGS,
        request=RejectLeadSerializer,
        responses=answers(200, WholeLeadSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        verbs.reject_lead(self.lead(lead_id), actor=person(request), **checked(RejectLeadSerializer, request.data))
        return Response(_whole(self.lead(lead_id), person(request)))


class SnoozeLead(LeadVerb):
    """Waiting → snoozed."""

    @extend_schema(
        summary="Snooze a waiting lead until a moment, or until it has grown",
        description="It comes back by itself, with the reason.",
        tags=TAGS,
        request=SnoozeLeadSerializer,
        responses=answers(200, WholeLeadSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        verbs.snooze_lead(self.lead(lead_id), actor=person(request), **checked(SnoozeLeadSerializer, request.data))
        return Response(_whole(self.lead(lead_id), person(request)))


class ReopenLead(LeadVerb):
    """Rejected → waiting."""

    @extend_schema(
        summary="Put a rejected or snoozed lead back in the queue",
        description="It stands for what the newest run saw. 409 when it is neither any more.",
        tags=TAGS,
        request=LeadNoteSerializer,
        responses=answers(200, WholeLeadSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        verbs.reopen_lead(self.lead(lead_id), actor=person(request), **checked(LeadNoteSerializer, request.data))
        return Response(_whole(self.lead(lead_id), person(request)))


class AssignLead(LeadVerb):
    """Who looks at it."""

    @extend_schema(
        summary="Assign a waiting lead",
        description="409 when it is not `expected` who has it now; `detail` says who has.",
        tags=TAGS,
        request=AssignLeadSerializer,
        responses=answers(200, WholeLeadSerializer, 400, 404, 409),
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        lead = self.lead(lead_id)
        given = checked(AssignLeadSerializer, request.data)
        to, expected = (person_named(given[name] or "", name) for name in ("to", "expected"))
        with sent_as(assignee="to"):
            verbs.assign_lead(lead, actor=person(request), to=to, expected=expected)
        return Response(_whole(self.lead(lead_id), person(request)))


def _whole(lead: Lead, who: User) -> dict[str, Any]:
    decisions = LeadDecision.objects.select_related("case", "decided_by").order_by("at", "id")
    sightings = LeadSighting.objects.order_by("at", "id")
    prefetch_related_objects([lead], Prefetch("decisions", decisions), Prefetch("sightings", sightings))
    context = {"person": who, "marks": standing.marks([lead.cluster_id])}
    return dict(WholeLeadSerializer(lead, context=context).data)
