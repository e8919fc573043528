"""Holds: what must not be deleted, who keeps it, who has acknowledged, and the release by two people."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.models.evidence import EvidenceItem
from detection.models import TelemetrySource
from spine.models import AppendOnly


class HoldScope(models.TextChoices):
    """What a hold covers. The database reads this too (migration holds_block_deletion)."""

    CASE = "case", "the whole case"
    ACCOUNTS = "accounts", "accounts of the case, by filter"
    SOURCE = "source", "a source within a window"
    EXHIBIT = "exhibit", "one exhibit"


class Hold(AppendOnly):
    """A duty to keep: from when it is placed until two people release it, nothing it covers is deleted anywhere.

    `query` is the scope as the filter or window it was stated as, `count` exactly what it covered then (FRCP 37(e):
    the duty begins when litigation is anticipated, `triggered_at`).
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("matter", "trigger")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="holds")
    number = models.PositiveIntegerField()
    matter = models.CharField(max_length=200, help_text="the dispute, inquiry or request it is for")
    trigger = models.TextField(help_text="what made the duty to keep begin")
    triggered_at = models.DateTimeField()
    scope = models.CharField(max_length=10, choices=HoldScope.choices)
    query = models.JSONField(default=dict)
    count = models.BigIntegerField(help_text="what the scope covered when the hold was placed")
    source = models.ForeignKey(TelemetrySource, null=True, on_delete=models.PROTECT, related_name="+")
    window_start = models.DateTimeField(null=True)
    window_end = models.DateTimeField(null=True)
    exhibit = models.ForeignKey(EvidenceItem, null=True, on_delete=models.PROTECT, related_name="holds")
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="a_hold_number_is_given_once"),
            models.CheckConstraint(
                condition=models.Q(scope__in=["case", "accounts"], source=None, exhibit=None)
                | models.Q(scope="source", source__isnull=False, exhibit=None, window_end__gt=models.F("window_start"))
                | models.Q(scope="exhibit", source=None, exhibit__isnull=False),
                name="a_hold_says_what_it_covers",
            ),
        ]

    @property
    def name(self) -> str:
        """How it is called: `Hold 2`."""
        return f"Hold {self.number}"


class HoldCustodian(AppendOnly):
    """Somebody who has to keep what a hold covers, and to say so by a date. A user, or somebody outside."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("name", "contact")

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="custodians")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="held_as_custodian"
    )
    name = models.CharField(max_length=200)
    contact = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField(help_text="when the acknowledgement is overdue")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hold", "person"],
                condition=models.Q(person__isnull=False),
                name="a_person_is_a_custodian_once",
            )
        ]


class HoldAcknowledgement(AppendOnly):
    """A custodian has understood the hold: by signing in and saying so, or by a document that somebody recorded."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    custodian = models.OneToOneField(HoldCustodian, on_delete=models.PROTECT, related_name="acknowledgement")
    on_behalf = models.BooleanField(default=False)
    document = models.ForeignKey(EvidenceItem, null=True, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(on_behalf=False, document=None) | models.Q(on_behalf=True, document__isnull=False),
                name="on_behalf_means_by_document",
            )
        ]


class HoldReminder(AppendOnly):
    """A custodian who had not acknowledged was reminded."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    custodian = models.ForeignKey(HoldCustodian, on_delete=models.PROTECT, related_name="reminders")
    note = models.CharField(max_length=300, blank=True, help_text="how: by mail, by telephone …")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class HoldReleaseAsk(AppendOnly):
    """Somebody asks that a hold be released. Alone it changes nothing."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="release_asks")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "hold", "asker"], name="ask_with_its_hold_and_asker"),
            models.UniqueConstraint(fields=["hold", "asker"], name="one_asks_for_a_release_once"),
        ]


class HoldRelease(AppendOnly):
    """A second person releases a hold that another asked to release. The database refuses the asker."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="release")
    ask = models.ForeignKey(HoldReleaseAsk, on_delete=models.PROTECT, related_name="+")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    releaser = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # With the foreign key (ask, hold, asker) → ask of the migration, the copies cannot differ.
            models.CheckConstraint(
                condition=~models.Q(releaser=models.F("asker")), name="a_hold_is_released_by_two_people"
            ),
        ]
