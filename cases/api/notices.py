"""One's notices over the API, and what one wants to be told and how."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import generics, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import notices
from cases.api.shared import person
from cases.models import Notice, NoticeSettings
from cases.notice_kinds import Kind, Way
from people.models import User
from spine.answers import answers, checked, within

TAGS = ["notices"]


class AnyPerson(permissions.BasePermission):
    """Everybody who signs in, about themselves; what a token may not read is not in the answer."""

    rights = ("", "")
    message = "Notices are for people."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User)


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """Something the caller has to be told, about a case they may know of or about none."""

    case = serializers.SerializerMethodField(help_text="the reference, null for a notice of no case")
    kind = serializers.ChoiceField(Kind.choices)

    class Meta:
        model = Notice
        fields = ["id", "case", "kind", "text", "at"]
        read_only_fields = fields

    def get_case(self, notice: Notice) -> str | None:
        return notice.case.ref if notice.case else None


class NoticeSettingsSerializer(serializers.ModelSerializer[NoticeSettings]):
    """How one is told of each kind that is one's business, and the hour (UTC) of the daily mail."""

    ways = serializers.DictField(child=serializers.ChoiceField(Way.choices), help_text="by kind")

    class Meta:
        model = NoticeSettings
        fields = ["ways", "digest_hour"]
        read_only_fields = fields


class ChooseNoticesSerializer(serializers.Serializer[Any]):
    """What to change; kinds that are left out stay as they are."""

    ways = serializers.DictField(required=False, default=dict, child=serializers.CharField(max_length=20))
    digest_hour = serializers.IntegerField(required=False, allow_null=True, default=None, help_text="0 to 23, UTC")


class Notices(generics.ListAPIView[Notice]):
    """What the caller has not seen yet."""

    permission_classes = [AnyPerson]
    serializer_class = NoticeSerializer
    queryset = Notice.objects.none()

    @extend_schema(
        summary="List the notices one has not seen yet",
        description="Newest first. A notice about a case one may not know of any more is gone.",
        tags=TAGS,
        responses=answers(200, NoticeSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Notice]:
        return notices.unseen(person(self.request))


class SeeNotice(APIView):
    """One notice."""

    permission_classes = [AnyPerson]

    @extend_schema(
        summary="Say that one has seen a notice",
        description="It is in the list of those not seen no more, and is not mailed.",
        tags=TAGS,
        request=None,
        responses=answers(204, OpenApiResponse(description="seen"), 404),
    )
    def post(self, request: Request, notice_id: UUID) -> Response:
        if not notices.see(person(request), notice_id):
            raise Http404
        return Response(status=204)


class NoticeChoices(APIView):
    """What one is told and how."""

    permission_classes = [AnyPerson]

    @extend_schema(
        summary="Read what you are told and how",
        description="`in_app`: in the product alone. `at_once` and `digest` mail it too, once your mail address is "
        "confirmed (`/api/v1/people/me/mail/`). `off`: not at all, which not every kind can be.",
        tags=TAGS,
        responses=answers(200, NoticeSettingsSerializer),
    )
    def get(self, request: Request) -> Response:
        return Response(NoticeSettingsSerializer(notices.settings_of(person(request))).data)

    @extend_schema(
        summary="Choose what you are told and how",
        description="A mail says that there is something and the reference of an open case, nothing more. Rights and "
        "wishes are asked again when it is sent.",
        tags=TAGS,
        request=ChooseNoticesSerializer,
        responses=answers(200, NoticeSettingsSerializer, 400),
        examples=[
            OpenApiExample(
                "fewer mails",
                value={"ways": {"assigned": "digest", "moved": "off"}, "digest_hour": 6},
                request_only=True,
            )
        ],
    )
    def patch(self, request: Request) -> Response:
        who = person(request)
        given = checked(ChooseNoticesSerializer, request.data)
        with within(places={kind: f"ways/{kind}" for kind in given["ways"]}):
            notices.choose(who, **given)
        return Response(NoticeSettingsSerializer(notices.settings_of(who)).data)
