"""Comparisons of stored bytes with the digest they are named by: one row each time, never changed."""

from django.db import models
from django.utils import timezone

from spine.models import AppendOnly


class CheckResult(models.TextChoices):
    """What came of reading a stored file to its end."""

    SAME = "same", "same"
    DIFFERS = "differs", "not the same bytes"
    MISSING = "missing", "not there"


class VaultCheck(AppendOnly):
    """One comparison. It names a digest alone, so that whoever looks after the vault learns nothing of a case."""

    sha256 = models.CharField(max_length=64)
    result = models.CharField(max_length=10, choices=CheckResult.choices)
    found_sha256 = models.CharField(max_length=64, null=True)  # noqa: DJ001 - NULL where nothing could be read
    size = models.BigIntegerField(help_text="bytes that were read")
    at = models.DateTimeField(default=timezone.now)
    store = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(result__in=CheckResult.values), name="check_result_is_known")
        ]
        indexes = [
            models.Index(fields=["sha256", "-at"], name="checks_of_one_file"),
            models.Index(fields=["sha256"], condition=~models.Q(result="same"), name="failed_checks"),
        ]
