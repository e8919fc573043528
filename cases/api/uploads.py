"""Uploads that outlive both ends: begin, send in pieces, ask how far, complete.

The exchange follows tus 1.0 and the IETF's resumable uploads where they agree: PATCH with `Upload-Offset`, HEAD for the
offset. `complete/` asks a worker to take the file in.
"""

import base64
import binascii
import re
from contextlib import suppress
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.utils.decorators import method_decorator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases.actions import uploads as verbs
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import Moment, TakenSerializer, UnderCase, Words, accepted, person, whole
from cases.kinds import ADDABLE_CHOICES
from cases.models import Upload, UploadPart
from spine.answers import answers, checked
from spine.errors import NoRoom
from spine.problems import problem

TAGS = ["cases"]
PIECE = 1024 * 1024
MOST_DRAINED = 64 * PIECE
STREAMS = ("application/offset+octet-stream", "application/partial-upload", "application/octet-stream")
WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
CONTENT_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")  # RFC 9530
TUS_CHECKSUM = re.compile(r"sha256 ([A-Za-z0-9+/=]+)")
SAMPLE = {
    "title": "Gateway request log, May 2026",
    "source": "Gateway export, bucket logs-eu",
    "acquired_at": "2026-06-02T08:00:00Z",
    "clock": "the gateway's, synchronised by NTP",
    "method": "exported by query, copied over an encrypted line",
    "tool": "gateway-export",
    "tool_version": "4.1",
    "file_name": "requests-2026-05.ndjson.zst",
    "size": 5368709120,
}


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """An upload; `offset` bytes of it are on disk for certain. `number` is the exhibit's, once it is one."""

    number = serializers.IntegerField(source="item.number", default=None, allow_null=True)
    details = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = Upload
        fields = [
            *("id", "state", "file_name", "size", "offset", "percent", "sha256", "title", "source", "authority"),
            *("clock", "method", "tool", "tool_version"),
            *("acquired_at", "kind", "details", "created_at", "expires_at", "number", "problem"),
        ]
        read_only_fields = fields


class LastPartSerializer(serializers.ModelSerializer[UploadPart]):
    """The stretch that arrived last: a sender that goes on can see whether it has the same file."""

    class Meta:
        model = UploadPart
        fields = ["offset", "size", "sha256"]
        read_only_fields = fields


class OneUploadSerializer(UploadSerializer):
    """An upload, with the stretch that arrived last; null before the first, and once it was taken in."""

    last_part = serializers.SerializerMethodField()

    class Meta(UploadSerializer.Meta):
        fields = [*UploadSerializer.Meta.fields, "last_part"]
        read_only_fields = fields

    @extend_schema_field(LastPartSerializer(allow_null=True))
    def get_last_part(self, upload: Upload) -> dict[str, object] | None:
        """Offset, size and SHA-256."""
        last = upload.parts.order_by("-offset").first()
        return dict(LastPartSerializer(last).data) if last else None


class StartSerializer(TakenSerializer):
    """What is known of a file before its bytes come."""

    title = Words()
    source = Words(help_text="where it comes from")  # type: ignore[assignment]
    acquired_at = Moment(help_text="when the bytes were taken at the source")
    file_name = serializers.CharField(max_length=1000)
    size = serializers.IntegerField(min_value=1, max_value=2**53, help_text="bytes")
    sha256 = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=64, help_text="compared when it is complete"
    )
    declared_type = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    authority = Words(required=False, allow_blank=True, default="", help_text="on what authority it was taken")
    kind = serializers.ChoiceField(choices=ADDABLE_CHOICES, default="file")
    details = serializers.DictField(child=Words(allow_blank=True), required=False, default=dict)


class UnderUpload(UnderCase):
    """A view of one upload of the caller; anybody else's is not there."""

    def upload(self) -> Upload:
        """The upload of the address."""
        case = self.case()
        found = Upload.objects.select_related("item", "case").filter(
            pk=self.kwargs["upload_id"], case=case, owner=person(self.request)
        )
        upload = found.first()
        if upload is None:
            raise Http404
        return upload


class Uploads(UnderCase):
    """The caller's uploads to one case."""

    @extend_schema(
        operation_id="cases_uploads_list",
        summary="List your uploads to a case",
        description="Newest first; at most 50. What others send is not shown.",
        tags=TAGS,
        responses=answers(200, UploadSerializer(many=True), 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        own = Upload.objects.select_related("item").filter(case=self.case(), owner=person(request))
        rows = list(own.order_by("-created_at")[:50])
        return Response(whole([UploadSerializer(row).data for row in rows]))

    @extend_schema(
        summary="Begin an upload",
        description="Everything but the bytes. Then PATCH the bytes to the address in `Location`, in as many pieces as "
        "it takes, and POST to its `complete/`. With `sha256` given, 409 names the exhibit that has these bytes.",
        tags=TAGS,
        request=StartSerializer,
        examples=[OpenApiExample("a large log", value=SAMPLE, request_only=True)],
        responses=answers(201, UploadSerializer, 400, 404, 409, 503),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        upload = verbs.start_upload(case, actor=person(request), **checked(StartSerializer, request.data))
        address = request.build_absolute_uri(f"{request.path}{upload.id}/")
        return Response(UploadSerializer(upload).data, status=201, headers={"Location": address, **_headers(upload)})


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OneUpload(UnderUpload):
    """One upload. Not one transaction: each stretch that is on disk is noted at once."""

    parser_classes = []

    @extend_schema(
        summary="Ask how far an upload is",
        description="HEAD gives the same as headers: `Upload-Offset`, `Upload-Length`, `Upload-Expires`.",
        tags=TAGS,
        responses=answers(200, OneUploadSerializer, 404),
    )
    def get(self, request: Request, ref: str, upload_id: UUID) -> Response:
        upload = self.upload()
        return Response(OneUploadSerializer(upload).data, headers=_headers(upload))

    @extend_schema(
        summary="Send bytes",
        description="The body is the bytes from `Upload-Offset` on, of any length up to the rest. What arrived before "
        "a break is kept; with a digest (`Content-Digest: sha-256=:…:`, RFC 9530, or tus' `Upload-Checksum: sha256 …`) "
        "all of the body or nothing. 409 has the right offset in `Upload-Offset`; 503 when the disk is full, after "
        "which the same request can simply be sent again.",
        tags=TAGS,
        parameters=[
            OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True),
            OpenApiParameter("Content-Digest", str, OpenApiParameter.HEADER),
        ],
        request={"application/offset+octet-stream": OpenApiTypes.BINARY},
        responses=answers(204, None, 400, 404, 409, 415, 503),
    )
    def patch(self, request: Request, ref: str, upload_id: UUID) -> Response:
        upload = self.upload()
        if request.content_type.partition(";")[0].strip().lower() not in STREAMS:
            raise exceptions.UnsupportedMediaType(request.content_type or "none")
        offset = _number(request, "Upload-Offset")
        length = _number(request, "Content-Length")
        try:
            verbs.append(
                upload,
                actor=person(request),
                body=request._request,
                offset=offset,
                length=length,
                digest=_digest(request),
            )
        except (verbs.WrongOffset, NoRoom) as refusal:
            _drain(request)
            answer = problem(refusal, {})
            assert answer is not None
            upload.refresh_from_db()
            for name, value in _headers(upload).items():
                answer[name] = value
            return answer
        upload.refresh_from_db()
        return Response(status=204, headers=_headers(upload))

    @extend_schema(
        summary="Give an upload up",
        description="What arrived is removed. Again is the same.",
        tags=TAGS,
        responses=answers(204, None, 404, 409),
    )
    def delete(self, request: Request, ref: str, upload_id: UUID) -> Response:
        verbs.end_upload(self.upload(), actor=person(request))
        return Response(status=204)


class CompleteUpload(UnderUpload):
    """The end of an upload."""

    @extend_schema(
        summary="Complete an upload",
        description="A worker compares every stretch with what arrived, and the whole with `sha256` if it was given, "
        "and enters the exhibit. The job's `result` has its `number`, or `problem`: for example which exhibit has "
        "these bytes already. Again gives the same job.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer, 404, 409),
    )
    def post(self, request: Request, ref: str, upload_id: UUID) -> Response:
        job = verbs.complete_upload(self.upload(), actor=person(request))
        return accepted(request, {"job": JobSerializer(job).data}, f"/api/v1/jobs/{job.id}/")


def _drain(request: Request) -> None:
    """Read what is still coming, up to a bound: a sender that is cut off mid-body never hears the answer."""
    with suppress(OSError):
        for _ in range(MOST_DRAINED // PIECE):
            if not request._request.read(PIECE):
                break


def _headers(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.size),
        "Upload-Expires": f"{upload.expires_at:%a, %d %b %Y %H:%M:%S} GMT",
        "Tus-Resumable": "1.0.0",
        "Cache-Control": "no-store",
    }


def _number(request: Request, header: str) -> int:
    value = request.headers.get(header, "")
    if not WHOLE_NUMBER.fullmatch(value):
        raise exceptions.ParseError(f"The header {header} is missing or no whole number.")
    return int(value)


def _digest(request: Request) -> str:
    """The SHA-256 in hex that the caller states for this body; empty when none. Raises ParseError."""
    for header, form in (("Content-Digest", CONTENT_DIGEST), ("Upload-Checksum", TUS_CHECKSUM)):
        value = request.headers.get(header, "").strip()
        if not value:
            continue
        found = form.fullmatch(value)
        try:
            raw = base64.b64decode(found[1], validate=True) if found else b""
        except binascii.Error:
            raw = b""
        if len(raw) != 32:
            raise exceptions.ParseError(f"The header {header} holds no SHA-256 in its form.")
        return raw.hex()
    return ""
