"""Accounts that are not the same operation, over the API: said about a lead, listed where it has effect, taken back."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, actions, kept_apart
from cases.actions.apart import MOST_PICKED
from cases.api.leads import SEEN, LeadVerb
from cases.api.shared import Username, Words, person, whole
from people.authentication import needs
from spine.answers import answers, checked

TAGS = ["leads"]


class NotJoinedSerializer(serializers.Serializer[Any]):
    """A value that would have joined more accounts to the lead's cluster, and did not."""

    type = serializers.CharField(source="attribute.type")
    attribute = serializers.UUIDField(source="attribute_id")
    accounts = serializers.IntegerField()


class KeptApartSerializer(serializers.Serializer[Any]):
    """A decision as it meets one lead: one that stands, or that was made about the lead and was taken back."""

    id = serializers.UUIDField(source="decision.id")
    lead = serializers.UUIDField(allow_null=True, help_text="about which it was said")
    picked = serializers.IntegerField(source="decision.picked", help_text="accounts on the one side")
    others = serializers.IntegerField(source="decision.others", help_text="accounts on the other")
    rest = serializers.BooleanField(source="decision.rest", help_text="the others are the rest of that lead, as it was")
    within = serializers.BooleanField(help_text="both sides are members of this lead: they were joined all the same")
    not_joined = NotJoinedSerializer(source="joins", many=True)
    cases = serializers.ListField(child=serializers.CharField(), help_text="of accounts on the side this lead lacks")
    reason = serializers.CharField(source="decision.reason")
    by = Username(source="decision.by")
    at = serializers.DateTimeField(source="decision.at")
    lifted_at = serializers.DateTimeField(source="decision.lifted.at", default=None, allow_null=True)
    lifted_by = serializers.CharField(source="decision.lifted.by.username", default=None, allow_null=True)
    lifted_reason = serializers.CharField(source="decision.lifted.reason", default=None, allow_null=True)


class KeptApartListSerializer(serializers.Serializer[Any]):
    """The shape of every list; it always fits one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = KeptApartSerializer(many=True)


class KeepApartSerializer(serializers.Serializer[Any]):
    """Accounts of the lead, and whom they are kept apart from."""

    accounts = serializers.ListField(
        child=serializers.UUIDField(), max_length=MOST_PICKED, help_text="our ids of members of the lead's cluster"
    )
    against = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        default=list,
        max_length=MOST_PICKED,
        help_text="other members; none: all the others",
    )
    reason = Words()
    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text=SEEN)


class JoinAgainSerializer(serializers.Serializer[Any]):
    """Why they may be joined again."""

    reason = Words()


class KeptApart(APIView):
    """What is kept apart."""

    permission_classes = [needs("leads.read", "leads.write")]

    @extend_schema(
        summary="List what people said is not the same operation, where it meets a lead",
        description="Decisions that stand and of which members of the lead are on a side, and all that were made about "
        "the lead. Groupings of findings and newer runs join nothing against one that stands; a clustering run over "
        "telemetry does not go by them, and `within` says where it joined both sides.",
        tags=TAGS,
        responses=answers(200, KeptApartListSerializer, 404),
    )
    def get(self, request: Request, lead_id: UUID) -> Response:
        who = person(request)
        found = kept_apart.on_lead(who, access.lead_for(who, lead_id))
        return Response(KeptApartListSerializer(whole(found)).data)

    @extend_schema(
        summary="Say that accounts of a lead are not the same operation as others of it",
        description="Remembered: no grouping of findings and no newer run joins them again until it is taken back. "
        "409 when exactly this stands already, or a newer run changed the lead.",
        tags=TAGS,
        request=KeepApartSerializer,
        responses=answers(201, KeptApartSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "another customer of the same reseller",
                value={
                    "accounts": ["01990000-0000-7000-8000-000000000001"],
                    "reason": "It pays through the reseller too, and asks about something else.",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        who = person(request)
        lead = access.lead_for(who, lead_id, write=True)
        made = actions.keep_apart(lead, actor=who, **checked(KeepApartSerializer, request.data))
        return Response(_shown(request, lead_id, made.pk), status=201)


class JoinAgain(LeadVerb):
    """A decision, taken back."""

    @extend_schema(
        summary="Take back that accounts are not the same operation",
        description="Whatever correlates next may join them again. 409 when it was taken back before.",
        tags=TAGS,
        request=JoinAgainSerializer,
        responses=answers(200, KeptApartSerializer, 400, 404, 409),
        examples=[OpenApiExample("looked again", value={"reason": "Both use one key after all."}, request_only=True)],
    )
    def post(self, request: Request, lead_id: UUID, decision_id: UUID) -> Response:
        who = person(request)
        said = access.decision_for(who, self.lead(lead_id), decision_id)
        actions.join_again(said, actor=who, **checked(JoinAgainSerializer, request.data))
        return Response(_shown(request, lead_id, decision_id))


def _shown(request: Request, lead_id: UUID, decision_id: UUID) -> dict[str, Any]:
    who = person(request)
    [found] = kept_apart.on_lead(who, access.lead_for(who, lead_id), only=decision_id)
    return dict(KeptApartSerializer(found).data)
