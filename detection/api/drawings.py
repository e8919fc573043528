"""What is drawn of a cluster over the API: hours, capabilities, template examples, link graph, and the job for it."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import capabilities, drawing
from detection.drawing import Drawn
from detection.models import Cluster
from people.authentication import needs
from spine import principal
from spine.answers import answers
from spine.models import JobState

TAGS = ["clusters"]
STATES = ("drawn", "none", *JobState.values)


class DrawingSerializer(serializers.Serializer[Any]):
    """How it stands with what is drawn of a cluster."""

    state = serializers.ChoiceField(STATES, help_text="`drawn`; `none` when nobody has asked; else the job's state")
    made_at = serializers.DateTimeField(allow_null=True)
    job_id = serializers.UUIDField(allow_null=True, help_text="the newest job for it, while it is not drawn")


class DrawingAskedSerializer(serializers.Serializer[Any]):
    """The job that draws, and where its progress stands."""

    job_id = serializers.UUIDField()
    status_url = serializers.URLField()


class HoursOfAccountSerializer(serializers.Serializer[Any]):
    """Exchanges of an account in each hour of the day, from 00:00 UTC on."""

    account = serializers.UUIDField()
    hours = serializers.ListField(child=serializers.IntegerField(), min_length=24, max_length=24)


class HoursOfRestSerializer(serializers.Serializer[Any]):
    """The accounts that are not listed one by one, together."""

    accounts = serializers.IntegerField()
    hours = serializers.ListField(child=serializers.IntegerField(), min_length=24, max_length=24)


class HoursSerializer(serializers.Serializer[Any]):
    """The busiest accounts one by one, and the others as one."""

    rows = HoursOfAccountSerializer(many=True)
    rest = HoursOfRestSerializer()


class ClusterHoursSerializer(DrawingSerializer):
    """When the accounts of a cluster are used."""

    hours = HoursSerializer(allow_null=True, help_text="null: not drawn, or no exchange of the source is kept here")


class CapabilitySerializer(serializers.Serializer[Any]):
    """How many requests ask for one thing: of the cluster's accounts, and of all accounts of the window."""

    capability = serializers.ChoiceField(tuple(capabilities.WORDS), help_text="`reasoning_traces` overlaps the others")
    words = serializers.CharField()
    exchanges = serializers.IntegerField()
    accounts = serializers.IntegerField(help_text="of this cluster, with at least one such request")
    share = serializers.FloatField(help_text="0–1, of the cluster's `read`")
    all_exchanges = serializers.IntegerField()
    all_share = serializers.FloatField(help_text="0–1, of `all_read`")


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """What requests ask for, read from prompts: counts and shares beside all accounts of the window."""

    reason = serializers.CharField(allow_blank=True, help_text="why it could not be told; empty when it could")
    exchanges = serializers.IntegerField(help_text="of the cluster in the window")
    read = serializers.IntegerField(help_text="those of them whose prompt was labelled: shares are of these")
    accounts = serializers.IntegerField(help_text="of the cluster, with a request that was labelled")
    all_exchanges = serializers.IntegerField(help_text="of all accounts of the window, the cluster's included")
    all_read = serializers.IntegerField()
    mix = CapabilitySerializer(many=True, help_text="empty when it could not be told")


class ClusterCapabilitiesSerializer(DrawingSerializer):
    """What the requests of a cluster's accounts ask for."""

    capabilities = CapabilitiesSerializer(allow_null=True, help_text="null: not drawn")


class TemplateExampleSerializer(serializers.Serializer[Any]):
    """What a common template looks like: its fixed words, masked, without what was filled in."""

    attribute = serializers.UUIDField()
    finding = serializers.UUIDField(help_text="the finding that states it")
    frame = serializers.CharField()
    accounts = serializers.IntegerField(help_text="of this cluster")
    holders = serializers.IntegerField(help_text="of the population")
    population = serializers.IntegerField()
    exchanges = serializers.IntegerField(required=False)
    fillings = serializers.IntegerField(required=False)
    days = serializers.IntegerField(required=False)


class ClusterTemplatesSerializer(DrawingSerializer):
    """What the common templates of a cluster look like."""

    templates = TemplateExampleSerializer(many=True)


class GraphNodeSerializer(serializers.Serializer[Any]):
    """A value, several values that most accounts share, or accounts with the same values."""

    kind = serializers.ChoiceField(["value", "hubs", "accounts"])
    count = serializers.IntegerField(
        help_text="of a value its accounts, else how many values or accounts it stands for"
    )
    x = serializers.FloatField(min_value=-1, max_value=1)
    y = serializers.FloatField(min_value=-1, max_value=1)
    attribute = serializers.UUIDField(required=False)
    rank = serializers.IntegerField(required=False, help_text="place among all values, from 0")
    ranks = serializers.ListField(child=serializers.IntegerField(), required=False)
    sets = serializers.IntegerField(required=False, help_text="different sets of values that were folded into it")
    accounts = serializers.ListField(child=serializers.UUIDField(), required=False, help_text="the first few")


class RankedValueSerializer(serializers.Serializer[Any]):
    """A value that accounts share: how many do, how rare it is, how strong."""

    attribute = serializers.UUIDField()
    link = serializers.UUIDField(help_text="a link whose reason says why")
    signal = serializers.CharField()
    accounts = serializers.IntegerField(help_text="of this cluster")
    holders = serializers.IntegerField(help_text="of the population")
    population = serializers.IntegerField()
    strength = serializers.FloatField()


class LeftOutSerializer(serializers.Serializer[Any]):
    """What no node stands for."""

    values = serializers.IntegerField()
    accounts = serializers.IntegerField()


class GraphSerializer(serializers.Serializer[Any]):
    """At most five hundred nodes, edges between their places in the list, and the values by rank."""

    nodes = GraphNodeSerializer(many=True)
    edges = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=3, max_length=3),
        help_text="node, node, accounts",
    )
    ranked = RankedValueSerializer(many=True, help_text="the first 120 values, those first that tie most")
    values = serializers.IntegerField(help_text="how many there are")
    left_out = LeftOutSerializer()


class ClusterGraphSerializer(DrawingSerializer):
    """What ties the accounts of a cluster, small enough to be looked at."""

    graph = GraphSerializer(allow_null=True)


class ClusterDrawing(APIView):
    """The drawing of a cluster as a whole."""

    permission_classes = [needs("leads.read", "leads.write")]

    @extend_schema(
        summary="Read how it stands with a cluster's drawing", tags=TAGS, responses=answers(200, DrawingSerializer, 404)
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        return Response(DrawingSerializer(_standing(drawing.standing(_cluster(cluster_id)))).data)

    @extend_schema(
        summary="Have a cluster drawn",
        description="Clusters worth a look are drawn after their run. One job at a time: it is given when it is there.",
        tags=TAGS,
        request=None,
        responses=answers(202, DrawingAskedSerializer, 404, 409),
    )
    def post(self, request: Request, cluster_id: UUID) -> Response:
        job = drawing.request_drawing(_cluster(cluster_id), actor=principal.current())
        address = request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))
        asked = {"job_id": str(job.pk), "status_url": address}
        return Response(asked, status=202, headers={"Location": address})


class ClusterHours(APIView):
    """The heat map."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read when a cluster's accounts are used: exchanges by account and UTC hour of the day",
        tags=TAGS,
        responses=answers(200, ClusterHoursSerializer, 404),
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        drawn = drawing.standing(_cluster(cluster_id))
        hours = drawn.drawing.hours if drawn.drawing else None
        return Response(ClusterHoursSerializer({**_standing(drawn), "hours": hours}).data)


class ClusterCapabilities(APIView):
    """The mix of capabilities."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read what the requests of a cluster's accounts ask for, beside all accounts of the window",
        tags=TAGS,
        responses=answers(200, ClusterCapabilitiesSerializer, 404),
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        drawn = drawing.standing(_cluster(cluster_id))
        stored = drawn.drawing.capabilities if drawn.drawing else None
        told = {**stored, "mix": capabilities.shares(stored)} if stored else None
        return Response(ClusterCapabilitiesSerializer({**_standing(drawn), "capabilities": told}).data)


class ClusterTemplates(APIView):
    """The examples."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read what a cluster's common templates look like, masked",
        tags=TAGS,
        responses=answers(200, ClusterTemplatesSerializer, 404),
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        drawn = drawing.standing(_cluster(cluster_id))
        templates = drawing.examples(drawn.drawing) if drawn.drawing else []
        return Response(ClusterTemplatesSerializer({**_standing(drawn), "templates": templates}).data)


class ClusterGraph(APIView):
    """The link graph."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read a cluster's link graph, folded and laid out, with the values by rank",
        tags=TAGS,
        responses=answers(200, ClusterGraphSerializer, 404),
    )
    def get(self, request: Request, cluster_id: UUID) -> Response:
        drawn = drawing.standing(_cluster(cluster_id))
        graph = drawn.drawing.graph if drawn.drawing else None
        return Response(ClusterGraphSerializer({**_standing(drawn), "graph": graph}).data)


def _standing(drawn: Drawn) -> dict[str, Any]:
    if drawn.drawing:
        return {"state": "drawn", "made_at": drawn.drawing.made_at, "job_id": None}
    return {
        "state": drawn.job.state if drawn.job else "none",
        "made_at": None,
        "job_id": drawn.job.pk if drawn.job else None,
    }


def _cluster(cluster_id: UUID) -> Cluster:
    return get_object_or_404(Cluster.objects.only("id", "run_id", "worth_a_look"), pk=cluster_id)
