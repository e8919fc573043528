"""The link graph: folded to what can be looked at, with counts that add up, the same each time."""

from itertools import combinations
from typing import Any

import pytest
from django.db import transaction

from detection import graph
from detection.graph import MOST_SETS, MOST_VALUES
from detection.models import Attribute, Cluster, ClusterLink
from spine import log
from tests.factories import make_cluster

pytestmark = pytest.mark.django_db


def tie(cluster: Cluster, value: str, places: Any, strength: float = 0.5) -> Attribute:
    """Have the members at these places share one more value."""
    attribute = Attribute.objects.create(type="ip", value=value)
    members = list(cluster.members.order_by("account__provider_id"))
    rows = [
        ClusterLink(
            cluster=cluster,
            account_id=members[place].account_id,
            attribute=attribute,
            signal="shared_attribute",
            count=1,
            holders=len(list(places)),
            population=2481,
            strength=strength,
            reason=f"{value} is shared",
            first_seen=cluster.first_seen,
            last_seen=cluster.last_seen,
        )
        for place in places
    ]
    with transaction.atomic():
        log.record(actor="system:test", action="run.finished", about=cluster.run, data={}, rows=rows)
    return attribute


def counts(made: dict[str, Any], kind: str) -> list[int]:
    return sorted(node["count"] for node in made["nodes"] if node["kind"] == kind)


def test_accounts_with_the_same_values_are_one_node_and_what_most_share_is_one_too() -> None:
    cluster = make_cluster(40)  # all forty pay alike
    tie(cluster, "203.0.113.1", range(10))
    tie(cluster, "203.0.113.2", range(10))
    tie(cluster, "203.0.113.3", range(10, 15))
    made = graph.graph_of(cluster)
    assert (counts(made, "value"), counts(made, "hubs"), counts(made, "accounts")) == ([5, 10, 10], [1], [5, 10, 25])
    assert made["left_out"] == {"values": 0, "accounts": 0}
    assert sum(accounts for _, _, accounts in made["edges"]) == 25 + 40


def test_values_are_ranked_by_what_they_tie_and_carry_the_reason_of_a_link() -> None:
    cluster = make_cluster(6)
    strong, weak = tie(cluster, "a", range(3), 0.9), tie(cluster, "b", range(3), 0.1)
    made = graph.graph_of(cluster)["ranked"]
    assert [one["attribute"] for one in made[1:]] == [str(strong.pk), str(weak.pk)]
    assert [ClusterLink.objects.get(pk=one["link"]).reason for one in made[1:]] == ["a is shared", "b is shared"]


def test_the_same_cluster_gives_the_same_places_within_the_frame() -> None:
    cluster = make_cluster(12)
    for place in range(6):
        tie(cluster, f"v{place}", range(place, place + 3))
    one, other = graph.graph_of(cluster), graph.graph_of(cluster)
    assert one == other
    assert all(-1 <= node[axis] <= 1 for node in one["nodes"] for axis in "xy")


def test_more_than_fits_is_folded_and_the_counts_still_add_up() -> None:
    values = [
        graph.Ranked(attribute=one.pk, signal="s", accounts=2, holders=2, population=9, strength=0.5)
        for one in (Attribute(type="ip", value=str(n)) for n in range(MOST_VALUES))
    ]
    sets = [graph._Set(pair, 2, ["a"]) for pair in combinations(range(len(values)), 2)]
    groups = graph._folded(sets)
    assert len(values) + 1 + len(groups) <= 500
    assert sum(group.accounts for group in groups) == 2 * len(sets)
    assert [group.sets for group in groups[:MOST_SETS]] == [1] * MOST_SETS
    assert max(len(group.ties) for group in groups) == 5
