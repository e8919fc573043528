"""What newer runs say about cases: a newer version of a cluster a case holds, and leads that meet an earlier case."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.models.lead import Lead
from detection.models import Cluster
from spine.models import AppendOnly


class NewerVersion(AppendOnly):
    """A newer run sees a cluster that carries on what a case holds. It changes nothing of the case by itself."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="newer_versions")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    joined = models.PositiveIntegerField(help_text="accounts of it that the case does not have")
    left = models.PositiveIntegerField(help_text="accounts of the clusters it carries on that it does not have")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "cluster"], name="a_case_is_told_of_a_version_once")]


class NewerVersionAnswer(AppendOnly):
    """What somebody decided about a newer version."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    class Kind(models.TextChoices):
        """What follows for the case."""

        TAKEN = "taken", "taken into the case"
        STAYS = "stays", "the case stays as it is"

    version = models.OneToOneField(NewerVersion, on_delete=models.PROTECT, related_name="answer")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    words = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class LeadMatch(AppendOnly):
    """A lead shares accounts or rare values with a case that is closed or quiet."""

    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="matches")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="lead_matches")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    accounts = models.PositiveIntegerField(help_text="of the cluster that the case has")
    values = models.JSONField(default=dict, help_text="rare values both show, how many by type; never the values")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lead", "case", "cluster"], name="a_match_is_noted_once")]

    @property
    def in_words(self) -> str:
        """What they share: `3 accounts, 2 payment fingerprints`."""
        found = [(self.accounts, "account"), *((n, kind.replace("_", " ")) for kind, n in self.values.items())]
        return ", ".join(f"{n:,} {name}{'s' if n != 1 else ''}" for n, name in found if n)
