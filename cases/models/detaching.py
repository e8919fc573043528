"""What was taken out of a case again, and put back: rows over rows, nothing that was held is removed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case, CaseCluster
from detection.models import Account
from spine.models import AppendOnly


class Detachment(AppendOnly):
    """A person takes a cluster out of a case, or, where `held` is empty, the accounts of `DetachedAccount` alone.

    From its entry in the log on, and until a `Reattachment`, they are no part of the case.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="detachments")
    held = models.ForeignKey(CaseCluster, null=True, on_delete=models.PROTECT, related_name="detachments")
    accounts_left = models.PositiveIntegerField(help_text="accounts that the case had no more for it")
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class DetachedAccount(AppendOnly):
    """An account that a detachment takes out by itself: it stays out whichever held cluster has it."""

    detachment = models.ForeignKey(Detachment, on_delete=models.PROTECT, related_name="accounts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["detachment", "account"], name="a_detachment_names_an_account_once")
        ]


class Reattachment(AppendOnly):
    """What was detached is part of the case again: an undo, or its lead was joined to the case once more."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    detachment = models.OneToOneField(Detachment, on_delete=models.PROTECT, related_name="undone")
    reason = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
