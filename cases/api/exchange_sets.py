"""Exchange sets over the API: make, read, ask again, prove one exchange."""

import io
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access
from cases.actions import exchange_checks, exchange_sets, work
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import AnyAccept, CaseDoor, Moment, UnderCase, Words, accepted, attachment, person
from cases.filters import AccountFilter
from cases.models import ExchangeSet, ExchangeSetRerun
from detection.models import TelemetrySource
from people.authentication import needs
from spine import vault
from spine.answers import answers, checked
from spine.errors import Refused
from spine.models import Job

TAGS = ["exchange sets"]
SAMPLE = {
    "source": "api-logs",
    "start": "2026-05-01T00:00:00Z",
    "end": "2026-06-15T00:00:00Z",
    "accounts": {"verdict": "actor_controlled"},
    "authority": "terms of service, section 4",
}


class RerunSerializer(serializers.ModelSerializer[ExchangeSetRerun]):
    """The same question asked again, and how the answer differs."""

    class Meta:
        model = ExchangeSetRerun
        fields = [
            *("id", "at", "row_count", "root", "missing", "expired", "added", "changed", "retention_days"),
            "report_sha256",
        ]
        read_only_fields = fields


class ExchangeSetSerializer(serializers.ModelSerializer[ExchangeSet]):
    """An exchange set; `sha256` is that of its statement, whose bytes are the exhibit's content."""

    number = serializers.IntegerField(source="item.number")
    title = serializers.CharField(source="item.title")
    sha256 = serializers.CharField(source="item.sha256")
    source = serializers.CharField(source="source.name")  # type: ignore[assignment]

    class Meta:
        model = ExchangeSet
        fields = [
            *("number", "title", "sha256", "source", "window_start", "window_end", "chosen", "account_count"),
            *("row_count", "root", "first_ts", "last_ts", "input_tokens", "output_tokens", "leaves_sha256"),
            *("nodes_sha256", "made_at"),
        ]
        read_only_fields = fields


class WholeExchangeSetSerializer(ExchangeSetSerializer):
    """An exchange set with its re-runs, newest first."""

    reruns = serializers.SerializerMethodField()

    class Meta(ExchangeSetSerializer.Meta):
        fields = [*ExchangeSetSerializer.Meta.fields, "reruns"]
        read_only_fields = fields

    def get_reruns(self, held: ExchangeSet) -> list[dict[str, Any]]:
        """All of them."""
        return [dict(RerunSerializer(one).data) for one in held.reruns.order_by("-at", "-id")]


class ChoiceSerializer(serializers.Serializer[Any]):
    """Which accounts of the case: conditions that all have to be met, or a list of pseudonyms."""

    verdict = serializers.CharField(required=False, default="", max_length=40)
    cluster = serializers.CharField(required=False, default="", max_length=40)
    text = serializers.CharField(required=False, default="", max_length=200)
    min_exchanges = serializers.IntegerField(required=False, default=0, min_value=0)
    listed = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)


class AskSetSerializer(serializers.Serializer[Any]):
    """What set to make. Without `accounts`, of every account of the case."""

    source = serializers.CharField(max_length=60, help_text="a telemetry source's name")  # type: ignore[assignment]
    start = Moment()
    end = Moment(help_text="not included")
    accounts = ChoiceSerializer(required=False)
    title = Words(required=False, allow_blank=True, default="")
    authority = Words(required=False, allow_blank=True, default="", help_text="on what authority")


class ProofSerializer(serializers.Serializer[Any]):
    """Which exchange; `columns` are opened in the proof, for example `account_id`."""

    request_id = serializers.CharField(max_length=500)
    columns = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)
    purpose = Words(required=False, allow_blank=True, default="")


class ExchangeSets(UnderCase, generics.ListAPIView[ExchangeSet]):
    """The exchange sets of one case."""

    serializer_class = ExchangeSetSerializer
    queryset = ExchangeSet.objects.none()

    @extend_schema(
        summary="List the exchange sets of a case",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, ExchangeSetSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Make an exchange set",
        description="A job reads the source once and hashes the rows where they lie; the case gets one exhibit, the "
        "set's statement. The accounts are those of this moment.",
        tags=TAGS,
        request=AskSetSerializer,
        examples=[OpenApiExample("the actor-controlled accounts", value=SAMPLE, request_only=True)],
        responses=answers(202, AcceptedSerializer, 400, 404),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(AskSetSerializer, request.data)
        chosen = given.pop("accounts", {})
        listed = tuple(chosen.pop("listed", ()))
        source = TelemetrySource.objects.filter(name=given.pop("source")).first()
        if source is None:
            raise serializers.ValidationError({"source": ["There is no such telemetry source."]})
        choice = exchange_sets.Choice(AccountFilter.of(chosen), listed)
        job = exchange_sets.request_set(case, actor=person(request), source=source, choice=choice, **given)
        return _accepted(request, job)

    def get_queryset(self) -> QuerySet[ExchangeSet]:
        return self.case().exchange_sets.select_related("item", "source").order_by("-made_at", "-id")


class OneExchangeSet(UnderCase):
    """One exchange set."""

    @extend_schema(
        summary="Read an exchange set",
        description="By its exhibit number, with its re-runs.",
        tags=TAGS,
        responses=answers(200, WholeExchangeSetSerializer, 404),
    )
    def get(self, request: Request, ref: str, exhibit: int) -> Response:
        return Response(WholeExchangeSetSerializer(access.exchange_set_for(person(request), ref, exhibit)).data)


class RerunExchangeSet(UnderCase):
    """Asking a set's source again."""

    @extend_schema(
        summary="Ask an exchange set's source again",
        description="A job asks the same question and keeps what is missing, added or changed since.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer, 404),
    )
    def post(self, request: Request, ref: str, exhibit: int) -> Response:
        held = access.exchange_set_for(person(request), ref, exhibit, write=True)
        return _accepted(request, exchange_checks.request_rerun(held, actor=person(request)))


class RerunReport(UnderCase):
    """The difference report of one re-run."""

    @extend_schema(
        summary="Read a difference report",
        description="The form is section 7 of docs/formats/exchange-set.md; at most 1,000 differences by example.",
        tags=TAGS,
        responses=answers(200, OpenApiTypes.OBJECT, 404),
    )
    def get(self, request: Request, ref: str, exhibit: int, rerun_id: UUID) -> Response:
        made = access.exchange_set_for(person(request), ref, exhibit).reruns.filter(pk=rerun_id).first()
        if made is None:
            raise Http404
        try:
            return Response(json.loads(vault.read(made.report_sha256)))
        except vault.Missing as missing:
            raise Refused(f"The report cannot be read: {missing}.") from None


class ProofDoor(CaseDoor):
    """Proofs are asked for by POST and change nothing but custody: whoever may read the case may have one."""

    rights = ("cases.read", "cases.read")


class FileAnswer(AnyAccept):
    """A file is the answer whatever is accepted; what is sent is read as it says it is."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        chosen: BaseParser | None = DefaultContentNegotiation().select_parser(request, list(parsers))
        return chosen


class ExchangeProof(APIView):
    """The proof that one exchange belongs to a set."""

    permission_classes = [ProofDoor]
    content_negotiation_class = FileAnswer

    @extend_schema(
        summary="Prove that one exchange belongs to a set",
        description="The proof file of section 5 of docs/formats/exchange-set.md, which `verify.py --exchange-proof` "
        "checks. It shows no other exchange. Each one is a custody event. Opening columns asks for the right to write. "
        "409 while no signed checkpoint covers the set yet.",
        tags=TAGS,
        request=ProofSerializer,
        responses=answers((200, "application/octet-stream"), OpenApiTypes.BINARY, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, exhibit: int) -> FileResponse:
        held = access.exchange_set_for(person(request), ref, exhibit)
        given = checked(ProofSerializer, request.data)
        content = exchange_checks.prove_exchange(held, actor=person(request), **given)
        return proof_file(held, content)


class StopJob(APIView):
    """Ending work of a case."""

    permission_classes = [CaseDoor]

    @extend_schema(
        summary="Stop a job of a case",
        description="For exchange sets being made, asked again or sampled. Nothing of the work is kept.",
        tags=["jobs"],
        request=None,
        responses=answers(200, JobSerializer, 404, 409),
    )
    def post(self, request: Request, ref: str, job_id: UUID) -> Response:
        job = access.job_for(person(request), ref, job_id, write=True)
        return Response(JobSerializer(work.stop_job(job, actor=person(request))).data)


class StopSourceJob(APIView):
    """Ending a run or a measuring over a source, or the making of a simulated one."""

    permission_classes = [needs("", "detectors.write")]

    @extend_schema(
        summary="Stop a run over a source, a measuring on it, or the making of a simulated one",
        description="Of a run, findings that were stored by then stay, and no run is made of them. Nothing of a "
        "measuring is kept, nor of telemetry that was being made.",
        tags=["jobs"],
        request=None,
        responses=answers(200, JobSerializer, 404, 409),
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        job = get_object_or_404(Job, pk=job_id, scope=None, kind__in=work.OF_SOURCES)
        return Response(JobSerializer(work.stop_job(job, actor=person(request))).data)


def proof_file(held: ExchangeSet, content: bytes) -> FileResponse:
    """The proof as a file to be saved."""
    index = json.loads(content)["row"]["index"]
    name = f"{held.case.ref}-exhibit-{held.item.number:03d}-exchange-{index}.json"
    return attachment(io.BytesIO(content), name=name, media_type="application/octet-stream", size=len(content))


def _accepted(request: Request, job: Job) -> Response:
    return accepted(request, {"job": JobSerializer(job).data}, reverse("cases-api:job", args=[job.pk]))
