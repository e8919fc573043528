"""Cases over the API: list, read with figures and what escalation still needs, edit, assign, move."""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access, figures, lifecycle
from cases.actions import cases as verbs
from cases.api.shared import UnderCase, Username, Words, person, person_named, sent_as
from cases.models import Case
from cases.models.case import CaseStatus
from cases.vocabulary import Marking
from people.authentication import needs
from spine.answers import answers, asked, checked

TAGS = ["cases"]


class CaseFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    status = serializers.ChoiceField(CaseStatus.choices, required=False)
    marking = serializers.ChoiceField(Marking.choices, required=False)
    assignee = serializers.CharField(required=False, help_text="user name")
    search = serializers.CharField(required=False, max_length=200, help_text="part of the reference or the title")


class CaseSerializer(serializers.ModelSerializer[Case]):
    """A case as the list shows it."""

    assignee = Username(allow_null=True)

    class Meta:
        model = Case
        fields = [
            "ref",
            "title",
            "summary",
            "status",
            "closing_reason",
            "marking",
            "restricted",
            "assignee",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class FigureSerializer(serializers.Serializer[Any]):
    """A figure with the rule it was computed by; null when there is nothing to count."""

    key = serializers.CharField(source="figure.key")
    label = serializers.CharField(source="figure.label")  # type: ignore[assignment]
    unit = serializers.CharField(source="figure.unit")
    rule = serializers.CharField(source="figure.rule")
    value = serializers.SerializerMethodField("value_of")

    @extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}, {"type": "null"}]})
    def value_of(self, computed: figures.Computed) -> figures.Value:
        return computed.value


class MissingSerializer(serializers.Serializer[Any]):
    """Something escalation still needs, and the tab of the case page where it is mended."""

    text = serializers.CharField()
    tab = serializers.CharField()
    anchor = serializers.CharField(allow_blank=True)


class MoveSerializer(serializers.Serializer[Any]):
    """A step the case can go to from here."""

    to = serializers.ChoiceField(CaseStatus.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    meaning = serializers.CharField()
    closing_reasons = serializers.ListField(child=serializers.CharField())


class WholeCaseSerializer(CaseSerializer):
    """A case with its computed figures, the moves from here, and what escalation still needs."""

    figures = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()
    missing_for_escalation = serializers.SerializerMethodField()

    class Meta(CaseSerializer.Meta):
        fields = [*CaseSerializer.Meta.fields, "figures", "moves", "missing_for_escalation"]
        read_only_fields = fields

    @extend_schema_field(FigureSerializer(many=True))
    def get_figures(self, case: Case) -> Any:
        return FigureSerializer(figures.compute(case), many=True).data

    @extend_schema_field(MoveSerializer(many=True))
    def get_moves(self, case: Case) -> Any:
        return MoveSerializer(lifecycle.moves_from(case.status), many=True).data

    @extend_schema_field(MissingSerializer(many=True))
    def get_missing_for_escalation(self, case: Case) -> Any:
        return MissingSerializer(lifecycle.missing_for_escalation(case), many=True).data


class SeenSerializer(serializers.Serializer[Any]):
    """The values you saw; a field that is something else by now is a conflict. What is left out is not compared."""

    title = Words(required=False)
    summary = Words(required=False, allow_blank=True)
    marking = serializers.CharField(required=False)


class EditSerializer(serializers.Serializer[Any]):
    """The fields to change."""

    title = Words(required=False)
    summary = Words(required=False, allow_blank=True)
    marking = serializers.ChoiceField(Marking.choices, required=False)
    expected = SeenSerializer(required=False)


class MoveCaseSerializer(serializers.Serializer[Any]):
    """The step to go to, and the one the case had when you looked."""

    to = serializers.ChoiceField(CaseStatus.choices)
    expected_from = serializers.ChoiceField(CaseStatus.choices)
    closing_reason = serializers.ChoiceField(
        list(lifecycle.CLOSING_REASONS.items()), required=False, allow_blank=True, default="", help_text="when closing"
    )
    note = Words(required=False, allow_blank=True, default="")


class AssignCaseSerializer(serializers.Serializer[Any]):
    """Who has it next, and who had it when you looked."""

    to = serializers.CharField(allow_null=True, help_text="user name; null for nobody")
    expected = serializers.CharField(allow_null=True, help_text="user name of who has it now; null for nobody")


class Cases(generics.ListAPIView[Case]):
    """The cases one may know of."""

    permission_classes = [needs("cases.read")]
    serializer_class = CaseSerializer
    queryset = Case.objects.none()

    @extend_schema(
        summary="List cases",
        description="Newest first. A case is opened from a lead: `POST /api/v1/leads/{id}/open/`.",
        tags=TAGS,
        parameters=[CaseFilter],
        responses=answers(200, CaseSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Case]:
        wanted = asked(CaseFilter, self.request)
        cases = access.visible_cases(person(self.request)).select_related("assignee")
        if "search" in wanted:
            words = wanted.pop("search")
            cases = cases.filter(Q(ref__icontains=words) | Q(title__icontains=words))
        if "assignee" in wanted:
            cases = cases.filter(assignee__username=wanted.pop("assignee"))
        return cases.filter(**wanted)


class OneCase(UnderCase):
    """One case."""

    @extend_schema(
        summary="Read a case",
        description="Figures are computed from verdicts, each with its rule. `missing_for_escalation` is empty when "
        "nothing stands in the way.",
        tags=TAGS,
        responses=answers(200, WholeCaseSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(WholeCaseSerializer(self.case()).data)

    @extend_schema(
        summary="Change title, summary or marking",
        description="Send only what changes. With `expected`, 409 when a field is no longer what you saw.",
        tags=TAGS,
        request=EditSerializer,
        responses=answers(200, WholeCaseSerializer, 400, 404, 409),
    )
    def patch(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(EditSerializer, request.data)
        seen = given.pop("expected", {})
        changes = {field: (seen.get(field, getattr(case, field)), wanted) for field, wanted in given.items()}
        verbs.edit_case(case, actor=person(request), changes=changes)
        return Response(WholeCaseSerializer(self.case()).data)


class MoveCase(UnderCase):
    """The case's step."""

    @extend_schema(
        summary="Move a case to another step",
        description="409 when it is not at `expected_from` any more; a refused escalation lists what is missing.",
        tags=TAGS,
        request=MoveCaseSerializer,
        responses=answers(200, WholeCaseSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        verbs.move_case(case, actor=person(request), **checked(MoveCaseSerializer, request.data))
        return Response(WholeCaseSerializer(self.case()).data)


class AssignCase(UnderCase):
    """Who works on it."""

    @extend_schema(
        summary="Assign a case",
        description="409 when it is not `expected` who has it now; `detail` says who has.",
        tags=TAGS,
        request=AssignCaseSerializer,
        responses=answers(200, WholeCaseSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(AssignCaseSerializer, request.data)
        to, expected = (person_named(given[name] or "", name) for name in ("to", "expected"))
        with sent_as(assignee="to"):
            verbs.assign_case(case, actor=person(request), to=to, expected=expected)
        return Response(WholeCaseSerializer(self.case()).data)
