"""Hands clusters to the detectors of pools, and gives the clusters what those find: signals, findings, reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from detection.detectors.pool import Group
from detection.population import Population
from detection.records import SUSPICIONS, AccountFacts, Cluster, Clustering, FindingDraft, Outcome, Reason

MOST_GROUPS = 60
HIGHEST_WEIGHT = 3.0  # a test against drawn groups says less than what the cluster was found by


def population_of(facts: Mapping[str, AccountFacts]) -> Population:
    """Give the accounts side by side, without what findings say of them."""
    return Population((), facts)


def groups_of(found: Clustering, population: Population) -> list[Group]:
    """Give the clusters that are worth a look, the weightiest first, as groups of places."""
    chosen = [cluster for cluster in found.clusters if cluster.assessment.worth_a_look][:MOST_GROUPS]
    return [
        Group(cluster.key, np.array(sorted(population.place[m.account_id] for m in cluster.members), np.int64))
        for cluster in chosen
    ]


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
    side = "reasons_for" if cluster.assessment.label in SUSPICIONS else "reasons_against"
    reasons = sorted((*getattr(cluster.assessment, side), reason), key=lambda one: (-one.weight, one.feature))
    features = {**cluster.assessment.features, f"chance_{first.signal}": chance}
    return replace(
        cluster,
        signals=tuple(sorted({*cluster.signals, first.signal})),
        findings=tuple(sorted({*cluster.findings, *(finding.uid for finding in findings)})),
        assessment=replace(cluster.assessment, features=features, **{side: tuple(reasons)}),
    )
