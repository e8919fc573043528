"""Detectors over the API: list with versions, read one, register one and get its key."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import detector_health, measures, queries, registry
from detection.api.registry import ChangeDetectorSerializer, GroupingSerializer, change
from detection.models import Detector, DetectorMeasure, DetectorVersion
from detection.records import Unit
from people.actions.keys import KEY_DAYS
from people.api.keys import LimitsSerializer
from people.authentication import needs
from people.reauth import RecentlyProven
from spine import principal
from spine.answers import Exact, answers, checked

TAGS = ["detectors"]
SAMPLE: dict[str, Any] = {
    "id": "01990000-0000-7000-8000-000000000001",
    "name": "reward-grading",
    "title": "Accounts that have many answers graded",
    "built_in": True,
    "created_at": "2026-05-04T06:00:00Z",
    "lifecycle": "active",
    "owner": "",
    "description": "",
    "runbook": "",
    "cadence_minutes": None,
    "heard_at": "2026-05-05T01:12:09Z",
    "silent_since": None,
    "grouping": None,
    "revision": 1,
    "versions": [],
    "statement": {
        "version": "1.0.0",
        "config_sha256": "5f" * 32,
        "signal": "reward_grading",
        "idea": "A model that grades many candidate answers against a rubric serves as the reward in training another.",
        "requires": ["prompt"],
        "requires_any": [],
        "uses": ["ts"],
        "minimum_support": 500,
        "support_unit": "exchanges with a prompt that was read",
        "parameters": {"lowest_cue": 2, "alone_share": 0.3},
        "innocent_explanations": ["an evaluation harness with a published judge prompt"],
        "source": "public reports of rubric grading used as a reward model (2026); no published error rates",
        "techniques": ["AML.T0024.002"],
    },
}


class MeasureSerializer(serializers.ModelSerializer[DetectorMeasure]):
    """How often a version errs on a benign reference: names accounts, or of a detector of pools groups of accounts."""

    unit = serializers.ChoiceField(
        [unit.value for unit in Unit],
        source="counted",
        read_only=True,
        help_text="what `active` and `named` count: accounts, or groups of these drawn at random that could be "
        "compared, of a detector of pools. Such groups are not look-alikes",
    )
    rate = serializers.FloatField(read_only=True, help_text="named of active, between 0 and 1")

    class Meta:
        model = DetectorMeasure
        fields: tuple[str, ...] = (
            *("reference", "reference_sha256", "window_start", "window_end"),
            *("unit", "active", "named", "rate", "low", "high", "at"),
        )
        read_only_fields = fields


class DetectorVersionSerializer(serializers.ModelSerializer[DetectorVersion]):
    """A version that has spoken, with its newest measured false-positive rate."""

    false_positives = serializers.SerializerMethodField(help_text="measured on a benign reference; null: never")

    class Meta:
        model = DetectorVersion
        fields = ("id", "version", "config_sha256", "first_seen_at", "false_positives")
        read_only_fields = fields

    @extend_schema_field(MeasureSerializer(allow_null=True))
    def get_false_positives(self, version: DetectorVersion) -> dict[str, Any] | None:
        found = measures.newest(version)
        return None if found is None else dict(MeasureSerializer(found).data)


class StatementSerializer(serializers.Serializer[Any]):
    """What a built-in detector states of the version that runs."""

    version = serializers.CharField()
    config_sha256 = serializers.CharField(help_text="of the parameters as canonical JSON (RFC 8785)")
    signal = serializers.CharField()
    idea = serializers.CharField()
    requires = serializers.ListField(child=serializers.CharField(), help_text="columns without which it cannot tell")
    requires_any = serializers.ListField(child=serializers.CharField(), help_text="columns of which one is enough")
    uses = serializers.ListField(child=serializers.CharField(), help_text="columns it reads where they are there")
    minimum_support = serializers.IntegerField(help_text="how many of `support_unit` it needs")
    support_unit = serializers.CharField()
    parameters = serializers.SerializerMethodField(help_text="every number that decides anything")
    innocent_explanations = serializers.ListField(child=serializers.CharField())
    source = serializers.CharField(help_text="the paper, report or method it rests on")  # type: ignore[assignment]
    techniques = serializers.ListField(child=serializers.CharField(), help_text="of MITRE ATLAS")

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
    def get_parameters(self, stated: Any) -> dict[str, float]:
        return dict(stated.parameters)


class DetectorSerializer(serializers.ModelSerializer[Detector]):
    """A detector and its versions."""

    versions = DetectorVersionSerializer(many=True, read_only=True)
    grouping = GroupingSerializer(allow_null=True, read_only=True)
    silent_since = serializers.SerializerMethodField(help_text="since when less came than its cadence promises")
    statement = serializers.SerializerMethodField(help_text="of a built-in detector; null: of any other")

    class Meta:
        model = Detector
        fields: tuple[str, ...] = (
            *("id", "name", "title", "built_in", "created_at", "lifecycle", "owner", "description", "runbook"),
            *("cadence_minutes", "heard_at", "silent_since", "grouping", "revision", "versions", "statement"),
        )
        read_only_fields = fields

    @extend_schema_field(StatementSerializer(allow_null=True))
    def get_statement(self, detector: Detector) -> dict[str, Any] | None:
        stated = registry.statement_of(detector)
        return None if stated is None else dict(StatementSerializer(stated).data)

    def get_silent_since(self, detector: Detector) -> datetime | None:
        return detector_health.silent_since(detector, timezone.now())


class RegistrationSerializer(Exact):
    """What a detector is registered with; the verb says which names are accepted."""

    name = serializers.CharField(max_length=120, trim_whitespace=False, help_text="a–z, 0–9, dot, dash, underscore")
    title = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    key_name = serializers.CharField(
        max_length=120, required=False, default="", allow_blank=True, help_text="what the key is for"
    )
    expires_in_days = serializers.IntegerField(required=False, default=KEY_DAYS, help_text="1 to 366")
    networks = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        default=list,
        help_text="where the key may be used from, such as 192.0.2.0/24; empty: anywhere",
    )
    limits = LimitsSerializer(required=False, default=dict)


class RegisteredSerializer(DetectorSerializer):
    """The detector with its new key, which is shown once and not kept."""

    key = serializers.SerializerMethodField(help_text="shown once, not kept")

    class Meta(DetectorSerializer.Meta):
        fields = (*DetectorSerializer.Meta.fields, "key")
        read_only_fields = fields

    def get_key(self, detector: Detector) -> str:
        return str(self.context["key"])


class Detectors(generics.ListAPIView[Detector]):
    """The list, and registering."""

    permission_classes = [needs("detectors.read", "detectors.write"), RecentlyProven]
    serializer_class = DetectorSerializer

    def get_queryset(self) -> QuerySet[Detector]:
        return queries.detectors()

    @extend_schema(
        summary="List detectors with their versions", tags=TAGS, responses=answers(200, DetectorSerializer(many=True))
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Register a detector and get its key",
        description="A detector that is known already gets another key. The key is shown once and not kept.",
        tags=TAGS,
        request=RegistrationSerializer,
        responses=answers(201, RegisteredSerializer, 400),
        examples=[
            OpenApiExample("a detector", value={"name": "reasoning-elicitation", "title": "R"}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(RegistrationSerializer, request.data)
        given["days"] = given.pop("expires_in_days")
        detector, key = registry.create_detector(actor=principal.current(), **given)
        body = RegisteredSerializer(queries.detectors().get(pk=detector.pk), context={"key": key}).data
        return Response(body, status=201, headers={"Cache-Control": "no-store"})


class OneDetector(APIView):
    """One detector."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Read a detector",
        description="A built-in detector states the columns it needs, its parameters with their digest, its minimum "
        "support, the innocent explanations of what it finds, and its source.",
        tags=TAGS,
        responses=answers(200, DetectorSerializer, 404),
        examples=[OpenApiExample("a built-in detector", value=SAMPLE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request, detector_id: UUID) -> Response:
        return Response(DetectorSerializer(get_object_or_404(queries.detectors(), pk=detector_id)).data)

    @extend_schema(
        summary="Describe a detector, or move it on in its lifecycle",
        description="Draft: its findings are refused. Monitor: they are stored, and open nothing. Active: they join "
        "clusters and open leads. Retired: new ones are refused. 409 when it was changed since `revision`.",
        tags=TAGS,
        request=ChangeDetectorSerializer,
        responses=answers(200, DetectorSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "watch it first",
                value={"revision": 1, "lifecycle": "monitor", "reason": "Version 4 is not measured yet."},
                request_only=True,
            )
        ],
    )
    def patch(self, request: Request, detector_id: UUID) -> Response:
        detector = get_object_or_404(Detector, pk=detector_id)
        changed = change(detector, checked(ChangeDetectorSerializer, request.data))
        return Response(DetectorSerializer(queries.detectors().get(pk=changed.pk)).data)
