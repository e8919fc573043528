"""What is kept beside detectors to hold them to account: what each key sent, quarantines, and planted canaries."""

from django.db import models
from django.utils import timezone

from detection.records import Unit
from spine.ids import new_id
from spine.models import AppendOnly, LogEntry


class FindingBatch(models.Model):
    """Findings that were stored together under one log entry, and by which key or feed they came; rows are only added.

    Neither key nor feed: they came from a run of a built-in detector, or by a command.
    """

    entry = models.OneToOneField(LogEntry, primary_key=True, on_delete=models.PROTECT, related_name="+")
    detector = models.ForeignKey("detection.Detector", on_delete=models.PROTECT, related_name="+", db_index=False)
    key_id = models.UUIDField(null=True)
    feed = models.ForeignKey("detection.Feed", null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    received_at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["key_id", "received_at"], name="batches_of_a_key"),
            models.Index(fields=["detector", "received_at"], name="batches_of_a_detector"),
        ]


class GroupingDue(models.Model):
    """A batch that waits to be grouped; gone when it was."""

    batch = models.OneToOneField(FindingBatch, primary_key=True, on_delete=models.CASCADE, related_name="+")
    detector = models.ForeignKey("detection.Detector", on_delete=models.CASCADE, related_name="+")


class ExcludedValue(models.Model):
    """A value that joins no accounts: too common or known to be innocent, as somebody has said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    type = models.CharField(max_length=40)
    value = models.CharField(max_length=500)
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["type", "value"], condition=models.Q(removed_at=None), name="a_value_is_excluded_once"
            ),
        ]


class QuarantineQuerySet(models.QuerySet["Quarantine"]):
    """Words for questions about quarantines."""

    def standing(self) -> "QuarantineQuerySet":
        """Those that were not lifted."""
        return self.filter(lifted=None)


class Quarantine(AppendOnly):
    """Everything a key sent from a moment on, until a later one or from then on, is not to be relied on."""

    detector = models.ForeignKey("detection.Detector", on_delete=models.PROTECT, related_name="quarantines")
    key_id = models.UUIDField(db_index=True)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, help_text="the last moment that is covered; null: everything from then on")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(default=timezone.now)

    objects = QuarantineQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(until=None) | models.Q(until__gte=models.F("since")), name="quarantine_in_order"
            ),
        ]


class QuarantineLifted(AppendOnly):
    """The findings count again."""

    quarantine = models.OneToOneField(Quarantine, on_delete=models.PROTECT, related_name="lifted")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(default=timezone.now)


class VersionRecall(AppendOnly):
    """A detector's version is declared not to be relied on: what it found counts no more, who leaned on it is told."""

    detector_version = models.ForeignKey("detection.DetectorVersion", on_delete=models.PROTECT, related_name="recalls")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(default=timezone.now)


class VersionReinstated(AppendOnly):
    """The version may be relied on again."""

    recall = models.OneToOneField(VersionRecall, on_delete=models.PROTECT, related_name="reinstated")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(default=timezone.now)


UNIT_WORDS = {Unit.ACCOUNTS: "accounts", Unit.GROUPS: "groups drawn at random"}


class DetectorMeasure(AppendOnly):
    """How much of a benign reference a detector's version names, of how much, with an interval: accounts or groups.

    A version that looks at pools is measured on groups of the reference's accounts that were drawn at random. These are
    not look-alikes: the figure says nothing of classes, harnesses or gateways. Older rows, without `unit`, are of
    accounts.
    """

    detector_version = models.ForeignKey("detection.DetectorVersion", on_delete=models.PROTECT, related_name="measures")
    job_id = models.UUIDField()
    reference = models.CharField(max_length=60, help_text="the telemetry source that is taken to be benign")
    reference_sha256 = models.CharField(max_length=64, help_text="of the digests of its files")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    unit = models.CharField(  # noqa: DJ001 - NULL is left out of the row's form
        max_length=10,
        null=True,
        choices=[(unit.value, words) for unit, words in UNIT_WORDS.items()],
        help_text="what is counted; null: accounts",
    )
    active = models.PositiveIntegerField(
        help_text="accounts with an exchange in the window, or groups drawn of them that could be compared"
    )
    named = models.PositiveIntegerField(help_text="of these, how many findings name")
    low = models.FloatField(help_text="lower end of Wilson's interval at 95 %")
    high = models.FloatField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(named__lte=models.F("active"), active__gte=1), name="measure_names_active_accounts"
            ),
            models.CheckConstraint(
                condition=models.Q(unit=None) | models.Q(unit__in=[unit.value for unit in Unit]),
                name="measure_unit_is_known",
            ),
            models.UniqueConstraint(fields=["job_id", "detector_version"], name="a_job_measures_a_version_once"),
        ]

    @property
    def counted(self) -> Unit:
        """What `named` and `active` count, of older rows too."""
        return Unit(self.unit or Unit.ACCOUNTS)

    @property
    def total_in_words(self) -> str:
        """Of what `named` are some: "1,516 accounts", "200 groups drawn at random"."""
        return f"{self.active:,} {UNIT_WORDS[self.counted]}"

    @property
    def rate(self) -> float:
        """The share of active accounts, or of compared groups, that are named."""
        return self.named / self.active


class Canary(models.Model):
    """An account that its keeper makes behave as the detector should notice; findings about it open nothing.

    `account_id` is the provider's id of that account, which is no customer.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    detector = models.ForeignKey("detection.Detector", on_delete=models.PROTECT, related_name="canaries")
    namespace = models.CharField(max_length=60, default="default")
    account_id = models.CharField(max_length=200)
    every_minutes = models.PositiveIntegerField(help_text="a finding that names it comes back at least this often")
    note = models.CharField(max_length=500, blank=True, help_text="what is planted, and where")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["detector", "namespace", "account_id"],
                condition=models.Q(removed_at=None),
                name="one_canary_per_detector_and_account",
            ),
            models.CheckConstraint(condition=models.Q(every_minutes__gte=1), name="canary_comes_back_in_minutes"),
        ]


class CanaryReturn(models.Model):
    """A finding named the canary; rows are only added."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    canary = models.ForeignKey(Canary, on_delete=models.PROTECT, related_name="returns", db_index=False)
    finding = models.ForeignKey("detection.Finding", on_delete=models.PROTECT, related_name="canaries")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["canary", "finding"], name="a_finding_returns_a_canary_once")]
        indexes = [models.Index(fields=["canary", "-at"], name="returns_of_a_canary")]
