"""Leads: clusters that wait for a person, what was decided about them, and when they were seen again."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.vocabulary import RejectReason
from detection.models import Cluster
from spine.ids import new_id
from spine.models import AppendOnly


class LeadState(models.TextChoices):
    """Where a lead stands."""

    WAITING = "waiting", "waiting"
    IN_CASE = "in_case", "in a case"
    REJECTED = "rejected", "rejected"
    SNOOZED = "snoozed", "snoozed"


class Lead(models.Model):
    """A cluster worth a look. `cluster` is the newest run's version of it; every version is a sighting."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=LeadState.choices, default=LeadState.WAITING)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="assigned_leads"
    )
    earlier = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="later", help_text="a rejected lead this one outgrew"
    )
    snoozed_until = models.DateTimeField(null=True)
    wakes_at = models.PositiveIntegerField(null=True, help_text="accounts at which a snoozed lead comes back before")
    why_now = models.CharField(max_length=300)
    raised_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=LeadState.values), name="lead_state_is_known"),
            models.CheckConstraint(
                condition=models.Q(state="snoozed", snoozed_until__isnull=False) | ~models.Q(state="snoozed"),
                name="a_snoozed_lead_comes_back",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "-raised_at", "-id"], name="leads_newest_first"),
            models.Index(fields=["-raised_at", "-id"], name="leads_of_any_state"),
        ]

    def __str__(self) -> str:
        return self.cluster.title


class LeadSighting(AppendOnly):
    """A run produced a cluster that is this lead: the first one, or one with mostly the same accounts."""

    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="sightings")
    cluster = models.OneToOneField(Cluster, on_delete=models.PROTECT, related_name="sighting")
    overlap = models.FloatField(help_text="shared accounts over all accounts of both versions, 0–1")
    at = models.DateTimeField(default=timezone.now)


class LeadSnooze(AppendOnly):
    """A lead is out of the queue until a day, or until it has grown so much."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="snoozes")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()
    factor = models.FloatField(null=True, help_text="times its accounts at which it comes back before")
    note = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class LeadDecision(AppendOnly):
    """What a person decided about a lead, on which version of it."""

    class Kind(models.TextChoices):
        """The three ways out of the queue, and the ways back and forth."""

        OPENED = "opened", "opened a case"
        JOINED = "joined", "joined to a case"
        REJECTED = "rejected", "rejected"
        REOPENED = "reopened", "put back in the queue"
        DETACHED = "detached", "detached from a case"
        REATTACHED = "reattached", "put back into the case"

    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="decisions")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reason = models.CharField(max_length=20, choices=RejectReason.choices, blank=True)
    note = models.TextField(blank=True)
    case = models.ForeignKey("cases.Case", null=True, on_delete=models.PROTECT, related_name="lead_decisions")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="rejected", reason__in=RejectReason.values)
                | models.Q(kind__in=["opened", "joined", "detached", "reattached"], reason="", case__isnull=False)
                | models.Q(kind="reopened", reason="", case=None),
                name="a_lead_decision_is_whole",
            )
        ]
