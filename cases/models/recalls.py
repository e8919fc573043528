"""What a bad version of a detector reached: cases that lean on it, and drafts of what to tell who got a dossier."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.models.disclosure import DisclosureAsk
from detection.models import DetectorVersion, VersionRecall
from spine.ids import new_id
from spine.models import AppendOnly


class RecallFlag(AppendOnly):
    """A case rests on findings of a version that was recalled. Somebody answers it; escalation waits for that.

    Once it is answered, the case is flagged again when it comes to rest on more of them.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="recall_flags")
    recall = models.ForeignKey(VersionRecall, on_delete=models.PROTECT, related_name="flags")
    findings = models.PositiveIntegerField(help_text="of the version, among those the case rests on")
    cited = models.PositiveIntegerField(help_text="judgements that stand and cite one of them")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "recall", "findings"], name="a_case_is_flagged_once_for_as_much")
        ]


class RecallAnswer(AppendOnly):
    """What follows for the case: somebody has looked at it again."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    flag = models.OneToOneField(RecallFlag, on_delete=models.PROTECT, related_name="answer")
    words = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class RecallDraft(AppendOnly):
    """The draft of a notice to who got a dossier that leans on the version. A person sends it, or does not."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("text",)

    ask = models.ForeignKey(DisclosureAsk, on_delete=models.PROTECT, related_name="recall_drafts")
    recall = models.ForeignKey(VersionRecall, on_delete=models.PROTECT, related_name="drafts")
    text = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ask", "recall"], name="one_draft_a_disclosure_and_recall")]


class VersionPrecision(models.Model):
    """How often a version was right, by what people decided; computed anew each time, over unrestricted cases alone."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    detector_version = models.OneToOneField(DetectorVersion, on_delete=models.CASCADE, related_name="precision")
    by_verdict = models.JSONField(default=dict, help_text="accounts by verdict")
    confirmed = models.PositiveIntegerField()
    decided = models.PositiveIntegerField()
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    computed_at = models.DateTimeField(default=timezone.now)
