"""Recall of a detector version over the API: declared, taken back, what leans on it, and what follows for a case."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import leaning, precision, recalls
from cases.actions.recalls import answer_recall
from cases.api.shared import UnderCase, Words, person
from cases.models import Case, RecallFlag
from detection import detector_verbs
from detection.models import DetectorVersion
from people.authentication import needs
from spine import principal
from spine.answers import answers, asked, checked
from spine.api import CursorPages
from spine.errors import Refused

TAGS = ["detectors"]
MOST = 200


class PrecisionSerializer(serializers.Serializer[Any]):
    """How often a version was right, by verdicts on accounts that it named; nobody decided is not counted."""

    confirmed = serializers.IntegerField(help_text="accounts assessed as actor-controlled or reseller pool")
    decided = serializers.IntegerField(help_text="those, and the ones assessed as benign or victim")
    low = serializers.FloatField(allow_null=True, help_text="of Wilson's interval at 95 %")
    high = serializers.FloatField(allow_null=True)
    by_verdict = serializers.DictField(child=serializers.IntegerField())
    computed_at = serializers.DateTimeField()


class RecallSerializer(serializers.Serializer[Any]):
    """A recall of a version."""

    id = serializers.UUIDField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()
    reinstated_at = serializers.DateTimeField(source="reinstated.at", default=None, allow_null=True)
    reinstated_reason = serializers.CharField(source="reinstated.reason", default=None, allow_null=True)


class LeaningSerializer(serializers.Serializer[Any]):
    """What leans on a version; leads, cases, dossiers and disclosures are those you may know of, the first 200.

    All of them, and the clusters, are at `leaning/`.
    """

    findings = serializers.IntegerField()
    clusters = serializers.IntegerField()
    leads = serializers.ListField(child=serializers.UUIDField())
    cases = serializers.ListField(child=serializers.CharField(), help_text="references")
    dossiers = serializers.ListField(child=serializers.UUIDField())
    disclosures = serializers.ListField(child=serializers.UUIDField())


class LeaningFilter(serializers.Serializer[Any]):
    """Which list."""

    kind = serializers.ChoiceField(list(leaning.LISTS), required=False, default="cases")


class LeaningRowSerializer(serializers.Serializer[Any]):
    """Something that leans on a version: a cluster, a lead, a case, a dossier, a disclosure."""

    id = serializers.UUIDField()
    name = serializers.CharField(help_text="its title; of a dossier the folder's name, of a disclosure the recipient")
    case = serializers.CharField(allow_null=True, help_text="reference; null for a cluster and a lead")
    at = serializers.DateTimeField(
        help_text="when the cluster's run finished, the lead was raised, the case changed, the dossier was frozen, the "
        "disclosure was released"
    )


class VersionDetailSerializer(serializers.Serializer[Any]):
    """A version of a detector: its precision, its recalls, and what leans on it."""

    id = serializers.UUIDField()
    detector = serializers.CharField()
    version = serializers.CharField()
    config_sha256 = serializers.CharField(allow_blank=True)
    first_seen_at = serializers.DateTimeField()
    precision = PrecisionSerializer(allow_null=True)
    rule = serializers.CharField(help_text="how the precision is counted")
    recalls = RecallSerializer(many=True)
    leaning = LeaningSerializer()


class RecallReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = Words()


class RecallFlagSerializer(serializers.ModelSerializer[RecallFlag]):
    """A case rests on findings of a recalled version."""

    detector = serializers.CharField(source="recall.detector_version.detector.name")
    version = serializers.CharField(source="recall.detector_version.version")
    reason = serializers.CharField(source="recall.reason")
    recalled_at = serializers.DateTimeField(source="recall.at")
    answer = serializers.CharField(source="answer.words", default=None, allow_null=True)
    answered_by = serializers.CharField(source="answer.by.username", default=None, allow_null=True)
    answered_at = serializers.DateTimeField(source="answer.at", default=None, allow_null=True)

    class Meta:
        model = RecallFlag
        fields = [
            *("id", "detector", "version", "reason", "recalled_at", "findings", "cited", "at"),
            *("answer", "answered_by", "answered_at"),
        ]
        read_only_fields = fields


class AnswerRecallSerializer(serializers.Serializer[Any]):
    """What follows for the case."""

    words = Words()


def version_of(detector_id: UUID, detector_version_id: UUID) -> DetectorVersion:
    """The version of the address."""
    found = DetectorVersion.objects.select_related("detector")
    return get_object_or_404(found, pk=detector_version_id, detector=detector_id)


def shown(request: Request, found: DetectorVersion) -> dict[str, Any]:
    """A version as the API gives it."""
    who = person(request)
    lists = {
        name: one.rows(found, who).order_by(*one.order).values_list("ref" if name == "cases" else "pk", flat=True)
        for name, one in leaning.LISTS.items()
        if name != "clusters"
    }
    row = {
        "id": found.pk,
        "detector": found.detector.name,
        "version": found.version,
        "config_sha256": found.config_sha256,
        "first_seen_at": found.first_seen_at,
        "precision": precision.of_versions(found.detector).get(found.pk),
        "rule": precision.RULE,
        "recalls": found.recalls.select_related("reinstated").order_by("-at", "-id"),
        "leaning": {
            "findings": recalls.findings(found).count(),
            "clusters": recalls.clusters(found).count(),
            **{name: list(rows[:MOST]) for name, rows in lists.items()},
        },
    }
    return dict(VersionDetailSerializer(row).data)


class OneVersion(APIView):
    """One version of a detector."""

    permission_classes = [needs("detectors.read")]

    @extend_schema(
        summary="Read a detector version: precision, recalls, and what leans on it",
        tags=TAGS,
        responses=answers(200, VersionDetailSerializer, 404),
    )
    def get(self, request: Request, detector_id: UUID, detector_version_id: UUID) -> Response:
        return Response(shown(request, version_of(detector_id, detector_version_id)))


class Newest(CursorPages):
    """Newest first, by the moment that its list is in order of."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return leaning.LISTS[view.kind()].order


class Leaning(generics.ListAPIView[Any]):
    """What leans on a version, a list at a time."""

    permission_classes = [needs("cases.read")]
    serializer_class = LeaningRowSerializer
    pagination_class = Newest
    queryset = Case.objects.none()

    def kind(self) -> str:
        """Which list is asked for."""
        return str(asked(LeaningFilter, self.request)["kind"])

    def get_queryset(self) -> QuerySet[Any]:
        version = version_of(self.kwargs["detector_id"], self.kwargs["detector_version_id"])
        return leaning.LISTS[self.kind()].rows(version, person(self.request))

    def paginate_queryset(self, queryset: Any) -> Any:
        """The rows of a page by their names."""
        rows = super().paginate_queryset(queryset)
        return None if rows is None else [leaning.LISTS[self.kind()].named(row) for row in rows]

    @extend_schema(
        summary="List what leans on a detector version",
        description="Every cluster, lead, case, dossier or released disclosure that rests on its findings, of those "
        "you may know of. Its findings are at `findings/`, by `detector` and `version`.",
        tags=TAGS,
        parameters=[LeaningFilter],
        responses=answers(200, LeaningRowSerializer(many=True), 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class RecallVersion(APIView):
    """A version that is not to be relied on."""

    permission_classes = [needs(write="detectors.write")]

    @extend_schema(
        summary="Recall a detector version",
        description="Its findings stay and join no cluster from now on. A job flags every case that leans on it, and "
        "drafts a notice to everybody who got a dossier that does; what comes to lean on it later follows at once.",
        tags=TAGS,
        request=RecallReasonSerializer,
        responses=answers(201, VersionDetailSerializer, 400, 404, 409),
        examples=[OpenApiExample("a mistake", value={"reason": "It counted retries twice."}, request_only=True)],
    )
    def post(self, request: Request, detector_id: UUID, detector_version_id: UUID) -> Response:
        found = version_of(detector_id, detector_version_id)
        detector_verbs.recall_version(found, actor=principal.current(), **checked(RecallReasonSerializer, request.data))
        return Response(shown(request, found), status=201)


class ReinstateVersion(APIView):
    """A version that may be relied on again."""

    permission_classes = [needs(write="detectors.write")]

    @extend_schema(
        summary="Reinstate a recalled detector version",
        tags=TAGS,
        request=RecallReasonSerializer,
        responses=answers(200, VersionDetailSerializer, 400, 404, 409),
        examples=[OpenApiExample("looked at", value={"reason": "The retries were not there."}, request_only=True)],
    )
    def post(self, request: Request, detector_id: UUID, detector_version_id: UUID) -> Response:
        found = version_of(detector_id, detector_version_id)
        standing = found.recalls.filter(reinstated=None).select_related("detector_version__detector").first()
        if standing is None:
            raise Refused("This version is not recalled.")
        given = checked(RecallReasonSerializer, request.data)
        detector_verbs.reinstate_version(standing, actor=principal.current(), **given)
        return Response(shown(request, found))


class Recalls(UnderCase, generics.ListAPIView[RecallFlag]):
    """The recalls a case was flagged for."""

    serializer_class = RecallFlagSerializer
    queryset = RecallFlag.objects.none()

    def get_queryset(self) -> QuerySet[RecallFlag]:
        return self.case().recall_flags.select_related("recall__detector_version__detector", "answer__by")

    @extend_schema(
        summary="List the recalled detector versions a case rests on",
        tags=["cases"],
        responses=answers(200, RecallFlagSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class AnswerRecall(UnderCase):
    """One flag of a case."""

    @extend_schema(
        summary="Say what follows from a recall for the case",
        description="Escalation waits for it.",
        tags=["cases"],
        request=AnswerRecallSerializer,
        responses=answers(201, RecallFlagSerializer, 400, 404, 409),
        examples=[
            OpenApiExample("it stands", value={"words": "Claims (a) and (b) stand without it."}, request_only=True)
        ],
    )
    def post(self, request: Request, ref: str, flag_id: UUID) -> Response:
        flags = self.case().recall_flags.select_related("recall__detector_version__detector", "case")
        flag = get_object_or_404(flags, pk=flag_id)
        answer_recall(flag, actor=person(request), **checked(AnswerRecallSerializer, request.data))
        again = RecallFlag.objects.select_related("recall__detector_version__detector", "answer__by").get(pk=flag.pk)
        return Response(RecallFlagSerializer(again).data, status=201)
