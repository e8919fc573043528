"""Judgements on the six claims, what they cite, and the answers to innocent explanations."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.lookups import Exact
from django.utils import timezone

from cases.models.case import Case
from cases.models.evidence import EvidenceItem
from cases.models.timeline import TimelineNote
from cases.vocabulary import ALTERNATIVES, AlternativeState, Claim, Confidence, Likelihood, Side
from detection.models import Cluster, Finding
from spine.models import AppendOnly

CITABLE = ("finding", "evidence", "cluster", "timeline_note")


class Judgement(AppendOnly):
    """A likelihood word with separate confidence on one claim. The newest one counts; all are kept.

    `supersedes` is the judgement its author saw, so that two people at once cannot overwrite each other.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("rationale", "alternatives")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="judgements")
    claim = models.CharField(max_length=1, choices=Claim.choices)
    likelihood = models.CharField(max_length=20, choices=Likelihood.choices)
    confidence = models.CharField(max_length=10, choices=Confidence.choices)
    rationale = models.TextField()
    alternatives = models.TextField(help_text="what else would explain it, and what would change our mind")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(claim__in=Claim.values), name="claim_is_known"),
            models.CheckConstraint(condition=models.Q(likelihood__in=Likelihood.values), name="likelihood_is_known"),
            models.CheckConstraint(condition=models.Q(confidence__in=Confidence.values), name="confidence_is_known"),
            models.UniqueConstraint(
                fields=["case", "claim"], condition=models.Q(supersedes=None), name="one_first_judgement_per_claim"
            ),
        ]


class Citation(AppendOnly):
    """An item a judgement rests on, for or against. Contrary evidence carries our answer to it."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    judgement = models.ForeignKey(Judgement, on_delete=models.PROTECT, related_name="citations")
    side = models.CharField(max_length=7, choices=Side.choices)
    finding = models.ForeignKey(Finding, null=True, on_delete=models.PROTECT, related_name="citations")
    evidence = models.ForeignKey(EvidenceItem, null=True, on_delete=models.PROTECT, related_name="citations")
    cluster = models.ForeignKey(Cluster, null=True, on_delete=models.PROTECT, related_name="citations")
    timeline_note = models.ForeignKey(TimelineNote, null=True, on_delete=models.PROTECT, related_name="citations")
    note = models.TextField(blank=True, help_text="what it shows; for contrary evidence, our answer to it")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(side__in=Side.values), name="side_is_known"),
            models.CheckConstraint(
                condition=Exact(
                    models.Func(*CITABLE, function="num_nonnulls", output_field=models.IntegerField()),
                    1,
                ),
                name="a_citation_cites_one_item",
            ),
        ]


class AlternativeAnswer(AppendOnly):
    """How an innocent explanation stands in a case, and why. The newest answer counts; all are kept."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="alternative_answers")
    alternative = models.CharField(max_length=20, choices=list(ALTERNATIVES.items()))
    state = models.CharField(max_length=20, choices=AlternativeState.choices)
    reason = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(alternative__in=list(ALTERNATIVES)), name="alternative_is_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=AlternativeState.values), name="alternative_state_is_known"
            ),
            models.UniqueConstraint(
                fields=["case", "alternative"],
                condition=models.Q(supersedes=None),
                name="one_first_answer_per_alternative",
            ),
        ]
