"""People over the API, for administrators, and oneself for everybody."""

import secrets
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from people import actions as verbs
from people import second_factors, sessions
from people.api.shared import NO_STORE, person
from people.authentication import needs
from people.models import Role, User
from people.reauth import RecentlyProven
from people.rights import rights_of
from spine.answers import Exact, answers, checked

TAGS = ["people"]
ADMINISTRATOR: list[type[BasePermission]] = [needs("people.write", "people.write"), RecentlyProven]


class PersonSerializer(serializers.ModelSerializer[User]):
    """A person. Never deleted, only switched off."""

    second_factor = serializers.SerializerMethodField(help_text="whether one is asked for at sign-in")

    class Meta:
        model = User
        fields: tuple[str, ...] = (
            *("id", "username", "display_name", "role", "is_active"),
            *("second_factor", "created_at", "last_login", "one_time_until"),
        )
        read_only_fields = fields

    def get_second_factor(self, one: User) -> bool:
        known: bool | None = getattr(one, "has_factor", None)  # from the list, which asks once for all
        return second_factors.has_any(one) if known is None else known


class MeSerializer(PersonSerializer):
    """Oneself, with what one may do here and now."""

    rights = serializers.SerializerMethodField(help_text="of the role, and with a token no more than it was made for")

    class Meta(PersonSerializer.Meta):
        fields = (*PersonSerializer.Meta.fields, "rights")
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_rights(self, one: User) -> list[str]:
        held = rights_of(one)
        return sorted(held if one.scopes is None else held & one.scopes)


class NewPersonSerializer(Exact):
    """A new person; the first password is made for them."""

    username = serializers.CharField(max_length=60, trim_whitespace=False)
    role = serializers.ChoiceField(Role.choices)
    display_name = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)


class ChangeSerializer(Exact):
    """What to change; what is left out stays."""

    role = serializers.ChoiceField(Role.choices, required=False)
    expected_role = serializers.ChoiceField(
        Role.choices, required=False, help_text="with a role: the one it takes the place of; 409 when it is another"
    )
    is_active = serializers.BooleanField(required=False)
    display_name = serializers.CharField(max_length=120, required=False, allow_blank=True)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "role" in given and "expected_role" not in given:
            raise serializers.ValidationError({"expected_role": ["Say which role the new one takes the place of."]})
        return given


class OneTimeSerializer(serializers.Serializer[Any]):
    """A one-time password, shown once and not kept."""

    person = PersonSerializer()
    one_time_password = serializers.CharField()


class SessionSerializer(serializers.Serializer[Any]):
    """A session that still opens something."""

    id = serializers.UUIDField()
    address = serializers.IPAddressField()
    user_agent = serializers.CharField()
    since = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class EndedSerializer(serializers.Serializer[Any]):
    """How many sessions ended."""

    ended = serializers.IntegerField()


class People(generics.ListAPIView[User]):
    """The list, and creating."""

    permission_classes = ADMINISTRATOR
    serializer_class = PersonSerializer

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.annotate(has_factor=Exists(second_factors.strong_of(OuterRef("pk"))))

    @extend_schema(summary="List people", tags=TAGS, responses=answers(200, PersonSerializer(many=True)))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Create a person",
        description="With a one-time password, which is in the answer, shown once and not kept; it opens one sign-in "
        "on the pages, in which it is changed.",
        tags=TAGS,
        request=NewPersonSerializer,
        responses=answers(201, OneTimeSerializer, 400),
        examples=[OpenApiExample("an analyst", value={"username": "mira", "role": "analyst"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        password = secrets.token_urlsafe(15)
        given = checked(NewPersonSerializer, request.data)
        made = verbs.create_user(actor=person(request).principal, password=password, one_time=True, **given)
        return _one_time(made, password, status=201)


def _one_time(made: User, password: str, status: int) -> Response:
    body = {"person": PersonSerializer(made).data, "one_time_password": password}
    return Response(body, status=status, headers=NO_STORE)


class Me(APIView):
    """Oneself."""

    permission_classes = [needs("tokens.write")]

    @extend_schema(summary="Who you are here", tags=TAGS, responses=answers(200, MeSerializer))
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(person(request)).data)


class OnePerson(APIView):
    """One person."""

    permission_classes = ADMINISTRATOR

    @extend_schema(summary="Read a person", tags=TAGS, responses=answers(200, PersonSerializer, 404))
    def get(self, request: Request, person_id: UUID) -> Response:
        return Response(PersonSerializer(get_object_or_404(User, pk=person_id)).data)

    @extend_schema(
        summary="Change a person",
        description="Role, state or shown name. Nobody changes their own role or switches themselves off, and the last "
        "active administrator stays one: 409 says so. A new role ends the person's sessions; switching off revokes "
        "their tokens too.",
        tags=TAGS,
        request=ChangeSerializer,
        responses=answers(200, PersonSerializer, 400, 404, 409),
        examples=[
            OpenApiExample("a role", value={"role": "counsel", "expected_role": "reader"}, request_only=True),
            OpenApiExample("switching off", value={"is_active": False}, request_only=True),
        ],
    )
    def patch(self, request: Request, person_id: UUID) -> Response:
        actor = person(request).principal
        given = checked(ChangeSerializer, request.data)
        one = get_object_or_404(User, pk=person_id)
        if "display_name" in given:
            one = verbs.rename(one, actor=actor, display_name=given["display_name"])
        if "role" in given:
            one = verbs.set_role(one, actor=actor, role=given["role"], expected=given["expected_role"])
        if "is_active" in given:
            one = (verbs.enable if given["is_active"] else verbs.disable)(one, actor=actor)
        return Response(PersonSerializer(one).data)


class OneTimePassword(APIView):
    """A one-time password for somebody else."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Give a one-time password",
        description="In place of the present one; the person's sessions end. Shown once, not kept.",
        tags=TAGS,
        request=None,
        responses=answers(200, OneTimeSerializer, 404, 409),
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        one = get_object_or_404(User, pk=person_id)
        password = verbs.give_one_time_password(one, actor=person(request).principal)
        one.refresh_from_db()
        return _one_time(one, password, status=200)


class ResetSecondFactor(APIView):
    """The second factors of somebody who lost them."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Take a person's second factors away",
        description="App, passkeys and recovery codes; the person's sessions end.",
        tags=TAGS,
        request=None,
        responses=answers(200, PersonSerializer, 404, 409),
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        one = get_object_or_404(User, pk=person_id)
        verbs.reset_second_factor(one, actor=person(request).principal)
        return Response(PersonSerializer(one).data)


class PersonSessions(APIView):
    """A person's sessions."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        operation_id="people_sessions_list",
        summary="List a person's sessions",
        tags=TAGS,
        responses=answers(200, SessionSerializer(many=True), 404),
    )
    def get(self, request: Request, person_id: UUID) -> Response:
        listed = sessions.of(get_object_or_404(User, pk=person_id))
        rows = [
            {
                "id": sessions.id_of(one),
                "address": one.ip,
                "user_agent": one.user_agent,
                "since": one.created_at,
                "last_seen": one.last_seen_at,
            }
            for one in listed
        ]
        return Response(SessionSerializer(rows, many=True).data)

    @extend_schema(summary="End all of a person's sessions", tags=TAGS, responses=answers(200, EndedSerializer, 404))
    def delete(self, request: Request, person_id: UUID) -> Response:
        one = get_object_or_404(User, pk=person_id)
        ended = verbs.end_sessions(one, actor=person(request).principal, these=sessions.of(one))
        return Response({"ended": ended})
