"""What people said is not one operation: accounts that no correlation joins again, until somebody takes it back."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from spine.models import AppendOnly


class Side(models.TextChoices):
    """The two sides of a decision. No account of the one is of the same operation as any of the other."""

    PICKED = "a", "those that were picked"
    OTHERS = "b", "those they are kept apart from"


class KeptApartQuerySet(models.QuerySet["KeptApart"]):
    """Words for questions about decisions."""

    def standing(self) -> "KeptApartQuerySet":
        """Those that were not taken back."""
        return self.filter(lifted=None)


class KeptApart(AppendOnly):
    """Accounts of a cluster are not the same operation as others of it, as a person said.

    The picked ones are rows of `KeptApartAccount`; the others too, or, with `rest`, all other members of the cluster.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    cluster = models.ForeignKey("detection.Cluster", on_delete=models.PROTECT, related_name="kept_apart")
    rest = models.BooleanField(help_text="the others are all other members of the cluster")
    picked = models.PositiveIntegerField(help_text="accounts on the one side")
    others = models.PositiveIntegerField(help_text="accounts on the other")
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    objects = KeptApartQuerySet.as_manager()


class KeptApartAccount(AppendOnly):
    """An account on one side of a decision."""

    decision = models.ForeignKey(KeptApart, on_delete=models.PROTECT, related_name="accounts")
    account = models.ForeignKey("detection.Account", on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=1, choices=Side.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decision", "account"], name="an_account_is_on_one_side"),
            models.CheckConstraint(condition=models.Q(side__in=Side.values), name="kept_apart_side_is_known"),
        ]


class KeptApartLifted(AppendOnly):
    """They may be joined again."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    decision = models.OneToOneField(KeptApart, on_delete=models.PROTECT, related_name="lifted")
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class KeptApartEffect(AppendOnly):
    """A value would have joined so many more accounts to the cluster, and did not, for a decision."""

    cluster = models.ForeignKey("detection.Cluster", on_delete=models.PROTECT, related_name="kept_out")
    decision = models.ForeignKey(KeptApart, on_delete=models.PROTECT, related_name="effects")
    attribute = models.ForeignKey("detection.Attribute", on_delete=models.PROTECT, related_name="+")
    accounts = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "decision", "attribute"], name="an_effect_is_said_once")
        ]
