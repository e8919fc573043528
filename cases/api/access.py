"""Who may know of a case, over the API: read it, restrict, open up, members; break-glass."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, actions
from cases.api.cases import CaseSerializer
from cases.api.shared import UnderCase, Username, Words, person, person_named
from cases.models import Case, MembershipChange
from cases.models.access import ChangeKind, MemberVia
from people.authentication import needs
from people.models import Role, User
from spine.answers import answers, checked

TAGS = ["cases"]
GONE = OpenApiResponse(description="done, and the caller may not know of the case any more")


class ReaderSerializer(serializers.Serializer[Any]):
    """Somebody who can read the case: by role while it is open, as a member while it is restricted."""

    username = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    via = serializers.ChoiceField([("role", "role"), *MemberVia.choices])
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class MembershipChangeSerializer(serializers.ModelSerializer[MembershipChange]):
    """A change of membership, with its reason."""

    person = Username()
    by = Username()
    kind = serializers.ChoiceField(ChangeKind.choices)

    class Meta:
        model = MembershipChange
        fields = ["id", "at", "person", "kind", "by", "reason", "until"]
        read_only_fields = fields


class AccessSerializer(serializers.Serializer[Any]):
    """Who can read the case now and why, and every change of membership, newest first."""

    restricted = serializers.BooleanField()
    readers = ReaderSerializer(many=True)
    changes = MembershipChangeSerializer(many=True)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = Words()


class RestrictSerializer(ReasonSerializer):
    """Why, and who are members beside the caller and the assignee."""

    people = serializers.ListField(child=serializers.CharField(), required=False, default=list, max_length=500)


class MemberSerializer(ReasonSerializer):
    """Why, and who."""

    person = serializers.CharField(help_text="user name")


class BreakGlassSerializer(ReasonSerializer):
    """Why, and which case."""

    ref = serializers.CharField(max_length=20)


class Access(UnderCase):
    """Who may know of one case."""

    @extend_schema(
        summary="Read who can read a case, and why",
        description="While a case is restricted its members alone know of it; everybody else gets 404 as if there were "
        "no such case.",
        tags=TAGS,
        responses=answers(200, AccessSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(_shown(self.case()))


class _Act(UnderCase):
    """A verb on the access of a case, answered with the access as it is then."""

    def answer(self, case: Case) -> Response:
        """The access now; who gave up their own membership reads nothing any more."""
        if not access.may_know(person(self.request), case):
            return Response(status=204)
        return Response(_shown(Case.objects.get(pk=case.pk)))


class Restrict(_Act):
    """Restrict one case."""

    @extend_schema(
        summary="Restrict a case to its members",
        description="The caller and the assignee are members in any case. 409 when it is restricted already.",
        tags=TAGS,
        request=RestrictSerializer,
        responses=answers(200, AccessSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(RestrictSerializer, request.data)
        people = [_known(name, "people") for name in given["people"]]
        actions.restrict_case(case, actor=person(request), reason=given["reason"], people=people)
        return self.answer(case)


class OpenUp(_Act):
    """Open one case up."""

    @extend_schema(
        summary="Open a restricted case to everybody who may read cases",
        description="Every membership ends. 409 when it is not restricted.",
        tags=TAGS,
        request=ReasonSerializer,
        responses=answers(200, AccessSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        actions.open_case_up(case, actor=person(request), **checked(ReasonSerializer, request.data))
        return self.answer(case)


class Members(_Act):
    """The members of one case."""

    @extend_schema(
        summary="Add a member",
        description="409 when they are a member already, or the case is not restricted.",
        tags=TAGS,
        request=MemberSerializer,
        responses=answers(200, AccessSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(MemberSerializer, request.data)
        member = _known(given["person"], "person")
        actions.add_member(case, actor=person(request), person=member, reason=given["reason"])
        return self.answer(case)


class RemoveMember(_Act):
    """A membership that ends."""

    @extend_schema(
        summary="Remove a member",
        description="One's own membership too; then the answer is 204. 409 for the last member who may work on it.",
        tags=TAGS,
        request=MemberSerializer,
        responses=answers(200, AccessSerializer, 400, 404, 409) | {204: GONE},
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(MemberSerializer, request.data)
        member = _known(given["person"], "person")
        actions.remove_member(case, actor=person(request), person=member, reason=given["reason"])
        return self.answer(case)


class BreakGlass(APIView):
    """Reading a restricted case in an emergency."""

    permission_classes = [needs(write="cases.break_glass")]

    @extend_schema(
        summary="Break the glass of a restricted case",
        description="The caller may read it for some hours. Logged; every member is told who, why, and until when.",
        tags=TAGS,
        request=BreakGlassSerializer,
        responses=answers(200, CaseSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        given = checked(BreakGlassSerializer, request.data)
        case = actions.break_glass(actor=person(request), **given)
        return Response(CaseSerializer(case).data)


def _known(username: str, field: str) -> User:
    found = person_named(username, field)
    if found is None:
        raise serializers.ValidationError({field: ["A user name is missing."]})
    return found


def _shown(case: Case) -> Any:
    members = {member.person_id: member for member in case.members.all()} if case.restricted else {}
    readers = [
        {
            "username": reader.username,
            "role": reader.role,
            "via": member.via if (member := members.get(reader.pk)) else "role",
            "since": member.since if member else None,
            "until": member.until if member else None,
        }
        for reader in access.readers_of(case)
    ]
    changes = case.membership_changes.select_related("person", "by").order_by("-at", "-id")
    return AccessSerializer({"restricted": case.restricted, "readers": readers, "changes": changes}).data
