"""Dossiers: a frozen version, its approval by a second person, its seal, and the proof made from the log."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from spine.models import AppendOnly


class Edition(models.TextChoices):
    """The form a dossier takes for a kind of recipient."""

    COUNSEL = "counsel", "counsel"


class DossierVersion(AppendOnly):
    """A frozen snapshot for one edition, recipient and basis at one cut. Its number is given once.

    The cut is (time, log size): entries at index `log_size` and later are out. `snapshot_sha256` names the snapshot
    in the vault.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="dossiers")
    edition = models.CharField(max_length=20, choices=Edition.choices)
    recipient = models.CharField(max_length=200, blank=True)
    basis = models.CharField(max_length=200, blank=True)
    number = models.PositiveIntegerField()
    cut_at = models.DateTimeField()
    log_size = models.BigIntegerField()
    snapshot_sha256 = models.CharField(max_length=64)
    release = models.CharField(max_length=40, help_text="of the software that renders it")
    preparer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="prepared_dossiers")
    frozen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "edition", "number"], name="a_version_number_is_given_once"),
            models.UniqueConstraint(
                fields=["case", "edition", "recipient", "basis", "log_size"], name="one_version_per_cut"
            ),
            models.UniqueConstraint(fields=["id", "preparer"], name="version_with_its_preparer"),
        ]

    @property
    def bag_name(self) -> str:
        """The folder name of its package: `RT-2026-K7Q4M-counsel-v1`."""
        return f"{self.case.ref}-{self.edition}-v{self.number}"


class DossierApproval(AppendOnly):
    """A second person read the snapshot and approves this hash of it. The database refuses the preparer."""

    version = models.OneToOneField(DossierVersion, on_delete=models.PROTECT, related_name="approval")
    preparer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approved_dossiers")
    snapshot_sha256 = models.CharField(max_length=64)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # With the foreign key (version, preparer) → version of the first migration, the copy cannot differ.
            models.CheckConstraint(
                condition=~models.Q(approver=models.F("preparer")), name="preparer_and_approver_are_two_people"
            ),
        ]


class DossierSeal(AppendOnly):
    """The digests of a rendered package; this row's leaf is what the proof in the package leads to. Made once."""

    version = models.OneToOneField(DossierVersion, on_delete=models.PROTECT, related_name="seal")
    snapshot_sha256 = models.CharField(max_length=64)
    manifest_sha256 = models.CharField(max_length=64)
    statement_sha256 = models.CharField(max_length=64)
    chain_sha256 = models.CharField(  # noqa: DJ001 - NULL is left out of the row's form
        max_length=64, null=True, help_text="certificates of the time stamp that its package carries"
    )
    at = models.DateTimeField(default=timezone.now)


class DossierProof(AppendOnly):
    """The seal's inclusion proof at a signed checkpoint, as in the package; and the package's own digest beside it."""

    seal = models.OneToOneField(DossierSeal, on_delete=models.PROTECT, related_name="proof")
    checkpoint = models.TextField()
    proof = models.TextField()
    package_sha256 = models.CharField(max_length=64)
    package_size = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)
