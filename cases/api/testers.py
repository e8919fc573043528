"""The list of sanctioned testers over the API: read, list, end, look up by the provider's id in the body."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import testers
from cases.actions import testers as verbs
from cases.api.shared import Moment, Username, Words, person
from cases.models import SanctionedTest, SanctionedTestEnd
from detection.pseudonyms import pseudonym
from people.authentication import needs
from spine.answers import answers, checked

TAGS = ["sanctioned testers"]


class Ids(serializers.ListField):
    """The provider's account ids."""

    def __init__(self, **kwargs: Any) -> None:
        given = {"child": serializers.CharField(max_length=verbs.LONGEST), "max_length": verbs.MOST}
        super().__init__(**{**given, "allow_empty": False, **kwargs})


class TestSerializer(serializers.ModelSerializer[SanctionedTest]):
    """An authorised test; `until` is when it ended or will."""

    until = serializers.DateTimeField()
    listed_by = Username()

    class Meta:
        model = SanctionedTest
        fields = [
            *("id", "organisation", "purpose", "authorised_by", "authorisation"),
            *("starts_at", "ends_at", "until", "accounts", "listed_by", "at"),
        ]
        read_only_fields = fields


class ListTestSerializer(serializers.Serializer[Any]):
    """A test to list with its accounts, by the provider's ids."""

    organisation = Words(help_text="who tests")
    purpose = Words(help_text="what the test may do")
    authorised_by = Words()
    authorisation = Words(help_text="the document or exhibit that says so")
    starts_at = Moment()
    ends_at = Moment()
    accounts = Ids()
    namespace = serializers.CharField(required=False, default="default", max_length=60)


class EndTestSerializer(serializers.Serializer[Any]):
    """Why it ends before its time."""

    reason = Words()


class TestEndSerializer(serializers.ModelSerializer[SanctionedTestEnd]):
    """The end of a test before its time."""

    ended_by = Username()

    class Meta:
        model = SanctionedTestEnd
        fields = ["test", "ended_at", "reason", "ended_by"]
        read_only_fields = fields


class LookUpTestersSerializer(serializers.Serializer[Any]):
    """Accounts to look for, by the provider's ids."""

    accounts = Ids()
    namespace = serializers.CharField(required=False, default="default", max_length=60)


class ListedSerializer(serializers.Serializer[Any]):
    """An account that stands on the list: its place in the question, its pseudonym, the test and its window."""

    place = serializers.IntegerField(help_text="place of the id in what was asked, from 0")
    pseudonym = serializers.CharField()
    test = serializers.UUIDField()
    starts_at = serializers.DateTimeField()
    until = serializers.DateTimeField()


class FoundTestersSerializer(serializers.Serializer[Any]):
    """Those that were found, in the order in which they were asked for."""

    found = ListedSerializer(many=True)


class Testers(generics.ListAPIView[SanctionedTest]):
    """The tests on the list."""

    permission_classes = [needs("testers.read", "testers.write")]
    serializer_class = TestSerializer
    queryset = SanctionedTest.objects.none()

    @extend_schema(
        summary="List sanctioned tests",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, TestSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Put an authorised test on the list",
        description="Its accounts are marked wherever a case or lead shows them. 409 when the same test stands.",
        tags=TAGS,
        request=ListTestSerializer,
        responses=answers(201, TestSerializer, 400, 409),
        examples=[
            OpenApiExample(
                "A test in May",
                request_only=True,
                value={
                    "organisation": "Red team",
                    "purpose": "Elicit hidden reasoning from aster-2",
                    "authorised_by": "Head of security",
                    "authorisation": "Rules of engagement 7",
                    "starts_at": "2026-05-01T00:00:00Z",
                    "ends_at": "2026-06-01T00:00:00Z",
                    "accounts": ["acct_81c2"],
                },
            )
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(ListTestSerializer, request.data)
        test = verbs.list_test(actor=person(request), provider_ids=given.pop("accounts"), **given)
        return Response(TestSerializer(testers.tests().get(pk=test.pk)).data, status=201)

    def get_queryset(self) -> QuerySet[SanctionedTest]:
        return testers.tests()


class EndTest(APIView):
    """A test, ended before its time."""

    permission_classes = [needs("testers.read", "testers.write")]

    @extend_schema(
        summary="End a sanctioned test now",
        description="What was covered until now stays covered. 409 when it was ended before or its window is over.",
        tags=TAGS,
        request=EndTestSerializer,
        responses=answers(201, TestEndSerializer, 400, 404, 409),
    )
    def post(self, request: Request, test_id: UUID) -> Response:
        test = get_object_or_404(SanctionedTest, pk=test_id)
        end = verbs.end_test(test, actor=person(request), **checked(EndTestSerializer, request.data))
        return Response(TestEndSerializer(end).data, status=201)


class LookUpTesters(APIView):
    """Accounts, looked for on the list."""

    permission_classes = [needs("testers.read", "testers.read")]

    @extend_schema(
        summary="Look accounts up on the list of sanctioned testers",
        description="By the provider's ids, in the body and never in an address; the answer has pseudonyms.",
        tags=TAGS,
        request=LookUpTestersSerializer,
        responses=answers(200, FoundTestersSerializer, 400),
    )
    def post(self, request: Request) -> Response:
        given = checked(LookUpTestersSerializer, request.data)
        places = {text.strip(): place for place, text in enumerate(given["accounts"])}
        found = testers.look_up(verbs.checked_ids(given["accounts"]), given["namespace"])
        rows: list[dict[str, Any]] = [
            {
                "place": places[one.provider_id],
                "pseudonym": pseudonym(one.namespace, one.provider_id),
                "test": one.test_id,
                "starts_at": one.test.starts_at,
                "until": one.until,
            }
            for one in found
        ]
        rows.sort(key=lambda row: row["place"])
        return Response(FoundTestersSerializer({"found": rows}).data)
