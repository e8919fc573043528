"""Runs over the API: list, one with each detector's answer, starting one, and the schedule of a source."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import measures, run_reading, run_schedule
from detection.api.feeds import AskedSerializer
from detection.models import Answer, Run, RunEvery, TelemetrySource
from detection.records import Status
from detection.runs import request_run
from people.authentication import needs
from people.rights import may
from spine import principal
from spine.answers import Exact, answers, asked, checked

TAGS = ["runs"]


class RunFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    source_id = serializers.UUIDField(required=False)


class RunRowSerializer(serializers.ModelSerializer[Run]):
    """A run in a list: its window, how long it took, and what it found."""

    source_id = serializers.UUIDField()
    telemetry_source = serializers.CharField(source="source.name", help_text="by name")
    clusters = serializers.IntegerField(source="cluster_count")
    worth_a_look = serializers.IntegerField(help_text="clusters that became a lead, or were seen again in one")
    findings_new = serializers.IntegerField()
    findings_known = serializers.IntegerField(help_text="that an earlier run had made")

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
            "id",
            "source_id",
            "telemetry_source",
            "window_start",
            "window_end",
            "algorithm",
            "algorithm_version",
            "account_count",
            "clusters",
            "worth_a_look",
            "findings_new",
            "findings_known",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class RunAnswerSerializer(serializers.ModelSerializer[Answer]):
    """What one detector answered, and why."""

    detector = serializers.CharField(source="detector_version.detector.name")
    version = serializers.CharField(source="detector_version.version")
    status = serializers.ChoiceField([status.value for status in Status])
    counts = serializers.SerializerMethodField()
    hubs = serializers.SerializerMethodField(help_text="how many values it set aside; at most 200 are counted")
    false_positives_in_words = serializers.SerializerMethodField(
        help_text="the newest rate measured of the version on a benign reference, of accounts or of groups drawn at "
        "random, with its interval; or: not measured"
    )

    class Meta:
        model = Answer
        fields = ("detector", "version", "status", "reason", "counts", "hubs", "false_positives_in_words")
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_counts(self, answer: Answer) -> Any:
        return answer.counts

    def get_hubs(self, answer: Answer) -> int:
        return len(answer.hubs)

    def get_false_positives_in_words(self, answer: Answer) -> str:
        return measures.in_words(self.context["measured"].get(answer.detector_version_id))


class HubSerializer(serializers.Serializer[Any]):
    """A value that joins nobody in this run, and why. Who may not read attributes gets its kind alone."""

    type = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    accounts = serializers.IntegerField()
    reason = serializers.CharField()


class RunDetailSerializer(RunRowSerializer):
    """A run with every detector's answer, the values it set aside, and what is needed to repeat it."""

    answers = serializers.SerializerMethodField()
    hubs = serializers.SerializerMethodField()
    parameters = serializers.SerializerMethodField()
    previous = serializers.SerializerMethodField(help_text="the run of the source before this one")

    class Meta(RunRowSerializer.Meta):
        fields = (
            *RunRowSerializer.Meta.fields,
            "edge_count",
            "input_sha256",
            "parameters",
            "answers",
            "hubs",
            "previous",
        )
        read_only_fields = fields

    @extend_schema_field(RunAnswerSerializer(many=True))
    def get_answers(self, run: Run) -> Any:
        found = run_reading.answers(run)
        measured = measures.newest_of(one.detector_version_id for one in found)
        return RunAnswerSerializer(found, many=True, context={"measured": measured}).data

    @extend_schema_field(HubSerializer(many=True))
    def get_hubs(self, run: Run) -> Any:
        named = self.context["named"]
        return [{**hub, "value": hub["value"] if named else None} for hub in run.hubs]

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_parameters(self, run: Run) -> Any:
        return run.parameters

    def get_previous(self, run: Run) -> UUID | None:
        earlier = run_reading.before(run)
        return earlier.pk if earlier else None


class RunScheduleSerializer(serializers.ModelSerializer[TelemetrySource]):
    """How often detectors run over a source by themselves; `next_at` is the earliest time of the next run."""

    every = serializers.ChoiceField(RunEvery.choices, source="run_every")
    days = serializers.IntegerField(source="run_days", help_text="how many of the newest days a run covers")
    asked_at = serializers.DateTimeField(source="run_asked_at", help_text="when the schedule asked for a run last")
    next_at = serializers.SerializerMethodField()
    behind = serializers.SerializerMethodField(help_text="whether it holds files that no finished run has read")

    class Meta:
        model = TelemetrySource
        fields = ("every", "days", "asked_at", "next_at", "behind", "revision")
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_at(self, source: TelemetrySource) -> Any:
        return run_schedule.next_at(source)

    def get_behind(self, source: TelemetrySource) -> bool:
        return run_schedule.is_behind(source)


class SetRunScheduleSerializer(serializers.Serializer[Any]):
    """A schedule over the one that stands; `revision` is the one you saw."""

    every = serializers.ChoiceField(RunEvery.choices)
    days = serializers.IntegerField(min_value=1, max_value=run_schedule.LONGEST)
    revision = serializers.IntegerField()


class AskRunSerializer(Exact):
    """Over the newest `days`, or over a window, or with neither over all there is."""

    days = serializers.IntegerField(required=False, min_value=1, max_value=run_schedule.LONGEST)
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("start" in given) != ("end" in given):
            raise serializers.ValidationError({"end": "A window has a start and an end."})
        if "days" in given and "start" in given:
            raise serializers.ValidationError({"days": "Either days or a window."})
        return given


class Runs(generics.ListAPIView[Run]):
    """The list."""

    permission_classes = [needs("detectors.read")]
    serializer_class = RunRowSerializer

    def get_queryset(self) -> QuerySet[Run]:
        chosen = asked(RunFilter, self.request)
        return run_reading.runs().filter(**chosen)

    @extend_schema(
        summary="List finished runs, newest first",
        tags=TAGS,
        parameters=[RunFilter],
        responses=answers(200, RunRowSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneRun(APIView):
    """One run."""

    permission_classes = [needs("detectors.read")]

    @extend_schema(
        summary="Read a run with every detector's answer", tags=TAGS, responses=answers(200, RunDetailSerializer, 404)
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        run = get_object_or_404(run_reading.runs(), pk=run_id)
        return Response(RunDetailSerializer(run, context={"named": may(request.user, "leads.read")}).data)


class AskRun(APIView):
    """Starting a run."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Run every detector over a source",
        description="One run of a source at a time: the same run that waits or goes on already is given instead, and "
        "409 says that one over another window does.",
        tags=TAGS,
        request=AskRunSerializer,
        responses=answers(202, AskedSerializer, 400, 404, 409),
        examples=[OpenApiExample("the newest 45 days", value={"days": 45}, request_only=True)],
    )
    def post(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        given = checked(AskRunSerializer, request.data)
        times = {name: given[name].isoformat() for name in ("start", "end") if name in given}
        job = request_run(actor=principal.current(), source=source, days=given.get("days"), **times)
        address = request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))
        return Response({"job_id": str(job.pk), "status_url": address}, status=202, headers={"Location": address})


class RunSchedule(APIView):
    """The schedule of a source."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Read how often a source is run over", tags=TAGS, responses=answers(200, RunScheduleSerializer, 404)
    )
    def get(self, request: Request, source_id: UUID) -> Response:
        return Response(RunScheduleSerializer(get_object_or_404(TelemetrySource, pk=source_id)).data)

    @extend_schema(
        summary="Set how often a source is run over",
        description="A run is asked for when its time has come and telemetry came since the last run that read to the "
        "end. 409 when the schedule was changed since `revision`.",
        tags=TAGS,
        request=SetRunScheduleSerializer,
        responses=answers(200, RunScheduleSerializer, 400, 404, 409),
        examples=[OpenApiExample("hourly", value={"every": "hourly", "days": 45, "revision": 1}, request_only=True)],
    )
    def put(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        given = checked(SetRunScheduleSerializer, request.data)
        changed = run_schedule.set_run_schedule(source, actor=principal.current(), **given)
        return Response(RunScheduleSerializer(changed).data)
