"""The link graph of a cluster, small enough to be looked at: at most five hundred nodes, whatever the cluster's size.

Accounts that share the same set of values are one node with a count. Values that very many members share (hubs of the
cluster) are one node with a count, since drawing them one by one would tie everything to everything. What does not fit
is folded by the strongest value it has; the counts say how much.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import rustworkx
from django.db import connection

from detection.models import Cluster

MOST_VALUES = 98
MOST_SETS = 300  # sets of values drawn one by one; the accounts of all others fold by their strongest value
HUB_SHARE, HUB_FLOOR = 0.5, 20
EDGES_OF_A_FOLD = 5
RANKED = 120
NAMED = 3  # accounts of a node that are named
SEED, ITERATIONS, SPREAD = 20260604, 150, 2.0  # of the layout; the program's version stands with the drawing


@dataclass(frozen=True)
class Ranked:
    """A value that members share: how many do, how rare it is, how strong; `weight` is strength × members."""

    attribute: UUID
    signal: str
    accounts: int
    holders: int
    population: int
    strength: float

    @property
    def weight(self) -> float:
        return self.strength * self.accounts


RANKS = """
SELECT attribute_id, min(signal), count(DISTINCT account_id), max(holders), max(population), max(strength)
FROM detection_clusterlink WHERE cluster_id = %s GROUP BY attribute_id
"""
SETS = """
WITH shown AS (SELECT * FROM unnest(%s::uuid[], %s::int[]) AS t (attribute_id, place)),
sets AS (
    SELECT l.account_id, array_agg(DISTINCT s.place ORDER BY s.place) AS places
    FROM detection_clusterlink l JOIN shown s USING (attribute_id) WHERE l.cluster_id = %s GROUP BY l.account_id
)
SELECT places, count(*), (array_agg(account_id ORDER BY account_id))[1:%s] FROM sets GROUP BY places
"""


def ranked(cluster: Cluster) -> list[Ranked]:
    """Every value that members share, those first that tie most: by strength times members, then by rarity."""
    with connection.cursor() as cursor:
        cursor.execute(RANKS, [cluster.pk])
        rows = [Ranked(*row) for row in cursor.fetchall()]
    return sorted(rows, key=lambda one: (-one.weight, one.holders, str(one.attribute)))


REASONS = """
SELECT a.id, (SELECT l.id FROM detection_clusterlink l WHERE l.cluster_id = %s AND l.attribute_id = a.id
              ORDER BY l.strength DESC, l.account_id LIMIT 1)
FROM unnest(%s::uuid[]) AS a (id)
"""


def listed(cluster: Cluster, values: Sequence[Ranked]) -> list[dict[str, Any]]:
    """The first ranked values as a drawing keeps them, each with the link whose reason says why it ties."""
    shown = values[:RANKED]
    with connection.cursor() as cursor:
        cursor.execute(REASONS, [cluster.pk, [one.attribute for one in shown]])
        links = dict(cursor.fetchall())
    return [
        {
            "attribute": str(one.attribute),
            "link": str(links[one.attribute]),
            "signal": one.signal,
            "accounts": one.accounts,
            "holders": one.holders,
            "population": one.population,
            "strength": one.strength,
        }
        for one in shown
    ]


def graph_of(cluster: Cluster) -> dict[str, Any]:
    """The graph with its places, and the ranked values; the same cluster gives the same graph.

    `nodes` are `{"kind": "value" | "hubs" | "accounts", "count", "x", "y", …}` with places within −1 and 1; `edges`
    `[node, node, accounts]`; `ranked` the values by rank; `left_out` what no node stands for.
    """
    values = ranked(cluster)
    hubs = [one for one in values if _is_hub(one, cluster.account_count)]
    single = [one for one in values if not _is_hub(one, cluster.account_count)][:MOST_VALUES]
    ranks = {one.attribute: place for place, one in enumerate(values)}
    nodes: list[dict[str, Any]] = [
        {"kind": "value", "rank": ranks[one.attribute], "attribute": str(one.attribute), "count": one.accounts}
        for one in single
    ]
    if hubs:
        nodes.append({"kind": "hubs", "ranks": [ranks[one.attribute] for one in hubs], "count": len(hubs)})
    edges: list[tuple[int, int, int]] = []
    sets = _sets(cluster, single, hubs)
    for group in _folded(sets):
        place = len(nodes)
        nodes.append({"kind": "accounts", "count": group.accounts, "sets": group.sets, "accounts": group.named})
        edges += [(place, value, accounts) for value, accounts in group.ties]
    for node, (x, y) in zip(nodes, _places(len(nodes), edges), strict=True):
        node |= {"x": x, "y": y}
    return {
        "nodes": nodes,
        "edges": [list(edge) for edge in edges],
        "ranked": listed(cluster, values),
        "values": len(values),
        "left_out": {
            "values": len(values) - len(single) - len(hubs),
            "accounts": cluster.account_count - sum(one.accounts for one in sets),
        },
    }


def _is_hub(one: Ranked, members: int) -> bool:
    return one.accounts >= max(HUB_FLOOR, HUB_SHARE * members)


@dataclass(frozen=True)
class _Group:
    """Accounts drawn as one node: of how many sets of values, what ties them, and the first few by id."""

    accounts: int
    sets: int
    ties: list[tuple[int, int]]
    named: list[str]


@dataclass(frozen=True)
class _Set:
    """Accounts that share exactly these values, by the places of their nodes."""

    places: tuple[int, ...]
    accounts: int
    named: list[str]


def _sets(cluster: Cluster, single: Sequence[Ranked], hubs: Sequence[Ranked]) -> list[_Set]:
    """The accounts by what they share of the values drawn, largest first; all hubs count as the one node they are."""
    drawn = [one.attribute for one in [*single, *hubs]]
    places = [*range(len(single)), *(len(single) for _ in hubs)]
    with connection.cursor() as cursor:
        cursor.execute(SETS, [drawn, places, cluster.pk, NAMED])
        rows = [_Set(tuple(row[0]), row[1], [str(account) for account in row[2]]) for row in cursor.fetchall()]
    return sorted(rows, key=lambda one: (-one.accounts, one.places))


def _folded(sets: Sequence[_Set]) -> list[_Group]:
    groups = [_Group(one.accounts, 1, [(place, one.accounts) for place in one.places], one.named) for one in sets]
    by_strongest: dict[int, list[_Set]] = {}
    for one in sets[MOST_SETS:]:
        by_strongest.setdefault(one.places[0], []).append(one)
    return [*groups[:MOST_SETS], *(_fold(by_strongest[place]) for place in sorted(by_strongest))]


def _fold(sets: Sequence[_Set]) -> _Group:
    ties = Counter[int]()
    for one in sets:
        ties.update(dict.fromkeys(one.places, one.accounts))
    strongest = sorted(ties.items(), key=lambda tie: (-tie[1], tie[0]))[:EDGES_OF_A_FOLD]
    return _Group(sum(one.accounts for one in sets), len(sets), strongest, sets[0].named)


def _places(count: int, edges: Sequence[tuple[int, int, int]]) -> list[tuple[float, float]]:
    """Places by forces (Fruchterman and Reingold 1991), seeded."""
    graph: rustworkx.PyGraph[int, float] = rustworkx.PyGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from([(one, other, 1.0) for one, other, _ in edges])
    spread = SPREAD / max(1, count) ** 0.5
    found: Mapping[int, Sequence[float]] = rustworkx.spring_layout(
        graph, seed=SEED, num_iter=ITERATIONS, k=spread, weight_fn=float
    )
    return [(round(found[node][0], 4), round(found[node][1], 4)) for node in range(count)]
