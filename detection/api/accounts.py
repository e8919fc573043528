"""Accounts and attributes over the API: pseudonyms and our ids in lists, the provider's id in the detail."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import queries
from detection.models import Account, Attribute
from people.authentication import needs
from people.rights import may
from spine.answers import answers, asked, checked

MOST_LOOKED_UP = 1000


class AccountFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    pseudonym = serializers.CharField(required=False, max_length=20)
    attribute = serializers.UUIDField(required=False, help_text="accounts that have shown it")
    cluster = serializers.UUIDField(required=False, help_text="accounts in it")


class AttributeFilter(serializers.Serializer[Any]):
    """What the list can be narrowed to."""

    type = serializers.CharField(required=False, max_length=40, source="kind")
    value = serializers.CharField(required=False, max_length=500, trim_whitespace=False)
    account = serializers.UUIDField(required=False, help_text="what it has shown")


class AccountSerializer(serializers.ModelSerializer[Account]):
    """An account in a list."""

    class Meta:
        model = Account
        fields: tuple[str, ...] = ("id", "pseudonym", "namespace", "first_seen", "last_seen")
        read_only_fields = fields


class AccountDetailSerializer(AccountSerializer):
    """An account with the provider's id for whoever has to act on it; null without the right to identify accounts."""

    provider_id = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_provider_id(self, account: Account) -> str | None:
        return account.provider_id if self.context["identify"] else None

    class Meta(AccountSerializer.Meta):
        fields = (*AccountSerializer.Meta.fields, "provider_id")
        read_only_fields = fields


class AttributeSerializer(serializers.ModelSerializer[Attribute]):
    """A typed value that accounts have shown."""

    class Meta:
        model = Attribute
        fields = ("id", "type", "value")
        read_only_fields = fields


class LookupSerializer(serializers.Serializer[Any]):
    """The provider's ids to look for."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=False), min_length=1, max_length=MOST_LOOKED_UP
    )
    namespace = serializers.CharField(max_length=60, default="default")


class LookupAnswerSerializer(serializers.Serializer[Any]):
    """What is known of them."""

    matches = AccountDetailSerializer(many=True)
    unknown = serializers.ListField(child=serializers.CharField())


class Accounts(generics.ListAPIView[Account]):
    """The list."""

    permission_classes = [needs("leads.read")]
    serializer_class = AccountSerializer

    def get_queryset(self) -> QuerySet[Account]:
        return queries.accounts(**asked(AccountFilter, self.request))

    @extend_schema(
        summary="List accounts by pseudonym",
        tags=["accounts"],
        parameters=[AccountFilter],
        responses=answers(200, AccountSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneAccount(APIView):
    """One account."""

    permission_classes = [needs("leads.read")]

    @extend_schema(
        summary="Read an account",
        description="With the provider's id for those who may identify accounts; null for others.",
        tags=["accounts"],
        responses=answers(200, AccountDetailSerializer, 404),
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        account = get_object_or_404(Account, pk=account_id)
        shown = {"identify": may(request.user, "accounts.identify")}
        return Response(AccountDetailSerializer(account, context=shown).data)


class AccountLookup(APIView):
    """Accounts by a list of the provider's ids, which are sent in the body because addresses end up in logs."""

    permission_classes = [needs(write="leads.read")]

    @extend_schema(
        summary="Find accounts by the provider's ids",
        description='Up to 1,000 ids, as `{"ids": [...]}` or as a plain array. Changes nothing.',
        tags=["accounts"],
        request=LookupSerializer,
        responses=answers(200, LookupAnswerSerializer, 400),
        examples=[OpenApiExample("two ids", value={"ids": ["acct_81c2", "acct_90aa"]}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        given = {"ids": request.data} if isinstance(request.data, list) else request.data
        wanted = checked(LookupSerializer, given)
        found = queries.look_up(wanted["namespace"], wanted["ids"])
        answer = {"matches": found.matches, "unknown": found.unknown}
        return Response(LookupAnswerSerializer(answer, context={"identify": True}).data)  # the caller sent these ids


class Attributes(generics.ListAPIView[Attribute]):
    """The list."""

    permission_classes = [needs("leads.read")]
    serializer_class = AttributeSerializer

    def get_queryset(self) -> QuerySet[Attribute]:
        return queries.attributes(**asked(AttributeFilter, self.request))

    @extend_schema(
        summary="List attributes",
        tags=["attributes"],
        parameters=[AttributeFilter],
        responses=answers(200, AttributeSerializer(many=True), 400),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneAttribute(APIView):
    """One attribute."""

    permission_classes = [needs("leads.read")]

    @extend_schema(summary="Read an attribute", tags=["attributes"], responses=answers(200, AttributeSerializer, 404))
    def get(self, request: Request, attribute_id: UUID) -> Response:
        return Response(AttributeSerializer(get_object_or_404(Attribute, pk=attribute_id)).data)
