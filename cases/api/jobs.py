"""Jobs over the API: what was asked for by whom, how far it is, and how it ended."""

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access
from cases.api.shared import person
from people.models import User
from people.rights import may
from spine import pace
from spine.answers import answers
from spine.models import Job

UNSCOPED = "detectors.read"  # jobs of no case: telemetry that is read in, detectors that run


class JobDoor(permissions.BasePermission):
    """For people who may read cases or sources; which jobs of these, the view decides."""

    rights = ("cases.read or detectors.read", "")
    message = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        reads = may(request.user, "cases.read") or may(request.user, UNSCOPED)
        return request.method in permissions.SAFE_METHODS and reads


class PaceSerializer(serializers.Serializer[Any]):
    """How fast a job goes, by the database's clock."""

    per_second = serializers.FloatField(help_text="in the unit of `done`")
    seconds_left = serializers.FloatField(help_text="if it goes on so")


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job and its progress; `done` and `total` count what its `kind` works on."""

    is_finished = serializers.BooleanField()
    percent = serializers.IntegerField()
    pace = serializers.SerializerMethodField(help_text="null: it does not run, or too little is done to tell")
    result = serializers.JSONField(allow_null=True)

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "state",
            "is_finished",
            "done",
            "total",
            "percent",
            "note",
            "pace",
            "result",
            "error",
            "attempts",
            "actor",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(PaceSerializer(allow_null=True))
    def get_pace(self, job: Job) -> dict[str, float] | None:
        found = pace.pace_of(job)
        return None if found is None else dict(PaceSerializer(found).data)


class AcceptedSerializer(serializers.Serializer[Any]):
    """The job that does what was asked, and where its progress stands."""

    job = JobSerializer()
    status_url = serializers.URLField()


class OneJob(APIView):
    """One job."""

    permission_classes = [JobDoor]

    @extend_schema(
        summary="Read a job's progress",
        description="Finished when `is_finished`; then `state` is done, failed, stopped or parked, with `result` or "
        "`error`.",
        tags=["jobs"],
        responses=answers(200, JobSerializer, 404),
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        job = access.visible_jobs(person(request)).filter(pk=job_id).first()
        if job is None or not _may_read(person(request), job):
            raise Http404
        return Response(JobSerializer(job).data)


def _may_read(user: User, job: Job) -> bool:
    """A case's job to those who may know of the case; any other to who asked for it and to readers of sources."""
    return job.scope is not None or job.actor == user.principal or may(user, UNSCOPED)
