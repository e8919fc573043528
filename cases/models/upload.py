"""Uploads in progress: what has arrived of a file that will be an exhibit. Rows of work, not of record."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.models.evidence import EvidenceItem
from spine.ids import new_id


class UploadState(models.TextChoices):
    """Where an upload is."""

    OPEN = "open", "arriving"
    TAKING_IN = "taking_in", "being taken in"
    DONE = "done", "taken in"
    REFUSED = "refused", "refused"
    ENDED = "ended", "given up"


class Upload(models.Model):
    """A file that arrives in pieces and outlives both ends: `offset` bytes of it are on disk for certain."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="uploads")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=UploadState.choices, default=UploadState.OPEN)
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=300)
    authority = models.CharField(max_length=300, blank=True)
    acquired_at = models.DateTimeField()
    clock = models.CharField(max_length=60, blank=True)
    method = models.CharField(max_length=300, blank=True)
    tool = models.CharField(max_length=100, blank=True)
    tool_version = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=30)
    details = models.JSONField(default=dict)
    file_name = models.CharField(max_length=255)
    declared_type = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="as the sender states it")
    size = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    job = models.UUIDField(null=True)
    item = models.ForeignKey(EvidenceItem, null=True, on_delete=models.PROTECT, related_name="+")
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(offset__gte=0, offset__lte=models.F("size")), name="an_upload_is_within_its_size"
            ),
            models.CheckConstraint(condition=models.Q(state__in=UploadState.values), name="upload_state_is_known"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="uploads_by_expiry")]

    @property
    def percent(self) -> int:
        """Share that has arrived, 0–100."""
        return 100 * self.offset // self.size if self.size else 0


class UploadPart(models.Model):
    """The digest of one stretch as it arrived; compared again when the upload is complete."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    offset = models.BigIntegerField()
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["upload", "offset"], name="one_part_at_an_offset")]
