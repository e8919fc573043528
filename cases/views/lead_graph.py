"""The link graph of a lead as a picture: an SVG made here, whose nodes carry the numbers of the list above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detection.detectors.base import plural

WIDTH, HEIGHT, MARGIN = 1000, 640, 28
SMALLEST, GROWS = 4.0, 14.0  # radius of a node of accounts, and how much it grows up to the largest
VALUE, HUBS = 10.0, 16.0


@dataclass(frozen=True)
class Node:
    """A node where it is drawn; `number` is its place in the list, `text` what it stands for."""

    kind: str
    x: float
    y: float
    radius: float
    number: str
    text: str
    address: str


def picture(graph: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """What templates/cases/_lead_graph.html draws. `names` are the ranked values in words; further ones go unnamed."""
    most = max((node["count"] for node in graph["nodes"] if node["kind"] == "accounts"), default=1)
    nodes = [_node(node, names, most) for node in graph["nodes"]]
    edges = [
        {"from": one, "to": other, "x1": nodes[one].x, "y1": nodes[one].y, "x2": nodes[other].x, "y2": nodes[other].y}
        for one, other, _ in graph["edges"]
    ]
    numbered = list(enumerate(nodes))
    return {
        "edges": edges,
        "groups": [pair for pair in numbered if pair[1].kind == "accounts"],
        "values": [pair for pair in numbered if pair[1].kind != "accounts"],
        "folded": sum(node["kind"] == "accounts" and node["sets"] > 1 for node in graph["nodes"]),
        "left_out": graph["left_out"],
        "width": WIDTH,
        "height": HEIGHT,
    }


def _node(node: Mapping[str, Any], names: Sequence[str], most: int) -> Node:
    x = MARGIN + (node["x"] + 1) / 2 * (WIDTH - 2 * MARGIN)
    y = MARGIN + (node["y"] + 1) / 2 * (HEIGHT - 2 * MARGIN)
    if node["kind"] == "accounts":
        radius = SMALLEST + GROWS * (node["count"] / most) ** 0.5
        return Node("accounts", x, y, radius, "", _accounts(node), "")
    if node["kind"] == "hubs":
        text = f"{plural(node['count'], 'values')} that most of the accounts share, as one"
        return Node("hubs", x, y, HUBS, f"{node['count']}×", text, f"#shared-{min(node['ranks']) + 1}")
    rank = node["rank"]
    name = names[rank] if rank < len(names) else "a value further down"
    address = f"#shared-{rank + 1}" if rank < len(names) else "#links"
    return Node("value", x, y, VALUE, str(rank + 1), f"{name}: {plural(node['count'], 'accounts')}", address)


def _accounts(node: Mapping[str, Any]) -> str:
    if node["sets"] > 1:
        return f"{plural(node['count'], 'accounts')} with {node['sets']:,} different sets of values, folded"
    return plural(node["count"], "accounts") + (" with the same values" if node["count"] > 1 else "")
