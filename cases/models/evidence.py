"""Exhibits and their custody. The bytes lie in the vault under their digest; nothing here is ever changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.vocabulary import CustodyAction
from spine.models import AppendOnly


class EvidenceItem(AppendOnly):
    """An exhibit: hashed when it was acquired, numbered once in its case."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("title", "file_name", "source")

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="evidence")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=300, help_text="where it comes from, and on what authority it was taken")
    file_name = models.CharField(max_length=255)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    acquired_at = models.DateTimeField(help_text="when the bytes were taken at the source")
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="an_exhibit_number_is_given_once"),
            models.UniqueConstraint(fields=["case", "sha256"], name="the_same_bytes_are_one_exhibit"),
        ]

    @property
    def exhibit(self) -> str:
        """How it is called: `Exhibit 7`."""
        return f"Exhibit {self.number}"


class CustodyEvent(AppendOnly):
    """Who did what with an exhibit, when, where, why and how (ISO/IEC 27037)."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("who", "where_at", "why")

    item = models.ForeignKey(EvidenceItem, on_delete=models.PROTECT, related_name="custody")
    action = models.CharField(max_length=25, choices=CustodyAction.choices)
    who = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)
    clock = models.CharField(max_length=60, default="server clock, UTC")
    where_at = models.CharField(max_length=200, default="Retort vault")
    why = models.CharField(max_length=300, help_text="on what authority or for what purpose")
    how = models.CharField(max_length=300, help_text="tool, version and method")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=CustodyAction.values), name="custody_action_is_known")
        ]
