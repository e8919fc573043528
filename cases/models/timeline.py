"""What people add to a timeline by hand; the rest of it is read from findings, releases and the log."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.vocabulary import Confidence, Lane
from spine.models import AppendOnly


class TimelineNote(AppendOnly):
    """A manual entry: an instant, or a span when it has an end. A correction is a new row over the old one."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("text", "source")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="timeline_notes")
    lane = models.CharField(max_length=10, choices=Lane.choices)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    text = models.CharField(max_length=1000)
    source = models.CharField(max_length=300, help_text="how we know it")
    confidence = models.CharField(max_length=10, choices=Confidence.choices)
    withdrawn = models.BooleanField(default=False, help_text="set in the row that takes an earlier one back")
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at=None) | models.Q(ends_at__gte=models.F("starts_at")),
                name="a_span_ends_after_it_starts",
            ),
            models.CheckConstraint(condition=models.Q(lane__in=Lane.values), name="lane_is_known"),
            models.CheckConstraint(
                condition=models.Q(confidence__in=Confidence.values), name="timeline_confidence_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(withdrawn=False) | models.Q(supersedes__isnull=False),
                name="what_is_withdrawn_was_there",
            ),
        ]
