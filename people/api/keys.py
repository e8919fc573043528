"""API tokens of one's own, and the keys of detectors for administrators."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from people import actions as verbs
from people import key_health
from people.actions.keys import KEY_DAYS, MOST_LIMIT, OVERLAP_DAYS, TOKEN_DAYS
from people.api.shared import NO_STORE, person, token_of
from people.authentication import needs
from people.models import LIMITS, ApiToken, DetectorKey
from people.reauth import RecentlyProven
from people.rights import MEANINGS, may
from spine.answers import Exact, answers, checked

TAGS = ["keys"]


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """An API token; what opens anything is not among it."""

    username = serializers.CharField(source="user.username")
    scopes = serializers.ListField(child=serializers.CharField(), source="rights")

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            *("id", "username", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at"),
        )
        read_only_fields = fields


class NewTokenSerializer(Exact):
    """A new token: some of one's rights, for some days."""

    name = serializers.CharField(max_length=120, help_text="what it is for")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(sorted(MEANINGS)),
        allow_empty=False,
        help_text="rights of yours that it holds; asked for by a token, some of that token's",
    )
    expires_in_days = serializers.IntegerField(required=False, default=TOKEN_DAYS, help_text="1 to 366")


class MadeSerializer(serializers.Serializer[Any]):
    """The token with what opens the API, shown once and not kept."""

    token = TokenSerializer()
    value = serializers.CharField(help_text="shown once, not kept")


def _limit(help_text: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_LIMIT, help_text=help_text
    )


class LimitsSerializer(Exact):
    """What a key may send in a time; null is no limit, and what is left out stays as it is."""

    requests_per_minute = _limit("requests to the doors for findings")
    findings_per_minute = _limit("a batch that has begun is taken whole")
    mebibytes_per_day = _limit("of documents, after decompression, by UTC day")


class DetectorKeySerializer(serializers.ModelSerializer[DetectorKey]):
    """A detector's key; what opens anything is not among it."""

    networks = serializers.ListField(child=serializers.CharField())
    replaced_by = serializers.UUIDField(
        source="successor.pk", read_only=True, allow_null=True, help_text="the key that took its place; null: none did"
    )

    class Meta:
        model = DetectorKey
        fields: tuple[str, ...] = (
            *("id", "detector", "name", "prefix", "networks", "created_at", "last_used_at", "expires_at", "revoked_at"),
            *("replaced_by", *LIMITS),
        )
        read_only_fields = fields


class ReplaceKeySerializer(Exact):
    """The key that takes the place of another, and how long that one still works."""

    name = serializers.CharField(
        max_length=120, required=False, allow_blank=True, help_text="what it is for; left out: as the old one"
    )
    expires_in_days = serializers.IntegerField(required=False, default=KEY_DAYS, help_text="1 to 366")
    overlap_days = serializers.IntegerField(
        required=False,
        default=OVERLAP_DAYS,
        help_text="0 to 366: the old key works so long, and never longer than it would have; 0: it ends at once",
    )


class ReplacedKeySerializer(serializers.Serializer[Any]):
    """The new key with what opens the API, shown once and not kept, and the old one with its end."""

    key = DetectorKeySerializer()
    value = serializers.CharField(help_text="shown once, not kept")
    replaced = DetectorKeySerializer()


class Tokens(generics.ListAPIView[ApiToken]):
    """One's own tokens."""

    permission_classes = [needs("tokens.write", "tokens.write"), RecentlyProven]
    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        return ApiToken.objects.select_related("user").filter(user=person(self.request))

    @extend_schema(
        summary="List your API tokens",
        description="The revoked and the ended ones too.",
        tags=TAGS,
        responses=answers(200, TokenSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Make an API token",
        description="By a session whose person has confirmed who they are within the last minutes, or by a token, "
        "which gives no right it lacks and no longer life than its own. The value is shown once.",
        tags=TAGS,
        request=NewTokenSerializer,
        responses=answers(201, MadeSerializer, 400),
        examples=[
            OpenApiExample(
                "for a notebook",
                value={"name": "notebook", "scopes": ["cases.read"], "expires_in_days": 30},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        who = person(request)
        given = checked(NewTokenSerializer, request.data)
        value = verbs.create_token(
            actor=who.principal,
            username=who.username,
            name=given["name"],
            rights=given["scopes"],
            days=given["expires_in_days"],
            within=token_of(request),
        )
        made = ApiToken.objects.select_related("user").get(prefix=value.split("_")[2], user=who)
        return Response({"token": TokenSerializer(made).data, "value": value}, status=201, headers=NO_STORE)


class OneToken(APIView):
    """One of one's own tokens; an administrator's are everybody's, to read and to revoke."""

    permission_classes = [needs("tokens.write", "tokens.write")]

    def token(self, token_id: UUID) -> ApiToken:
        """The token, if it is the caller's to see."""
        who = person(self.request)
        known = ApiToken.objects.select_related("user")
        return get_object_or_404(known if may(who, "people.write") else known.filter(user=who), pk=token_id)

    @extend_schema(summary="Read an API token", tags=TAGS, responses=answers(200, TokenSerializer, 404))
    def get(self, request: Request, token_id: UUID) -> Response:
        return Response(TokenSerializer(self.token(token_id)).data)

    @extend_schema(
        summary="Revoke an API token",
        description="It opens nothing any more, at once; it stays in the list.",
        tags=TAGS,
        responses=answers(200, TokenSerializer, 404),
    )
    def delete(self, request: Request, token_id: UUID) -> Response:
        verbs.revoke_token(self.token(token_id), actor=person(request).principal)
        return Response(TokenSerializer(self.token(token_id)).data)


class DetectorKeys(generics.ListAPIView[DetectorKey]):
    """The keys of detectors; one is made by registering the detector, or by replacing another."""

    permission_classes = [needs("detectors.write")]
    serializer_class = DetectorKeySerializer

    def get_queryset(self) -> QuerySet[DetectorKey]:
        return DetectorKey.objects.all()

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """A page whose keys know their successors."""
        return key_health.with_successors(super().paginate_queryset(queryset) or [])

    @extend_schema(
        summary="List the keys of detectors", tags=TAGS, responses=answers(200, DetectorKeySerializer(many=True))
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneDetectorKey(APIView):
    """One key of a detector."""

    permission_classes = [needs("detectors.write", "detectors.write")]

    @extend_schema(summary="Read a detector's key", tags=TAGS, responses=answers(200, DetectorKeySerializer, 404))
    def get(self, request: Request, key_id: UUID) -> Response:
        return Response(_shown(get_object_or_404(DetectorKey, pk=key_id)))

    @extend_schema(
        summary="Set the limits of a detector's key",
        tags=TAGS,
        request=LimitsSerializer,
        responses=answers(200, DetectorKeySerializer, 400, 404),
        examples=[OpenApiExample("a minute", value={"findings_per_minute": 60_000}, request_only=True)],
    )
    def patch(self, request: Request, key_id: UUID) -> Response:
        key = get_object_or_404(DetectorKey, pk=key_id)
        limits = checked(LimitsSerializer, request.data)
        verbs.limit_detector_key(key, actor=person(request).principal, limits=limits)
        return self.get(request, key_id)

    @extend_schema(
        summary="Revoke a detector's key",
        description="It opens nothing any more, at once; it stays in the list.",
        tags=TAGS,
        responses=answers(200, DetectorKeySerializer, 404),
    )
    def delete(self, request: Request, key_id: UUID) -> Response:
        key = get_object_or_404(DetectorKey, pk=key_id)
        verbs.revoke_detector_key(key, actor=person(request).principal)
        return self.get(request, key_id)


class ReplaceDetectorKey(APIView):
    """A key that takes the place of another."""

    permission_classes = [needs(write="detectors.write"), RecentlyProven]

    @extend_schema(
        summary="Replace a detector's key",
        description="The new key is of the same detector, from the same networks, with the same limits. Its value is "
        "shown once and not kept. 409 for a key that is revoked or over, or whose successor still works.",
        tags=TAGS,
        request=ReplaceKeySerializer,
        responses=answers(201, ReplacedKeySerializer, 400, 404, 409),
        examples=[
            OpenApiExample("within three days", value={"expires_in_days": 90, "overlap_days": 3}, request_only=True)
        ],
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        key = get_object_or_404(DetectorKey, pk=key_id)
        given = checked(ReplaceKeySerializer, request.data)
        new, value = verbs.replace_detector_key(
            key,
            actor=person(request).principal,
            name=given.get("name"),
            days=given["expires_in_days"],
            overlap=given["overlap_days"],
        )
        key.refresh_from_db()
        body = {"key": _shown(new), "value": value, "replaced": _shown(key)}
        return Response(body, status=201, headers=NO_STORE)


def _shown(key: DetectorKey) -> dict[str, Any]:
    [known] = key_health.with_successors([key])
    return dict(DetectorKeySerializer(known).data)
