"""What changed between two runs, and the clusters of one by the provider's account ids, over the API."""

import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import account_lists
from cases.actions.runs import export_changes, export_clusters
from cases.api.shared import attachment, person
from detection import run_changes
from detection.models import AssessmentLabel, Run
from people.authentication import needs
from people.models import User
from spine.answers import answers, asked
from spine.errors import Refused

TAGS = ["runs"]


class SinceSerializer(serializers.Serializer[Any]):
    """The run to compare with, of the same source; the one before when it is left out."""

    since = serializers.UUIDField(required=False)


class ChangedClusterSerializer(serializers.Serializer[Any]):
    """A cluster of one of the two runs."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    assessment = serializers.ChoiceField(AssessmentLabel.choices)
    account_count = serializers.IntegerField()


class ChangeSerializer(serializers.Serializer[Any]):
    """Clusters that carry each other on: at least half of either one's accounts are shared."""

    kind = serializers.ChoiceField(run_changes.ChangeKind.choices)
    before = ChangedClusterSerializer(many=True)
    now = ChangedClusterSerializer(many=True)
    stayed = serializers.IntegerField()
    joined = serializers.IntegerField()
    left = serializers.IntegerField()
    joined_accounts = serializers.ListField(child=serializers.CharField(), help_text="the first 50 pseudonyms")
    left_accounts = serializers.ListField(child=serializers.CharField(), help_text="the first 50 pseudonyms")


class ChangesSerializer(serializers.Serializer[Any]):
    """What changed from one run to another."""

    run = serializers.UUIDField()
    since = serializers.UUIDField()
    accounts_joined = serializers.IntegerField()
    accounts_left = serializers.IntegerField()
    by_kind = serializers.DictField(child=serializers.IntegerField())
    changes = ChangeSerializer(many=True)


class RunChanges(APIView):
    """The comparison."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read what changed since another run of the source",
        description="409 when the run is the first of its source, or the other one is of another source.",
        tags=TAGS,
        parameters=[SinceSerializer],
        responses=answers(200, ChangesSerializer, 400, 404, 409),
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        run, since = _both(request, run_id)
        found = run_changes.changes(run, since)
        counted = run_changes.counts(found)
        kinds = {kind: counted.pop(kind) for kind in run_changes.ChangeKind.values}
        body = {"run": run.pk, "since": since.pk, **counted, "by_kind": kinds, "changes": found}
        return Response(ChangesSerializer(body).data)


class DownloadRunChanges(APIView):
    """The accounts that changed, as a file."""

    permission_classes = [needs("accounts.identify")]

    @extend_schema(
        summary="Download every account that joined or left a cluster since another run, as CSV",
        description="By the provider's ids; needs the right `accounts.identify`, and stands in the log.",
        tags=TAGS,
        parameters=[SinceSerializer],
        responses=answers((200, "text/csv"), OpenApiTypes.BINARY, 400, 404, 409),
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponseBase:
        run, since = _both(request, run_id)
        export_changes(run, since, actor=person(request))
        return changed_accounts(run, since)


class ExportedClusterSerializer(serializers.Serializer[Any]):
    """A cluster of a run with the provider's ids of its accounts."""

    cluster = serializers.CharField(help_text="a digest of who is in it")
    assessment = serializers.ChoiceField(
        AssessmentLabel.choices, help_text="what it is consistent with, not what it is"
    )
    score = serializers.FloatField()
    accounts = serializers.ListField(child=serializers.CharField(), help_text="the provider's ids")
    signals = serializers.ListField(child=serializers.CharField())
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class DownloadRunClusters(APIView):
    """The clusters of a run, as a file."""

    permission_classes = [needs("accounts.identify")]

    @extend_schema(
        summary="Download every cluster of a run with its accounts, as JSON",
        description="By the provider's ids, as `manage.py export_clusters` writes it; needs the right "
        "`accounts.identify`, and stands in the log.",
        tags=TAGS,
        responses=answers(200, ExportedClusterSerializer(many=True), 404),
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponseBase:
        run = get_object_or_404(Run.objects.select_related("source"), pk=run_id)
        return clusters_of(run, actor=person(request))


def clusters_of(run: Run, *, actor: User) -> HttpResponseBase:
    """The file. It is written whole before it is sent: what breaks off then is no answer and no half of one."""
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as unless_given_out:
        spooled = unless_given_out.enter_context(tempfile.TemporaryFile(dir=folder))
        export_clusters(run, actor=actor, out=spooled)
        unless_given_out.pop_all()
    size = spooled.tell()
    spooled.seek(0)
    name = f"run-clusters-{run.finished_at:%Y%m%d-%H%M}.json"
    answer = attachment(spooled, name=name, media_type="application/json", size=size)
    weakref.finalize(answer, spooled.close)  # one that nobody reads to its end and nobody closes
    return answer


def changed_accounts(run: Run, since: Run) -> HttpResponseBase:
    """The file."""
    content = account_lists.as_csv(run_changes.COLUMNS, run_changes.account_rows(run, since))
    name = f"run-changes-{run.finished_at:%Y%m%d-%H%M}.csv"
    return attachment(content, name=name, media_type="text/csv; charset=utf-8")


def _both(request: Request, run_id: UUID) -> tuple[Run, Run]:
    run = get_object_or_404(Run.objects.select_related("source"), pk=run_id)
    since = run_changes.compared_with(run, asked(SinceSerializer, request).get("since"))
    if since is None:
        raise Refused("This is the first run of its source: there is none to compare it with.")
    return run, since
