"""Detectors held to account over the API: who owns one, where it stands, canaries, and what is set aside."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import detector_health, detector_verbs, standing
from detection.models import Canary, Detector, ExcludedValue, Lifecycle, Quarantine
from people.authentication import needs
from people.rights import may
from spine import principal
from spine.answers import Exact, answers, checked, within

TAGS = ["detectors"]


class GroupingSerializer(Exact):
    """How pushed findings are joined into leads: accounts that show the same value of one of these kinds."""

    by = serializers.ListField(child=serializers.CharField(max_length=40), help_text="kinds of value that join")
    window_hours = serializers.IntegerField(required=False, help_text="24 unless stated")
    least_findings = serializers.IntegerField(required=False, help_text="2 unless stated")
    least_accounts = serializers.IntegerField(required=False, help_text="2 unless stated")
    least_score = serializers.FloatField(required=False, help_text="0 unless stated")
    most_accounts = serializers.IntegerField(required=False, help_text="more make a hub, which joins nobody; 1,000")


class ChangeDetectorSerializer(Exact):
    """What to change; what is left out stays. `revision` is the one you saw."""

    revision = serializers.IntegerField()
    title = serializers.CharField(required=False, max_length=200, allow_blank=True)
    owner = serializers.CharField(required=False, max_length=200, allow_blank=True, help_text="who answers for it")
    description = serializers.CharField(required=False, max_length=10_000, allow_blank=True)
    runbook = serializers.CharField(required=False, max_length=500, allow_blank=True, help_text="https://…, or words")
    cadence_minutes = serializers.IntegerField(
        required=False, allow_null=True, help_text="a finding at least this often, or an alarm; null takes it off"
    )
    grouping = GroupingSerializer(required=False, allow_null=True, help_text="null: its findings are not grouped")
    lifecycle = serializers.ChoiceField(Lifecycle.choices, required=False)
    reason = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=1000, help_text="why the lifecycle changes"
    )


class CanarySerializer(serializers.Serializer[Any]):
    """An account that the detector has to notice again and again."""

    id = serializers.UUIDField(source="canary.id")
    namespace = serializers.CharField(source="canary.namespace")
    every_minutes = serializers.IntegerField(source="canary.every_minutes")
    note = serializers.CharField(source="canary.note", allow_blank=True)
    created_at = serializers.DateTimeField(source="canary.created_at")
    provider_id = serializers.SerializerMethodField(help_text="the provider's id, for who may see such; else null")
    last_returned_at = serializers.DateTimeField(source="last", allow_null=True)
    due_at = serializers.DateTimeField(source="due")
    missing = serializers.BooleanField(help_text="it should have come back by now")

    def get_provider_id(self, found: detector_health.Standing) -> str | None:
        return found.canary.account_id if self.context["identify"] else None


class NewCanarySerializer(Exact):
    """A canary to plant."""

    provider_id = serializers.CharField(max_length=200, help_text="the provider's id of an account of yours")
    every_minutes = serializers.IntegerField(help_text="a finding that names it comes back at least this often")
    note = serializers.CharField(required=False, default="", allow_blank=True, max_length=500)
    namespace = serializers.CharField(required=False, default="default", max_length=60)


class QuarantineSerializer(serializers.ModelSerializer[Quarantine]):
    """What of a key is set aside, and whether it still is."""

    key = serializers.UUIDField(source="key_id")
    lifted_at = serializers.DateTimeField(source="lifted.at", allow_null=True, default=None)
    lifted_reason = serializers.CharField(source="lifted.reason", allow_null=True, default=None)
    findings = serializers.IntegerField(source="covered", help_text="how many it covers now")

    class Meta:
        model = Quarantine
        fields = ("id", "key", "since", "until", "reason", "at", "findings", "lifted_at", "lifted_reason")
        read_only_fields = fields


class NewQuarantineSerializer(serializers.Serializer[Any]):
    """What to set aside: everything the key sent since a moment."""

    key = serializers.UUIDField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="null: and what comes")
    reason = serializers.CharField(max_length=1000)
    revoke = serializers.BooleanField(required=False, default=True, help_text="revoke the key too")


class LiftSerializer(serializers.Serializer[Any]):
    """Why the findings count again."""

    reason = serializers.CharField(max_length=1000)


def change(detector: Detector, given: dict[str, Any]) -> Detector:
    """Describe a detector, move it on, or both, in one transaction."""
    actor, revision = principal.current(), given.pop("revision")
    to, reason = given.pop("lifecycle", None), given.pop("reason")
    grouped, grouping = "grouping" in given, given.pop("grouping", None)
    promises_nothing = "cadence_minutes" in given and given["cadence_minutes"] is None
    with transaction.atomic():
        if given:
            detector = detector_verbs.describe_detector(
                detector, actor=actor, revision=revision, promises_nothing=promises_nothing, **given
            )
            revision = detector.revision
        if grouped:
            with within("grouping"):
                detector = detector_verbs.set_grouping(detector, actor=actor, revision=revision, grouping=grouping)
            revision = detector.revision
        if to is not None and to != detector.lifecycle:
            with within(places={"to": "lifecycle"}):
                detector = detector_verbs.move_detector(detector, actor=actor, revision=revision, to=to, reason=reason)
    return detector


class ExcludedSerializer(serializers.ModelSerializer[ExcludedValue]):
    """A value that joins no accounts."""

    class Meta:
        model = ExcludedValue
        fields = ("id", "type", "value", "reason", "at")
        read_only_fields = fields


class NewExcludedSerializer(serializers.Serializer[Any]):
    """A value that is to join no accounts."""

    type = serializers.CharField(max_length=40, help_text="such as ip")
    value = serializers.CharField(max_length=500)
    reason = serializers.CharField(max_length=1000)


class ExcludedValues(generics.ListAPIView[ExcludedValue]):
    """The values that join no accounts."""

    permission_classes = [needs("leads.read", "leads.write")]
    serializer_class = ExcludedSerializer
    queryset = ExcludedValue.objects.filter(removed_at=None)

    @extend_schema(
        summary="List the values that join no accounts",
        tags=["attributes"],
        responses=answers(200, ExcludedSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Let a value join no accounts",
        description="In runs and in groups of pushed findings, from now on.",
        tags=["attributes"],
        request=NewExcludedSerializer,
        responses=answers(201, ExcludedSerializer, 400),
        examples=[
            OpenApiExample(
                "a university's gateway",
                value={"type": "ip", "value": "203.0.113.7", "reason": "The gateway of a whole university."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(NewExcludedSerializer, request.data)
        made = detector_verbs.exclude_value(
            actor=principal.current(), kind=given["type"], value=given["value"], reason=given["reason"]
        )
        return Response(ExcludedSerializer(made).data, status=201)


class OneExcludedValue(APIView):
    """One of them."""

    permission_classes = [needs(write="leads.write")]

    @extend_schema(
        summary="Let a value join accounts again", tags=["attributes"], request=None, responses=answers(204, None, 404)
    )
    def delete(self, request: Request, excluded_id: UUID) -> Response:
        found = get_object_or_404(ExcludedValue, pk=excluded_id)
        detector_verbs.readmit_value(found, actor=principal.current())
        return Response(status=204)


class Canaries(APIView):
    """The canaries of a detector."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="List a detector's canaries and when each came back",
        tags=TAGS,
        responses=answers(200, CanarySerializer(many=True), 404),
    )
    def get(self, request: Request, detector_id: UUID) -> Response:
        return Response(_canaries(request, get_object_or_404(Detector, pk=detector_id)))

    @extend_schema(
        summary="Plant a canary",
        description="An account of yours that behaves as the detector should notice. Findings about it join no "
        "cluster and open no lead; when none comes back in time there is an alarm.",
        tags=TAGS,
        request=NewCanarySerializer,
        responses=answers(201, CanarySerializer, 400, 404),
        examples=[
            OpenApiExample(
                "every day", value={"provider_id": "acct_canary_1", "every_minutes": 1440}, request_only=True
            )
        ],
    )
    def post(self, request: Request, detector_id: UUID) -> Response:
        detector = get_object_or_404(Detector, pk=detector_id)
        given = checked(NewCanarySerializer, request.data)
        account = given.pop("provider_id")
        with within(places={"account_id": "provider_id"}):
            made = detector_verbs.plant_canary(detector, actor=principal.current(), account_id=account, **given)
        return Response(next(one for one in _canaries(request, detector) if one["id"] == str(made.pk)), status=201)


def _canaries(request: Request, detector: Detector) -> list[dict[str, Any]]:
    identify = may(request.user, "accounts.identify") or may(request.user, "detectors.write")
    rows = detector_health.canaries_of([detector])
    return [dict(CanarySerializer(one, context={"identify": identify}).data) for one in rows]


class OneCanary(APIView):
    """One canary."""

    permission_classes = [needs(write="detectors.write")]

    @extend_schema(
        summary="Remove a canary",
        description="It is expected no more, and joins clusters again as any account. What came back stays.",
        tags=TAGS,
        request=None,
        responses=answers(204, None, 404),
    )
    def delete(self, request: Request, detector_id: UUID, canary_id: UUID) -> Response:
        canary = get_object_or_404(Canary.objects.select_related("detector"), pk=canary_id, detector=detector_id)
        detector_verbs.remove_canary(canary, actor=principal.current())
        return Response(status=204)


class Quarantines(generics.ListAPIView[Quarantine]):
    """What of a detector is set aside."""

    permission_classes = [needs("detectors.read", "detectors.write")]
    serializer_class = QuarantineSerializer
    queryset = Quarantine.objects.none()

    def get_queryset(self) -> QuerySet[Quarantine]:
        get_object_or_404(Detector, pk=self.kwargs["detector_id"])
        return _counted(detector=self.kwargs["detector_id"])

    @extend_schema(
        summary="List a detector's quarantines, lifted ones too",
        tags=TAGS,
        responses=answers(200, QuarantineSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Set aside what a key sent since a moment",
        description="Marks, never removes: such findings join no cluster, open no lead and count for no precision "
        "while it stands. The key is revoked unless `revoke` is false.",
        tags=TAGS,
        request=NewQuarantineSerializer,
        responses=answers(201, QuarantineSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "a key that leaked",
                value={
                    "key": "01990000-0000-7000-8000-000000000001",
                    "since": "2026-05-04T00:00:00Z",
                    "reason": "The key was found in a public place.",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, detector_id: UUID) -> Response:
        detector = get_object_or_404(Detector, pk=detector_id)
        given = checked(NewQuarantineSerializer, request.data)
        key = detector_verbs.key_named(detector, given.pop("key"))
        made = detector_verbs.quarantine(key, actor=principal.current(), **given)
        return Response(QuarantineSerializer(_counted(pk=made.pk).get()).data, status=201)


def _counted(**where: Any) -> QuerySet[Any]:
    """Quarantines with how many findings each covers, in one query."""
    return standing.counted(Quarantine.objects.filter(**where).select_related("lifted"))


class LiftQuarantine(APIView):
    """One quarantine."""

    permission_classes = [needs(write="detectors.write")]

    @extend_schema(
        summary="Lift a quarantine",
        description="The findings count again, for runs and groupings to come.",
        tags=TAGS,
        request=LiftSerializer,
        responses=answers(200, QuarantineSerializer, 400, 404, 409),
        examples=[OpenApiExample("a mistake", value={"reason": "It was another key."}, request_only=True)],
    )
    def post(self, request: Request, detector_id: UUID, quarantine_id: UUID) -> Response:
        found = get_object_or_404(Quarantine.objects.select_related("detector"), pk=quarantine_id, detector=detector_id)
        detector_verbs.lift_quarantine(found, actor=principal.current(), **checked(LiftSerializer, request.data))
        return Response(QuarantineSerializer(_counted(pk=found.pk).get()).data)
