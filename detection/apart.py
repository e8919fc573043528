"""Accounts that people keep apart: which sides they stand on, and what that forbids a correlation to join.

Whoever correlates calls `settled` first and whoever decides `deciding`: a decision waits for correlations that are
under way, and those that begin after it follow it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from detection.joining import OTHER, Tags, forbids, one_sided
from detection.models import ClusterMember, KeptApart, KeptApartAccount, Side

LOCK = 0x61706172  # "apar"
# Everybody on either side of a decision k that stands, where k is one of the outer query.
SIDES = """
    SELECT s.account_id, s.side FROM detection_keptapartaccount s WHERE s.decision_id = k.id
    UNION ALL
    SELECT m.account_id, 'b' FROM detection_clustermember m
    WHERE k.rest AND m.cluster_id = k.cluster_id AND NOT EXISTS (
        SELECT FROM detection_keptapartaccount p WHERE p.decision_id = k.id AND p.account_id = m.account_id)
"""
STANDS = "NOT EXISTS (SELECT FROM detection_keptapartlifted l WHERE l.decision_id = k.id)"


def settled() -> None:
    """Until the end of the transaction no decision is made or taken back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def deciding() -> None:
    """Wait for the correlations that are under way; those that come wait for the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def sides_of(accounts: Collection[UUID]) -> dict[UUID, Tags]:
    """Of each of these accounts the sides on which it stands, by the decisions that meet both sides among them."""
    rows = _sides(accounts, f"{STANDS} AND {MET}")
    met: dict[UUID, set[str]] = {}
    for decision, _, side in rows:
        met.setdefault(decision, set()).add(side)
    both = {decision for decision, sides in met.items() if len(sides) == len(OTHER)}
    return _by_account((account, decision, side) for decision, account, side in rows if decision in both)


def sides_by(decisions: Collection[UUID], accounts: Collection[UUID]) -> dict[UUID, Tags]:
    """Of each of these accounts the sides on which it stands by these decisions."""
    rows = _sides(accounts, "k.id = ANY(%(decisions)s)", decisions=list(decisions))
    return _by_account((account, decision, side) for decision, account, side in rows)


MET = """EXISTS (
    SELECT FROM detection_keptapartaccount p
    WHERE p.decision_id = k.id AND p.side = 'a' AND p.account_id = ANY(%(accounts)s))"""


def _sides(accounts: Collection[UUID], which: str, **given: Any) -> list[tuple[UUID, UUID, str]]:
    query = f"""
        SELECT k.id, s.account_id, s.side FROM detection_keptapart k CROSS JOIN LATERAL ({SIDES}) s
        WHERE s.account_id = ANY(%(accounts)s) AND {which}
    """  # noqa: S608 - our own text
    with connection.cursor() as cursor:
        cursor.execute(query, {"accounts": list(accounts), **given})
        return list(cursor.fetchall())


def _by_account(rows: Iterable[tuple[UUID, UUID, str]]) -> dict[UUID, Tags]:
    found: dict[UUID, set[tuple[UUID, str]]] = {}
    for account, decision, side in rows:
        found.setdefault(account, set()).add((decision, side))
    return {account: frozenset(tags) for account, tags in found.items()}


def sides_in(clusters: Collection[UUID]) -> dict[UUID, Tags]:
    """Of each of these clusters the sides that its members stand on."""
    query = f"""
        SELECT DISTINCT k.id, m.cluster_id, s.side
        FROM detection_keptapart k CROSS JOIN LATERAL ({SIDES}) s
        JOIN detection_clustermember m ON m.account_id = s.account_id AND m.cluster_id = ANY(%(clusters)s)
        WHERE {STANDS} AND (EXISTS (
            SELECT FROM detection_keptapartaccount p
            JOIN detection_clustermember met ON met.account_id = p.account_id AND met.cluster_id = ANY(%(clusters)s)
            WHERE p.decision_id = k.id
        ) OR (k.rest AND EXISTS (
            SELECT FROM detection_clustermember p
            JOIN detection_clustermember met ON met.account_id = p.account_id AND met.cluster_id = ANY(%(clusters)s)
            WHERE p.cluster_id = k.cluster_id
        )))
    """  # noqa: S608 - our own text
    found: dict[UUID, set[tuple[UUID, str]]] = {pk: set() for pk in clusters}
    with connection.cursor() as cursor:
        cursor.execute(query, {"clusters": list(clusters)})
        for decision, cluster, side in cursor.fetchall():
            found[cluster].add((decision, side))
    return {cluster: frozenset(tags) for cluster, tags in found.items()}


def between(left: UUID, right: UUID) -> set[UUID]:
    """The decisions that keep two clusters apart: the one has accounts of one side alone, the other of the other."""
    sides: Mapping[UUID, Tags] = sides_in({left, right})
    return forbids(one_sided(sides[left]), one_sided(sides[right]))


def accounts_on(decision: KeptApart, side: str) -> QuerySet[Any]:
    """The rows, with `account`, of who stands on a side of a decision."""
    named = KeptApartAccount.objects.filter(decision=decision)
    if side == Side.OTHERS and decision.rest:
        return ClusterMember.objects.filter(cluster=decision.cluster_id).exclude(account__in=named.values("account"))
    return named.filter(side=side)
