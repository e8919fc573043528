"""Samples of exchange sets over the API: draw by a plan, read what was drawn, say what it is."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access
from cases.actions import sampling as verbs
from cases.api.jobs import AcceptedSerializer, JobSerializer
from cases.api.shared import UnderCase, Username, Words, accepted, person, whole
from cases.exchange_sets import results
from cases.models import SampledExchange, SampleResult, SamplingPlan
from cases.models.exchange_sets import StratumKind
from cases.vocabulary import VerdictValue
from spine.answers import answers, checked

TAGS = ["exchange sets"]
SAMPLE = {"question": "Is it part of the collection?", "seed": "7", "per_stratum": 60, "strata_by": "verdict"}


class PlanSerializer(serializers.ModelSerializer[SamplingPlan]):
    """A plan: what was drawn from the set and how."""

    planned_by = Username()
    strata = serializers.JSONField(help_text="[{name, rows, sampled}]")

    class Meta:
        model = SamplingPlan
        fields = [
            *("number", "question", "seed", "strata_by", "strata", "per_stratum", "confidence_level", "plan_sha256"),
            *("planned_by", "at"),
        ]
        read_only_fields = fields


class ResultSerializer(serializers.ModelSerializer[SampleResult]):
    """What one reviewer decided."""

    reviewer = Username()

    class Meta:
        model = SampleResult
        fields = ["id", "reviewer", "value", "note", "at"]
        read_only_fields = fields


class SampledSerializer(serializers.ModelSerializer[SampledExchange]):
    """A drawn exchange with the results that stand."""

    account = serializers.CharField(source="account.pseudonym")
    results = serializers.SerializerMethodField()

    class Meta:
        model = SampledExchange
        fields = ["ordinal", "stratum", "index", "ts", "request_id", "account", "leaf_sha256", "results"]
        read_only_fields = fields

    def get_results(self, sampled: SampledExchange) -> list[dict[str, Any]]:
        """Newest of each reviewer."""
        return [dict(ResultSerializer(one).data) for one in sampled.results.all() if one.id in self.context["standing"]]


class EstimateSerializer(serializers.Serializer[Any]):
    """One result: counts, the share of the set with its interval, and that in words."""

    value = serializers.CharField()
    found = serializers.IntegerField()
    judged = serializers.IntegerField()
    in_words = serializers.CharField()
    share = serializers.FloatField(source="estimate.share", default=None, allow_null=True)
    low = serializers.FloatField(source="estimate.low", default=None, allow_null=True)
    high = serializers.FloatField(source="estimate.high", default=None, allow_null=True)


class WholePlanSerializer(PlanSerializer):
    """A plan with what it drew and what that says of the set."""

    sample = serializers.SerializerMethodField()
    estimates = serializers.SerializerMethodField()
    rule = serializers.SerializerMethodField()

    class Meta(PlanSerializer.Meta):
        fields = [*PlanSerializer.Meta.fields, "sample", "estimates", "rule"]
        read_only_fields = fields

    def get_sample(self, plan: SamplingPlan) -> list[dict[str, Any]]:
        """Every drawn exchange."""
        rows = plan.sample.select_related("account").prefetch_related("results__reviewer").order_by("ordinal")
        standing = SampleResult.objects.filter(sampled__plan=plan, superseded_by=None).values_list("id", flat=True)
        return [dict(SampledSerializer(row, context={"standing": set(standing)}).data) for row in rows]

    def get_estimates(self, plan: SamplingPlan) -> list[dict[str, Any]]:
        """By result."""
        return [dict(EstimateSerializer(line).data) for line in results.of_plan(plan).lines]

    def get_rule(self, plan: SamplingPlan) -> str:
        """How it is counted."""
        return results.RULE


class AskPlanSerializer(serializers.Serializer[Any]):
    """What to draw."""

    question = Words(help_text="what reviewers decide about each exchange")
    seed = Words()
    per_stratum = serializers.IntegerField(min_value=1, max_value=1000)
    strata_by = serializers.ChoiceField(
        choices=[one for one in StratumKind.choices if one[0]], required=False, allow_blank=True, default=""
    )
    confidence_level = serializers.ChoiceField(choices=[90, 95, 99], required=False, default=95)


class JudgeSampledSerializer(serializers.Serializer[Any]):
    """One's result; `supersedes` is the id of one's result that stands, when there is one."""

    value = serializers.ChoiceField(VerdictValue.choices)
    note = Words(required=False, allow_blank=True, default="")
    supersedes = serializers.UUIDField(required=False, allow_null=True, default=None)


class Plans(UnderCase):
    """The sampling plans of one set."""

    @extend_schema(
        operation_id="cases_exchange_sets_plans_list",
        summary="List the sampling plans of an exchange set",
        description="Newest first; there are few.",
        tags=TAGS,
        responses=answers(200, PlanSerializer(many=True), 404),
    )
    def get(self, request: Request, ref: str, exhibit: int) -> Response:
        held = access.exchange_set_for(person(request), ref, exhibit)
        rows = held.plans.select_related("planned_by").order_by("-number")[:500]
        return Response(whole([PlanSerializer(plan).data for plan in rows]))

    @extend_schema(
        summary="Draw a sample by a plan",
        description="A job passes over the set's rows, which must still be those it was made of. The same plan draws "
        "the same rows on every machine.",
        tags=TAGS,
        request=AskPlanSerializer,
        examples=[OpenApiExample("60 of each verdict", value=SAMPLE, request_only=True)],
        responses=answers(202, AcceptedSerializer, 400, 404),
    )
    def post(self, request: Request, ref: str, exhibit: int) -> Response:
        held = access.exchange_set_for(person(request), ref, exhibit, write=True)
        job = verbs.request_sample(held, actor=person(request), **checked(AskPlanSerializer, request.data))
        return accepted(request, {"job": JobSerializer(job).data}, reverse("cases-api:job", args=[job.pk]))


class OnePlan(UnderCase):
    """One sampling plan."""

    @extend_schema(
        summary="Read a sampling plan",
        description="With every drawn exchange, the results that stand, and what they say of the set. No content.",
        tags=TAGS,
        responses=answers(200, WholePlanSerializer, 404),
    )
    def get(self, request: Request, ref: str, exhibit: int, plan: int) -> Response:
        return Response(WholePlanSerializer(access.plan_for(person(request), ref, exhibit, plan)).data)


class JudgeSampled(UnderCase):
    """Results on one drawn exchange."""

    @extend_schema(
        summary="Say what a drawn exchange is",
        description="Each reviewer has a result of their own; a correction names the one it supersedes.",
        tags=TAGS,
        request=JudgeSampledSerializer,
        responses=answers(201, ResultSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, exhibit: int, plan: int, ordinal: int) -> Response:
        sampled = access.sampled_for(person(request), ref, exhibit, plan, ordinal, write=True)
        given = checked(JudgeSampledSerializer, request.data)
        supersedes = given.pop("supersedes")
        own = SampleResult.objects.filter(pk=supersedes, sampled=sampled).first() if supersedes else None
        made = verbs.judge_sampled(sampled, actor=person(request), supersedes=own, **given)
        return Response(ResultSerializer(made).data, status=201)
