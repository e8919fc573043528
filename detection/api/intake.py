"""The doors through which detectors send findings: one, an array, or lines in bulk."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import ingest, streams
from detection.api import bodies
from detection.finding_schema import NativeFinding, Problem
from detection.ingest import Counts
from detection.streams import BrokenStream, Line
from people.authentication import DetectorPrincipal, needs
from spine.answers import answers
from spine.problems import PROBLEM

MOST_IN_ARRAY = 1000
MOST_ARRAY_BYTES = 32 * 1024 * 1024
JSON = "application/json"
LINES = ("application/x-ndjson", "application/jsonl")

SAMPLE = {
    "uid": "cot-2026-05-04-7f31",
    "version": 1,
    "detector": {"name": "reasoning-elicitation", "version": "3.2.0"},
    "signal": "reasoning_elicitation",
    "title": "Asks for inner reasoning, 412 exchanges",
    "score": 0.93,
    "confidence": "high",
    "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
    "accounts": [
        {"id": "acct_81c2", "exchanges": 412, "attributes": [{"type": "ip", "value": "203.0.113.7", "count": 120}]}
    ],
    "innocent_explanations": ["course exercise"],
}
SAMPLE_COUNTS = {"received": 1, "created": 1, "duplicate": 0, "superseded": 0, "rejected": 0, "errors": []}
SAMPLE_SOME = {
    "received": 3,
    "created": 1,
    "duplicate": 1,
    "superseded": 0,
    "rejected": 1,
    "errors": [{"line": 3, "pointer": "/window/end", "detail": "the window ends before it starts"}],
}


class RejectionSerializer(serializers.Serializer[Any]):
    """Why a line was not kept."""

    line = serializers.IntegerField(help_text="from 1; blank lines do not count")
    pointer = serializers.CharField(help_text="JSON Pointer (RFC 6901) into the finding", allow_blank=True)
    detail = serializers.CharField()


class CountsSerializer(serializers.Serializer[Any]):
    """What became of what was sent: received = created + duplicate + superseded + rejected."""

    received = serializers.IntegerField()
    created = serializers.IntegerField()
    duplicate = serializers.IntegerField(help_text="the same content was received before")
    superseded = serializers.IntegerField(help_text="another version of a finding that was received before")
    rejected = serializers.IntegerField()
    errors = RejectionSerializer(many=True, help_text="the first hundred")  # type: ignore[assignment]


ANSWERS = {
    201: CountsSerializer,
    207: CountsSerializer,
    **answers((400, PROBLEM), CountsSerializer, 413, 415, 503),
}
EXAMPLES = [
    OpenApiExample("kept", value=SAMPLE_COUNTS, response_only=True, status_codes=["201"]),
    OpenApiExample("some rejected", value=SAMPLE_SOME, response_only=True, status_codes=["207"]),
]
ENCODING = OpenApiParameter(
    "Content-Encoding", str, OpenApiParameter.HEADER, enum=list(streams.ENCODINGS), description="of the body, if any"
)


class Sender(APIView):
    """Shared by the doors: the key decides the detector, and the answer counts what is committed."""

    def take(self, request: Request, documents: Iterable[Line]) -> Response:
        """Store the documents as the key's detector, batch by batch, and answer with the counts."""
        if not isinstance(request.user, DetectorPrincipal):
            raise exceptions.PermissionDenied
        counts = Counts()
        try:
            ingest.store(documents, actor=request.user.principal, detector=request.user.name, counts=counts)
        except (OperationalError, InterfaceError):
            return interrupted(counts)
        return answered(counts)


def answered(counts: Counts) -> Response:
    """201 when nothing was rejected, 207 when some was, 400 when all was or nothing was sent."""
    if counts.received and not counts.rejected:
        return Response(as_json(counts), status=201)
    if counts.rejected < counts.received:
        return Response(as_json(counts), status=207)
    detail = "Nothing of it was kept; see errors." if counts.received else "Nothing was sent."
    return _problem(400, "Not acceptable as it is", detail, counts)


def interrupted(counts: Counts) -> Response:
    """503, with what is kept all the same."""
    detail = (
        f"The database cannot be reached just now. What is counted here is kept ({counts.received:,} lines); "
        "send all of it again: what is kept will count as duplicate."
    )
    response = _problem(503, "Not just now", detail, counts)
    response["Retry-After"] = "5"
    return response


def _problem(status: int, title: str, detail: str, counts: Counts) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **as_json(counts)}
    return Response(body, status=status, content_type=PROBLEM)


def as_json(counts: Counts) -> dict[str, Any]:
    """The counts as the API gives them."""
    errors = [{"line": e.line, "pointer": e.pointer, "detail": e.detail} for e in counts.errors]
    return {
        "received": counts.received,
        "created": counts.created,
        "duplicate": counts.duplicate,
        "superseded": counts.superseded,
        "rejected": counts.rejected,
        "errors": errors,
    }


def documents_in(request: Request) -> list[Line]:
    """The findings of a JSON body: the items of an array, or the one document; raises BrokenStream."""
    bodies.require_type(request, JSON)
    return streams.items(streams.whole(bodies.decoded(request, limit=MOST_ARRAY_BYTES)), most=MOST_IN_ARRAY)


def unreadable(broken: BrokenStream) -> Response:
    """A body that is no JSON at all counts as one line that was rejected."""
    counts = Counts(received=1)
    counts.reject(1, [Problem("", str(broken))])
    return answered(counts)


# Batches commit by themselves, so that what is counted is durable when the answer leaves.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class BulkFindings(Sender):
    """Findings in bulk."""

    permission_classes = [needs(write="findings.write")]

    @extend_schema(
        summary="Send findings in bulk",
        description=(
            "NDJSON, one finding a line, of any length up to the configured limit; read as it arrives and stored in "
            "batches of about a thousand lines. When the body breaks off, what came before is kept and counted, and "
            "one error names the line. Sending the same again adds nothing."
        ),
        tags=["findings"],
        parameters=[ENCODING],
        request={LINES[0]: NativeFinding, LINES[1]: NativeFinding},
        responses=ANSWERS,
        examples=[
            *(OpenApiExample("one line", value=SAMPLE, request_only=True, media_type=kind) for kind in LINES),
            *EXAMPLES,
        ],
    )
    def post(self, request: Request) -> Response:
        bodies.require_type(request, *LINES)
        return self.take(request, streams.lines(bodies.decoded(request, limit=settings.MAX_BULK_BYTES)))
