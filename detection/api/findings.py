"""Findings over the API: send one or an array, list, read one with its versions, accounts and received bytes."""

import json
from datetime import date
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import queries
from detection.api.intake import (
    ANSWERS,
    ENCODING,
    EXAMPLES,
    JSON,
    MOST_IN_ARRAY,
    SAMPLE,
    Sender,
    documents_in,
    unreadable,
)
from detection.models import Finding, FindingAccount
from detection.streams import BrokenStream
from people.authentication import needs
from spine.answers import answers, asked
from spine.api import CursorPages

TAGS = ["findings"]
# The component is made where lines are described; here it may stand alone or in an array.
ONE: dict[str, Any] = {"$ref": "#/components/schemas/NativeFinding"}
ONE_OR_MANY = {"oneOf": [ONE, {"type": "array", "items": ONE, "minItems": 1, "maxItems": MOST_IN_ARRAY}]}


class FindingFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    signal = serializers.CharField(required=False, max_length=60)
    detector = serializers.CharField(required=False, max_length=120, help_text="by name")
    version = serializers.CharField(required=False, max_length=60, help_text="of the detector")
    min_score = serializers.FloatField(required=False, min_value=0, max_value=1)
    since = serializers.DateTimeField(required=False, help_text="received at this time or later")
    until = serializers.DateTimeField(required=False, help_text="received before this time")
    window_from = serializers.DateField(
        required=False, help_text="day (UTC); whose window overlaps it or what comes after"
    )
    window_until = serializers.DateField(
        required=False, help_text="day (UTC); whose window overlaps it or what comes before"
    )
    account = serializers.UUIDField(required=False)
    attribute = serializers.UUIDField(required=False, help_text="that an account has shown, a template for one")
    cluster = serializers.UUIDField(required=False)
    current = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="superseded or not")
    set_aside = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="in quarantine or not"
    )
    recalled = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="of a recalled detector version or not"
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """The last day is not before the first."""
        if "window_from" in given and given.get("window_until", date.max) < given["window_from"]:
            raise serializers.ValidationError({"window_until": "the last day is before the first"})
        return given


class WindowSerializer(serializers.Serializer[Any]):
    """The time a statement is about."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class SpokenBySerializer(serializers.Serializer[Any]):
    """The detector version that stated it."""

    id = serializers.UUIDField(source="detector_id", help_text="of the detector")
    name = serializers.CharField(source="detector.name")
    version = serializers.CharField(source="detector_version.version")
    config_sha256 = serializers.CharField(source="detector_version.config_sha256", allow_blank=True)


class FindingSerializer(serializers.ModelSerializer[Finding]):
    """A finding in a list."""

    detector = SpokenBySerializer(source="*")
    window = serializers.SerializerMethodField()
    current = serializers.BooleanField(source="is_current", help_text="no higher version was received")
    set_aside = serializers.BooleanField(source="is_set_aside", help_text="in quarantine: it counts for nothing now")
    recalled = serializers.BooleanField(source="is_recalled", help_text="its detector version is not to be relied on")

    class Meta:
        model = Finding
        fields: tuple[str, ...] = (
            "id",
            "uid",
            "version",
            "current",
            "set_aside",
            "recalled",
            "detector",
            "signal",
            "title",
            "score",
            "confidence",
            "window",
            "observed_at",
            "received_at",
            "account_count",
        )
        read_only_fields = fields

    @extend_schema_field(WindowSerializer)
    def get_window(self, finding: Finding) -> dict[str, Any]:
        return dict(WindowSerializer({"start": finding.window_start, "end": finding.window_end}).data)


class VersionSerializer(serializers.ModelSerializer[Finding]):
    """Another version of the same finding."""

    class Meta:
        model = Finding
        fields = ("id", "version", "received_at")
        read_only_fields = fields


class FindingDetailSerializer(FindingSerializer):
    """A finding with what was received and the other versions of it."""

    payload = serializers.SerializerMethodField(help_text="the document as it was received, unknown fields included")
    superseded_by = serializers.SerializerMethodField(help_text="the highest version, unless this is it")
    versions = serializers.SerializerMethodField(help_text="every version that was received, highest first")

    class Meta(FindingSerializer.Meta):
        fields = (
            *FindingSerializer.Meta.fields,
            "summary",
            "payload",
            "payload_sha256",
            "content_sha256",
            "superseded_by",
            "versions",
        )
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_payload(self, finding: Finding) -> Any:
        return json.loads(bytes(finding.payload))

    @extend_schema_field(VersionSerializer(allow_null=True))
    def get_superseded_by(self, finding: Finding) -> Any:
        highest = self.context["versions"][0]
        return VersionSerializer(highest).data if highest.version > finding.version else None

    @extend_schema_field(VersionSerializer(many=True))
    def get_versions(self, finding: Finding) -> Any:
        return VersionSerializer(self.context["versions"], many=True).data


class FindingAccountSerializer(serializers.ModelSerializer[FindingAccount]):
    """An account a finding speaks of, with its volume in the window as the detector states it."""

    account = serializers.UUIDField(source="account_id")
    pseudonym = serializers.CharField(source="account.pseudonym")

    class Meta:
        model = FindingAccount
        fields = ("account", "pseudonym", "exchanges", "input_tokens", "output_tokens")
        read_only_fields = fields


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class Findings(Sender, generics.ListAPIView[Finding]):
    """The list, and the door for one finding or an array."""

    permission_classes = [needs("leads.read", "findings.write")]
    serializer_class = FindingSerializer

    def get_queryset(self) -> QuerySet[Finding]:
        return queries.findings(**asked(FindingFilter, self.request))

    @extend_schema(
        summary="List findings, newest first",
        tags=TAGS,
        parameters=[FindingFilter],
        responses=answers(200, FindingSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Send one finding, or an array of up to 1,000",
        description=(
            "With a detector's key, findings of that detector. Known by (detector, uid, version): the same content "
            "again is a duplicate, other content a conflict, another version supersedes or is kept as history."
        ),
        tags=TAGS,
        parameters=[ENCODING],
        request={JSON: ONE_OR_MANY},
        responses=ANSWERS,
        examples=[
            OpenApiExample("one", value=SAMPLE, request_only=True),
            OpenApiExample("an array", value=[SAMPLE], request_only=True),
            *EXAMPLES,
        ],
    )
    def post(self, request: Request) -> Response:
        try:
            documents = documents_in(request)
        except BrokenStream as broken:
            return unreadable(broken)
        return self.take(request, documents)


class OneFinding(APIView):
    """One finding."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read a finding with its received document",
        tags=TAGS,
        responses=answers(200, FindingDetailSerializer, 404),
    )
    def get(self, request: Request, finding_id: UUID) -> Response:
        finding = get_object_or_404(queries.findings().defer(None), pk=finding_id)
        context = {"versions": queries.versions_of(finding)}
        return Response(FindingDetailSerializer(finding, context=context).data)


class AccountPages(CursorPages):
    """Rows that have no id of their own, by their account."""

    ordering = "-account_id"


class FindingAccounts(generics.ListAPIView[FindingAccount]):
    """The accounts of a finding."""

    permission_classes = [needs("leads.read")]
    serializer_class = FindingAccountSerializer
    queryset = FindingAccount.objects.none()
    pagination_class = AccountPages

    def get_queryset(self) -> QuerySet[FindingAccount]:
        get_object_or_404(Finding.objects.only("id"), pk=self.kwargs["finding_id"])
        return queries.accounts_of(self.kwargs["finding_id"])

    @extend_schema(
        summary="List the accounts of a finding",
        tags=TAGS,
        responses=answers(200, FindingAccountSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class ReceivedBytes(APIView):
    """The bytes a detector sent."""

    permission_classes = [needs("accounts.identify")]

    @extend_schema(
        summary="Download the received bytes, whose SHA-256 is payload_sha256",
        tags=TAGS,
        responses=answers((200, "application/octet-stream"), OpenApiTypes.BINARY, 404),
    )
    def get(self, request: Request, finding_id: UUID) -> HttpResponse:
        finding = get_object_or_404(Finding.objects.only("id", "payload"), pk=finding_id)
        return HttpResponse(
            bytes(finding.payload),
            content_type="application/octet-stream",
            headers={
                "Content-Disposition": f'attachment; filename="finding-{finding.id}.json"',
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "sandbox; default-src 'none'",
            },
        )
