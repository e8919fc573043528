"""Exhibits and their custody. The bytes lie in the vault under their digest; nothing here is ever changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.kinds import Derivation, EvidenceKind, details_of
from cases.models.case import Case
from cases.vocabulary import CustodyAction
from spine.models import AppendOnly


class EvidenceItem(AppendOnly):
    """An exhibit: hashed when it was acquired, numbered once in its case.

    A derivative names what it was made from, by which kind of work and how. Columns that are NULL came later than the
    rows that lack them, or do not apply; an exhibit without a kind is a file.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("title", "file_name", "source", "details", "reason")

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
    kind = models.CharField(max_length=30, choices=EvidenceKind.choices, null=True)  # noqa: DJ001 - see the class
    details = models.JSONField(null=True, help_text="what its kind needs, by name")
    derived_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="derivatives")
    derivation = models.CharField(max_length=30, choices=Derivation.choices, null=True)  # noqa: DJ001
    tool = models.CharField(max_length=100, null=True)  # noqa: DJ001
    tool_version = models.CharField(max_length=100, null=True)  # noqa: DJ001
    method = models.CharField(max_length=500, null=True)  # noqa: DJ001
    reason = models.CharField(max_length=500, null=True, help_text="why the derivative was made")  # noqa: DJ001

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "number"], name="an_exhibit_number_is_given_once"),
            models.UniqueConstraint(fields=["case", "sha256"], name="the_same_bytes_are_one_exhibit"),
            models.CheckConstraint(
                condition=models.Q(kind=None) | models.Q(kind__in=EvidenceKind.values), name="evidence_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(derived_from=None, derivation=None)
                | models.Q(derived_from__isnull=False, derivation__in=Derivation.values, kind="derivative"),
                name="a_derivative_names_its_original",
            ),
        ]

    @property
    def exhibit(self) -> str:
        """How it is called: `Exhibit 7`."""
        return f"Exhibit {self.number}"

    @property
    def kind_or_file(self) -> str:
        """Its kind; `file` for exhibits older than kinds."""
        return self.kind or EvidenceKind.FILE.value

    @property
    def kind_words(self) -> str:
        """Its kind as people read it, a derivative's with how it was derived: `redaction of Exhibit 7`."""
        if self.derived_from is not None and self.derivation:
            return f"{Derivation(self.derivation).label} of {self.derived_from.exhibit}"
        return str(EvidenceKind(self.kind_or_file).label)

    @property
    def described(self) -> list[tuple[str, str]]:
        """What its kind needs, as label and value."""
        return details_of(self.kind_or_file, self.details)


class CustodyEvent(AppendOnly):
    """Who did what with an exhibit, when, where, why and how (ISO/IEC 27037)."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("who", "where_at", "why", "party")

    item = models.ForeignKey(EvidenceItem, on_delete=models.PROTECT, related_name="custody")
    action = models.CharField(max_length=25, choices=CustodyAction.choices)
    who = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)
    clock = models.CharField(max_length=60, default="server clock, UTC")
    where_at = models.CharField(max_length=200, default="Retort vault")
    why = models.CharField(max_length=300, help_text="on what authority or for what purpose")
    how = models.CharField(max_length=300, help_text="tool, version and method")
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(null=True)
    party = models.CharField(max_length=200, null=True, help_text="to whom or from whom")  # noqa: DJ001
    tool = models.CharField(max_length=100, null=True)  # noqa: DJ001
    tool_version = models.CharField(max_length=100, null=True)  # noqa: DJ001
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answers = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="answered_by", help_text="the event it acknowledges"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(action__in=CustodyAction.values), name="custody_action_is_known"),
            models.UniqueConstraint(fields=["answers"], name="a_transfer_is_acknowledged_once"),
        ]
