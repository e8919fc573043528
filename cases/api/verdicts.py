"""Verdicts over the API: on one account, on all that match a filter as a job, and taken back again."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access, testers
from cases.actions import bulk
from cases.actions import verdicts as verbs
from cases.api.accounts import AccountFilterSerializer, VerdictSerializer, filter_of
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import UnderCase, Words, accepted, person
from cases.filters import matching
from cases.models import CaseAccount
from cases.vocabulary import VerdictValue
from spine.answers import answers, asked, checked
from spine.models import Job

TAGS = ["cases"]


class SetVerdictSerializer(serializers.Serializer[Any]):
    """One decision."""

    account = serializers.UUIDField(help_text="our id of the account")
    value = serializers.ChoiceField(VerdictValue.choices)
    reason = Words()
    expected = serializers.UUIDField(allow_null=True, help_text="id of the verdict you saw; null when there was none")


class CountFilterSerializer(AccountFilterSerializer):
    """Which accounts are meant, and the verdict they would get."""

    value = serializers.ChoiceField(VerdictValue.choices)


class CountSerializer(serializers.Serializer[Any]):
    """How many accounts a decision would change."""

    count = serializers.IntegerField()
    sanctioned_testers = serializers.IntegerField(
        help_text="how many accounts that match are on the list of sanctioned testers; it changes nothing"
    )


class SetVerdictsSerializer(serializers.Serializer[Any]):
    """One decision about all accounts that match."""

    filter = AccountFilterSerializer(help_text="an empty object means every account of the case")
    value = serializers.ChoiceField(VerdictValue.choices)
    reason = Words()
    expected_count = serializers.IntegerField(min_value=0, help_text="how many it would change, as you saw it")


class UndoSerializer(serializers.Serializer[Any]):
    """Why it is taken back."""

    reason = Words(required=False, allow_blank=True, default="")


class Verdicts(UnderCase):
    """Decisions about single accounts."""

    @extend_schema(
        summary="Decide about one account",
        description="409 when somebody decided since you looked; `detail` says who and what it is now.",
        tags=TAGS,
        request=SetVerdictSerializer,
        responses=answers(201, VerdictSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(SetVerdictSerializer, request.data)
        held = CaseAccount.objects.select_related("account").filter(case=case, account=given.pop("account")).first()
        if held is None:
            raise serializers.ValidationError({"account": [f"No account of {case.ref} has this id."]})
        verdict = verbs.set_verdict(case, held.account, actor=person(request), **given)
        return Response(VerdictSerializer(verdict).data, status=201)


class BulkVerdicts(UnderCase):
    """Decisions about all accounts that match."""

    @extend_schema(
        summary="Count what a decision would change",
        description="Accounts that match and have another verdict than `value`: the `expected_count` to send with it.",
        tags=TAGS,
        parameters=[CountFilterSerializer],
        responses=answers(200, CountSerializer, 400, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = asked(CountFilterSerializer, request)
        value = given.pop("value")
        wanted = filter_of(given)
        listed = testers.among(matching(case, wanted)).count()
        return Response({"count": bulk.count_matching(case, wanted, value), "sanctioned_testers": listed})

    @extend_schema(
        summary="Decide about all accounts that match",
        description="A job does exactly what was asked or nothing; its progress stands at `status_url`. The same "
        "question again, while the first waits or runs, is the same job. 409 when another number matches by now.",
        tags=TAGS,
        request=SetVerdictsSerializer,
        responses=answers(202, AcceptedSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(SetVerdictsSerializer, request.data)
        wanted = filter_of(given.pop("filter"))
        job = bulk.set_verdicts_matching(case, wanted, actor=person(request), **given)
        return _accepted(request, job)


class UndoBulkVerdicts(UnderCase):
    """A decision about many, taken back."""

    @extend_schema(
        summary="Take back a decision about all accounts that matched",
        description="A job gives each account that still has that verdict its earlier one. Nothing is removed.",
        tags=TAGS,
        request=UndoSerializer,
        responses=answers(202, AcceptedSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, job_id: UUID) -> Response:
        job = access.job_for(person(request), ref, job_id, write=True)
        undo = bulk.undo_verdicts(job, actor=person(request), **checked(UndoSerializer, request.data))
        return _accepted(request, undo)


def _accepted(request: Request, job: Job) -> Response:
    return accepted(request, {"job": JobSerializer(job).data}, reverse("cases-api:job", args=[job.id]))
