"""Orders to destroy: policies of retention, requests of erasure, and the second person's word on each."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from detection.models import TelemetrySource
from spine.models import AppendOnly, Destruction


class Kept(models.TextChoices):
    """What a retention policy is about. The log, findings and judgements are never destroyed by one."""

    TELEMETRY = "telemetry", "telemetry files of a source"
    UNREFERENCED = "unreferenced", "vault files that no record names"
    CLOSED_EXHIBITS = "closed_exhibits", "exhibits' bytes of closed cases"
    PACKAGES = "packages", "rendered packages"


class RetentionPolicy(AppendOnly):
    """How old a kind of data gets before it may be destroyed, and on what ground. The newest row counts.

    A policy destroys nothing: it makes an order possible, which takes two people.
    """

    data_class = models.CharField(max_length=20, choices=Kept.choices)
    source = models.ForeignKey(TelemetrySource, null=True, on_delete=models.PROTECT, related_name="policies")
    days = models.PositiveIntegerField()
    basis = models.CharField(max_length=300, help_text="the rule or law behind it")
    active = models.BooleanField(default=True)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(data_class="telemetry", source__isnull=False)
                | models.Q(data_class__in=["unreferenced", "closed_exhibits", "packages"], source=None),
                name="a_policy_on_telemetry_names_its_source",
            ),
            models.UniqueConstraint(
                fields=["data_class", "source"],
                condition=models.Q(supersedes=None),
                nulls_distinct=False,
                name="one_first_policy_per_data_class",
            ),
        ]


class DestructionOrder(AppendOnly):
    """Somebody asks that exactly these targets be destroyed. Alone it changes nothing.

    `targets` are objects with kind, key, sha256 and size; `kept` counts by hold what a hold kept out of them.
    """

    class Ground(models.TextChoices):
        """Why."""

        RETENTION = "retention", "a retention policy"
        ERASURE = "erasure", "an erasure request"

    ground = models.CharField(max_length=10, choices=Ground.choices)
    policy = models.ForeignKey(RetentionPolicy, null=True, on_delete=models.PROTECT, related_name="orders")
    case_id = models.UUIDField(null=True, help_text="of the record to be erased")
    subject = models.CharField(max_length=130, blank=True, help_text="account:<id> or table:<id>; never a name")
    basis = models.CharField(max_length=300, help_text="the policy's rule, or the law the request rests on")
    targets = models.JSONField()
    count = models.PositiveIntegerField()
    size = models.BigIntegerField(help_text="bytes that go")
    kept = models.JSONField(default=dict)
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ground="retention", policy__isnull=False, subject="")
                | (models.Q(ground="erasure", policy=None) & ~models.Q(subject="")),
                name="an_order_has_one_ground",
            ),
            models.UniqueConstraint(fields=["id", "asker"], name="order_with_its_asker"),
        ]
        indexes = [models.Index(fields=["-at", "-id"], name="orders_newest_first")]

    def certificates(self) -> models.QuerySet[Destruction]:
        """What this order has destroyed so far."""
        return Destruction.objects.filter(order_id=self.pk)


class DestructionDecision(AppendOnly):
    """The second person grants an order or declines it. The database refuses the asker."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    order = models.OneToOneField(DestructionOrder, on_delete=models.PROTECT, related_name="decision")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    granted = models.BooleanField()
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # With the foreign key (order, asker) → order of the migration, the copy cannot differ.
            models.CheckConstraint(condition=~models.Q(decider=models.F("asker")), name="destruction_takes_two_people"),
        ]
