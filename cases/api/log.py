"""The log over the API: of one case, and all one may know of; each entry in words and with its place."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access, sentences
from cases.api.shared import UnderCase, person
from cases.models import Case
from people.authentication import needs
from spine.answers import answers, asked
from spine.models import LogEntry


class LogFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    action = serializers.CharField(required=False, max_length=80, help_text="the action's code, for example case.moved")
    actor = serializers.CharField(required=False, max_length=200, help_text="for example user:analyst")


class LogEntrySerializer(serializers.ModelSerializer[LogEntry]):
    """An entry. `index` is its place in the log, null for the seconds until it is numbered."""

    index = serializers.SerializerMethodField()
    case = serializers.CharField(allow_null=True, help_text="reference of the case it belongs to")
    sentence = serializers.SerializerMethodField(help_text="what was done, in words, without who")

    class Meta:
        model = LogEntry
        fields = ["id", "index", "at", "actor", "action", "sentence", "case", "about", "data"]
        read_only_fields = fields

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_index(self, entry: LogEntry) -> int | None:
        sequence = getattr(entry, "sequence", None)
        return sequence.index if sequence is not None else None

    @extend_schema_field(serializers.CharField())
    def get_sentence(self, entry: LogEntry) -> str:
        return sentences.tell(entry)


class CaseLog(UnderCase, generics.ListAPIView[LogEntry]):
    """The log of one case."""

    serializer_class = LogEntrySerializer
    queryset = LogEntry.objects.none()

    @extend_schema(
        summary="Read the log of a case",
        description="Newest first: every act, read and export under this case.",
        tags=["cases", "log"],
        parameters=[LogFilter],
        responses=answers(200, LogEntrySerializer(many=True), 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[LogEntry]:
        case = self.case()
        return _matching(LogEntry.objects.filter(scope=case.id), self.request)


class Log(generics.ListAPIView[LogEntry]):
    """The log."""

    permission_classes = [needs("log.read")]
    serializer_class = LogEntrySerializer
    queryset = LogEntry.objects.none()

    @extend_schema(
        summary="Read the log",
        description="Newest first: what you may know of. Without the right to read cases, nothing of cases and leads.",
        tags=["log"],
        parameters=[LogFilter],
        responses=answers(200, LogEntrySerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[LogEntry]:
        return _matching(access.visible_entries(person(self.request)), self.request)


def _matching(entries: QuerySet[LogEntry], request: Request) -> QuerySet[LogEntry]:
    wanted = asked(LogFilter, request)
    refs = Case.objects.filter(pk=OuterRef("scope")).values("ref")
    return entries.filter(**wanted).annotate(case=Subquery(refs)).select_related("sequence").defer("row_digests")
