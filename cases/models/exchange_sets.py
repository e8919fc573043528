"""Exchange sets: rows at their source as one exhibit, asked again later, and samples drawn from them by a plan."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.models.evidence import EvidenceItem
from cases.vocabulary import VerdictValue
from detection.models import Account, TelemetrySource
from spine.models import AppendOnly


class ExchangeSet(AppendOnly):
    """Rows of a telemetry source by reference (docs/formats/exchange-set.md). Its exhibit's bytes are its statement.

    `key` opens what the rows say of people: without it the root still stands, and nothing can be opened any more.
    `accounts_sha256` names the list of our account ids in the vault, `leaves` and `nodes` the two files of section 3.
    """

    PERSONAL: ClassVar[tuple[str, ...]] = ("key", "chosen")

    item = models.OneToOneField(EvidenceItem, on_delete=models.PROTECT, related_name="exchange_set")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="exchange_sets")
    source = models.ForeignKey(TelemetrySource, on_delete=models.PROTECT, related_name="exchange_sets")
    job_id = models.UUIDField(unique=True)
    key = models.BinaryField(max_length=32)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    chosen = models.CharField(max_length=300, help_text="how the accounts were chosen, in words")
    account_count = models.PositiveIntegerField()
    accounts_sha256 = models.CharField(max_length=64)
    row_count = models.BigIntegerField()
    root = models.CharField(max_length=64)
    first_ts = models.DateTimeField(null=True)
    last_ts = models.DateTimeField(null=True)
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    leaves_sha256 = models.CharField(max_length=64)
    nodes_sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(window_end__gt=models.F("window_start")), name="a_set_has_a_window_in_order"
            ),
        ]


class ExchangeSetRerun(AppendOnly):
    """The same question asked again: what the source gives now, and how that differs. `report_sha256` has it whole."""

    exchange_set = models.ForeignKey(ExchangeSet, on_delete=models.PROTECT, related_name="reruns")
    job_id = models.UUIDField(unique=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    row_count = models.BigIntegerField()
    root = models.CharField(max_length=64)
    missing = models.BigIntegerField()
    expired = models.BigIntegerField(help_text="of the missing rows, those older than the source keeps")
    added = models.BigIntegerField()
    changed = models.BigIntegerField()
    retention_days = models.PositiveIntegerField(
        null=True, help_text="what the source kept then; empty: no known limit"
    )
    report_sha256 = models.CharField(max_length=64)


class StratumKind(models.TextChoices):
    """What a frame is divided by before rows are drawn."""

    NONE = "", "nothing: one stratum"
    VERDICT = "verdict", "verdict on the account"
    ACCOUNT = "account", "account"
    SIGNAL = "signal", "signals on the account"
    DAY = "day", "day (UTC)"
    MODEL = "model", "model"


class SamplingPlan(AppendOnly):
    """What was drawn from a set and how; the same plan draws the same rows everywhere (section 6)."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("question",)

    exchange_set = models.ForeignKey(ExchangeSet, on_delete=models.PROTECT, related_name="plans")
    number = models.PositiveIntegerField()
    job_id = models.UUIDField(unique=True)
    question = models.CharField(max_length=300, help_text="what reviewers decide about each row")
    seed = models.CharField(max_length=60)
    strata_by = models.CharField(max_length=10, choices=StratumKind.choices, blank=True)
    strata = models.JSONField(default=list, help_text="[{name, rows, sampled}] in order of names")
    per_stratum = models.PositiveIntegerField()
    confidence_level = models.PositiveSmallIntegerField(default=95)
    plan_sha256 = models.CharField(max_length=64, help_text="of the plan's canonical JSON, in the vault")
    planned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["exchange_set", "number"], name="a_plan_number_is_given_once"),
            models.CheckConstraint(condition=models.Q(strata_by__in=StratumKind.values), name="stratum_kind_is_known"),
            models.CheckConstraint(
                condition=models.Q(confidence_level__in=[90, 95, 99]), name="confidence_level_is_known"
            ),
        ]


class SampledExchange(AppendOnly):
    """A row that a plan drew. Its canonical bytes are kept, so that it can be proven after the source let it go."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("canonical", "request_id")

    plan = models.ForeignKey(SamplingPlan, on_delete=models.PROTECT, related_name="sample")
    ordinal = models.PositiveIntegerField(help_text="its place in the plan's list, from 1")
    stratum = models.CharField(max_length=120, blank=True)
    index = models.BigIntegerField()
    ts = models.DateTimeField()
    leaf_sha256 = models.CharField(max_length=64)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    request_id = models.TextField()
    canonical = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "ordinal"], name="a_place_in_a_sample_is_given_once"),
            models.UniqueConstraint(fields=["plan", "index"], name="a_row_is_drawn_once"),
        ]


class SampleResult(AppendOnly):
    """What one reviewer decided about one sampled row. A correction supersedes; who reviewed cannot change."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("note",)

    sampled = models.ForeignKey(SampledExchange, on_delete=models.PROTECT, related_name="results")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    value = models.CharField(max_length=20, choices=VerdictValue.choices)
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(value__in=VerdictValue.values), name="sample_result_is_known"),
            models.UniqueConstraint(
                fields=["sampled", "reviewer"],
                condition=models.Q(supersedes=None),
                name="one_first_result_per_reviewer",
            ),
        ]
