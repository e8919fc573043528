"""Findings and what is made of them: detectors, accounts, attributes, telemetry files, runs and clusters.

Findings, runs and clusters are append-only. Accounts and attributes are an index over findings: they may be filled in,
never judged here. This app knows nothing of cases.
"""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from spine.ids import new_id
from spine.models import AppendOnly, LogEntry

# The day of a time in UTC, as an index may have it: detection/window_days.py asks in the same words.
DAY = "(timezone('UTC'::text, %(expressions)s))::date"


class Lifecycle(models.TextChoices):
    """Where a detector stands: what becomes of its findings."""

    DRAFT = "draft", "draft"
    MONITOR = "monitor", "monitor"
    ACTIVE = "active", "active"
    RETIRED = "retired", "retired"


class Detector(models.Model):
    """Who states findings: one of ours, or somebody's who holds a key."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120, unique=True)
    title = models.CharField(max_length=200, blank=True)
    built_in = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    lifecycle = models.CharField(max_length=10, choices=Lifecycle.choices, default=Lifecycle.ACTIVE)
    owner = models.CharField(max_length=200, blank=True, help_text="the team or person who answers for it")
    description = models.TextField(blank=True)
    runbook = models.CharField(max_length=500, blank=True, help_text="where it is written what to do with its findings")
    cadence_minutes = models.PositiveIntegerField(
        null=True, help_text="a finding at least this often; null: no promise"
    )
    heard_at = models.DateTimeField(null=True, help_text="when findings of it were last taken, new ones or repeated")
    grouping = models.JSONField(null=True, help_text="how its findings are joined into leads; null: they are not")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(lifecycle__in=Lifecycle.values), name="lifecycle_is_known"),
            models.CheckConstraint(
                condition=models.Q(cadence_minutes=None) | models.Q(cadence_minutes__gte=1),
                name="cadence_is_a_minute_or_more",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DetectorVersion(models.Model):
    """A version of a detector with the digest of its parameters, registered when its first finding or run arrives."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    detector = models.ForeignKey(Detector, on_delete=models.PROTECT, related_name="versions")
    version = models.CharField(max_length=60)
    config_sha256 = models.CharField(max_length=64, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["detector", "version", "config_sha256"], name="one_row_per_detector_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.detector.name} {self.version}"


class Account(models.Model):
    """A customer identity at the provider. People see the pseudonym; the provider's id is for enforcement."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    namespace = models.CharField(max_length=60, default="default")
    provider_id = models.CharField(max_length=200)
    pseudonym = models.CharField(max_length=20)
    first_seen = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "provider_id"], name="one_row_per_provider_id"),
            models.UniqueConstraint(fields=["pseudonym"], name="one_account_per_pseudonym"),
        ]

    def __str__(self) -> str:
        return self.pseudonym


class Attribute(models.Model):
    """A typed value that accounts have shown."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.CharField(max_length=40)
    value = models.CharField(max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "value"], name="one_row_per_attribute_value")]

    def __str__(self) -> str:
        return f"{self.type} {self.value}"


class Confidence(models.TextChoices):
    """How sure a detector is of its own statement."""

    LOW = "low", "low"
    MODERATE = "moderate", "moderate"
    HIGH = "high", "high"


class FindingQuerySet(models.QuerySet["Finding"]):
    """Words for questions about findings."""

    def current(self) -> "FindingQuerySet":
        """Leave out versions that a higher one of the same uid has superseded."""
        higher = Finding.objects.filter(
            detector=models.OuterRef("detector"), uid=models.OuterRef("uid"), version__gt=models.OuterRef("version")
        )
        return self.exclude(models.Exists(higher))


class Finding(AppendOnly):
    """An immutable statement of a detector version about accounts in a window. The received bytes are the statement."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("title", "summary", "payload", "payload_sha256", "content_sha256")

    # That these three exist is checked once for all rows of a statement (docs/decisions/0017), not row by row.
    entry = models.ForeignKey(LogEntry, on_delete=models.PROTECT, related_name="+", editable=False, db_constraint=False)
    detector = models.ForeignKey(
        Detector, on_delete=models.PROTECT, related_name="findings", db_index=False, db_constraint=False
    )
    detector_version = models.ForeignKey(
        DetectorVersion, on_delete=models.PROTECT, related_name="findings", db_index=False, db_constraint=False
    )
    uid = models.CharField(max_length=200)
    version = models.PositiveIntegerField(default=1)
    signal = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    summary = models.TextField(blank=True)
    score = models.FloatField()
    confidence = models.CharField(max_length=10, blank=True)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    observed_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)
    account_count = models.PositiveIntegerField()
    payload = models.BinaryField()
    payload_sha256 = models.CharField(max_length=64)
    content_sha256 = models.CharField(
        max_length=64, help_text="of the payload's canonical JSON: the same content however it was spaced"
    )

    objects = FindingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["detector", "uid", "version"], name="one_finding_per_uid_and_version"),
            models.CheckConstraint(condition=models.Q(score__gte=0, score__lte=1), name="finding_score_within_0_1"),
            models.CheckConstraint(
                condition=models.Q(window_end__gte=models.F("window_start")), name="finding_window_in_order"
            ),
        ]
        # Lists are in the order of ids, which is that of arrival, so that one page costs the same under any filter.
        indexes = [
            models.Index(fields=["signal", "id"], name="findings_of_a_signal"),
            models.Index(fields=["detector", "id"], name="findings_of_a_detector"),
            models.Index(fields=["detector_version", "id"], name="findings_of_a_version"),
            models.Index(fields=["score"], name="findings_by_score"),
            models.Index(models.Func("window_start", template=DAY), "id", name="findings_by_first_day"),
            models.Index(models.Func("window_end", template=DAY), "id", name="findings_by_last_day"),
            models.Index(
                fields=["detector", "uid"], condition=models.Q(version__gt=1), name="findings_of_later_versions"
            ),
        ]


class FindingAccount(models.Model):
    """An account a finding speaks of, with its volume in the window as the detector states it.

    Rows are only ever added. That the finding and the account exist is checked once for all rows of a statement
    (docs/decisions/0017), not by a foreign key that looks at each row.
    """

    pk = models.CompositePrimaryKey("finding_id", "account_id")
    finding = models.ForeignKey(
        Finding, on_delete=models.PROTECT, related_name="accounts", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="findings", db_constraint=False, db_index=False
    )
    exchanges = models.BigIntegerField(null=True)
    input_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["account", "finding"], name="findings_of_an_account")]


class Sighting(models.Model):
    """An account has shown an attribute, according to a finding. Rows are only ever added, and checked as above."""

    pk = models.CompositePrimaryKey("finding_id", "account_id", "attribute_id")
    finding = models.ForeignKey(
        Finding, on_delete=models.PROTECT, related_name="sightings", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="sightings", db_constraint=False, db_index=False
    )
    attribute = models.ForeignKey(
        Attribute, on_delete=models.PROTECT, related_name="sightings", db_constraint=False, db_index=False
    )
    count = models.BigIntegerField(null=True)
    first_seen = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["attribute", "account"], name="sightings_of_an_attribute")]


class RunEvery(models.TextChoices):
    """How often detectors run over a source by themselves, when telemetry has come since."""

    OFF = "off", "not by itself"
    HOURLY = "hourly", "every hour"
    DAILY = "daily", "every day"


SIMULATED = "simulated: "  # how the name of a source begins whose telemetry was made up here, and no other's


class TelemetrySource(models.Model):
    """Where exchanges come from; the exchanges themselves stay in columnar files."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=60, unique=True)
    namespace = models.CharField(max_length=60, default="default")
    created_at = models.DateTimeField(default=timezone.now)
    run_every = models.CharField(max_length=10, choices=RunEvery.choices, default=RunEvery.OFF)
    run_days = models.PositiveIntegerField(default=45, help_text="how many of the newest days a scheduled run covers")
    run_asked_at = models.DateTimeField(null=True, help_text="when the schedule asked for a run last")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(run_every__in=RunEvery.values), name="run_schedule_is_known"),
            models.CheckConstraint(condition=models.Q(run_days__gte=1), name="run_window_is_days"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_simulated(self) -> bool:
        """Whether its telemetry was made up here: nothing found in it is evidence of anything."""
        return self.name.startswith(SIMULATED)

    def marked(self, title: str) -> str:
        """The title of something found in this source, which says so where the source is simulated."""
        return f"Simulated: {title}"[:300] if self.is_simulated else title


class FileKind(models.TextChoices):
    """What a telemetry file carries."""

    EXCHANGES = "exchanges", "exchanges"
    ACCOUNTS = "accounts", "accounts"
    NETWORKS = "networks", "networks"
    MODELS = "models", "model releases"


class TelemetryFile(models.Model):
    """A file that was read whole into a source's dataset. The same bytes are read once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="files")
    kind = models.CharField(max_length=10, choices=FileKind.choices)
    name = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    rows = models.BigIntegerField()
    bad = models.BigIntegerField()
    repeated = models.BigIntegerField()
    first_ts = models.DateTimeField(null=True)
    last_ts = models.DateTimeField(null=True)
    columns_present = models.JSONField(default=list)
    columns_absent = models.JSONField(default=list)
    unknown_columns = models.JSONField(default=dict)
    truncated = models.CharField(max_length=300, blank=True)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind", "sha256"], name="a_file_is_read_once")]


class BadLine(models.Model):
    """A line that was not kept: where and why. The first thousand of a file; the count on the file is exact."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    file = models.ForeignKey(TelemetryFile, on_delete=models.CASCADE, related_name="bad_lines")
    line = models.BigIntegerField()
    reason = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "line"], name="one_reason_per_line")]


class ModelRelease(AppendOnly):
    """When the provider released a model."""

    model = models.CharField(max_length=120, unique=True)
    released_at = models.DateTimeField()


class Run(AppendOnly):
    """One finished run: detectors over a window of a source, then clustering. Written whole at its end."""

    job_id = models.UUIDField(unique=True)
    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="runs")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    algorithm = models.CharField(max_length=60)
    algorithm_version = models.CharField(max_length=30)
    parameters = models.JSONField(default=dict)
    input_sha256 = models.CharField(max_length=64)
    account_count = models.IntegerField()
    edge_count = models.BigIntegerField()
    hubs = models.JSONField(default=list, help_text="attribute values set aside, with counts and reasons")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(default=timezone.now)


class Answer(AppendOnly):
    """What one detector answered in a run: found, nothing found, or could not tell; with counts and the reason."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="answers")
    detector_version = models.ForeignKey(DetectorVersion, on_delete=models.PROTECT, related_name="answers")
    status = models.CharField(max_length=20)
    reason = models.TextField()
    counts = models.JSONField(default=dict)
    hubs = models.JSONField(default=list)


class AssessmentLabel(models.TextChoices):
    """What a cluster is consistent with."""

    COORDINATED_EXTRACTION = "coordinated_extraction", "coordinated extraction"
    RESELLER_POOL = "reseller_pool", "reseller pool"
    BENIGN_AUTOMATION = "benign_automation", "benign automation"
    SHARED_EGRESS = "shared_egress", "shared egress"
    CANNOT_TELL = "cannot_tell", "cannot tell"


class Cluster(AppendOnly):
    """Accounts joined by links in one run. `key` is a hash of the members; `assessment_detail` has the reasons."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="clusters")
    key = models.CharField(max_length=64)
    title = models.CharField(max_length=300)
    assessment = models.CharField(max_length=30, choices=AssessmentLabel.choices)
    score = models.FloatField()
    assessment_detail = models.JSONField(default=dict)
    worth_a_look = models.BooleanField()
    signals = models.JSONField(default=list)
    account_count = models.IntegerField()
    exchanges = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    volume = models.JSONField(default=list, help_text="exchanges per UTC day and model: [{day, model, exchanges}]")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="one_cluster_per_key_in_a_run")]


class ClusterMember(AppendOnly):
    """An account in a cluster: how firmly it is tied, why, and its volume in the run's window."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reasons",)
    COPIED = True

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="members")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="memberships")
    strength = models.FloatField()
    reasons = models.JSONField(default=list)
    exchanges = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "account"], name="one_membership_per_account")]


class ClusterLink(AppendOnly):
    """Why an account is in a cluster: an attribute it shares, how rare that is, in words and as strength."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)
    COPIED = True

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="links")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="links")
    attribute = models.ForeignKey(Attribute, on_delete=models.PROTECT, related_name="links")
    signal = models.CharField(max_length=60)
    count = models.BigIntegerField()
    holders = models.IntegerField()
    population = models.IntegerField()
    strength = models.FloatField()
    reason = models.TextField()
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "account", "attribute", "signal"], name="one_link_per_attribute")
        ]


class ClusterFinding(AppendOnly):
    """A finding that a cluster rests on."""

    COPIED = True

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="findings")
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="clusters")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "finding"], name="one_row_per_cluster_finding")]


class DataClass(models.TextChoices):
    """What a source keeps, each kind of it for its own time."""

    REQUEST_LOGS = "request_logs", "request logs"
    CONTENT = "content", "prompts and responses"
    FLAGGED = "flagged", "flagged exchanges"
    ACCOUNT_RECORDS = "account_records", "account records"


class SourceRetention(AppendOnly):
    """How long a source keeps a kind of data before it expires there, and who answers for it. The newest row counts.

    `days` is None when it is kept without end, and 0 when nothing of it is kept.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("custodian", "contact")

    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="retention")
    data_class = models.CharField(max_length=20, choices=DataClass.choices)
    days = models.PositiveIntegerField(null=True)
    custodian = models.CharField(max_length=200, blank=True, help_text="who keeps it and takes requests to preserve it")
    contact = models.CharField(max_length=300, blank=True)
    note = models.CharField(max_length=500, blank=True, help_text="where this is written down")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(data_class__in=DataClass.values), name="data_class_is_known"),
            models.UniqueConstraint(
                fields=["source", "data_class"],
                condition=models.Q(supersedes=None),
                name="one_first_retention_per_data_class",
            ),
        ]


# Django looks for models here.
from detection.models_apart import KeptApart as KeptApart  # noqa: E402
from detection.models_apart import KeptApartAccount as KeptApartAccount  # noqa: E402
from detection.models_apart import KeptApartEffect as KeptApartEffect  # noqa: E402
from detection.models_apart import KeptApartLifted as KeptApartLifted  # noqa: E402
from detection.models_apart import Side as Side  # noqa: E402
from detection.models_drawings import ClusterDrawing as ClusterDrawing  # noqa: E402
from detection.models_feeds import Feed as Feed  # noqa: E402
from detection.models_feeds import FeedFile as FeedFile  # noqa: E402
from detection.models_feeds import FeedKind as FeedKind  # noqa: E402
from detection.models_feeds import FeedPull as FeedPull  # noqa: E402
from detection.models_registry import Canary as Canary  # noqa: E402
from detection.models_registry import CanaryReturn as CanaryReturn  # noqa: E402
from detection.models_registry import DetectorMeasure as DetectorMeasure  # noqa: E402
from detection.models_registry import ExcludedValue as ExcludedValue  # noqa: E402
from detection.models_registry import FindingBatch as FindingBatch  # noqa: E402
from detection.models_registry import GroupingDue as GroupingDue  # noqa: E402
from detection.models_registry import Quarantine as Quarantine  # noqa: E402
from detection.models_registry import QuarantineLifted as QuarantineLifted  # noqa: E402
from detection.models_registry import VersionRecall as VersionRecall  # noqa: E402
from detection.models_registry import VersionReinstated as VersionReinstated  # noqa: E402
from detection.models_tally import Received as Received  # noqa: E402
from detection.models_tally import ReceivedHour as ReceivedHour  # noqa: E402
