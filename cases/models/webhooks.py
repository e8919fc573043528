"""Webhooks: who outside is told that something happened, what there was to tell, and how each telling went.

These rows are no statements: they may change and are forgotten after a while. What administrators did stands in the
log. An endpoint is outside every case; nothing about a restricted one is ever written here (cases/webhook_events.py).
"""

from django.db import models
from django.utils import timezone

from spine.ids import new_id


class Webhook(models.Model):
    """An endpoint outside. `secret` and `old_secret` are sealed; the old one signs too until `old_until`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60, unique=True)
    url = models.CharField(max_length=1000)
    types = models.JSONField(default=list, help_text="of the table of events")
    paused = models.BooleanField(default=False)
    disabled_why = models.CharField(max_length=300, blank=True, help_text="empty: it is not disabled")
    secret = models.TextField()
    old_secret = models.TextField(blank=True)
    old_until = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    failures = models.PositiveIntegerField(default=0, help_text="in a row")
    failing_since = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True, help_text="nothing is sent before this")
    last_success_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(old_secret="", old_until=None)
                | models.Q(old_until__isnull=False) & ~models.Q(old_secret=""),
                name="an_old_secret_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_enabled(self) -> bool:
        """What happens now is told to it."""
        return not self.paused and not self.disabled_why

    @property
    def two_secrets(self) -> bool:
        """The secret before the present one signs too."""
        return self.old_until is not None and self.old_until > timezone.now()


class WebhookEvent(models.Model):
    """Something to tell, in our own ids and references alone. `scope` is its case, `about` names a lead, if any."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=200, unique=True, help_text="the same key is the same event")
    type = models.CharField(max_length=60)
    scope = models.UUIDField(null=True)
    about = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["scope"], condition=models.Q(scope__isnull=False), name="events_of_one_case")]


class DeliveryState(models.TextChoices):
    """Where a delivery is. Failed: it is not tried again by itself."""

    WAITING = "waiting", "waiting"
    DELIVERED = "delivered", "delivered"
    FAILED = "failed", "failed"


class WebhookDelivery(models.Model):
    """One event for one webhook. `type` stands here too, because the event is not there for who may not know of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    type = models.CharField(max_length=60)
    made_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(null=True, help_text="of the last answer")
    error = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="an_event_is_delivered_once"),
            models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="delivery_state_is_known"),
        ]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="deliveries_newest_first"),
            models.Index(fields=["next_at"], condition=models.Q(state="waiting"), name="deliveries_waiting"),
        ]


class WebhookAttempt(models.Model):
    """One try. Neither status nor error: the worker ended before it wrote down what came of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    answer = models.CharField(max_length=500, blank=True, help_text="the beginning of its body, escaped")
