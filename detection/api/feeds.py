"""Feeds over the API: set up, tried before they are saved, changed, paused, pulled now; and what each pull brought."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import feed_health, feed_verbs, trying
from detection.models import Feed, FeedKind, FeedPull
from people.authentication import needs
from spine import principal
from spine.answers import answers, checked
from spine.models import Job

TAGS = ["feeds"]
STATES = ("paused", "stalled", "running", "failing", "new", "well")
EXAMPLE = {
    "name": "Gateway heuristics",
    "detector": "api-gateway",
    "kind": "http",
    "settings": {
        "url": "https://api.example.com/flags",
        "auth": "bearer",
        "items": "/data",
        "paging": "cursor",
        "page_parameter": "cursor",
        "next_at": "/meta/next",
    },
    "mapping": {"as": "native"},
    "secret": "the-token-it-gave-you",
    "schedule_minutes": 15,
}


class FeedSerializer(serializers.ModelSerializer[Feed]):
    """A feed and how it stands. Its secret is never shown: `has_secret` says whether there is one."""

    detector = serializers.CharField(source="detector.name")
    settings = serializers.DictField(help_text="by kind; docs/how-to/add-a-feed.md lists them")
    mapping = serializers.DictField(help_text="how a row becomes a finding")
    has_secret = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField(help_text="the state in a sentence")
    lag_seconds = serializers.SerializerMethodField(help_text="since everything the source had was here; null: never")

    class Meta:
        model = Feed
        fields = (
            "id",
            "name",
            "detector",
            "kind",
            "settings",
            "mapping",
            "has_secret",
            "schedule_minutes",
            "paused",
            "revision",
            "state",
            "words",
            "lag_seconds",
            "last_pull_at",
            "last_success_at",
            "caught_up_at",
            "reached_at",
            "next_pull_at",
            "failures",
            "last_error",
            "created_at",
        )
        read_only_fields = fields

    def get_has_secret(self, feed: Feed) -> bool:
        return bool(feed.secret)

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, feed: Feed) -> str:
        return self._health(feed).state

    def get_words(self, feed: Feed) -> str:
        return self._health(feed).words

    def get_lag_seconds(self, feed: Feed) -> int | None:
        lag = self._health(feed).lag
        return None if lag is None else int(lag.total_seconds())

    def _health(self, feed: Feed) -> feed_health.Health:
        return feed_health.health(feed, running=str(feed.pk) in self.context["running"])


class NewFeedSerializer(serializers.Serializer[Any]):
    """A feed to set up; the verb says what is accepted."""

    name = serializers.CharField(max_length=60, trim_whitespace=False)
    detector = serializers.CharField(max_length=120, trim_whitespace=False, help_text="registered when it is new")
    kind = serializers.ChoiceField(FeedKind.choices)
    settings = serializers.DictField()
    mapping = serializers.DictField(required=False, default=dict)
    secret = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=4000, trim_whitespace=False, write_only=True
    )
    schedule_minutes = serializers.IntegerField(required=False, default=15, help_text="1 to 10,080")


class ChangeFeedSerializer(serializers.Serializer[Any]):
    """What to change; what is left out stays. `revision` is the one you saw."""

    revision = serializers.IntegerField()
    settings = serializers.DictField(required=False)
    mapping = serializers.DictField(required=False)
    secret = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=4000, trim_whitespace=False, write_only=True
    )
    schedule_minutes = serializers.IntegerField(required=False)
    paused = serializers.BooleanField(required=False, allow_null=True, default=None)


class TryFeedSerializer(serializers.Serializer[Any]):
    """A feed to try; `feed` lends its stored secret when none is given and the place is the same."""

    detector = serializers.CharField(max_length=120, trim_whitespace=False)
    kind = serializers.ChoiceField(FeedKind.choices)
    settings = serializers.DictField()
    mapping = serializers.DictField(required=False, default=dict)
    secret = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=4000, trim_whitespace=False, write_only=True
    )
    feed = serializers.UUIDField(required=False, allow_null=True, default=None)


class TriedRowSerializer(serializers.Serializer[Any]):
    """A row as it came, the finding it becomes, and what is wrong with that."""

    line = serializers.IntegerField()
    received = serializers.CharField()
    finding = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField())


class TrialSerializer(serializers.Serializer[Any]):
    """What the first page had; nothing of it is stored."""

    rows = TriedRowSerializer(many=True)
    count = serializers.IntegerField(help_text="rows of the page")
    accepted = serializers.IntegerField(help_text="rows that would be findings")
    more = serializers.BooleanField()
    trouble = serializers.CharField(allow_blank=True)


class BackfillSerializer(serializers.Serializer[Any]):
    """A window of the past; its end is not in it."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class AskedSerializer(serializers.Serializer[Any]):
    """The job that pulls, and where its progress stands."""

    job_id = serializers.UUIDField()
    status_url = serializers.URLField()


class FeedRejectionSerializer(serializers.Serializer[Any]):
    """A row that was not kept."""

    place = serializers.CharField()
    line = serializers.IntegerField()
    pointer = serializers.CharField(allow_blank=True)
    detail = serializers.CharField()


class FeedPullSerializer(serializers.ModelSerializer[FeedPull]):
    """A pull: received = created + duplicate + superseded + rejected."""

    rejections = FeedRejectionSerializer(many=True, help_text="the first hundred; the count is exact")

    class Meta:
        model = FeedPull
        fields = (
            "id",
            "job_id",
            "state",
            "window_start",
            "window_end",
            "started_at",
            "finished_at",
            "pages",
            "received",
            "created",
            "duplicate",
            "superseded",
            "rejected",
            "rejections",
            "error",
            "more",
        )
        read_only_fields = fields


def shown(feed: Feed) -> dict[str, Any]:
    """One feed as the API gives it."""
    return dict(FeedSerializer(feed, context={"running": running()}).data)


def running() -> set[str]:
    """Ids of the feeds of which a pull waits or runs."""
    return set(feed_health.unfinished("feed.pull").values_list("key", flat=True))


def _asked(request: Request, job: Job) -> Response:
    address = request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))
    return Response({"job_id": str(job.pk), "status_url": address}, status=202, headers={"Location": address})


class Feeds(generics.ListAPIView[Feed]):
    """The list, and setting one up."""

    permission_classes = [needs("detectors.read", "detectors.write")]
    serializer_class = FeedSerializer
    queryset = Feed.objects.none()

    def get_queryset(self) -> QuerySet[Feed]:
        return feed_health.feeds()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "running": running()}

    @extend_schema(
        summary="List feeds and how they stand", tags=TAGS, responses=answers(200, FeedSerializer(many=True))
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Set up a feed",
        description="It is due at once. The destination has to be on the list of allowed ones; `missing` in a refusal "
        "names every setting that cannot be used.",
        tags=TAGS,
        request=NewFeedSerializer,
        responses=answers(201, FeedSerializer, 400, 409),
        examples=[OpenApiExample("an HTTP API", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        feed = feed_verbs.create_feed(actor=principal.current(), **checked(NewFeedSerializer, request.data))
        return Response(shown(feed), status=201)


class OneFeed(APIView):
    """One feed."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(summary="Read a feed", tags=TAGS, responses=answers(200, FeedSerializer, 404))
    def get(self, request: Request, feed_id: UUID) -> Response:
        return Response(shown(get_object_or_404(feed_health.feeds(), pk=feed_id)))

    @extend_schema(
        summary="Change, pause or resume a feed",
        description="A pull that runs stops at its next page. Where the feed reads from another place its cursor "
        "begins anew and the secret has to be given again. 409 when it was changed since `revision`.",
        tags=TAGS,
        request=ChangeFeedSerializer,
        responses=answers(200, FeedSerializer, 400, 404, 409),
        examples=[OpenApiExample("pause", value={"revision": 3, "paused": True}, request_only=True)],
    )
    def patch(self, request: Request, feed_id: UUID) -> Response:
        feed = get_object_or_404(Feed, pk=feed_id)
        given = checked(ChangeFeedSerializer, request.data)
        paused, revision = given.pop("paused"), given.pop("revision")
        actor = principal.current()
        with transaction.atomic():
            if paused is None or given.keys() - {"secret"} or given["secret"]:
                feed = feed_verbs.change_feed(feed, actor=actor, revision=revision, **given)
                revision = feed.revision
            if paused is not None:
                verb = feed_verbs.pause_feed if paused else feed_verbs.resume_feed
                feed = verb(feed, actor=actor, revision=revision)
        return Response(shown(feed))


class PullFeed(APIView):
    """A pull now."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Pull a feed now",
        description="One pull of a feed at a time: one that waits or runs already is given instead.",
        tags=TAGS,
        request=None,
        responses=answers(202, AskedSerializer, 404, 409),
    )
    def post(self, request: Request, feed_id: UUID) -> Response:
        feed = get_object_or_404(Feed, pk=feed_id)
        return _asked(request, feed_verbs.request_pull(feed, actor=principal.current()))


class BackfillFeed(APIView):
    """The past once more."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Ask for a window of a feed's past",
        description="Beside the schedule; the cursor stays where it is. An unfinished window is gone on with.",
        tags=TAGS,
        request=BackfillSerializer,
        responses=answers(202, AskedSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "a day", value={"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"}, request_only=True
            )
        ],
    )
    def post(self, request: Request, feed_id: UUID) -> Response:
        feed = get_object_or_404(Feed, pk=feed_id)
        given = checked(BackfillSerializer, request.data)
        return _asked(request, feed_verbs.request_backfill(feed, actor=principal.current(), **given))


class FeedPulls(generics.ListAPIView[FeedPull]):
    """The pulls of a feed."""

    permission_classes = [needs("detectors.read")]
    serializer_class = FeedPullSerializer
    queryset = FeedPull.objects.none()

    def get_queryset(self) -> QuerySet[FeedPull]:
        return get_object_or_404(Feed, pk=self.kwargs["feed_id"]).pulls.all()

    @extend_schema(
        summary="List the pulls of a feed, newest first, with counts and what was not kept",
        tags=TAGS,
        responses=answers(200, FeedPullSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class TryFeed(APIView):
    """One page, to look at."""

    permission_classes = [needs("detectors.read", "detectors.write")]

    @extend_schema(
        summary="Try a feed on its first page, before saving it",
        description="Fetches one page and shows its first five rows, the findings they become and what is wrong with "
        "each. Nothing is stored. 409 says what the source did instead of answering.",
        tags=TAGS,
        request=TryFeedSerializer,
        responses=answers(200, TrialSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "an HTTP API",
                value={name: EXAMPLE[name] for name in ("detector", "kind", "settings", "mapping", "secret")},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(TryFeedSerializer, request.data)
        named = given.pop("feed")
        feed = get_object_or_404(Feed, pk=named) if named else None
        return Response(TrialSerializer(trying.try_feed(feed=feed, **given)).data)
