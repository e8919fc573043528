"""Exhibits over the API: list, upload, read with custody, and give the content out."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access, history
from cases.actions import evidence as verbs
from cases.api.shared import (
    AnyAccept,
    Moment,
    TakenSerializer,
    UnderCase,
    Upload,
    Username,
    Words,
    attachment,
    person,
    whole,
)
from cases.kinds import ADDABLE_CHOICES, DERIVABLE
from cases.models import CustodyEvent, EvidenceItem
from spine import strict_json, vault
from spine.answers import answers, checked
from spine.errors import Refused

TAGS = ["cases"]


class CustodySerializer(serializers.ModelSerializer[CustodyEvent]):
    """Who did what with an exhibit, when, where, why and how."""

    class Meta:
        model = CustodyEvent
        fields = [
            *("id", "action", "who", "at", "clock", "where_at", "why", "how", "tool", "tool_version", "sha256", "size"),
            *("party", "answers"),
        ]
        read_only_fields = fields


class ExhibitSerializer(serializers.ModelSerializer[EvidenceItem]):
    """An exhibit. `media_type` is read from its first bytes, not from what the sender said."""

    added_by = Username()
    kind = serializers.CharField(source="kind_or_file")
    details = serializers.DictField(child=serializers.CharField(), allow_null=True)
    derived_from = serializers.IntegerField(
        source="derived_from.number", default=None, allow_null=True, help_text="the number of the original"
    )

    class Meta:
        model = EvidenceItem
        fields = [
            "id",
            "number",
            "title",
            "source",
            "file_name",
            "media_type",
            "size",
            "sha256",
            "acquired_at",
            "added_by",
            "added_at",
            "kind",
            "details",
            "derived_from",
            "derivation",
            "tool",
            "tool_version",
            "method",
            "reason",
        ]
        read_only_fields = fields


class WholeExhibitSerializer(ExhibitSerializer):
    """An exhibit with its custody events, oldest first."""

    custody = CustodySerializer(many=True)

    class Meta(ExhibitSerializer.Meta):
        fields = [*ExhibitSerializer.Meta.fields, "custody"]
        read_only_fields = fields


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class DetailsField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of texts; inside a form, its text."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        try:
            found = strict_json.loads(data.encode()) if isinstance(data, str) else data
        except strict_json.NotAccepted as refused:
            raise serializers.ValidationError(refused.reason) from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise serializers.ValidationError("An object of texts is accepted.")
        return found

    def to_representation(self, value: Any) -> Any:
        return value


class UploadSerializer(TakenSerializer):
    """A file and what is known of it."""

    file = serializers.FileField()
    title = Words()
    source = Words(help_text="where it comes from")  # type: ignore[assignment]
    acquired_at = Moment(help_text="when the bytes were taken at the source")
    authority = Words(required=False, allow_blank=True, default="", help_text="on what authority it was taken")
    kind = serializers.ChoiceField(choices=ADDABLE_CHOICES, default="file")
    details = DetailsField(required=False, default=dict, help_text="what the kind needs, as a JSON object")


class DeriveSerializer(serializers.Serializer[Any]):
    """A file made from an exhibit outside Retort, and how."""

    file = serializers.FileField()
    derivation = serializers.CharField(help_text=", ".join(DERIVABLE))
    title = Words()
    tool = Words(help_text="what it was made with, or by whom")
    tool_version = Words(required=False, allow_blank=True, default="")
    method = Words(help_text="how it was made, so that it could be made again")
    reason = Words(help_text="why it was made")


class Evidence(UnderCase, generics.ListAPIView[EvidenceItem]):
    """The exhibits of one case."""

    parser_classes = [Upload]
    serializer_class = ExhibitSerializer
    queryset = EvidenceItem.objects.none()

    @extend_schema(
        summary="List the exhibits of a case",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, ExhibitSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add an exhibit",
        description="As `multipart/form-data`. Hashed as it arrives and never changed. 409 names the exhibit that has "
        "these bytes already.",
        tags=TAGS,
        request={"multipart/form-data": UploadSerializer},
        responses=answers(201, WholeExhibitSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(UploadSerializer, request.data)
        file = given.pop("file")
        item = verbs.add_evidence(
            case,
            actor=person(request),
            file=file,
            file_name=file.name,
            declared_type=file.content_type or "",
            **given,
        )
        return Response(WholeExhibitSerializer(_with_custody(person(request), ref, item.number)).data, status=201)

    def get_queryset(self) -> QuerySet[EvidenceItem]:
        return history.evidence_at(self.case())


class OneExhibit(UnderCase):
    """One exhibit."""

    @extend_schema(
        summary="Read an exhibit's record",
        description="With its custody events. Its content is another address, and giving that out is a custody event.",
        tags=TAGS,
        responses=answers(200, WholeExhibitSerializer, 404),
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        return Response(WholeExhibitSerializer(_with_custody(person(request), ref, number)).data)


class Derivatives(UnderCase):
    """What was made from one exhibit."""

    parser_classes = [Upload]

    @extend_schema(
        operation_id="cases_evidence_derivatives_list",
        summary="List what was made from an exhibit",
        description="Directly from it, by number; what was made from those is listed at theirs.",
        tags=TAGS,
        responses=answers(200, ExhibitSerializer(many=True), 404),
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        item = access.evidence_for(person(request), ref, number)
        rows = item.derivatives.select_related("added_by", "derived_from").order_by("number")
        return Response(whole([ExhibitSerializer(row).data for row in rows]))

    @extend_schema(
        summary="Add what was made from an exhibit",
        description="As `multipart/form-data`: an extract, a translation, a transcript … It is the case's next exhibit "
        "and names its original; that has the custody event `analysed`. A redaction is made by Retort alone. 409 names "
        "the exhibit that has these bytes already.",
        tags=TAGS,
        request={"multipart/form-data": DeriveSerializer},
        responses=answers(201, WholeExhibitSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, number: int) -> Response:
        self.case()
        original = access.evidence_for(person(request), ref, number)
        given = checked(DeriveSerializer, request.data)
        file = given.pop("file")
        item = verbs.derive(
            original,
            actor=person(request),
            file=file,
            file_name=file.name,
            declared_type=file.content_type or "",
            **given,
        )
        return Response(WholeExhibitSerializer(_with_custody(person(request), ref, item.number)).data, status=201)


class ExhibitContent(UnderCase):
    """The bytes of one exhibit. HEAD is not served: a custody event would tell of a view that was none."""

    http_method_names = ["get", "options"]
    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="Download an exhibit",
        description="The bytes as they were added, as an attachment. Each download is a custody event and a log entry.",
        tags=TAGS,
        responses=answers((200, "application/octet-stream"), OpenApiTypes.BINARY, 404, 409),
    )
    def get(self, request: Request, ref: str, number: int) -> FileResponse:
        item = access.evidence_for(person(request), ref, number)
        try:
            verbs.record_copy(item, actor=person(request))
            stream = vault.open_blob(item.sha256)
        except vault.Missing as missing:
            raise Refused(f"{item.exhibit} cannot be given out: {missing}.") from None
        return attachment(stream, name=item.file_name, media_type="application/octet-stream", size=item.size)


def _with_custody(user: Any, ref: str, number: int) -> EvidenceItem:
    """The exhibit with its custody events in the order in which they were written."""
    item = access.evidence_for(user, ref, number)
    events = CustodyEvent.objects.order_by("entry__at", "entry_id", "place")
    return EvidenceItem.objects.select_related("added_by").prefetch_related(Prefetch("custody", events)).get(pk=item.pk)
