"""Webhooks over the API: set up, changed, paused, tried, their secret made anew, and what was sent to each."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import webhook_events as events
from cases import webhook_sending as sending
from cases.actions import webhooks as verbs
from cases.api.shared import person, whole
from cases.models import Webhook, WebhookAttempt, WebhookDelivery
from people.api.shared import NO_STORE
from people.authentication import needs
from people.reauth import RecentlyProven, demand_proof
from spine.answers import answers, checked

TAGS = ["webhooks"]
STATES = ("enabled", "failing", "paused", "disabled")
ADMINISTRATOR = [needs(verbs.RIGHT, verbs.RIGHT)]
EXAMPLE = {"name": "Ticketing", "url": "https://hooks.example.com/retort", "types": ["lead.raised", "case.opened"]}


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook and how it stands; no secret is in it. The one before the present signs until `old_until`."""

    types = serializers.ListField(child=serializers.CharField())
    state = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField(help_text="the state in a sentence")

    class Meta:
        model = Webhook
        fields = (
            *("id", "name", "url", "types", "state", "words", "revision", "created_at", "failures", "failing_since"),
            *("not_before", "last_success_at", "last_error", "old_until"),
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, webhook: Webhook) -> str:
        return sending.state_of(webhook)[0]

    def get_words(self, webhook: Webhook) -> str:
        return sending.state_of(webhook)[1]


class NewWebhookSerializer(serializers.Serializer[Any]):
    """A webhook to set up; the verb says what is accepted."""

    name = serializers.CharField(max_length=60, trim_whitespace=False)
    url = serializers.CharField(max_length=1000, trim_whitespace=False, help_text="on the list of allowed destinations")
    types = serializers.ListField(child=serializers.CharField(max_length=60), max_length=100)


class ChangeWebhookSerializer(serializers.Serializer[Any]):
    """What to change; what is left out stays. `revision` is the one you saw."""

    revision = serializers.IntegerField()
    url = serializers.CharField(required=False, max_length=1000, trim_whitespace=False)
    types = serializers.ListField(required=False, child=serializers.CharField(max_length=60), max_length=100)
    paused = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="false resumes a disabled one too"
    )


class MakeSecretSerializer(serializers.Serializer[Any]):
    """For how many hours messages carry a signature of the old secret too; 0: the old one ends at once."""

    revision = serializers.IntegerField()
    hours = serializers.IntegerField(required=False, default=verbs.OVERLAP)


class RemoveWebhookSerializer(serializers.Serializer[Any]):
    """The revision you saw."""

    revision = serializers.IntegerField()


class WebhookMadeSerializer(serializers.Serializer[Any]):
    """A webhook with its new secret, shown this once."""

    webhook = WebhookSerializer()
    secret = serializers.CharField(help_text="whsec_… (Base64)")


class EventTypeSerializer(serializers.Serializer[Any]):
    """A type of event, and the names in its data."""

    type = serializers.CharField()
    meaning = serializers.CharField()
    data_names = serializers.ListField(child=serializers.CharField())


class EventTypesSerializer(serializers.Serializer[Any]):
    """The whole table."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EventTypeSerializer(many=True)


class TrySerializer(serializers.ModelSerializer[WebhookAttempt]):
    """One try; neither status nor error: its worker ended before it wrote down what came of it."""

    class Meta:
        model = WebhookAttempt
        fields = ("at", "seconds", "status", "error", "answer")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One event for this webhook: `message_id` is its webhook-id on every try."""

    message_id = serializers.SerializerMethodField()
    tries = TrySerializer(many=True)

    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "message_id", "type", "made_at", "state", "attempts", "next_at", "status", "error", "ended_at"),
            "tries",
        )
        read_only_fields = fields

    def get_message_id(self, delivery: WebhookDelivery) -> str:
        return sending.message_id(delivery.event_id)


class Webhooks(generics.ListAPIView[Webhook]):
    """The list, and setting one up."""

    permission_classes = [*ADMINISTRATOR, RecentlyProven]
    serializer_class = WebhookSerializer
    queryset = Webhook.objects.all()

    @extend_schema(
        summary="List webhooks and how they stand",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, WebhookSerializer(many=True)),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Set up a webhook",
        description="The address has to be on the list of allowed destinations. The secret is in the answer, this "
        "once. Messages follow Standard Webhooks and have our own ids and references alone; nothing of a restricted "
        "case is ever sent.",
        tags=TAGS,
        request=NewWebhookSerializer,
        responses=answers(201, WebhookMadeSerializer, 400, 409),
        examples=[OpenApiExample("leads and cases", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        made, secret = verbs.create_webhook(actor=person(request), **checked(NewWebhookSerializer, request.data))
        return _made(made, secret, status=201)


class WebhookTypes(APIView):
    """The table of events."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        operation_id="webhooks_types_list",
        summary="List the types of events",
        description="What each means, and the names in its data.",
        tags=TAGS,
        responses=answers(200, EventTypesSerializer),
    )
    def get(self, request: Request) -> Response:
        rows = [
            {"type": one.name, "meaning": one.meaning, "data_names": list(one.fields)} for one in events.EVENTS.values()
        ]
        return Response(whole(rows))


class OneWebhook(APIView):
    """One webhook."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Read a webhook",
        description="With its revision, which every change names.",
        tags=TAGS,
        responses=answers(200, WebhookSerializer, 404),
    )
    def get(self, request: Request, webhook_id: UUID) -> Response:
        return Response(WebhookSerializer(get_object_or_404(Webhook, pk=webhook_id)).data)

    @extend_schema(
        summary="Change, pause or resume a webhook",
        description="What waits goes to the new address. While it is paused or disabled, what waits goes on waiting "
        "and what happens is not told later. 409 when it was changed since `revision`.",
        tags=TAGS,
        request=ChangeWebhookSerializer,
        responses=answers(200, WebhookSerializer, 400, 404, 409),
        examples=[OpenApiExample("pause", value={"revision": 3, "paused": True}, request_only=True)],
    )
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        webhook, actor = get_object_or_404(Webhook, pk=webhook_id), person(request)
        given = checked(ChangeWebhookSerializer, request.data)
        paused, revision = given.pop("paused"), given.pop("revision")
        with transaction.atomic():
            if given or paused is None:
                webhook = verbs.change_webhook(webhook, actor=actor, revision=revision, changes=given)
                revision = webhook.revision
            if paused is not None:
                verb = verbs.pause_webhook if paused else verbs.resume_webhook
                webhook = verb(webhook, actor=actor, revision=revision)
        return Response(WebhookSerializer(webhook).data)


class RemoveWebhook(APIView):
    """Forgetting a webhook."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Remove a webhook",
        description="With its secrets and its delivery log. 409 when it was changed since `revision`.",
        tags=TAGS,
        request=RemoveWebhookSerializer,
        responses=answers(204, None, 400, 404, 409),
        examples=[OpenApiExample("as seen", value={"revision": 3}, request_only=True)],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        webhook = get_object_or_404(Webhook, pk=webhook_id)
        verbs.remove_webhook(webhook, actor=person(request), **checked(RemoveWebhookSerializer, request.data))
        return Response(status=204)


class MakeSecret(APIView):
    """A new secret."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Make a new secret for a webhook",
        description="In the answer, this once. For `hours` messages carry two signatures, of the new secret and of "
        "the old one, so that the receiver can change over.",
        tags=TAGS,
        request=MakeSecretSerializer,
        responses=answers(200, WebhookMadeSerializer, 400, 404, 409),
        examples=[OpenApiExample("a day to change over", value={"revision": 3, "hours": 24}, request_only=True)],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        webhook = get_object_or_404(Webhook, pk=webhook_id)
        demand_proof(request, self)
        given = checked(MakeSecretSerializer, request.data)
        made, secret = verbs.rotate_secret(webhook, actor=person(request), **given)
        return _made(made, secret, status=200)


class TestWebhook(APIView):
    """A message to try it."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Send a test to a webhook",
        description="A message of the type webhook.test, to this one alone; the delivery log says what came of it.",
        tags=TAGS,
        request=None,
        responses=answers(202, DeliverySerializer, 404, 409),
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        made = verbs.test_webhook(get_object_or_404(Webhook, pk=webhook_id), actor=person(request))
        return Response(DeliverySerializer(made).data, status=202)


class Deliveries(generics.ListAPIView[WebhookDelivery]):
    """What was sent."""

    permission_classes = ADMINISTRATOR
    serializer_class = DeliverySerializer
    queryset = WebhookDelivery.objects.none()

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        return sending.with_tries(get_object_or_404(Webhook, pk=self.kwargs["webhook_id"]).deliveries.all())

    @extend_schema(
        summary="List the deliveries of a webhook, newest first, with every try",
        description="Kept for 30 days after they ended. What an event was about does not stand here.",
        tags=TAGS,
        responses=answers(200, DeliverySerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class SendAgain(APIView):
    """A delivery once more."""

    permission_classes = ADMINISTRATOR

    @extend_schema(
        summary="Send a delivery again",
        description="Under the same message id, from the first try on. What may no longer be told of is dropped "
        "instead, and is then in the log no more.",
        tags=TAGS,
        request=None,
        responses=answers(202, DeliverySerializer, 404, 409),
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        rows = WebhookDelivery.objects.select_related("webhook").filter(webhook=webhook_id)
        again = verbs.send_again(get_object_or_404(rows, pk=delivery_id), actor=person(request))
        return Response(
            DeliverySerializer(sending.with_tries(WebhookDelivery.objects.all()).get(pk=again.pk)).data, status=202
        )


def _made(webhook: Webhook, secret: str, status: int) -> Response:
    body = {"webhook": WebhookSerializer(webhook).data, "secret": secret}
    return Response(body, status=status, headers=NO_STORE)
