"""Redactions: proposed by one person, decided by a second, carried out by a worker. The original is never changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.evidence import EvidenceItem
from spine.models import AppendOnly


class RedactionProposal(AppendOnly):
    """The marks somebody proposes: `[[start, end, reason code], …]`, offsets in code points of the exhibit's text."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    item = models.ForeignKey(EvidenceItem, on_delete=models.PROTECT, related_name="redaction_proposals")
    sha256 = models.CharField(max_length=64, help_text="of the bytes the offsets are of")
    marks = models.JSONField()
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "proposer"], name="proposal_with_its_proposer")]


class RedactionDecision(AppendOnly):
    """A second person's answer. The database refuses the proposer, and a copy of the proposer that is not theirs."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    proposal = models.OneToOneField(RedactionProposal, on_delete=models.PROTECT, related_name="decision")
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approved = models.BooleanField()
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(decider=models.F("proposer")), name="redaction_is_decided_by_a_second"
            )
        ]


class Redacted(AppendOnly):
    """Which exhibit a worker made of an approved proposal; once."""

    decision = models.OneToOneField(RedactionDecision, on_delete=models.PROTECT, related_name="made")
    item = models.OneToOneField(EvidenceItem, on_delete=models.PROTECT, related_name="redaction")
