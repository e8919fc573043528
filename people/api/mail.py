"""A person's mail address over the API: one's own, and for administrators to clear."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from people import actions as verbs
from people.api.people import ADMINISTRATOR, TAGS
from people.api.shared import person
from people.authentication import needs
from people.models import MailAddress, User
from people.reauth import RecentlyProven
from spine.answers import answers, checked

OWN = needs("tokens.write", "tokens.write")


class MailSerializer(serializers.ModelSerializer[MailAddress]):
    """Where one's mail goes; `confirmed_at` is null until the mailed link was opened."""

    class Meta:
        model = MailAddress
        fields = ("address", "asked_at", "confirmed_at")
        read_only_fields = fields


class SetMailSerializer(serializers.Serializer[Any]):
    """The address to mail the link to."""

    address = serializers.CharField(max_length=254)


class ConfirmMailSerializer(serializers.Serializer[Any]):
    """What the link carried as `proof`."""

    proof = serializers.CharField(max_length=1000)


class OwnMail(APIView):
    """One's own address."""

    permission_classes = [OWN, RecentlyProven]

    @extend_schema(summary="Read your mail address", tags=TAGS, responses=answers(200, MailSerializer, 404))
    def get(self, request: Request) -> Response:
        return Response(MailSerializer(get_object_or_404(MailAddress, user=person(request))).data)

    @extend_schema(
        summary="Set your mail address",
        description="A link is mailed there. Nothing else is sent until it was opened, signed in as yourself.",
        tags=TAGS,
        request=SetMailSerializer,
        responses=answers(202, MailSerializer, 400, 409),
        examples=[OpenApiExample("an address", value={"address": "mira@example.com"}, request_only=True)],
    )
    def put(self, request: Request) -> Response:
        row = verbs.set_mail_address(actor=person(request), **checked(SetMailSerializer, request.data))
        return Response(MailSerializer(row).data, status=202)

    @extend_schema(summary="Have nothing mailed to you", tags=TAGS, responses=answers(204, None, 409))
    def delete(self, request: Request) -> Response:
        who = person(request)
        verbs.clear_mail_address(who, actor=who.principal)
        return Response(status=204)


class ConfirmMail(APIView):
    """The link was opened."""

    permission_classes = [OWN]

    @extend_schema(
        summary="Confirm your mail address",
        tags=TAGS,
        request=ConfirmMailSerializer,
        responses=answers(200, MailSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        row = verbs.confirm_mail_address(actor=person(request), **checked(ConfirmMailSerializer, request.data))
        return Response(MailSerializer(row).data)


class PersonMail(APIView):
    """Somebody's address."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        operation_id="people_mail_of_retrieve",
        summary="Read a person's mail address",
        tags=TAGS,
        responses=answers(200, MailSerializer, 404),
    )
    def get(self, request: Request, person_id: UUID) -> Response:
        return Response(MailSerializer(get_object_or_404(MailAddress, user=person_id)).data)

    @extend_schema(
        operation_id="people_mail_of_destroy",
        summary="Clear a person's mail address",
        description="Nothing is mailed to them any more. Only they can give another.",
        tags=TAGS,
        responses=answers(204, None, 404, 409),
    )
    def delete(self, request: Request, person_id: UUID) -> Response:
        verbs.clear_mail_address(get_object_or_404(User, pk=person_id), actor=person(request).principal)
        return Response(status=204)
