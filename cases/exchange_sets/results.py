"""What reviewers said of a sample, put together: counts by result, and what they say of the whole set."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from cases.exchange_sets.intervals import Estimate, Stratum, estimate
from cases.models import SampleResult, SamplingPlan
from cases.vocabulary import VerdictValue

RULE = (
    "Each row counts by the newest result of each of its reviewers; where they differ, as unknown. The share is "
    "weighted by the rows of the strata; its interval is Wilson's, with strata at the sample's effective size."
)


@dataclass(frozen=True)
class Line:
    """One result: how many of the judged rows have it, and the share of the set that stands for."""

    value: str
    label: str
    found: int
    judged: int
    estimate: Estimate | None

    @property
    def in_words(self) -> str:
        """`58 of 60 actor-controlled: 88.6–99.1 %`."""
        said = f"{self.found:,} of {self.judged:,} {self.label}"
        if self.estimate is None:
            return said
        low, high = (f"{100 * part:.1f}" for part in (self.estimate.low, self.estimate.high))
        return f"{said}: {low}–{high} %"


@dataclass(frozen=True)
class Results:
    """A plan's results as they stand. `settled` counts rows by result."""

    total: int
    judged: int
    differing: int
    settled: dict[str, int]
    reviewers: list[str]
    lines: list[Line]


def settled_value(values: set[str]) -> str:
    """The result of a row from those of its reviewers."""
    return next(iter(values)) if len(values) == 1 else VerdictValue.UNKNOWN.value


def of_plan(plan: SamplingPlan, standing: QuerySet[SampleResult] | None = None) -> Results:
    """The results of a plan; `standing` are the results that count, by default those of now."""
    if standing is None:
        standing = SampleResult.objects.filter(superseded_by=None)
    rows = standing.filter(sampled__plan=plan).values_list("sampled_id", "value", "reviewer__username")
    said: dict[UUID, set[str]] = defaultdict(set)
    reviewers: set[str] = set()
    for sampled_id, value, reviewer in rows:
        said[sampled_id].add(value)
        reviewers.add(reviewer)
    strata = dict(plan.sample.values_list("id", "stratum"))
    settled = {sampled_id: settled_value(values) for sampled_id, values in said.items()}
    counts = Counter(settled.values())
    return Results(
        total=len(strata),
        judged=len(settled),
        differing=sum(len(values) > 1 for values in said.values()),
        settled=dict(counts),
        reviewers=sorted(reviewers),
        lines=[_line(plan, value, counts, settled, strata) for value in VerdictValue.values if counts[value]],
    )


def _line(
    plan: SamplingPlan, value: str, counts: Counter[str], settled: dict[UUID, str], strata: dict[UUID, Any]
) -> Line:
    judged: Counter[str] = Counter(strata[sampled_id] for sampled_id in settled)
    found: Counter[str] = Counter(strata[sampled_id] for sampled_id, said in settled.items() if said == value)
    frame = [Stratum(row["rows"], judged[row["name"][:120]], found[row["name"][:120]]) for row in plan.strata]
    known = estimate(frame, plan.confidence_level)
    return Line(value, VerdictValue(value).label, counts[value], len(settled), known)
