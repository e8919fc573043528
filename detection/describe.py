"""Words for clusters and links: plain, neutral sentences that carry the figures they rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detection.coincidence import Cell
from detection.detectors.base import plural
from detection.detectors.shared_attribute import readable
from detection.records import Edge, Link, Member

COMMON_SHARE = 0.25
TIE_NAMES = {
    "registration": "registration dates",
    "network_kind": "proxy networks",
    "roaming": "changing networks",
    "asn": "networks",
}


def link_reason(edge: Edge, holders: int, population: int, inside: int, size: int) -> str:
    """Say why an attribute ties an account, with its rarity in the population and its share in the cluster."""
    name = readable(edge.type, edge.value)
    what = f"{name} “{edge.label}”" if edge.type == "template" and edge.label else name
    if edge.type == "template":
        shared = f"{what} filled by {holders:,} of {population:,} accounts"
    else:
        shared = f"{what} shared by {holders:,} of {population:,} accounts"
    text = shared[0].upper() + shared[1:]
    return f"{text}, {inside:,} of them among these {size:,}" if size > 1 else text


def cluster_title(members: Sequence[Member], links: Sequence[Link], cells: Sequence[Cell]) -> str:
    """Name a cluster by its size and what ties it, not by what it is; in common is what a quarter of them show."""
    if len(members) == 1:
        return "Single account that carries many unrelated templates"
    holders = Counter(link.value for link in links if link.type == "template")
    templates = [value for value, held in holders.items() if held >= max(2, len(members) * COMMON_SHARE)]
    kinds = [cell.tie.kind for cell in cells] or [link.type for link in links if link.type != "template"]
    ranked = sorted(set(kinds), key=lambda kind: (-kinds.count(kind), kind))[:2]
    names = " and ".join(TIE_NAMES.get(kind, readable(kind, "")) for kind in ranked) or "templates"
    text = f"{plural(len(members), 'accounts')} tied by {names}"
    return f"{text}, {plural(len(templates), 'templates')} in common" if templates else text
