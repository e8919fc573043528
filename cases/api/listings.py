"""What is in an archive, over the API: read the listing, have one made."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access
from cases.actions import listings as verbs
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import UnderCase, accepted, person
from cases.models import ArchiveListing
from cases.models.archive import newest_of
from spine.answers import answers

TAGS = ["cases"]
SAMPLE = {
    "archive": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "count": 1,
    "flagged": 1,
    "members": [
        {
            "name": "../../logs/may.ndjson",
            "type": "file",
            "size": 1048576,
            "produced": 1048576,
            "modified": "2026-06-01T07:58:12",
            "target": None,
            "flags": ["leads_out"],
        }
    ],
    "produced": 1048576,
    "packed": 90112,
    "stopped": "",
    "tool": "Retort 0.3.0, Python 3.12.4",
    "at": "2026-06-02T08:00:09Z",
}


class ArchiveMemberSerializer(serializers.Serializer[Any]):
    """A member of an archive. `size` is what it declares, `produced` what came out; null where it was not read."""

    name = serializers.CharField(allow_blank=True)
    type = serializers.CharField(help_text="file, folder, link, hard link, device")
    size = serializers.IntegerField(allow_null=True)
    produced = serializers.IntegerField(allow_null=True)
    modified = serializers.CharField(allow_null=True, help_text="with Z: UTC; without: by the packer's clock")
    target = serializers.CharField(allow_null=True, help_text="where a link points")
    flags = serializers.ListField(child=serializers.CharField())


class ListingSerializer(serializers.ModelSerializer[ArchiveListing]):
    """What is in an archive; docs/formats/archive-listing.md describes it."""

    archive = serializers.CharField(source="item.sha256", help_text="its SHA-256")
    members = ArchiveMemberSerializer(many=True)

    class Meta:
        model = ArchiveListing
        fields = ["archive", "count", "flagged", "members", "produced", "packed", "stopped", "tool", "at"]
        read_only_fields = fields


class Listing(UnderCase):
    """What is in an archive."""

    @extend_schema(
        summary="Read what is in an archive",
        description="As a worker found it without unpacking anything; `stopped` says why it was read no further. 404 "
        "while it is not listed, and for what is no archive.",
        tags=TAGS,
        examples=[OpenApiExample("a log that would leave its folder", value=SAMPLE, response_only=True)],
        responses=answers(200, ListingSerializer, 404),
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        found = newest_of(access.evidence_for(person(request), ref, number).id)
        if found is None:
            raise Http404
        return Response(ListingSerializer(found).data)

    @extend_schema(
        summary="List what is in an archive",
        description="Every archive is listed when it is added; this lists it anew. A worker reads it under limits of "
        "bytes, ratio, members, time and memory, and unpacks nothing. 409 for what is no archive that can be listed.",
        tags=TAGS,
        request=None,
        responses=answers(202, AcceptedSerializer, 404, 409),
    )
    def post(self, request: Request, ref: str, number: int) -> Response:
        self.case()
        job = verbs.request_listing(access.evidence_for(person(request), ref, number), actor=person(request))
        return accepted(request, {"job": JobSerializer(job).data}, f"/api/v1/jobs/{job.id}/")
