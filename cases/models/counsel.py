"""The counsel track of a case: a privileged place apart, with its own members, notes and exports.

Nothing of it hangs on the case but the track itself, and that without a reverse name: no query over a case meets it.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from spine.models import AppendOnly


class CounselTrack(AppendOnly):
    """The track of one case, opened once by counsel. Its own id, not the case's, is the scope of its log entries."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("purpose", "direction")

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=1000, help_text="what legal advice or proceeding it serves")
    direction = models.CharField(max_length=300, help_text="at whose direction it is kept")
    marking = models.CharField(max_length=200, help_text="as configured when it was opened")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class CounselMember(AppendOnly):
    """Somebody whom counsel let into the track, or out of it again; counsel who can see the case need no row.

    The newest row about a person counts; each names the one it was decided over.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    track = models.ForeignKey(CounselTrack, on_delete=models.PROTECT, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended = models.BooleanField(default=False, help_text="set in the row that ends a membership")
    reason = models.CharField(max_length=500)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["track", "user"], condition=models.Q(supersedes=None), name="one_first_membership_per_person"
            ),
            models.CheckConstraint(
                condition=models.Q(ended=False) | models.Q(supersedes__isnull=False),
                name="a_membership_that_ends_was_there",
            ),
        ]


class CounselNote(AppendOnly):
    """A note of the track. A correction, or taking one back, is a new row over the old one.

    `exhibits` are numbers of the case's exhibits: reference alone, no file lies in the track.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("topic", "text", "direction")

    track = models.ForeignKey(CounselTrack, on_delete=models.PROTECT, related_name="notes")
    topic = models.CharField(max_length=200)
    text = models.TextField()
    direction = models.CharField(max_length=300, blank=True, help_text="at whose direction it was written")
    marking = models.CharField(max_length=200, help_text="as configured when it was written")
    exhibits = models.JSONField(default=list)
    withdrawn = models.BooleanField(default=False, help_text="set in the row that takes an earlier one back")
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(withdrawn=False) | models.Q(supersedes__isnull=False),
                name="a_counsel_note_taken_back_was_there",
            ),
        ]


class CounselExport(AppendOnly):
    """A copy of the track that left: for whom, why, and the digest of exactly these bytes. The copy is not kept."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("recipient", "purpose")

    track = models.ForeignKey(CounselTrack, on_delete=models.PROTECT, related_name="exports")
    number = models.PositiveIntegerField()
    recipient = models.CharField(max_length=200)
    purpose = models.CharField(max_length=500)
    notes = models.PositiveIntegerField(help_text="how many notes it holds")
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["track", "number"], name="an_export_number_is_given_once")]
