"""Runs as pages and API show them: with what each found, in a fixed number of queries."""

from typing import Any

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from detection.models import Answer, Cluster, Run


def runs() -> QuerySet[Run]:
    """Runs with `cluster_count`, `leads` (clusters worth a look), `findings_new`, `findings_known`, and the source."""
    own = Cluster.objects.filter(run=OuterRef("pk")).order_by().values("run")
    return Run.objects.select_related("source").annotate(
        cluster_count=_of(own.annotate(n=Count("pk"))),
        worth_a_look=_of(own.filter(worth_a_look=True).annotate(n=Count("pk"))),
        findings_new=_of(_summed("new")),
        findings_known=_of(_summed("known")),
    )


def before(run: Run) -> Run | None:
    """The run of the same source that had finished before this one, None for the first."""
    earlier = Run.objects.filter(source=run.source_id, finished_at__lte=run.finished_at).exclude(pk=run.pk)
    return earlier.order_by("-finished_at", "-id").first()


def answers(run: Run) -> list[Answer]:
    """Each detector's answer, in the order they were asked."""
    return list(run.answers.select_related("detector_version__detector").order_by("place"))


def _summed(name: str) -> QuerySet[Any]:
    """The sum of one count of a run's answers."""
    own = Answer.objects.filter(run=OuterRef("pk")).order_by().values("run")
    return own.annotate(n=Sum(Cast(KeyTextTransform(name, "counts"), IntegerField())))


def _of(counted: QuerySet[Any]) -> Any:
    return Coalesce(Subquery(counted.values("n"), output_field=IntegerField()), 0)
