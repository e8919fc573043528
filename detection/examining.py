"""Hands clusters to the detectors of pools, and gives the clusters what those find: signals, findings, reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from detection.detectors.pool import Group, PoolDetector
from detection.population import Population
from detection.records import SUSPICIONS, AccountFacts, Cluster, Clustering, FindingDraft, Outcome, Reason, Status

MOST_GROUPS = 60
NOT_LOOKED_AT = (
    "an examination as a pool: the detectors of pools look at the {most} clusters of a run that have the highest "
    "score, and this one was not among them"
)
HIGHEST_WEIGHT = 3.0  # a test against drawn groups says less than what the cluster was found by


def population_of(facts: Mapping[str, AccountFacts]) -> Population:
    """Give the accounts side by side, without what findings say of them."""
    return Population((), facts)


def groups_of(found: Clustering, population: Population) -> list[Group]:
    """Give the clusters that are worth a look, those of the highest score first, as groups of places."""
    chosen = _worth_a_look(found)[:MOST_GROUPS]
    return [
        Group(cluster.key, np.array(sorted(population.place[m.account_id] for m in cluster.members), np.int64))
        for cluster in chosen
    ]


def left_out(found: Clustering) -> tuple[Clustering, int]:
    """Give how many clusters are worth a look and are not looked at, and the clustering with a word in each of them."""
    keys = {cluster.key for cluster in _worth_a_look(found)[MOST_GROUPS:]}
    clusters = tuple(_not_looked_at(cluster) if cluster.key in keys else cluster for cluster in found.clusters)
    return replace(found, clusters=clusters), len(keys)


def told(outcome: Outcome, detector: PoolDetector, left: int) -> Outcome:
    """Give the outcome with what its reason has to say of the number of tests, and of `left` clusters not looked at."""
    said, tested = [outcome.reason], outcome.counts.get("pools_compared", 0)
    if outcome.status is not Status.COULD_NOT_TELL and tested > 1:
        chance = float(detector.parameters["highest_chance"])
        said.append(
            f"{tested:,} clusters were tested at a chance of {chance:g} each, with no correction for their number: "
            f"chance alone finds up to {chance * tested:.2g} of them."
        )
    counts = dict(outcome.counts)
    if left:
        said.append(
            f"{left:,} more clusters worth a look, beyond the {MOST_GROUPS} of highest score, were not looked at."
        )
        counts["pools_not_looked_at"] = left
    return replace(outcome, reason=" ".join(said), counts=counts)


def _worth_a_look(found: Clustering) -> list[Cluster]:
    return [cluster for cluster in found.clusters if cluster.assessment.worth_a_look]


def _not_looked_at(cluster: Cluster) -> Cluster:
    settle = (*cluster.assessment.would_settle, NOT_LOOKED_AT.format(most=MOST_GROUPS))
    return replace(cluster, assessment=replace(cluster.assessment, would_settle=settle))


def extended(found: Clustering, outcome: Outcome) -> Clustering:
    """Give the clustering with an outcome's findings among its clusters' own; the label stays what it was.

    What a pool does unlike others speaks for one operation: on the other side where the label is an open explanation.
    """
    by_cluster: dict[str, list[FindingDraft]] = {}
    for finding in outcome.findings:
        by_cluster.setdefault(str(finding.support["cluster"]), []).append(finding)
    return replace(found, clusters=tuple(_with(cluster, by_cluster.get(cluster.key, [])) for cluster in found.clusters))


def _with(cluster: Cluster, findings: list[FindingDraft]) -> Cluster:
    if not findings:
        return cluster
    first = findings[0]
    chance = first.support["chance"]
    assert isinstance(chance, float)
    reason = Reason(first.summary, HIGHEST_WEIGHT * first.score, f"pool.{first.signal}", chance)
    assessed = cluster.assessment
    assessed = replace(assessed, features={**assessed.features, f"chance_{first.signal}": chance})
    if assessed.label in SUSPICIONS:
        assessed = replace(assessed, reasons_for=_with_reason(assessed.reasons_for, reason))
    else:
        assessed = replace(assessed, reasons_against=_with_reason(assessed.reasons_against, reason))
    return replace(
        cluster,
        signals=tuple(sorted({*cluster.signals, first.signal})),
        findings=tuple(sorted({*cluster.findings, *(finding.uid for finding in findings)})),
        assessment=assessed,
    )


def _with_reason(reasons: tuple[Reason, ...], new: Reason) -> tuple[Reason, ...]:
    return tuple(sorted((*reasons, new), key=lambda one: (-one.weight, one.feature)))
