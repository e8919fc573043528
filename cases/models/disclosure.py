"""Registers of legal bases and recipients, and disclosures: asked by one person, released by another, never changed."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.dossier import DossierVersion
from cases.vocabulary import Marking
from spine.ids import new_id
from spine.models import AppendOnly


class DisclosedClass(models.TextChoices):
    """Kinds of data a disclosure can hand out; what may go to whom depends on them (18 USC 2702, GDPR Art. 49)."""

    CONTENT = "content", "content of communications"
    CUSTOMER_RECORD = "customer_record", "customer records"
    INDICATOR = "indicator", "technical indicators"
    AGGREGATE = "aggregate", "aggregates"


class RecipientKind(models.TextChoices):
    """Who can receive something."""

    COURT = "court", "court"
    LAW_ENFORCEMENT = "law_enforcement", "law enforcement"
    AGENCY = "agency", "agency"
    COMMITTEE = "committee", "committee"
    PEER = "peer", "peer company"
    COUNSEL = "counsel", "counsel"
    INTERNAL = "internal", "internal"


class LegalBasis(models.Model):
    """A ground on which data may be handed out: what it permits to whom, and from when to when.

    `permits` is `{recipient kind: [data class, …]}`. Edited in place; every change is in the log with its old and new
    value, and a disclosure keeps a copy of what it rested on.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    code = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200, unique=True)
    law = models.CharField(max_length=300)
    permits = models.JSONField(default=dict)
    valid_from = models.DateField(null=True)
    valid_until = models.DateField(null=True, help_text="the last day on which it holds")
    confirmed = models.BooleanField(default=False, help_text="counsel has confirmed this text")
    note = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_from=None)
                | models.Q(valid_until=None)
                | models.Q(valid_until__gte=models.F("valid_from")),
                name="a_basis_ends_after_it_begins",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Recipient(models.Model):
    """Whom a dossier may be for. Accounts are named for each recipient by its name, so the name does not change."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=20, choices=RecipientKind.choices)
    contact = models.CharField(max_length=300, blank=True)
    ceiling = models.CharField(max_length=20, choices=Marking.choices, help_text="the highest marking it may get")
    note = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=RecipientKind.values), name="recipient_kind_is_known"),
            models.CheckConstraint(condition=models.Q(ceiling__in=Marking.values), name="ceiling_is_known"),
        ]

    def __str__(self) -> str:
        return self.name


class DisclosureAsk(AppendOnly):
    """Somebody asks that a sealed version be handed out; alone it changes nothing. What it rested on is copied here."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("purpose",)

    version = models.ForeignKey(DossierVersion, on_delete=models.PROTECT, related_name="disclosures")
    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="disclosures")
    basis = models.ForeignKey(LegalBasis, on_delete=models.PROTECT, related_name="disclosures")
    recipient_name = models.CharField(max_length=200)
    recipient_kind = models.CharField(max_length=20)
    basis_code = models.CharField(max_length=60)
    basis_law = models.CharField(max_length=300)
    data_classes = models.JSONField()
    marking = models.CharField(max_length=20)
    package_sha256 = models.CharField(max_length=64)
    channel = models.CharField(max_length=200, help_text="how it goes: by hand, by courier, through a portal …")
    purpose = models.TextField(blank=True)
    reply_due = models.DateField(null=True)
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "asker"], name="disclosure_with_its_asker")]
        indexes = [models.Index(fields=["-at", "-id"], name="disclosures_newest_first")]


class DisclosureRelease(AppendOnly):
    """A second person releases it: from now on it counts as disclosed. The database refuses the asker."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    ask = models.OneToOneField(DisclosureAsk, on_delete=models.PROTECT, related_name="release")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    releaser = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # With the foreign key (ask, asker) → ask of the migration, the copy cannot differ.
            models.CheckConstraint(
                condition=~models.Q(releaser=models.F("asker")), name="a_disclosure_takes_two_people"
            ),
        ]


class DisclosureNote(AppendOnly):
    """What came of a disclosure: a receipt, a follow-up, a reply, a recall; or it was withdrawn before its release."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("text",)

    class Kind(models.TextChoices):
        """Which of them."""

        RECEIPT = "receipt", "receipt"
        FOLLOW_UP = "follow_up", "follow-up"
        REPLY = "reply", "reply"
        RECALL = "recall", "recall"
        WITHDRAWN = "withdrawn", "withdrawn before it was released"

    ask = models.ForeignKey(DisclosureAsk, on_delete=models.PROTECT, related_name="notes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.CharField(max_length=100, blank=True, help_text="of the receipt")
    text = models.TextField(blank=True)
    happened_at = models.DateTimeField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["receipt", "follow_up", "reply", "recall", "withdrawn"]),
                name="disclosure_note_kind_is_known",
            ),
            models.UniqueConstraint(
                fields=["ask"], condition=models.Q(kind="withdrawn"), name="a_disclosure_is_withdrawn_once"
            ),
        ]
