"""Retention and erasure over the API: policies, exact previews, orders of two people, certificates."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import erasing, retention
from cases.actions import destruction as verbs
from cases.api.shared import Username, Words, person
from cases.destruction import Preview
from cases.models import DestructionDecision, DestructionOrder, RetentionPolicy
from cases.models.destruction import Kept
from detection.models import TelemetrySource
from people.authentication import needs
from people.reauth import RecentlyProven
from spine.answers import answers, checked
from spine.api import CursorPages
from spine.models import Destruction

TAGS = ["destruction"]
Door = needs("destruction.read", "destruction.write")


class Newest(CursorPages):
    """Newest first."""

    ordering = "-at"


class PolicySerializer(serializers.ModelSerializer[RetentionPolicy]):
    """How old a kind of data may get."""

    source = serializers.CharField(source="source.name", allow_null=True, default=None)  # type: ignore[assignment]
    set_by = Username()

    class Meta:
        model = RetentionPolicy
        fields = ["id", "data_class", "source", "days", "basis", "active", "set_by", "at", "supersedes"]
        read_only_fields = fields


class SetPolicySerializer(serializers.Serializer[Any]):
    """A policy to set over the one that was seen; it destroys nothing by itself."""

    data_class = serializers.ChoiceField(Kept.choices)
    source = serializers.CharField(required=False, allow_blank=True, default="")  # type: ignore[assignment]
    days = serializers.IntegerField(min_value=1, max_value=36_500)
    basis = Words()
    active = serializers.BooleanField(required=False, default=True)
    supersedes = serializers.UUIDField(required=False, allow_null=True, default=None)


class PreviewSerializer(serializers.Serializer[Preview]):
    """What would go, exactly, and how much each hold keeps back, by the hold's id."""

    count = serializers.IntegerField()
    size = serializers.IntegerField()
    kept_count = serializers.IntegerField()
    kept = serializers.SerializerMethodField()
    by_kind = serializers.SerializerMethodField()

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_kept(self, found: Preview) -> Any:
        return found.kept_by()

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_by_kind(self, found: Preview) -> Any:
        kinds = [str(one.kind) for one in found.targets]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


class DecisionSerializer(serializers.ModelSerializer[DestructionDecision]):
    """The second person's word."""

    decider = Username()

    class Meta:
        model = DestructionDecision
        fields = ["granted", "decider", "note", "at"]
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[DestructionOrder]):
    """What somebody asked to destroy, and how far it is; `kept` counts by hold what a hold kept out of it."""

    asker = Username()
    decision = serializers.SerializerMethodField()
    destroyed = serializers.SerializerMethodField()

    class Meta:
        model = DestructionOrder
        fields = [
            *("id", "ground", "policy", "subject", "basis", "count", "size", "kept", "asker", "at"),
            *("decision", "destroyed"),
        ]
        read_only_fields = fields

    @extend_schema_field(DecisionSerializer(allow_null=True))
    def get_decision(self, order: DestructionOrder) -> Any:
        made = getattr(order, "decision", None)
        return DecisionSerializer(made).data if made is not None else None

    @extend_schema_field(serializers.IntegerField())
    def get_destroyed(self, order: DestructionOrder) -> int:
        return order.certificates().count()


class OrderRetentionSerializer(serializers.Serializer[Any]):
    """The count its asker saw in the preview."""

    expected = serializers.IntegerField(min_value=0)


class SubjectSerializer(serializers.Serializer[Any]):
    """What is to be erased, by kind and id."""

    kind = serializers.ChoiceField(erasing.KINDS)
    key = serializers.UUIDField()


class OrderErasureSerializer(SubjectSerializer):
    """The subject, the law it rests on, and the count its asker saw in the preview."""

    basis = Words()
    expected = serializers.IntegerField(min_value=0)


class DecideOrderSerializer(serializers.Serializer[Any]):
    """Grant it or decline it."""

    granted = serializers.BooleanField()
    note = Words(required=False, allow_blank=True, default="")


class CertificateSerializer(serializers.ModelSerializer[Destruction]):
    """The certificate of one thing that was destroyed."""

    class Meta:
        model = Destruction
        fields = ["id", "kind", "key", "sha256", "size", "order_id", "basis", "ordered_by", "at"]
        read_only_fields = fields


class Policies(APIView):
    """The policies."""

    permission_classes = [Door]

    @extend_schema(summary="List retention policies", tags=TAGS, responses=answers(200, PolicySerializer(many=True)))
    def get(self, request: Request) -> Response:
        return Response(PolicySerializer(retention.current(), many=True).data)

    @extend_schema(
        summary="Set a retention policy",
        description="It destroys nothing by itself. 409 when another one was set since `supersedes`.",
        tags=TAGS,
        request=SetPolicySerializer,
        responses=answers(201, PolicySerializer, 400, 409),
        examples=[
            OpenApiExample(
                "closed cases",
                value={"data_class": "closed_exhibits", "days": 3650, "basis": "Records rule 7"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(SetPolicySerializer, request.data)
        name = given.pop("source")
        source = TelemetrySource.objects.filter(name=name).first() if name else None
        if name and source is None:
            raise serializers.ValidationError({"source": ["There is no such source."]})
        policy = verbs.set_policy(actor=person(request), source=source, **given)
        return Response(PolicySerializer(policy).data, status=201)


class PolicyPreview(APIView):
    """What a policy would destroy."""

    permission_classes = [Door]

    @extend_schema(
        summary="Preview what a retention policy would destroy now",
        description="Exact counts, and what each hold keeps back. Nothing is changed.",
        tags=TAGS,
        responses=answers(200, PreviewSerializer, 404),
    )
    def get(self, request: Request, policy_id: UUID) -> Response:
        return Response(PreviewSerializer(retention.preview_of(get_object_or_404(RetentionPolicy, pk=policy_id))).data)


class OrderRetention(APIView):
    """The first of two people."""

    permission_classes = [Door]

    @extend_schema(
        summary="Ask to destroy what a policy covers now",
        description="409 when the count is no longer the one you saw in the preview.",
        tags=TAGS,
        request=OrderRetentionSerializer,
        responses=answers(201, OrderSerializer, 400, 404, 409),
    )
    def post(self, request: Request, policy_id: UUID) -> Response:
        policy = get_object_or_404(RetentionPolicy, pk=policy_id)
        order = verbs.order_retention(policy, actor=person(request), **checked(OrderRetentionSerializer, request.data))
        return Response(OrderSerializer(order).data, status=201)


class ErasurePreview(APIView):
    """What an erasure would take. A POST, because ids of people do not belong in addresses."""

    permission_classes = [needs("destruction.read", "destruction.read")]

    @extend_schema(
        summary="Preview what an erasure would take",
        tags=TAGS,
        request=SubjectSerializer,
        responses=answers(200, PreviewSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        given = checked(SubjectSerializer, request.data)
        return Response(PreviewSerializer(erasing.preview_of(erasing.subject_of(given["kind"], given["key"]))).data)


class OrderErasure(APIView):
    """The first of two people."""

    permission_classes = [Door]

    @extend_schema(
        summary="Ask for an erasure",
        description="Of an account's identifiers or a record's words. 409 while a hold covers any part of it.",
        tags=TAGS,
        request=OrderErasureSerializer,
        responses=answers(201, OrderSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        order = verbs.order_erasure(actor=person(request), **checked(OrderErasureSerializer, request.data))
        return Response(OrderSerializer(order).data, status=201)


class Orders(generics.ListAPIView[DestructionOrder]):
    """The orders."""

    permission_classes = [Door]
    serializer_class = OrderSerializer
    pagination_class = Newest

    def get_queryset(self) -> QuerySet[DestructionOrder]:
        return DestructionOrder.objects.select_related("asker", "decision__decider")

    @extend_schema(
        summary="List orders to destroy, newest first", tags=TAGS, responses=answers(200, OrderSerializer(many=True))
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class Decide(APIView):
    """The second of two people."""

    permission_classes = [Door, RecentlyProven]

    @extend_schema(
        summary="Grant or decline an order to destroy, as the second person",
        description="409 for who asked: the database refuses the same person for both too. A worker carries it out.",
        tags=TAGS,
        request=DecideOrderSerializer,
        responses=answers(201, OrderSerializer, 400, 404, 409),
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        order = get_object_or_404(DestructionOrder.objects.select_related("asker"), pk=order_id)
        verbs.decide(order, actor=person(request), **checked(DecideOrderSerializer, request.data))
        return Response(OrderSerializer(DestructionOrder.objects.get(pk=order_id)).data, status=201)


class Certificates(generics.ListAPIView[Destruction]):
    """What was destroyed."""

    permission_classes = [Door]
    serializer_class = CertificateSerializer
    pagination_class = Newest
    queryset = Destruction.objects.all()

    @extend_schema(
        summary="List certificates of destruction",
        tags=TAGS,
        responses=answers(200, CertificateSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
