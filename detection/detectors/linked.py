"""Joins what is linked into groups, the same for any order of links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def linked(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Give the connected groups of the pairs, each sorted, the largest first."""
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        parent.setdefault(one, one)
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for first, second in pairs:
        one, other = root(first), root(second)
        parent[max(one, other)] = min(one, other)
    groups: dict[str, list[str]] = defaultdict(list)
    for one in parent:
        groups[root(one)].append(one)
    return sorted((sorted(group) for group in groups.values()), key=lambda group: (-len(group), group))
