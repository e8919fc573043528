"""The chain over the API: how it stands, checkpoints, proofs, and a verification on demand."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import AnyAccept, accepted, person, saved_text
from people.authentication import needs
from spine import checking, proofs, standing
from spine.answers import answers, asked
from spine.api import CursorPages
from spine.models import Checkpoint, Job

TAGS = ["log"]


class BySize(CursorPages):
    """Largest first."""

    ordering = "-size"


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    """A signed checkpoint; `note` is the signed text in the C2SP form, `root_hash` in hexadecimal."""

    root_hash = serializers.SerializerMethodField()

    class Meta:
        model = Checkpoint
        fields = ["size", "root_hash", "note"]
        read_only_fields = fields

    def get_root_hash(self, checkpoint: Checkpoint) -> str:
        return bytes(checkpoint.root).hex()


class KeySerializer(serializers.Serializer[Any]):
    """A public key of the log."""

    fingerprint = serializers.CharField()
    after = serializers.IntegerField(help_text="it signs checkpoints of more entries than this")


class SignerSerializer(serializers.Serializer[Any]):
    """The process that signs."""

    answers = serializers.BooleanField()
    signed_size = serializers.IntegerField()
    trouble = serializers.CharField(help_text="why it refused last, or does not answer; empty when all is well")


class StampsSerializer(serializers.Serializer[Any]):
    """Time stamps of checkpoints."""

    configured = serializers.BooleanField()
    counted = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    due = serializers.IntegerField(help_text="checkpoints that wait for one")
    error = serializers.CharField()


class DestinationSerializer(serializers.Serializer[Any]):
    """Where copies leave to."""

    address = serializers.CharField(source="destination.address")
    last_left_at = serializers.DateTimeField(source="last.at", allow_null=True, default=None)
    last_size = serializers.IntegerField(source="last.size", allow_null=True, default=None)
    failures = serializers.IntegerField(help_text="since the last copy that left")
    detail = serializers.CharField(source="failure.detail", default="")


class DeparturesSerializer(serializers.Serializer[Any]):
    """Copies outside. `waiting_since` is the time of the oldest entry that no copy covers, null where none waits."""

    last_left = serializers.DateTimeField(allow_null=True)
    waiting_since = serializers.DateTimeField(allow_null=True)
    alarm = serializers.BooleanField(source="is_alarming")
    destinations = DestinationSerializer(many=True, source="outlooks")


class StandingSerializer(serializers.Serializer[Any]):
    """How the log stands."""

    size = serializers.IntegerField(help_text="entries that have an index")
    waiting = serializers.IntegerField(help_text="entries that wait for one")
    unsigned = serializers.IntegerField(help_text="entries with an index that no checkpoint covers yet")
    checkpoint = CheckpointSerializer(allow_null=True)
    covers = serializers.DateTimeField(allow_null=True, help_text="time of the newest entry under the checkpoint")
    keys = KeySerializer(many=True)
    signer = SignerSerializer()
    stamps = StampsSerializer()
    departures = DeparturesSerializer()


class ConsistencyQuery(serializers.Serializer[Any]):
    """Two sizes at which checkpoints were signed."""

    old = serializers.IntegerField(min_value=1, max_value=10**17)
    new = serializers.IntegerField(min_value=1, max_value=10**17)


class ConsistencySerializer(serializers.Serializer[Any]):
    """Both notes, the RFC 6962 proof between them, and what came of checking it here."""

    old = serializers.IntegerField()
    new = serializers.IntegerField()
    old_note = serializers.CharField()
    new_note = serializers.CharField()
    proof = serializers.ListField(child=serializers.CharField())
    signatures_hold = serializers.BooleanField()
    proof_holds = serializers.BooleanField()


class InclusionQuery(serializers.Serializer[Any]):
    """At which checkpoint, and for which of the entry's rows."""

    size = serializers.IntegerField(required=False, min_value=1, max_value=10**17, help_text="default: the newest")
    place = serializers.IntegerField(required=False, min_value=0, max_value=10**9, help_text="place of a row")


class RowProofSerializer(serializers.Serializer[Any]):
    """A row of the entry: its digest and the path to the entry's `rows.root`."""

    place = serializers.IntegerField()
    digest = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())


class InclusionSerializer(serializers.Serializer[Any]):
    """The entry's canonical bytes as text, its leaf hash, and the audit path to the checkpoint's root."""

    entry = serializers.CharField()
    canonical = serializers.CharField()
    index = serializers.IntegerField()
    leaf = serializers.CharField()
    path = serializers.ListField(child=serializers.CharField())
    checkpoint = serializers.CharField()
    key = serializers.CharField(help_text="public key, 64 hex")
    row = RowProofSerializer(allow_null=True)


class Chain(APIView):
    """How the log stands."""

    permission_classes = [needs("log.read")]

    @extend_schema(
        summary="Read how the log stands",
        description="Size, newest checkpoint, signer, time stamps, and copies that left the site.",
        tags=TAGS,
        responses=answers(200, StandingSerializer),
    )
    def get(self, request: Request) -> Response:
        return Response(StandingSerializer(standing.standing()).data)


class Checkpoints(generics.ListAPIView[Checkpoint]):
    """Signed checkpoints."""

    permission_classes = [needs("log.read")]
    serializer_class = CheckpointSerializer
    pagination_class = BySize
    queryset = Checkpoint.objects.all()

    @extend_schema(
        summary="List checkpoints",
        description="Largest first. Keep copies: they are what a rewritten history is held against.",
        tags=TAGS,
        responses=answers(200, CheckpointSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class OneCheckpoint(APIView):
    """One checkpoint."""

    permission_classes = [needs("log.read")]

    @extend_schema(summary="Read a checkpoint", tags=TAGS, responses=answers(200, CheckpointSerializer, 404))
    def get(self, request: Request, size: int) -> Response:
        return Response(CheckpointSerializer(_checkpoint(size)).data)


class CheckpointNote(APIView):
    """The signed text itself. HEAD is not served."""

    http_method_names = ["get", "options"]
    permission_classes = [needs("log.read")]
    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="Download a checkpoint's note",
        description="The signed text, byte for byte, as `verify_log --checkpoint` and any C2SP reader take it.",
        tags=TAGS,
        responses=answers((200, "text/plain"), OpenApiTypes.STR, 404),
    )
    def get(self, request: Request, size: int) -> FileResponse:
        found = _checkpoint(size)
        return saved_text(found.note, name=f"checkpoint-{found.size}.txt")


class ConsistencyProof(APIView):
    """That one checkpoint continues another."""

    permission_classes = [needs("log.read")]

    @extend_schema(
        summary="Prove that one checkpoint continues another",
        description="Between any two signed sizes. Check the proof yourself: `proof_holds` is this server's word.",
        tags=TAGS,
        parameters=[ConsistencyQuery],
        responses=answers(200, ConsistencySerializer, 400, 409),
    )
    def get(self, request: Request) -> Response:
        wanted = asked(ConsistencyQuery, request)
        return Response(ConsistencySerializer(proofs.consistency(wanted["old"], wanted["new"])).data)


class InclusionProof(APIView):
    """That an entry is in the log."""

    permission_classes = [needs("log.read")]

    @extend_schema(
        summary="Prove that an entry is in the log",
        description="For an entry you may know of, and with `place` for one of its rows. The entry's canonical "
        "text holds its details only as a salted commitment, and a row is shown by its digest alone.",
        tags=TAGS,
        parameters=[InclusionQuery],
        responses=answers(200, InclusionSerializer, 400, 404, 409),
    )
    def get(self, request: Request, entry_id: UUID) -> Response:
        wanted = asked(InclusionQuery, request)
        entry = access.visible_entries(person(request)).filter(pk=entry_id).first()
        if entry is None:
            raise Http404
        return Response(InclusionSerializer(asdict(proofs.inclusion(entry, **wanted))).data)


class Verifications(generics.ListAPIView[Job]):
    """Verifications of the whole log."""

    permission_classes = [needs("log.read", "log.verify")]
    serializer_class = JobSerializer
    queryset = Job.objects.none()

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.filter(kind=checking.KIND)

    @extend_schema(
        summary="List verifications of the log",
        description="Newest first; `result` has what was read and each problem with its place.",
        tags=TAGS,
        responses=answers(200, JobSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Verify the log now",
        description="Reads and computes everything again, as a job; while one runs, that one is given.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer),
    )
    def post(self, request: Request) -> Response:
        job = checking.ask(actor=person(request).principal)
        return accepted(request, {"job": JobSerializer(job).data}, reverse("cases-api:job", args=[job.id]))


def _checkpoint(size: int) -> Checkpoint:
    found = Checkpoint.objects.filter(size=size).first() if size < 2**63 else None
    if found is None:
        raise Http404
    return found
