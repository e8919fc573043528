"""Feeds: where findings are pulled from, how far each has come, and what every pull brought.

These rows are no statements: they may change. What a feed's keeper did stands in the log, what it brought in findings.
"""

from django.db import models
from django.utils import timezone

from spine.ids import new_id


class FeedKind(models.TextChoices):
    """What a feed can be of; each has its file in detection/feeds."""

    HTTP = "http", "HTTP API"
    FOLDER = "folder", "folder"
    S3 = "s3", "S3 prefix"
    SQL = "sql", "SQL query"


class Feed(models.Model):
    """A source of one detector's findings, pulled on a schedule. `secret` is sealed and never shown."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60, unique=True)
    detector = models.ForeignKey("detection.Detector", on_delete=models.PROTECT, related_name="feeds")
    kind = models.CharField(max_length=10, choices=FeedKind.choices)
    settings = models.JSONField(default=dict)
    mapping = models.JSONField(default=dict)
    secret = models.TextField(blank=True)
    schedule_minutes = models.PositiveIntegerField(default=15)
    paused = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    cursor = models.JSONField(default=dict, help_text="where the next pull begins; changed with what was fetched")
    next_pull_at = models.DateTimeField(default=timezone.now)
    last_pull_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    caught_up_at = models.DateTimeField(null=True, help_text="when the source had nothing more")
    reached_at = models.DateTimeField(null=True, help_text="the newest moment the source has told of")
    failures = models.PositiveIntegerField(default=0, help_text="in a row")
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=FeedKind.values), name="feed_kind_is_known"),
            models.CheckConstraint(condition=models.Q(schedule_minutes__gte=1), name="feed_schedule_is_minutes"),
        ]

    def __str__(self) -> str:
        return self.name


class FeedPull(models.Model):
    """One pull, from its beginning on: a job that was taken up again goes on with its row."""

    class State(models.TextChoices):
        """How it stands. Stopped: the feed was paused or changed meanwhile."""

        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        STOPPED = "stopped", "stopped"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="pulls")
    job_id = models.UUIDField(unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    revision = models.PositiveIntegerField()
    window_start = models.DateTimeField(null=True)
    window_end = models.DateTimeField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    created = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    superseded = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    rejections = models.JSONField(default=list, help_text="the first hundred: [{place, line, pointer, detail}]")
    error = models.CharField(max_length=500, blank=True)
    more = models.BooleanField(default=False, help_text="the source has more than one pull takes")
    cursor_before = models.JSONField(default=dict)
    cursor_after = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(window_start=None, window_end=None)
                | models.Q(window_start__lt=models.F("window_end")),
                name="pull_window_in_order",
            ),
        ]
        indexes = [models.Index(fields=["feed", "-id"], name="pulls_of_a_feed")]


class FeedFile(models.Model):
    """A file of a feed as it was read last; `done` when to its end."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=4096)
    stamp = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    rows = models.BigIntegerField()
    done = models.BooleanField()
    read_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "name"], name="one_row_per_file_of_a_feed")]
        indexes = [models.Index(fields=["feed", "sha256"], name="files_by_their_bytes")]
