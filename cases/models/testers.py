"""The list of sanctioned testers: accounts that an authorised test may use, in its window."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from spine.models import AppendOnly


class SanctionedTest(AppendOnly):
    """One authorised test: who runs it, who authorised it, on what paper, from when until when."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("organisation", "purpose", "authorised_by", "authorisation")

    organisation = models.CharField(max_length=200, help_text="who tests")
    purpose = models.CharField(max_length=500, help_text="what the test may do")
    authorised_by = models.CharField(max_length=200)
    authorisation = models.CharField(max_length=300, help_text="the document or exhibit that says so")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    accounts = models.PositiveIntegerField(help_text="how many are on the list")
    listed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="a_test_ends_after_it_starts"
            )
        ]


class SanctionedAccount(AppendOnly):
    """An account of a test, by the provider's id: it may never have been seen in any telemetry."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("provider_id",)

    test = models.ForeignKey(SanctionedTest, on_delete=models.PROTECT, related_name="listed")
    namespace = models.CharField(max_length=60, default="default")
    provider_id = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["test", "namespace", "provider_id"], name="an_account_is_in_a_test_once")
        ]
        indexes = [models.Index(fields=["namespace", "provider_id"], name="sanctioned_by_provider_id")]


class SanctionedTestEnd(AppendOnly):
    """The end of a test before its time; what its accounts do from then on is no longer covered."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    test = models.OneToOneField(SanctionedTest, on_delete=models.PROTECT, related_name="end")
    ended_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
