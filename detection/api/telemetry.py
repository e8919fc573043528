"""Telemetry sources over the API: their files with counts, and the lines that were not kept, with the reason."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import retention
from detection.models import BadLine, DataClass, SourceRetention, TelemetryFile, TelemetrySource
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


class ByLine(CursorPages):
    """In the order of the file."""

    ordering = "line"


class Sources(generics.ListAPIView[TelemetrySource]):
    """The list."""

    permission_classes = [needs("detectors.read")]
    serializer_class = SourceSerializer
    queryset = TelemetrySource.objects.all()

    @extend_schema(summary="List telemetry sources", tags=TAGS, responses=answers(200, SourceSerializer(many=True)))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneSource(APIView):
    """One source."""

    permission_classes = [needs("detectors.read")]

    @extend_schema(summary="Read a telemetry source", tags=TAGS, responses=answers(200, SourceSerializer, 404))
    def get(self, request: Request, source_id: UUID) -> Response:
        return Response(SourceSerializer(get_object_or_404(TelemetrySource, pk=source_id)).data)


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

    permission_classes = [needs("detectors.read")]
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
