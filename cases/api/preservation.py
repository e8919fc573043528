"""Preservation over the API: clocks of cases, requests to log owners with their answers, and why none was made."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, preservation
from cases.actions import preservation as verbs
from cases.api.shared import Moment, UnderCase, Username, Words, person, whole
from cases.models import Case, PreservationAbsence, PreservationAnswer, PreservationRequest
from cases.models.case import CaseStatus
from cases.preservation import SourceClock
from detection.expiry import State
from detection.models import DataClass, TelemetrySource
from people.authentication import needs
from spine.answers import answers, checked

TAGS = ["preservation"]


class PreservationAnswerSerializer(serializers.ModelSerializer[PreservationAnswer]):
    """What a log owner answered; `keeps_until` null is until told otherwise."""

    recorded_by = Username()

    class Meta:
        model = PreservationAnswer
        fields = [
            *("id", "kind", "number", "answered_by", "answered_at", "what", "preserved_from", "preserved_to"),
            *("keeps_until", "gone", "recorded_by", "at", "supersedes"),
        ]
        read_only_fields = fields


class PreservationRequestSerializer(serializers.ModelSerializer[PreservationRequest]):
    """A request to a log owner. `gone_before` ends what had expired when it was asked, as far as it was known."""

    source = serializers.CharField(source="source.name")  # type: ignore[assignment]
    requested_by = Username()
    answers = PreservationAnswerSerializer(many=True)

    class Meta:
        model = PreservationRequest
        fields = [
            *("id", "source", "data_class", "window_start", "window_end", "scope", "account_count", "custodian"),
            *("contact", "authority", "days_kept", "gone_before", "requested_by", "at", "answers"),
        ]
        read_only_fields = fields


class PreservationAbsenceSerializer(serializers.ModelSerializer[PreservationAbsence]):
    """Why nothing was asked of a source."""

    source = serializers.CharField(source="source.name")  # type: ignore[assignment]
    explained_by = Username()

    class Meta:
        model = PreservationAbsence
        fields = ["id", "source", "reason", "explained_by", "at"]
        read_only_fields = fields


class ClockSerializer(serializers.Serializer[SourceClock]):
    """One kind of data at one source over a case's window; `next_loss` is when the next piece of it expires."""

    source = serializers.CharField(source="source.name")  # type: ignore[assignment]
    data_class = serializers.ChoiceField(DataClass.choices)
    state = serializers.ChoiceField([one.value for one in State], source="clock.state")
    sentence = serializers.CharField()
    window_start = serializers.DateTimeField(source="window.start")
    window_end = serializers.DateTimeField(source="window.end")
    next_loss = serializers.DateTimeField(source="clock.next_loss", allow_null=True)
    oldest_held = serializers.DateTimeField(source="clock.oldest_held", allow_null=True)
    gone_before = serializers.DateTimeField(source="clock.gone_before", allow_null=True)
    asked = serializers.CharField(help_text="whether anybody was asked to keep it")


class PreservationSerializer(serializers.Serializer[Any]):
    """Everything on preservation in a case; the clocks most urgent first."""

    clocks = ClockSerializer(many=True)
    requests = PreservationRequestSerializer(many=True)
    explanations = PreservationAbsenceSerializer(many=True)


class CaseClockSerializer(serializers.Serializer[Any]):
    """A case with its clocks."""

    case = serializers.CharField()
    headline = serializers.CharField()
    soon = serializers.BooleanField(help_text="the next piece goes within 14 days")
    clocks = serializers.SerializerMethodField()

    @extend_schema_field(ClockSerializer(many=True))
    def get_clocks(self, row: dict[str, Any]) -> Any:
        return ClockSerializer(row["clocks"], many=True).data


class CaseClocksSerializer(serializers.Serializer[Any]):
    """The list."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = CaseClockSerializer(many=True)


class AskSerializer(serializers.Serializer[Any]):
    """What to ask of whom. Without a window: the accounts' activity in this case."""

    source = serializers.CharField()  # type: ignore[assignment]
    data_classes = serializers.ListField(child=serializers.ChoiceField(DataClass.choices), min_length=1, max_length=9)
    scope = Words()
    custodian = Words()
    contact = Words(required=False, allow_blank=True, default="")
    authority = Words()
    window_start = Moment(required=False, allow_null=True, default=None)
    window_end = Moment(required=False, allow_null=True, default=None)


class AnswerSerializer(serializers.Serializer[Any]):
    """A log owner's answer. A receipt needs its number; without a window it covers what was asked."""

    kind = serializers.ChoiceField(PreservationAnswer.Kind.choices)
    number = Words(required=False, allow_blank=True, default="")
    answered_by = Words()
    answered_at = Moment()
    what = Words()
    preserved_from = Moment(required=False, allow_null=True, default=None)
    preserved_to = Moment(required=False, allow_null=True, default=None)
    keeps_until = Moment(required=False, allow_null=True, default=None)
    gone = Words(required=False, allow_blank=True, default="")
    supersedes = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="the answer this corrects"
    )


class ExplainSerializer(serializers.Serializer[Any]):
    """Why nothing is asked of a source."""

    source = serializers.CharField()  # type: ignore[assignment]
    reason = Words()


class Clocks(APIView):
    """The clocks of all cases."""

    permission_classes = [needs("cases.read")]

    @extend_schema(
        summary="List the preservation clocks of open cases",
        description="The case whose evidence expires next comes first. At most 500.",
        tags=TAGS,
        responses=answers(200, CaseClocksSerializer),
    )
    def get(self, request: Request) -> Response:
        cases = list(access.visible_cases(person(request)).exclude(status=CaseStatus.CLOSED).order_by("-updated_at"))
        rows = [_row(case, clocks) for case, clocks in _with_clocks(cases)]
        return Response(CaseClocksSerializer(whole(rows[:500])).data)


class Preservation(UnderCase):
    """Preservation in one case."""

    @extend_schema(
        summary="Read the preservation clocks, requests and answers of a case",
        tags=TAGS,
        responses=answers(200, PreservationSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        case = self.case()
        asked = case.preservation_requests.select_related("source", "requested_by")
        body = {
            "clocks": preservation.clocks(case),
            "requests": asked.prefetch_related("answers__recorded_by").order_by("-at", "-id"),
            "explanations": case.preservation_absences.select_related("source", "explained_by").order_by("-at", "-id"),
        }
        return Response(PreservationSerializer(body).data)

    @extend_schema(
        summary="Ask a log owner to preserve",
        description="One request for each kind of data. What was already gone is written down with it.",
        tags=TAGS,
        request=AskSerializer,
        responses=answers(201, PreservationRequestSerializer(many=True), 400, 404, 409),
        examples=[
            OpenApiExample(
                "request logs",
                value={
                    "source": "gateway",
                    "data_classes": ["request_logs"],
                    "scope": "All request logs of the listed accounts.",
                    "custodian": "Gateway team",
                    "authority": "Case RT-2026-K7Q4M",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(AskSerializer, request.data)
        source = _source(given.pop("source"))
        rows = verbs.request_preservation(case, actor=person(request), source=source, **given)
        return Response(PreservationRequestSerializer(rows, many=True).data, status=201)


class Answers(UnderCase):
    """The answer to one request."""

    @extend_schema(
        summary="Write down what a log owner answered",
        description="409 when another answer was written down since `supersedes`.",
        tags=TAGS,
        request=AnswerSerializer,
        responses=answers(201, PreservationAnswerSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, request_id: UUID) -> Response:
        asked = access.preservation_for(person(request), ref, request_id, write=True)
        answer = verbs.answer_preservation(asked, actor=person(request), **checked(AnswerSerializer, request.data))
        return Response(PreservationAnswerSerializer(answer).data, status=201)


class Explanations(UnderCase):
    """Why nothing was asked."""

    @extend_schema(
        summary="Explain why nothing is asked of a source",
        tags=TAGS,
        request=ExplainSerializer,
        responses=answers(201, PreservationAbsenceSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(ExplainSerializer, request.data)
        source = _source(given.pop("source"))
        absence = verbs.explain_absence(case, actor=person(request), source=source, **given)
        return Response(PreservationAbsenceSerializer(absence).data, status=201)


def _source(name: str) -> TelemetrySource:
    found = TelemetrySource.objects.filter(name=name).first()
    if found is None:
        raise serializers.ValidationError({"source": ["There is no such source."]})
    return found


def _with_clocks(cases: list[Case]) -> list[tuple[Case, list[SourceClock]]]:
    found = preservation.clocks_of(cases)
    rows = [(case, found[case.pk]) for case in cases if found[case.pk]]

    def urgency(row: tuple[Case, list[SourceClock]]) -> float:
        loss = row[1][0].clock.next_loss
        return loss.timestamp() if loss else float("inf")

    return sorted(rows, key=urgency)


def _row(case: Case, clocks: list[SourceClock]) -> dict[str, Any]:
    line = preservation.headline(clocks)
    return {
        "case": case.ref,
        "headline": line.text if line else "",
        "soon": bool(line and line.soon),
        "clocks": clocks,
    }
