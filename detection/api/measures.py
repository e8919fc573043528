"""Measuring detectors over the API: asked for on a source that is taken to be benign, and what was measured on it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from detection import measures
from detection.api.detectors import MeasureSerializer
from detection.api.feeds import AskedSerializer
from detection.measuring import request_measure
from detection.models import DetectorMeasure, TelemetrySource
from people.authentication import needs
from spine import principal
from spine.answers import answers

TAGS = ["telemetry"]


class SourceMeasureSerializer(MeasureSerializer):
    """How many active accounts of the source, or groups drawn of them, a detector's version named."""

    detector = serializers.CharField(source="detector_version.detector.name")
    version = serializers.CharField(source="detector_version.version")

    class Meta(MeasureSerializer.Meta):
        fields = ("id", "detector", "version", *MeasureSerializer.Meta.fields)
        read_only_fields = fields


class SourceMeasures(generics.ListAPIView[DetectorMeasure]):
    """What was measured on one source, and asking for it anew."""

    permission_classes = [needs("detectors.read", "detectors.write")]
    serializer_class = SourceMeasureSerializer
    queryset = DetectorMeasure.objects.none()

    def get_queryset(self) -> QuerySet[DetectorMeasure]:
        return measures.on_source(get_object_or_404(TelemetrySource, pk=self.kwargs["source_id"]))

    @extend_schema(
        summary="List what detectors named on a source taken to be benign, newest first",
        tags=TAGS,
        responses=answers(200, SourceMeasureSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Measure every detector on a source taken to be benign",
        description="All its accounts are taken to be benign: the share that a detector's version names is its rate of "
        "false positives, kept with the version and printed with later findings. Of a detector of pools it is the "
        "share of groups of accounts, drawn at random, that it makes a finding of (`unit`). Nothing that is found is "
        "stored. The same measuring that waits or goes on already is given instead. A source whose newest run has "
        "clusters worth a look is benign only if all of these are innocent.",
        tags=TAGS,
        request=None,
        responses=answers(202, AskedSerializer, 404),
    )
    def post(self, request: Request, source_id: UUID) -> Response:
        source = get_object_or_404(TelemetrySource, pk=source_id)
        job = request_measure(actor=principal.current(), source=source)
        address = request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))
        return Response({"job_id": str(job.pk), "status_url": address}, status=202, headers={"Location": address})
