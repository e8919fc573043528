"""Simulated telemetry over the API: asked for, made by a worker, and added as a source of its own."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.api.feeds import AskedSerializer
from detection.simulating import DAYS, LONGEST_NAME, MOST_CAMPAIGNS, USUAL, request_simulation
from detection.simulation.kinds import CAMPAIGNS
from detection.simulation.scale import CHOICES, Scale
from people.authentication import needs
from spine import principal
from spine.answers import answers, checked


class SimulateSerializer(serializers.Serializer[Any]):
    """What to make; the same numbers give the same telemetry. The settings say how much may be asked for."""

    name = serializers.CharField(max_length=LONGEST_NAME, help_text="of the source, after “simulated: ”")
    accounts = serializers.IntegerField(min_value=1, default=USUAL.accounts)
    exchanges = serializers.IntegerField(min_value=1, default=USUAL.exchanges, help_text="about so many")
    days = serializers.IntegerField(min_value=DAYS[0], max_value=DAYS[1], default=USUAL.days)
    campaigns = serializers.IntegerField(
        min_value=0, max_value=MOST_CAMPAIGNS, allow_null=True, default=None, help_text="null: one of each kind"
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(["all", *CAMPAIGNS]), min_length=1, max_length=len(CAMPAIGNS), default=["all"]
    )
    campaign_accounts = serializers.FloatField(
        min_value=0, default=USUAL.campaign_accounts, help_text="of all campaigns: below 1 a share, else a number"
    )
    campaign_exchanges = serializers.FloatField(
        min_value=0, max_value=1, default=USUAL.campaign_exchanges, help_text="a share, below 1"
    )
    look_alikes = serializers.ChoiceField(CHOICES["look_alikes"], default=USUAL.look_alikes)
    prompt_length = serializers.ChoiceField(CHOICES["prompt_length"], default=USUAL.prompt_length)
    columns = serializers.ChoiceField(CHOICES["columns"], default=USUAL.columns)
    seed = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=USUAL.seed)


class Simulate(APIView):
    """Asking for it."""

    permission_classes = [needs("", "detectors.write")]

    @extend_schema(
        summary="Make simulated telemetry as a source of its own",
        description="The source is called “simulated: NAME” and is there whole or not at all; the result of the job "
        "names it. The same telemetry that is made or was made already is given instead, and 409 says that the name is "
        "taken by other numbers. Everything in it is made up: nothing found in it is evidence.",
        tags=["telemetry"],
        request=SimulateSerializer,
        responses=answers(202, AskedSerializer, 400, 409),
        examples=[
            OpenApiExample("two kinds", value={"name": "trial", "kinds": ["hydra", "slow_and_low"]}, request_only=True)
        ],
    )
    def post(self, request: Request) -> Response:
        given = checked(SimulateSerializer, request.data)
        name, kinds = given.pop("name"), tuple(given.pop("kinds"))
        job = request_simulation(actor=principal.current(), name=name, scale=Scale(**given, kinds=kinds))
        address = request.build_absolute_uri(reverse("cases-api:job", args=[job.pk]))
        return Response({"job_id": str(job.pk), "status_url": address}, status=202, headers={"Location": address})
