"""A case, the clusters it holds, its accounts, and the verdict on each."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.vocabulary import Marking, VerdictValue
from detection.models import Account, Cluster, ClusterMember
from spine.ids import new_id
from spine.models import AppendOnly


class CaseStatus(models.TextChoices):
    """The steps of a case; cases.lifecycle says which moves there are."""

    OPEN = "open", "open"
    INVESTIGATING = "investigating", "investigating"
    ESCALATED = "escalated", "escalated"
    CLOSED = "closed", "closed"


class Case(models.Model):
    """One suspected incident. Every change of a field goes through a verb and is logged with old and new value."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ref = models.CharField(max_length=13, unique=True)
    title = models.CharField(max_length=200)
    summary = models.TextField(blank=True, help_text="the allegation in two sentences")
    status = models.CharField(max_length=15, choices=CaseStatus.choices, default=CaseStatus.OPEN)
    closing_reason = models.CharField(max_length=40, blank=True)
    marking = models.CharField(max_length=20, choices=Marking.choices, default=Marking.AMBER)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="assigned_cases"
    )
    restricted = models.BooleanField(default=False, help_text="only its members may know of it")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=CaseStatus.values), name="case_status_is_known"),
            models.CheckConstraint(condition=models.Q(marking__in=Marking.values), name="case_marking_is_known"),
        ]
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="cases_newest_first"),
            models.Index(fields=["id"], condition=models.Q(restricted=True), name="restricted_cases"),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"


class CaseCluster(AppendOnly):
    """The version of a cluster that a case holds. A newer run does not change it."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="clusters")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="cases")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "cluster"], name="a_case_holds_a_cluster_once")]


class Verdict(AppendOnly):
    """What a person decided about an account in a case. The newest one counts; all are kept.

    `supersedes` is the verdict it was decided over, so that no two decisions can stand on the same one.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="verdicts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="verdicts")
    value = models.CharField(
        max_length=20, choices=VerdictValue.choices, blank=True, help_text="empty when an undo takes the first one back"
    )
    reason = models.TextField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    job_id = models.UUIDField(null=True, help_text="the bulk decision this belongs to")
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(value__in=["", *VerdictValue.values]), name="verdict_is_known"),
            models.UniqueConstraint(fields=["job_id", "account"], name="a_bulk_decision_meets_an_account_once"),
            models.UniqueConstraint(
                fields=["case", "account"], condition=models.Q(supersedes=None), name="one_first_verdict_per_account"
            ),
        ]


class InCase(models.Manager["CaseAccount"]):
    """The accounts that are in their cases now."""

    def get_queryset(self) -> models.QuerySet["CaseAccount"]:
        """Without those that were detached."""
        return super().get_queryset().filter(detached_by=None)


class CaseAccount(models.Model):
    """An account in a case, through a held cluster; an index over protected rows, nothing is judged here.

    `member` is its membership in the held cluster of the newest run, `verdict` its newest verdict. `objects` are those
    in their cases; `everything` has those that were detached too, with the detachment that keeps them out.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="accounts")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="cases")
    member = models.ForeignKey(ClusterMember, on_delete=models.PROTECT, related_name="+")
    verdict = models.ForeignKey(Verdict, null=True, on_delete=models.PROTECT, related_name="+")
    value = models.CharField(max_length=20, choices=VerdictValue.choices, blank=True, help_text="of the newest verdict")
    exchanges = models.BigIntegerField(help_text="of `member`, to order and filter by")
    detached_by = models.ForeignKey("cases.Detachment", null=True, on_delete=models.PROTECT, related_name="+")

    objects = InCase()
    everything = models.Manager["CaseAccount"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "account"], name="an_account_is_in_a_case_once"),
            models.CheckConstraint(
                condition=models.Q(value="") | models.Q(value__in=VerdictValue.values, verdict__isnull=False),
                name="a_value_comes_from_a_verdict",
            ),
        ]
        indexes = [
            models.Index(fields=["case", "value", "-exchanges", "-id"], name="case_accounts_by_verdict"),
            models.Index(fields=["case", "-exchanges", "-id"], name="case_accounts_by_volume"),
        ]
