"""The doors through which detectors send findings: one, an array, or lines in bulk."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import ingest, streams, tally, turns
from detection.api import bodies
from detection.finding_schema import NativeFinding, Problem
from detection.ingest import Counts, Form, Origin
from detection.streams import BrokenStream, Line
from people.authentication import DetectorPrincipal, needs
from people.quotas import OverLimit, charge
from spine import tracing
from spine.answers import answers
from spine.errors import NoRoom, Refused, is_no_room, sqlstate
from spine.problems import PROBLEM

logger = logging.getLogger(__name__)
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
OCSF_SAMPLE = {
    "class_uid": 2004,
    "category_uid": 2,
    "type_uid": 200401,
    "activity_id": 1,
    "severity_id": 3,
    "time": 1777942800000,
    "start_time": 1777852800000,
    "end_time": 1777939200000,
    "confidence_score": 93,
    "metadata": {"version": "1.8.0", "product": {"name": "reasoning-elicitation", "version": "3.2.0"}},
    "finding_info": {
        "uid": "cot-2026-05-04-7f31",
        "title": "Asks for inner reasoning, 412 exchanges",
        "types": ["reasoning_elicitation"],
    },
    "evidences": [{"actor": {"user": {"uid": "acct_81c2"}}, "src_endpoint": {"ip": "203.0.113.7"}}],
}
# The schema is OCSF's own and has hundreds of fields: what is read of it, and what is required.
OCSF_ONE: dict[str, Any] = {
    "type": "object",
    "required": ["class_uid", "finding_info", "metadata"],
    "properties": {
        "class_uid": {"type": "integer", "enum": [2004]},
        "finding_info": {"type": "object", "required": ["uid", "title"]},
        "metadata": {"type": "object", "required": ["product"]},
        "confidence_score": {"type": "integer", "minimum": 0, "maximum": 100},
        "start_time": {"type": "integer", "description": "milliseconds since 1970"},
        "end_time": {"type": "integer", "description": "milliseconds since 1970"},
        "evidences": {"type": "array", "items": {"type": "object"}},
    },
}
OCSF_ONE_OR_MANY = {"oneOf": [OCSF_ONE, {"type": "array", "items": OCSF_ONE, "minItems": 1, "maxItems": 1000}]}
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
    **answers((400, PROBLEM), CountsSerializer, 409, 413, 415, 429, 503),
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

    def take(self, request: Request, documents: Iterable[Line], form: Form = "native") -> Response:
        """Store the documents as the key's detector, batch by batch, and answer with the counts."""
        if not isinstance(request.user, DetectorPrincipal):
            raise exceptions.PermissionDenied
        sender, counts = request.user, Counts()

        def admit(lines: int, size: int) -> None:
            charge(sender.key_id, sender.limits, findings_per_minute=lines, mebibytes_per_day=size)

        try:
            with turns.place(sender.key_id) as turn:
                charge(sender.key_id, sender.limits, requests_per_minute=1)
                ingest.store(
                    documents,
                    actor=sender.principal,
                    detector=sender.name,
                    counts=counts,
                    form=form,
                    admit=admit,
                    origin=Origin(key=UUID(sender.key_id)),
                    turn=turn,
                )
        except OverLimit as over:
            return limited(counts, over)
        except Refused as refused:
            return _problem(409, "Not taken", refused.message, counts)
        except (OperationalError, InterfaceError) as error:
            return interrupted(counts, error)
        finally:
            say(sender.name, counts)
        return answered(counts)


def say(detector: str, counts: Counts) -> None:
    """One line in the log file for what was sent: counts, nothing of it."""
    figures = {name: getattr(counts, name) for name in ("received", *tally.OUTCOMES)}
    words = ", ".join(f"{count:,} {name}" for name, count in figures.items())
    logger.info("findings of %s: %s", detector, words, extra={"facts": {"detector": detector, **figures}})


def answered(counts: Counts) -> Response:
    """201 when nothing was rejected, 207 when some was, 400 when all was or nothing was sent."""
    if counts.received and not counts.rejected:
        return Response(as_json(counts), status=201)
    if counts.rejected < counts.received:
        return Response(as_json(counts), status=207)
    detail = "Nothing of it was kept; see errors." if counts.received else "Nothing was sent."
    return _problem(400, "Not acceptable as it is", detail, counts)


def interrupted(counts: Counts, error: Exception) -> Response:
    """503, with what is kept all the same, and the time after which to try again."""
    full = is_no_room(error)
    detail = (
        f"{'The database has no room left' if full else 'The database cannot be reached just now'}. What is counted "
        f"here is kept ({counts.received:,} lines); send all of it again: what is kept will count as duplicate."
    )
    logger.error("findings were interrupted: %s %s", type(error).__name__, sqlstate(error))
    response = _problem(503, "Not just now", detail, counts)
    response["Retry-After"] = str(NoRoom.retry_seconds) if full else "5"
    return response


def limited(counts: Counts, over: OverLimit) -> Response:
    """429, with what is kept all the same and the time until there is room."""
    detail = f"{over.sentence} What is counted here is kept; send the rest, or all of it again, in {over.seconds} s."
    response = _problem(429, "Too much for now", detail, counts)
    response["Retry-After"] = str(over.seconds)
    return response


def _problem(status: int, title: str, detail: str, counts: Counts) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **as_json(counts)}
    if status >= 500:
        body["request_id"] = tracing.current().request
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


def lines_in(request: Request) -> Iterator[Line]:
    """The lines of a body, as they arrive; the iterator raises BrokenStream."""
    return streams.lines(bodies.decoded(request, limit=settings.MAX_BULK_BYTES))


# Batches commit by themselves, so that what is counted is durable when the answer leaves.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class BulkFindings(Sender):
    """Findings in bulk."""

    permission_classes = [needs(write="findings.write")]

    @extend_schema(
        summary="Send findings in bulk",
        description=(
            "NDJSON, one finding a line, of any length up to the configured limit; read as it arrives and stored in "
            "batches of some thousand lines. When the body breaks off, what came before is kept and counted, and "
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
        return self.take(request, lines_in(request))


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class OcsfFindings(Sender):
    """Findings in the Open Cybersecurity Schema Framework."""

    permission_classes = [needs(write="findings.write")]

    @extend_schema(
        summary="Send OCSF Detection Findings",
        description=(
            "Class 2004 of the Open Cybersecurity Schema Framework: one document, an array of up to 1,000, or NDJSON "
            "of any length, which is read as it arrives. docs/formats/ocsf.md says what becomes of each field; what "
            "it does not name is kept in the received bytes. Pointers of errors lead into the OCSF document."
        ),
        tags=["findings"],
        parameters=[ENCODING],
        request={JSON: OCSF_ONE_OR_MANY, **dict.fromkeys(LINES, OCSF_ONE)},
        responses=ANSWERS,
        examples=[
            OpenApiExample("one", value=OCSF_SAMPLE, request_only=True, media_type=JSON),
            *(OpenApiExample("a line", value=OCSF_SAMPLE, request_only=True, media_type=kind) for kind in LINES),
            *EXAMPLES,
        ],
    )
    def post(self, request: Request) -> Response:
        bodies.require_type(request, JSON, *LINES)
        if (request.content_type or "").partition(";")[0].strip().lower() in LINES:
            return self.take(request, lines_in(request), "ocsf")
        try:
            return self.take(request, documents_in(request), "ocsf")
        except BrokenStream as broken:
            return unreadable(broken)
