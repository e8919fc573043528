"""The findings of a case over the API: those its held clusters rest on."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import history
from cases.api.shared import UnderCase
from cases.views.masking import masked
from detection.models import Finding
from spine.answers import answers, asked

TAGS = ["cases"]


class CaseFindingFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    signal = serializers.CharField(required=False, max_length=60)
    detector = serializers.CharField(required=False, max_length=120, help_text="the detector's name")


class CaseFindingSerializer(serializers.ModelSerializer[Finding]):
    """A finding in short; the whole of it stands at `GET /api/v1/findings/{id}/`."""

    detector = serializers.CharField(source="detector.name")
    detector_version = serializers.CharField(source="detector_version.version")
    set_aside = serializers.BooleanField(source="is_set_aside", help_text="in quarantine: it counts for nothing now")

    class Meta:
        model = Finding
        fields = [
            "id",
            "uid",
            "version",
            "set_aside",
            "detector",
            "detector_version",
            "signal",
            "title",
            "summary",
            "score",
            "confidence",
            "window_start",
            "window_end",
            "observed_at",
            "received_at",
            "account_count",
            "payload_sha256",
        ]
        read_only_fields = fields


class Findings(UnderCase, generics.ListAPIView[Finding]):
    """The findings of one case."""

    serializer_class = CaseFindingSerializer
    queryset = Finding.objects.none()

    @extend_schema(
        summary="List the findings of a case",
        description="Newest first: those that the clusters of the case rest on, and no others.",
        tags=TAGS,
        parameters=[CaseFindingFilter],
        responses=answers(200, CaseFindingSerializer(many=True), 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """A page in which pseudonyms stand for the provider's account ids that detectors wrote into their words."""
        page = super().paginate_queryset(queryset) or []
        clean = masked(text for finding in page for text in (finding.title, finding.summary))
        for finding in page:
            finding.title, finding.summary = clean(finding.title), clean(finding.summary)
        return page

    def get_queryset(self) -> QuerySet[Finding]:
        findings = history.marked(history.findings_at(self.case())).defer("payload")
        wanted = asked(CaseFindingFilter, self.request)
        names = {"signal": "signal", "detector": "detector__name"}
        return findings.filter(**{names[name]: value for name, value in wanted.items()})
