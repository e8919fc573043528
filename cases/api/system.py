"""The installation over the API: the same figures as on the page System."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.system import System as Whole
from cases.system import system
from detection.api.feeds import STATES
from people.authentication import needs
from spine.answers import answers


class StandingConditionSerializer(serializers.Serializer[Any]):
    """Something that is wrong now and lasts."""

    name = serializers.CharField()
    sentence = serializers.CharField(source="text")
    since = serializers.DateTimeField()


class DoingSerializer(serializers.Serializer[Any]):
    """A job at work."""

    job = serializers.UUIDField(source="id")
    kind = serializers.CharField()
    attempt = serializers.IntegerField()
    seconds = serializers.FloatField(help_text="since this attempt began")


class WorkerSerializer(serializers.Serializer[Any]):
    """A worker that has shown itself within a day."""

    name = serializers.CharField()
    since = serializers.DateTimeField()
    last_seen = serializers.DateTimeField(source="seen")
    silent_seconds = serializers.FloatField()
    alive = serializers.BooleanField(help_text="it has shown itself just now")
    slots = serializers.IntegerField(allow_null=True, help_text="jobs it does at once")
    version = serializers.CharField(allow_blank=True)
    doing = DoingSerializer(many=True)


class QueueSerializer(serializers.Serializer[Any]):
    """Jobs of one kind that are not done; failed and parked ones wait for a person."""

    kind = serializers.CharField()
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    failed = serializers.IntegerField()
    parked = serializers.IntegerField(help_text="their worker died three times")
    oldest_seconds = serializers.FloatField(allow_null=True, help_text="how long the oldest has waited")


class FollowUpsSerializer(serializers.Serializer[Any]):
    """Follow-ups of one kind that wait; failing ones are tried again by themselves."""

    name = serializers.CharField(source="topic")
    waiting = serializers.IntegerField()
    failing = serializers.IntegerField()
    oldest_seconds = serializers.FloatField(allow_null=True)


class ScheduledSerializer(serializers.Serializer[Any]):
    """Work that is sent on a schedule."""

    task = serializers.CharField()
    seconds = serializers.FloatField(allow_null=True, help_text="since it was done last; null: never")


class HeadSerializer(serializers.Serializer[Any]):
    """The log's figures; ages in seconds, null where there is nothing."""

    entries = serializers.IntegerField()
    head_seconds = serializers.FloatField(allow_null=True, help_text="age of the newest numbered entry")
    unnumbered = serializers.IntegerField()
    unnumbered_seconds = serializers.FloatField(allow_null=True)
    unsigned = serializers.IntegerField()
    checkpoint_seconds = serializers.FloatField(allow_null=True, help_text="age of the newest entry that is signed")
    departed_seconds = serializers.FloatField(allow_null=True, help_text="since a checkpoint left this site")


class FeedStandsSerializer(serializers.Serializer[Any]):
    """A feed and how it stands."""

    id = serializers.UUIDField(source="feed.id")
    name = serializers.CharField(source="feed.name")
    state = serializers.ChoiceField(STATES, source="health.state")
    words = serializers.CharField(source="health.words")
    lag_seconds = serializers.FloatField(allow_null=True)
    failures = serializers.IntegerField(source="feed.failures")


class TallySerializer(serializers.Serializer[Any]):
    """What became of all a detector sent, and how many lines came of late."""

    detector = serializers.CharField()
    last_at = serializers.DateTimeField()
    received = serializers.IntegerField()
    created = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    superseded = serializers.IntegerField()
    rejected = serializers.IntegerField()
    this_hour = serializers.IntegerField()
    last_hour = serializers.IntegerField(help_text="the last whole one, UTC")
    last_day = serializers.IntegerField(help_text="the last 24 whole hours")


class SystemSerializer(serializers.Serializer[Any]):
    """The installation as it stands."""

    needs_attention = serializers.BooleanField()
    conditions = StandingConditionSerializer(many=True, source="work.conditions")
    workers = WorkerSerializer(many=True, source="work.workers")
    queues = QueueSerializer(many=True, source="work.queues")
    follow_ups = FollowUpsSerializer(many=True, source="work.follow_ups")
    schedule = ScheduledSerializer(many=True, source="work.schedule")
    log = HeadSerializer(source="work.head")
    feeds = FeedStandsSerializer(many=True)
    findings = TallySerializer(many=True, source="tallies")


def as_data(now: Whole) -> dict[str, Any]:
    """The figures in the API's form."""
    return dict(SystemSerializer(now).data)


class System(APIView):
    """How workers, queues, feeds and the log stand."""

    permission_classes = [needs(read="system.read")]

    @extend_schema(
        summary="Read how the installation stands",
        description=(
            "Workers, queues by kind, follow-ups, what is scheduled, the log's head, feeds, and findings by detector. "
            "Counts, kinds and ages over all cases together; no case is named."
        ),
        tags=["system"],
        responses=answers(200, SystemSerializer),
    )
    def get(self, request: Request) -> Response:
        return Response(as_data(system()))
