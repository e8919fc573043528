"""The records both apps stand on: the log and its tree, append-only rows, jobs, and the outbox."""

from typing import Any, ClassVar, NoReturn

from django.db import models
from django.utils import timezone

from spine.ids import new_id


class LogEntry(models.Model):
    """One act and who answers for it; the leaf of the log is made from it (docs/formats/log.md)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=80)
    about = models.CharField(max_length=200, blank=True)
    scope = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    salt = models.BinaryField(max_length=32)
    row_count = models.PositiveIntegerField(default=0)
    row_digests = models.BinaryField(default=b"")
    rows_root = models.BinaryField(max_length=32)

    class Meta:
        indexes = [
            models.Index(fields=["-at", "-id"], name="log_newest_first"),
            models.Index(fields=["scope", "-at", "-id"], name="log_of_one_case"),
            models.Index(fields=["action", "-at"], name="log_by_action"),
        ]


class AppendOnly(models.Model):
    """A protected row. Written once by `spine.log.record`; the database refuses to change or remove it.

    PERSONAL names the columns whose values stand in the row's digest only as a salted commitment. COPIED rows are
    written by COPY where they are many; the database copies nothing into a table with row-level security.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ()
    COPIED: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    entry = models.ForeignKey(LogEntry, on_delete=models.PROTECT, related_name="+", editable=False)
    place = models.PositiveIntegerField(editable=False)
    salt = models.BinaryField(max_length=32, null=True, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} rows are written by spine.log.record, once")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(f"{type(self).__name__} rows are never removed")


class Pending(models.Model):
    """An entry that waits for its index. Emptied by the sequencer."""

    entry = models.OneToOneField(LogEntry, primary_key=True, on_delete=models.PROTECT, related_name="pending")


class Sequence(models.Model):
    """An entry's place in the log."""

    index = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(LogEntry, on_delete=models.PROTECT, related_name="sequence")
    leaf_hash = models.BinaryField(max_length=32)


class Node(models.Model):
    """Root of a complete subtree: covers leaves index·2^level … (index+1)·2^level − 1, level ≥ 1."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)


class Checkpoint(models.Model):
    """A signed statement of the log's size and root. It has no time of its own: its last entry's stands for it."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    note = models.TextField()


class KeyHandover(AppendOnly):
    """The old signing key's word that the new one signs checkpoints of more than `size` entries.

    The form is docs/formats/log.md, section 6. Keys and signatures in hexadecimal.
    """

    origin = models.CharField(max_length=100)
    size = models.BigIntegerField()
    old_key = models.CharField(max_length=64)
    new_key = models.CharField(max_length=64, unique=True)
    old_signature = models.CharField(max_length=128)
    new_signature = models.CharField(max_length=128)
    at = models.DateTimeField(default=timezone.now)


class TimeStampChain(AppendOnly):
    """The certificates by which tokens were checked, as they were pinned then."""

    sha256 = models.CharField(max_length=64, unique=True)
    pem = models.TextField()


class TimeStamp(AppendOnly):
    """An RFC 3161 response over a checkpoint's note, as it came. One that is quarantined counts for nothing."""

    size = models.BigIntegerField()
    checkpoint_sha256 = models.CharField(max_length=64)
    response = models.BinaryField()
    stated_at = models.DateTimeField(help_text="the authority's time")
    received_at = models.DateTimeField(help_text="our time")
    serial = models.CharField(max_length=64)
    nonce = models.CharField(max_length=64)
    chain_sha256 = models.CharField(max_length=64)
    quarantine = models.CharField(max_length=300, null=True, help_text="why it does not count")  # noqa: DJ001 - NULL is left out of the row's form

    class Meta:
        indexes = [models.Index(fields=["checkpoint_sha256"], name="stamps_of_a_checkpoint")]


class TimeStampDue(models.Model):
    """A checkpoint that waits for its time stamp."""

    size = models.BigIntegerField(primary_key=True)
    since = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=1000, blank=True)


class Departure(models.Model):
    """An attempt to send a copy of a checkpoint out of this site, and what came of it.

    Not in the log: an entry for every departure would be a new checkpoint that has to leave.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    destination = models.CharField(max_length=500)
    size = models.BigIntegerField()
    at = models.DateTimeField()
    left = models.BooleanField()
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [models.Index(fields=["destination", "-at"], name="departures_newest_first")]


class Condition(models.Model):
    """Something that is wrong now and lasts: the signer is away, no checkpoint leaves. Gone when it is over."""

    name = models.CharField(max_length=100, primary_key=True)
    text = models.CharField(max_length=1000)
    since = models.DateTimeField()
    seen = models.DateTimeField()


class Seen(models.Model):
    """A worker, or a piece of scheduled work, that has shown itself: since when, and when last (spine.presence)."""

    name = models.CharField(max_length=200, primary_key=True)
    since = models.DateTimeField()
    seen = models.DateTimeField()
    facts = models.JSONField(default=dict, help_text="of a worker: how many jobs at once, which release")


class Counted(models.Model):
    """A total that only grows (spine.counting)."""

    pk = models.CompositePrimaryKey("name", "label")
    name = models.CharField(max_length=60)
    label = models.CharField(max_length=120)
    value = models.BigIntegerField()


class JobState(models.TextChoices):
    """Where a job is. Stopped: by a person, and it waits for nobody. Parked: it killed its worker three times and waits
    for a person.
    """

    QUEUED = "queued", "waiting"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    STOPPED = "stopped", "stopped"
    PARKED = "parked", "set aside"


class Job(models.Model):
    """Work for a worker. This row is the truth; a message only carries its id."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=300, help_text="the same key is the same work")
    args = models.JSONField(default=dict)
    actor = models.CharField(max_length=200)
    scope = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    holder = models.UUIDField(null=True, help_text="the attempt that holds the lease")
    worker = models.CharField(max_length=200, blank=True, help_text="the worker that took it last")
    request_id = models.CharField(max_length=64, blank=True, help_text="the request that asked for it")
    lease_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True, help_text="it waits for the database to have room until then")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_unfinished_job_per_key",
            ),
            models.CheckConstraint(condition=models.Q(state__in=JobState.values), name="job_state_is_known"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=models.Q(state__in=["queued", "running"]), name="unfinished"),
            models.Index(fields=["scope", "-created_at"], name="jobs_of_one_case"),
            models.Index(fields=["kind", "key", "created_at"], name="jobs_of_one_key"),
            models.Index(fields=["kind"], condition=models.Q(state__in=["failed", "parked"]), name="jobs_that_failed"),
        ]

    @property
    def is_finished(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.state not in {JobState.QUEUED, JobState.RUNNING}

    @property
    def percent(self) -> int:
        """Share done, 0–100; 0 while the total is unknown."""
        return min(100, round(100 * self.done / self.total)) if self.total else 0


class Outbox(models.Model):
    """Something that happened in a committed transaction and has a follow-up elsewhere."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    topic = models.CharField(max_length=60)
    payload = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True, help_text="the request that it follows from")
    created_at = models.DateTimeField(default=timezone.now)
    handled_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], condition=models.Q(handled_at=None), name="outbox_waiting")]


class Destruction(AppendOnly):
    """The certificate of one thing that was destroyed: what, its digest, by which granted order, when.

    Written in the transaction in which it goes; the database refuses it while a hold covers the thing, and unless a
    second person granted an order that names it. `commitment` is of the personal columns of an erased row.
    """

    class Kind(models.TextChoices):
        """What went."""

        BLOB = "blob", "bytes in the vault"
        TELEMETRY_FILE = "telemetry_file", "rows of a telemetry file"
        PACKAGE = "package", "rendered packages"
        ROW = "row", "personal columns of a row"
        ACCOUNT = "account", "identifiers of an account"
        ATTRIBUTE = "attribute", "an attribute's value"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.CharField(max_length=130, help_text="digest, id, or table:id")
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(null=True)
    commitment = models.BinaryField(max_length=32, null=True)
    order_id = models.UUIDField(help_text="the granted order")
    basis = models.CharField(max_length=300, help_text="the policy or law the order rests on")
    ordered_by = models.CharField(max_length=130, help_text="the two principals")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order_id", "kind", "key"], name="an_order_destroys_a_thing_once"),
            models.CheckConstraint(
                condition=models.Q(kind="row", commitment__isnull=False)
                | models.Q(kind__in=["blob", "telemetry_file", "package", "account", "attribute"], commitment=None),
                name="an_erased_row_leaves_its_commitment",
            ),
        ]
        indexes = [models.Index(fields=["kind", "key"], name="destroyed_things")]
