"""An exhibit's chain of custody over the API: read with its gaps, recorded, on paper; and comparisons on demand."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, exhibits, verifying
from cases.actions import custody as verbs
from cases.actions import verifying as keeping
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import AnyAccept, CaseDoor, Moment, UnderCase, Words, accepted, person
from cases.models import EvidenceItem
from cases.views.exhibit import pdf_of
from people.authentication import needs
from spine.answers import answers, checked
from spine.principal import acting_as

TAGS = ["cases"]
SAMPLE = {
    "action": "transferred",
    "at": "2026-06-03T09:00:00Z",
    "party": "J. Doe, outside counsel",
    "where": "Main office",
    "why": "hold 7, review by counsel",
    "how": "encrypted disk, by courier",
}


class GapSerializer(serializers.Serializer[Any]):
    """A gap in the chain, and the events it lies between."""

    code = serializers.CharField()
    text = serializers.CharField()
    events = serializers.ListField(child=serializers.UUIDField())


class ChainSerializer(serializers.Serializer[Any]):
    """The custody form as data; docs/formats/custody.md describes it."""

    v = serializers.IntegerField()
    case = serializers.CharField()
    marking = serializers.CharField()
    exhibit = serializers.DictField()
    events = serializers.ListField(child=serializers.DictField())
    gaps = GapSerializer(many=True)
    comparisons = serializers.ListField(child=serializers.DictField())


class RecordSerializer(serializers.Serializer[Any]):
    """What somebody did with an exhibit outside Retort, as stated."""

    action = serializers.CharField(help_text=", ".join(one.value for one in verbs.MANUAL))
    at = Moment()
    where = Words()
    why = Words(help_text="the authority or purpose")
    how = Words(help_text="the method")
    who = Words(required=False, allow_blank=True, default="", help_text="by default you")
    party = Words(required=False, allow_blank=True, default="", help_text="to whom or from whom")
    answers = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="the transfer received")
    tool = Words(required=False, allow_blank=True, default="")
    tool_version = Words(required=False, allow_blank=True, default="")
    sha256 = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)


class Chain(UnderCase):
    """The chain of custody of one exhibit."""

    @extend_schema(
        summary="Read an exhibit's chain of custody",
        description="Events in the order in which they were written, every gap by name, and the comparisons.",
        tags=TAGS,
        responses=answers(200, ChainSerializer, 404),
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        return Response(_document(access.evidence_for(person(request), ref, number)))

    @extend_schema(
        summary="Record a custody event",
        description="What happened outside Retort: a transfer, its acknowledgement (`received` with `answers`), a "
        "return. Also for closed cases. 409 when the transfer was acknowledged already.",
        tags=TAGS,
        request=RecordSerializer,
        examples=[OpenApiExample("a transfer", value=SAMPLE, request_only=True)],
        responses=answers(201, ChainSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, number: int) -> Response:
        self.case()
        item = access.evidence_for(person(request), ref, number)
        verbs.record_custody(item, actor=person(request), **checked(RecordSerializer, request.data))
        return Response(_document(item), status=201)


class ChainOnPaper(UnderCase):
    """The custody form as a file."""

    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="Download an exhibit's custody form",
        description="A PDF with the events, the gaps and room for signatures.",
        tags=TAGS,
        responses=answers((200, "application/pdf"), OpenApiTypes.BINARY, 404),
    )
    def get(self, request: Request, ref: str, number: int) -> FileResponse:
        return pdf_of(access.evidence_for(person(request), ref, number), by=str(person(request)))


class ReadersDoor(CaseDoor):
    """The door of a case for what a reader may start too."""

    rights = ("cases.read", "cases.read")


class VerifyExhibit(UnderCase):
    """Comparison of one exhibit."""

    permission_classes = [ReadersDoor]

    @extend_schema(
        summary="Compare an exhibit with its digest now",
        description="A worker reads the stored bytes to their end. The result stands with the exhibit's chain.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer, 404),
    )
    def post(self, request: Request, ref: str, number: int) -> Response:
        job = keeping.verify_item(access.evidence_for(person(request), ref, number), actor=person(request))
        return accepted(request, {"job": JobSerializer(job).data}, f"/api/v1/jobs/{job.id}/")


class HealthSerializer(serializers.Serializer[Any]):
    """The vault as a whole. Times are null while nothing was compared."""

    store = serializers.CharField(help_text="folder or S3 bucket; empty when it is not reached", allow_blank=True)
    object_lock = serializers.CharField(allow_blank=True)
    free_bytes = serializers.IntegerField(allow_null=True)
    files = serializers.IntegerField()
    never_compared = serializers.IntegerField()
    overdue = serializers.IntegerField()
    failed = serializers.ListField(child=serializers.CharField(), help_text="their SHA-256")
    oldest_comparison = serializers.DateTimeField(allow_null=True)
    last_comparison = serializers.DateTimeField(allow_null=True)


class VaultHealth(APIView):
    """What is stored and how it is."""

    permission_classes = [needs("log.read", "log.read")]

    @extend_schema(
        summary="Read the vault's health",
        description="Digests and counts alone; no case is named.",
        tags=["vault"],
        responses=answers(200, HealthSerializer),
    )
    def get(self, request: Request) -> Response:
        with acting_as(keeping.KEEPER):
            health = verifying.health()
            failed = list(verifying.failing().order_by("sha256").values_list("sha256", flat=True)[:1000])
        body = {
            "store": health.about.kind if health.about else "",
            "object_lock": health.about.lock if health.about else "",
            "free_bytes": health.about.free if health.about else None,
            "files": health.objects,
            "never_compared": health.never,
            "overdue": health.overdue,
            "failed": failed,
            "oldest_comparison": health.oldest,
            "last_comparison": health.last,
        }
        return Response(HealthSerializer(body).data)


class VerifyVault(APIView):
    """Comparison of everything."""

    permission_classes = [needs("log.read", "log.read")]

    @extend_schema(
        summary="Compare everything in the vault now",
        description="For who looks after detectors and storage, and for who writes cases. Again while it runs is the "
        "same job.",
        tags=["vault"],
        request=None,
        responses=answers(202, AcceptedSerializer),
    )
    def post(self, request: Request) -> Response:
        job = keeping.verify_vault(actor=person(request))
        return accepted(request, {"job": JobSerializer(job).data}, f"/api/v1/jobs/{job.id}/")


def _document(item: EvidenceItem) -> dict[str, Any]:
    return exhibits.custody_document(exhibits.whole(item))
