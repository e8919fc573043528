"""Telemetry sources over the API: their files with counts, and the lines that were not kept, with the reason."""

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

from detection import contents, retention, sources
from detection.models import BadLine, DataClass, FileKind, SourceRetention, TelemetryFile, TelemetrySource
from detection.telemetry.adapters import ADAPTERS
from people.authentication import needs
from spine import principal
from spine.answers import answers, checked
from spine.api import CursorPages

TAGS = ["telemetry"]


class SourceSerializer(serializers.ModelSerializer[TelemetrySource]):
    """Where exchanges come from."""

    class Meta:
        model = TelemetrySource
        fields = ("id", "name", "namespace", "created_at")
        read_only_fields = fields


class FileSerializer(serializers.ModelSerializer[TelemetryFile]):
    """A file that was read; rows + repeated + bad are its lines that were not blank."""

    columns_present = serializers.ListField(child=serializers.CharField())
    columns_absent = serializers.ListField(child=serializers.CharField())
    unknown_columns = serializers.SerializerMethodField(help_text="column and how often it stood in a line")

    class Meta:
        model = TelemetryFile
        fields = (
            "id",
            "kind",
            "name",
            "sha256",
            "size",
            "rows",
            "bad",
            "repeated",
            "first_ts",
            "last_ts",
            "columns_present",
            "columns_absent",
            "unknown_columns",
            "truncated",
            "added_at",
        )
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_unknown_columns(self, file: TelemetryFile) -> Any:
        return file.unknown_columns


class BadLineSerializer(serializers.ModelSerializer[BadLine]):
    """A line that was not kept: where and why."""

    class Meta:
        model = BadLine
        fields = ("line", "reason")
        read_only_fields = fields


class RetentionSerializer(serializers.ModelSerializer[SourceRetention]):
    """How long a source keeps a kind of data; `days` null is without end, 0 not at all."""

    class Meta:
        model = SourceRetention
        fields = ("id", "data_class", "days", "custodian", "contact", "note", "at", "supersedes")
        read_only_fields = fields


class StateRetentionSerializer(serializers.Serializer[Any]):
    """A statement to make over the one that stands."""

    data_class = serializers.ChoiceField(DataClass.choices)
    days = serializers.IntegerField(allow_null=True, min_value=0, max_value=retention.LONGEST)
    custodian = serializers.CharField(required=False, allow_blank=True, default="", trim_whitespace=False)
    contact = serializers.CharField(required=False, allow_blank=True, default="", trim_whitespace=False)
    note = serializers.CharField(required=False, allow_blank=True, default="", trim_whitespace=False)
    supersedes = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="the statement you saw; null for the first one"
    )


class NewSourceSerializer(serializers.Serializer[Any]):
    """A source to make; account ids share one namespace unless another is named."""

    name = serializers.CharField(max_length=60, trim_whitespace=False)
    namespace = serializers.CharField(required=False, default="default", max_length=60, trim_whitespace=False)


class AddFileSerializer(serializers.Serializer[Any]):
    """Files to read: a path, folder or pattern in a folder that is on the list of destinations, or s3://."""

    path = serializers.CharField(max_length=1000, trim_whitespace=False)
    kind = serializers.ChoiceField(FileKind.choices, required=False, default=FileKind.EXCHANGES.value)
    format = serializers.ChoiceField(sorted(ADAPTERS), required=False, allow_blank=True, default="")


class AskedForSerializer(serializers.Serializer[Any]):
    """The jobs that read, one for each file, and where the progress of each stands."""

    job_id = serializers.UUIDField()
    status_url = serializers.URLField()


class StopSerializer(serializers.Serializer[Any]):
    """The job to end."""

    job = serializers.UUIDField()


class DaySerializer(serializers.Serializer[Any]):
    """A UTC day and the exchanges of it that are stored."""

    day = serializers.DateField()
    rows = serializers.IntegerField()


class UnansweredSerializer(serializers.Serializer[Any]):
    """A detector that cannot answer on this source, and why."""

    name = serializers.CharField()
    title = serializers.CharField()
    reason = serializers.CharField()


class ContentsSerializer(serializers.Serializer[Any]):
    """What a source holds, and what the columns it lacks leave open."""

    files = serializers.IntegerField(source="totals.files", help_text="of exchanges")
    rows = serializers.IntegerField(source="totals.rows")
    bad = serializers.IntegerField(source="totals.bad")
    repeated = serializers.IntegerField(source="totals.repeated")
    cut = serializers.IntegerField(source="totals.cut", help_text="files that ended early or were damaged")
    days = DaySerializer(many=True)
    columns_present = serializers.ListField(source="present", child=serializers.CharField())
    columns_absent = serializers.ListField(source="absent", child=serializers.CharField())
    account_columns = serializers.ListField(child=serializers.CharField())
    unanswered = UnansweredSerializer(many=True)
    expires = serializers.CharField(help_text="when the source's own request logs go, in words")
    next_loss = serializers.DateTimeField(allow_null=True)


class ByLine(CursorPages):
    """In the order of the file."""

    ordering = "line"


class Sources(generics.ListAPIView[TelemetrySource]):
    """The list."""

    permission_classes = [needs("detectors.read", "detectors.write")]
    serializer_class = SourceSerializer
    queryset = TelemetrySource.objects.all()

    @extend_schema(summary="List telemetry sources", tags=TAGS, responses=answers(200, SourceSerializer(many=True)))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Make a telemetry source",
        description="The one of this name is given when it is there.",
        tags=TAGS,
        request=NewSourceSerializer,
        responses=answers(201, SourceSerializer, 400),
    )
    def post(self, request: Request) -> Response:
        given = checked(NewSourceSerializer, request.data)
        source = sources.source_named(given["name"], given["namespace"])
        return Response(SourceSerializer(source).data, status=201)


class OneSource(APIView):
    """One source."""

    permission_classes = [needs("detectors.read")]

    @extend_schema(summary="Read a telemetry source", tags=TAGS, responses=answers(200, SourceSerializer, 404))
    def get(self, request: Request, source_id: UUID) -> Response:
        return Response(SourceSerializer(get_object_or_404(TelemetrySource, pk=source_id)).data)


class Contents(APIView):
    """What one source holds."""

    permission_classes = [needs("detectors.read")]

    @extend_schema(
        summary="Read what a source holds",
        description="Rows by day, columns there and absent, the detectors these leave without an answer, and when the "
        "source's own logs expire.",
        tags=TAGS,
        responses=answers(200, ContentsSerializer, 404),
    )
    def get(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        return Response(ContentsSerializer(contents.contents(source)).data)


class StopReading(APIView):
    """End the reading of a file."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Stop the reading of a file",
        description="Nothing of it is kept.",
        tags=TAGS,
        request=StopSerializer,
        responses=answers(204, None, 400, 404),
    )
    def post(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        given = checked(StopSerializer, request.data)
        sources.stop(actor=principal.current(), source=source, **given)
        return Response(status=204)


class Retention(APIView):
    """How long one source keeps its data."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Read how long a source keeps its data",
        description="One statement for each kind of data that somebody has stated; the clocks of cases count by them.",
        tags=TAGS,
        responses=answers(200, RetentionSerializer(many=True), 404),
    )
    def get(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        return Response(RetentionSerializer(source.retention.filter(superseded_by=None), many=True).data)

    @extend_schema(
        summary="State how long a source keeps a kind of data",
        description="The earlier statement is kept. 409 when somebody stated it anew since `supersedes`.",
        tags=TAGS,
        request=StateRetentionSerializer,
        responses=answers(201, RetentionSerializer, 400, 404, 409),
        examples=[
            OpenApiExample("thirty days", value={"data_class": "request_logs", "days": 30}, request_only=True),
        ],
    )
    def post(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        given = checked(StateRetentionSerializer, request.data)
        row = retention.set_retention(source, actor=principal.current(), **given)
        return Response(RetentionSerializer(row).data, status=201)


class SourceFiles(generics.ListAPIView[TelemetryFile]):
    """The files of a source."""

    permission_classes = [needs("detectors.read", "detectors.write")]
    serializer_class = FileSerializer
    queryset = TelemetryFile.objects.none()

    def get_queryset(self) -> QuerySet[TelemetryFile]:
        return get_object_or_404(TelemetrySource, pk=self.kwargs["source_id"]).files.all()

    @extend_schema(
        summary="List the files read into a source, with counts of rows and bad lines",
        tags=TAGS,
        responses=answers(200, FileSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Ask for files to be read into a source",
        tags=TAGS,
        request=AddFileSerializer,
        responses=answers(202, AskedForSerializer(many=True), 400, 404),
        examples=[
            OpenApiExample("a folder", value={"path": "/mnt/logs/2026-05", "format": "bedrock"}, request_only=True),
        ],
    )
    def post(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        given = checked(AddFileSerializer, request.data)
        asked = sources.request_all(
            actor=principal.current(),
            source=source,
            uri=given["path"],
            kind=given["kind"],
            adapter=given["format"],
        )
        rows = [
            {"job_id": job.id, "status_url": request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))}
            for job in asked
        ]
        return Response(AskedForSerializer(rows, many=True).data, status=202)


class FileBadLines(generics.ListAPIView[BadLine]):
    """The bad lines of a file."""

    permission_classes = [needs("detectors.read")]
    serializer_class = BadLineSerializer
    pagination_class = ByLine
    queryset = BadLine.objects.none()

    def get_queryset(self) -> QuerySet[BadLine]:
        files = TelemetryFile.objects.filter(source=self.kwargs["source_id"])
        return get_object_or_404(files, pk=self.kwargs["file_id"]).bad_lines.all()

    @extend_schema(
        summary="List the lines that were not kept, the first thousand, with the reason",
        tags=TAGS,
        responses=answers(200, BadLineSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)
