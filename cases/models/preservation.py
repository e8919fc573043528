"""Requests to preserve evidence at its source: what was asked of whom, what was answered, what was already gone."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from detection.models import DataClass, TelemetrySource
from spine.models import AppendOnly


class PreservationRequest(AppendOnly):
    """A request to a log owner to keep one kind of data of one source over a window. Never changed once made.

    `days_kept` and `gone_before` are what was known of the source when it was asked: how long it keeps this, and the
    end of the part of the window that had expired by then.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("scope", "custodian", "contact", "authority")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="preservation_requests")
    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="+")
    data_class = models.CharField(max_length=20, choices=DataClass.choices)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    scope = models.TextField(help_text="what is to be kept, in words the log owner can act on")
    account_count = models.PositiveIntegerField(help_text="accounts of the case when it was asked")
    custodian = models.CharField(max_length=200)
    contact = models.CharField(max_length=300, blank=True)
    authority = models.CharField(max_length=300, help_text="on what authority it is asked")
    days_kept = models.PositiveIntegerField(null=True)
    gone_before = models.DateTimeField(null=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(data_class__in=DataClass.values), name="preserved_data_class_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(window_end__gt=models.F("window_start")), name="preserved_window_in_order"
            ),
        ]


class PreservationAnswer(AppendOnly):
    """What the log owner answered: a receipt, or a refusal. A correction is a new row over the old one."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("answered_by", "what", "gone")

    class Kind(models.TextChoices):
        """Which of the two it is."""

        RECEIPT = "receipt", "preserved, with a receipt"
        REFUSED = "refused", "refused"

    request = models.ForeignKey(PreservationRequest, on_delete=models.PROTECT, related_name="answers")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.CharField(max_length=100, blank=True, help_text="of the receipt, as its giver counts")
    answered_by = models.CharField(max_length=200)
    answered_at = models.DateTimeField()
    what = models.TextField(help_text="what was preserved; for a refusal, why not")
    preserved_from = models.DateTimeField(null=True)
    preserved_to = models.DateTimeField(null=True)
    keeps_until = models.DateTimeField(null=True, help_text="None: until told otherwise")
    gone = models.TextField(blank=True, help_text="what was already gone, as the log owner says")
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="refused", preserved_from=None, preserved_to=None, keeps_until=None)
                | models.Q(kind="receipt", preserved_to__gt=models.F("preserved_from")),
                name="a_receipt_says_what_it_covers",
            ),
            models.UniqueConstraint(
                fields=["request"], condition=models.Q(supersedes=None), name="one_first_answer_per_request"
            ),
        ]


class PreservationAbsence(AppendOnly):
    """Why nothing was asked of a source. The newest explanation counts; a later request makes it history."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="preservation_absences")
    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    explained_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
