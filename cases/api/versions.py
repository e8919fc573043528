"""Newer versions of what a case holds, over the API."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import versions
from cases.actions.versions import answer_version
from cases.api.shared import UnderCase, Words, person
from cases.models import NewerVersion, NewerVersionAnswer
from spine.answers import answers, checked


class NewerVersionSerializer(serializers.ModelSerializer[NewerVersion]):
    """A cluster of a newer run that carries on what the case holds. It changes nothing by itself."""

    run = serializers.UUIDField(source="cluster.run_id")
    telemetry_source = serializers.CharField(source="cluster.run.source.name", help_text="by name")
    stands = serializers.SerializerMethodField(help_text="whether it waits for an answer, no newer one having come")
    answer = serializers.ChoiceField(
        NewerVersionAnswer.Kind.choices, source="answer.kind", default=None, allow_null=True
    )
    reason = serializers.CharField(source="answer.words", default=None, allow_null=True, help_text="of the answer")
    answered_by = serializers.CharField(source="answer.by.username", default=None, allow_null=True)
    answered_at = serializers.DateTimeField(source="answer.at", default=None, allow_null=True)

    class Meta:
        model = NewerVersion
        fields = [
            *("id", "cluster", "run", "telemetry_source", "joined", "left", "at", "stands"),
            *("answer", "reason", "answered_by", "answered_at"),
        ]
        read_only_fields = fields

    def get_stands(self, version: NewerVersion) -> bool:
        return version.pk in self.context["standing"]


class AnswerVersionSerializer(serializers.Serializer[Any]):
    """What follows: its accounts are taken into the case, or the case stays as it is, and why."""

    kind = serializers.ChoiceField(NewerVersionAnswer.Kind.choices)
    words = Words(required=False, allow_blank=True, default="", help_text="needed with `stays`")


class NewerVersions(UnderCase, generics.ListAPIView[NewerVersion]):
    """What a case was told."""

    serializer_class = NewerVersionSerializer
    queryset = NewerVersion.objects.none()

    def get_queryset(self) -> QuerySet[NewerVersion]:
        return versions.told([self.case()])

    def get_serializer_context(self) -> dict[str, Any]:
        standing = set() if getattr(self, "swagger_fake_view", False) else _standing(self)
        return {**super().get_serializer_context(), "standing": standing}

    @extend_schema(
        summary="List what newer runs see otherwise than the case",
        description="Newest first. The case keeps what it holds until somebody takes a version in.",
        tags=["cases"],
        responses=answers(200, NewerVersionSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class AnswerVersion(UnderCase):
    """One newer version of a case."""

    @extend_schema(
        summary="Take the accounts of a newer version into the case, or say that it stays as it is",
        description="New accounts come without a verdict; nothing is taken out. 409 when it was answered, or a newer "
        "run has seen it since.",
        tags=["cases"],
        request=AnswerVersionSerializer,
        responses=answers(201, NewerVersionSerializer, 400, 404, 409),
        examples=[OpenApiExample("it stays", value={"kind": "stays", "words": "They are a class."}, request_only=True)],
    )
    def post(self, request: Request, ref: str, newer_id: UUID) -> Response:
        found = get_object_or_404(versions.told([self.case()]), pk=newer_id)
        answer_version(found, actor=person(request), **checked(AnswerVersionSerializer, request.data))
        again = versions.told([found.case]).get(pk=found.pk)
        return Response(NewerVersionSerializer(again, context={"standing": _standing(self)}).data, status=201)


def _standing(view: UnderCase) -> set[UUID]:
    return set(versions.standing(view.case()).values_list("pk", flat=True))
