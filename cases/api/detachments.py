"""Detaching over the API: what was taken out of a case again, and putting it back."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import actions
from cases.actions import detaching
from cases.api.shared import UnderCase, Username, Words, person, sent_as
from cases.models import Case, CaseAccount, Detachment
from spine.answers import answers, checked
from spine.errors import Refused

TAGS = ["cases"]
MOST = detaching.MOST_PICKED


class DetachmentSerializer(serializers.ModelSerializer[Detachment]):
    """What was taken out of a case, and whether it is back."""

    cluster = serializers.UUIDField(source="held.cluster_id", default=None, allow_null=True)
    accounts = serializers.SlugRelatedField(  # type: ignore[var-annotated]
        slug_field="account_id", many=True, read_only=True, help_text="those that were taken out by themselves"
    )
    by = Username()
    undone_at = serializers.DateTimeField(source="undone.at", default=None, allow_null=True)
    undone_by = serializers.CharField(source="undone.by.username", default=None, allow_null=True)
    undone_reason = serializers.CharField(source="undone.reason", default=None, allow_null=True)

    class Meta:
        model = Detachment
        fields = [
            *("id", "cluster", "accounts", "accounts_left", "reason", "by", "at"),
            *("undone_at", "undone_by", "undone_reason"),
        ]
        read_only_fields = fields


class DetachSerializer(serializers.Serializer[Any]):
    """A held cluster, or some accounts of the case."""

    cluster = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="a cluster the case holds")
    accounts = serializers.ListField(
        child=serializers.UUIDField(), required=False, default=list, max_length=MOST, help_text="our ids of accounts"
    )
    reason = Words()


class UndoDetachmentSerializer(serializers.Serializer[Any]):
    """Why it is put back."""

    reason = Words(required=False, allow_blank=True, default="")


def _rows(**where: Any) -> QuerySet[Detachment]:
    rows = Detachment.objects.filter(**where).select_related("by", "held", "undone__by", "case")
    return rows.prefetch_related("accounts")


class Detachments(UnderCase, generics.ListAPIView[Detachment]):
    """What was taken out of one case."""

    serializer_class = DetachmentSerializer
    queryset = Detachment.objects.none()

    def get_queryset(self) -> QuerySet[Detachment]:
        return _rows(case=self.case())

    @extend_schema(
        summary="List what was taken out of a case",
        description="What is back has `undone_at`.",
        tags=TAGS,
        responses=answers(200, DetachmentSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Take a cluster or accounts out of a case",
        description="Accounts that no other held cluster has leave the case with a cluster, and its lead waits again; "
        "accounts by themselves stay out whichever held cluster has them. Verdicts are kept, dossiers that are frozen "
        "stay as they are, and it can be undone.",
        tags=TAGS,
        request=DetachSerializer,
        responses=answers(201, DetachmentSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "another operation",
                value={
                    "accounts": ["01990000-0000-7000-8000-000000000001"],
                    "reason": "They belong to a reseller, as the invoices show.",
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, ref: str) -> Response:
        case, given = self.case(), checked(DetachSerializer, request.data)
        if (given["cluster"] is None) == (not given["accounts"]):
            raise Refused("Name a cluster, or accounts.", field="cluster")
        if given["cluster"] is not None:
            made = self._cluster(case, given["cluster"], given["reason"])
        else:
            made = self._accounts(case, given["accounts"], given["reason"])
        return Response(DetachmentSerializer(_rows(pk=made.pk).get()).data, status=201)

    def _cluster(self, case: Case, cluster: UUID, reason: str) -> Detachment:
        held = case.clusters.select_related("cluster").filter(cluster=cluster).first()
        if held is None:
            raise Refused("The case does not hold this cluster.", field="cluster")
        return actions.detach_cluster(case, held.cluster, actor=person(self.request), reason=reason)

    def _accounts(self, case: Case, accounts: list[UUID], reason: str) -> Detachment:
        found = CaseAccount.objects.filter(case=case, account__in=accounts).values_list("pk", flat=True)
        if len(found) != len(set(accounts)):
            raise Refused("Some of these accounts are not in the case.", field="accounts")
        with sent_as(account="accounts"):
            return actions.detach_accounts(case, list(found), actor=person(self.request), reason=reason)


class UndoDetachment(UnderCase):
    """What was taken out, put back."""

    @extend_schema(
        summary="Put back what was taken out of a case",
        description="409 when it was put back before, or its lead was decided about since.",
        tags=TAGS,
        request=UndoDetachmentSerializer,
        responses=answers(200, DetachmentSerializer, 400, 404, 409),
        examples=[OpenApiExample("a mistake", value={"reason": "It was the wrong cluster."}, request_only=True)],
    )
    def post(self, request: Request, ref: str, detachment_id: UUID) -> Response:
        found = get_object_or_404(_rows(case=self.case()), pk=detachment_id)
        actions.attach_again(found, actor=person(request), **checked(UndoDetachmentSerializer, request.data))
        return Response(DetachmentSerializer(_rows(pk=found.pk).get()).data)
