"""What was found in an archive without unpacking it."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone

from cases.models.evidence import EvidenceItem
from spine.models import AppendOnly


class ArchiveListing(AppendOnly):
    """One reading of an archive; the newest counts. `members` as docs/formats/archive-listing.md has them."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("members",)

    item = models.ForeignKey(EvidenceItem, on_delete=models.PROTECT, related_name="listings")
    job = models.UUIDField(help_text="the job that read it")
    members = models.JSONField(default=list)
    count = models.PositiveIntegerField(help_text="how many members are listed")
    flagged = models.PositiveIntegerField(help_text="of how many there is something to note")
    produced = models.BigIntegerField(help_text="bytes that came out")
    packed = models.BigIntegerField(help_text="bytes of the archive that were read for it")
    stopped = models.CharField(max_length=300, blank=True, help_text="why it was read no further; empty: to its end")
    tool = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job"], name="a_job_lists_an_archive_once")]

    @property
    def erased(self) -> bool:
        """Whether the names were erased since."""
        return self.salt is None and self.count > 0


def newest_of(item_id: UUID) -> ArchiveListing | None:
    """The listing of an exhibit that counts."""
    return ArchiveListing.objects.filter(item=item_id).order_by("-at", "-id").first()
