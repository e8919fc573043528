"""Clusters over the API: list, one with its assessment, its members, its links and the findings it rests on."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import measures, queries, standing
from detection.api.detectors import MeasureSerializer
from detection.api.findings import FindingSerializer
from detection.models import AssessmentLabel, Cluster, ClusterLink, ClusterMember, DetectorVersion, Finding, Run
from people.authentication import needs
from spine.answers import answers, asked
from spine.api import CursorPages

TAGS = ["clusters"]


class ClusterFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    run = serializers.UUIDField(required=False)
    assessment = serializers.ChoiceField(AssessmentLabel.choices, required=False)
    account = serializers.UUIDField(required=False)


class RunSerializer(serializers.ModelSerializer[Run]):
    """The run that made a cluster: what is needed to repeat it."""

    telemetry_source = serializers.CharField(source="source.name", help_text="by name")
    parameters = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = (
            "id",
            "telemetry_source",
            "window_start",
            "window_end",
            "algorithm",
            "algorithm_version",
            "parameters",
            "input_sha256",
            "finished_at",
        )
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_parameters(self, run: Run) -> Any:
        return run.parameters


class MarkedSerializer(serializers.Serializer[Any]):
    """What stands for a cluster, with how many of its findings do not count now: `marks` in the context, by cluster."""

    findings_set_aside = serializers.SerializerMethodField(help_text="in quarantine, of those that it rests on")
    findings_recalled = serializers.SerializerMethodField(help_text="of a recalled detector version")

    def get_findings_set_aside(self, row: Any) -> int:
        return self._marks(row).set_aside

    def get_findings_recalled(self, row: Any) -> int:
        return self._marks(row).recalled

    def _marks(self, row: Any) -> standing.Marks:
        found: standing.Marks = self.context["marks"].get(getattr(row, "cluster_id", row.pk), standing.Marks())
        return found


MARKED = ("findings_set_aside", "findings_recalled")


class ClusterSerializer(MarkedSerializer, serializers.ModelSerializer[Cluster]):
    """A cluster in a list. `assessment` is what it is consistent with, not what it is."""

    run = serializers.UUIDField(source="run_id")
    signals = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Cluster
        fields: tuple[str, ...] = (
            "id",
            "run",
            "title",
            "assessment",
            "score",
            "worth_a_look",
            "signals",
            "account_count",
            "exchanges",
            "input_tokens",
            "output_tokens",
            "first_seen",
            "last_seen",
            *MARKED,
        )
        read_only_fields = fields


class DailyVolumeSerializer(serializers.Serializer[Any]):
    """Exchanges of one UTC day with one model."""

    day = serializers.DateField()
    model = serializers.CharField()
    exchanges = serializers.IntegerField()


class LeanedOnSerializer(serializers.ModelSerializer[DetectorVersion]):
    """A detector version whose findings a cluster rests on, with its newest measured false-positive rate."""

    detector = serializers.CharField(source="detector.name")
    findings = serializers.IntegerField(source="leaning", help_text="of it that the cluster rests on")
    false_positives = serializers.SerializerMethodField(help_text="measured on a benign reference; null: never")

    class Meta:
        model = DetectorVersion
        fields = ("id", "detector", "version", "findings", "false_positives")
        read_only_fields = fields

    @extend_schema_field(MeasureSerializer(allow_null=True))
    def get_false_positives(self, version: DetectorVersion) -> dict[str, Any] | None:
        found = measures.newest(version)
        return None if found is None else dict(MeasureSerializer(found).data)


class ClusterDetailSerializer(ClusterSerializer):
    """A cluster with the reasons for its assessment, its volume by day, its run, and the detectors it rests on."""

    run = RunSerializer()  # type: ignore[assignment]
    assessment_detail = serializers.SerializerMethodField(help_text="reasons for and against, innocent explanations")
    volume = DailyVolumeSerializer(many=True)
    leans_on = serializers.SerializerMethodField(help_text="the detector versions whose findings it rests on")

    class Meta(ClusterSerializer.Meta):
        fields = (*ClusterSerializer.Meta.fields, "key", "assessment_detail", "volume", "leans_on")
        read_only_fields = fields

    @extend_schema_field(LeanedOnSerializer(many=True))
    def get_leans_on(self, cluster: Cluster) -> Any:
        return LeanedOnSerializer(measures.leaned_on(cluster), many=True).data

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_assessment_detail(self, cluster: Cluster) -> Any:
        return cluster.assessment_detail


class MemberSerializer(serializers.ModelSerializer[ClusterMember]):
    """An account in a cluster: how firmly it is tied to the rest (0–1), and why."""

    account = serializers.UUIDField(source="account_id")
    pseudonym = serializers.CharField(source="account.pseudonym")
    reasons = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ClusterMember
        fields = (
            "account",
            "pseudonym",
            "strength",
            "reasons",
            "exchanges",
            "input_tokens",
            "output_tokens",
            "first_seen",
            "last_seen",
        )
        read_only_fields = fields


class LinkSerializer(serializers.ModelSerializer[ClusterLink]):
    """Why an account is in a cluster: what it shares, how rare that is."""

    account = serializers.UUIDField(source="account_id")
    pseudonym = serializers.CharField(source="account.pseudonym")
    attribute = serializers.UUIDField(source="attribute_id")
    type = serializers.CharField(source="attribute.type")
    value = serializers.CharField(source="attribute.value")

    class Meta:
        model = ClusterLink
        fields = (
            "account",
            "pseudonym",
            "attribute",
            "type",
            "value",
            "signal",
            "count",
            "holders",
            "population",
            "strength",
            "reason",
            "first_seen",
            "last_seen",
        )
        read_only_fields = fields


class InPlace(CursorPages):
    """Rows as the run wrote them: members by strength, links by account."""

    ordering = "place"


class Clusters(generics.ListAPIView[Cluster]):
    """The list."""

    permission_classes = [needs("leads.read")]
    serializer_class = ClusterSerializer

    def get_queryset(self) -> QuerySet[Cluster]:
        return queries.clusters(**asked(ClusterFilter, self.request))

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Of a page, with what does not count any more of the clusters on it."""
        rows: list[Cluster] = args[0] if args else []
        marks = standing.marks([row.pk for row in rows])
        return super().get_serializer(*args, **kwargs, context={**self.get_serializer_context(), "marks": marks})

    @extend_schema(
        summary="List clusters, newest first",
        tags=TAGS,
        parameters=[ClusterFilter],
        responses=answers(200, ClusterSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneCluster(APIView):
    """One cluster."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read a cluster with its assessment", tags=TAGS, responses=answers(200, ClusterDetailSerializer, 404)
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        found = get_object_or_404(queries.clusters(), pk=cluster_id)
        return Response(ClusterDetailSerializer(found, context={"marks": standing.marks([found.pk])}).data)


class ClusterMembers(generics.ListAPIView[ClusterMember]):
    """The accounts of a cluster."""

    permission_classes = [needs("leads.read")]
    serializer_class = MemberSerializer
    pagination_class = InPlace
    queryset = ClusterMember.objects.none()

    def get_queryset(self) -> QuerySet[ClusterMember]:
        return _cluster(self).members.select_related("account")

    @extend_schema(
        summary="List the accounts of a cluster", tags=TAGS, responses=answers(200, MemberSerializer(many=True), 404)
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class ClusterLinks(generics.ListAPIView[ClusterLink]):
    """The links of a cluster."""

    permission_classes = [needs("leads.read")]
    serializer_class = LinkSerializer
    pagination_class = InPlace
    queryset = ClusterLink.objects.none()

    def get_queryset(self) -> QuerySet[ClusterLink]:
        return _cluster(self).links.select_related("account", "attribute")

    @extend_schema(
        summary="List the links of a cluster, with the reason of each",
        tags=TAGS,
        responses=answers(200, LinkSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class ClusterFindings(generics.ListAPIView[Finding]):
    """The findings of a cluster."""

    permission_classes = [needs("leads.read")]
    serializer_class = FindingSerializer
    queryset = Finding.objects.none()

    def get_queryset(self) -> QuerySet[Finding]:
        return queries.findings(cluster=_cluster(self).id)

    @extend_schema(
        summary="List the findings a cluster rests on",
        tags=TAGS,
        responses=answers(200, FindingSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


def _cluster(view: APIView) -> Cluster:
    return get_object_or_404(Cluster.objects.only("id"), pk=view.kwargs["cluster_id"])
