"""Accounts tied by the values they show: one group through any number of values, but for what is kept apart.

Pure: rows in, groups out, in a fixed order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Protocol, TypeVar
from uuid import UUID

Tags = frozenset[tuple[UUID, str]]  # the sides of decisions that an account, a tree or a cluster stands on
NONE: Tags = frozenset()
OTHER = {"a": "b", "b": "a"}


class Shown(Protocol):
    """An account has shown a value, by a finding; and how many accounts and findings do so with that value."""

    @property
    def attribute_id(self) -> UUID:
        """The value."""

    @property
    def account_id(self) -> UUID:
        """The account."""

    @property
    def finding_id(self) -> UUID:
        """The finding."""


Row = TypeVar("Row", bound=Shown)


@dataclass(frozen=True)
class NotJoined:
    """A value did not join so many more accounts to the group of `account`, for a decision."""

    account: UUID
    decision: UUID
    attribute: UUID
    accounts: int


@dataclass
class _Class:
    """Accounts that a value may join: no two of them, with what they are tied to already, are kept apart."""

    accounts: list[UUID] = field(default_factory=list)
    roots: set[UUID] = field(default_factory=set)
    tags: Tags = NONE


@dataclass
class _Forest:
    """Which accounts are tied so far, and the sides that each tree stands on."""

    sides: Mapping[UUID, Tags]
    parent: dict[UUID, UUID] = field(default_factory=dict)
    tags: dict[UUID, Tags] = field(default_factory=dict)

    def root(self, node: UUID) -> UUID:
        while self.parent.setdefault(node, node) != node:
            self.parent[node] = self.parent[self.parent[node]]
            node = self.parent[node]
        return node

    def on(self, root: UUID) -> Tags:
        return self.tags.get(root) or self.sides.get(root, NONE)

    def tie(self, accounts: Sequence[UUID]) -> None:
        first = self.root(accounts[0])
        for one in accounts[1:]:
            other = self.root(one)
            if other != first:
                self.tags[first] = self.on(first) | self.on(other)
                self.parent[other] = first

    def classes(self, accounts: Iterable[UUID]) -> list[_Class]:
        """The accounts of a value in as few classes as fit, each account with the first that it may join."""
        found: list[_Class] = []
        for account in accounts:
            root = self.root(account)
            mine = self.on(root)
            fits = (one for one in found if root in one.roots or not forbids(one.tags, mine))
            chosen = next(fits, None)
            if chosen is None:
                chosen = _Class()
                found.append(chosen)
            chosen.accounts.append(account)
            chosen.roots.add(root)
            chosen.tags |= mine
        return found


def forbids(left: Tags, right: Tags) -> set[UUID]:
    """The decisions of which one of these stands on the one side and the other on the other."""
    return {decision for decision, side in left if (decision, OTHER[side]) in right}


def one_sided(tags: Tags) -> Tags:
    """Without the decisions of which both sides are there."""
    return frozenset((decision, side) for decision, side in tags if (decision, OTHER[side]) not in tags)


def joined(
    rows: Sequence[Row], sides: Mapping[UUID, Tags], *, least_accounts: int, least_findings: int
) -> tuple[list[list[Row]], list[NotJoined]]:
    """Rows by the accounts they tie together, the largest group first; and what was not joined for a decision.

    No group has accounts of both sides of a decision, also not through others between them: what would tie them first,
    in the order of the rows, does, and the rest stays apart. Each part of a divided value needs the least numbers of
    accounts and findings by itself. Rows come by value.
    """
    forest, kept, refused = _Forest(sides), [], []
    for attribute, shown in groupby(rows, key=lambda row: row.attribute_id):
        of_value = list(shown)
        classes = forest.classes(dict.fromkeys(row.account_id for row in of_value))
        for one in classes:
            own = of_value if len(classes) == 1 else _counted(of_value, set(one.accounts))
            findings = {row.finding_id for row in own}
            if len(classes) > 1 and (len(one.accounts) < least_accounts or len(findings) < least_findings):
                continue
            forest.tie(one.accounts)
            kept += own
            refused += _refused(attribute, one, classes)
    groups: dict[UUID, list[Row]] = {}
    for row in kept:
        groups.setdefault(forest.root(row.account_id), []).append(row)
    return sorted(groups.values(), key=_size), refused


def _size(rows: Sequence[Shown]) -> tuple[int, str]:
    return -len({row.account_id for row in rows}), str(rows[0].attribute_id)


def _counted(rows: Sequence[Row], accounts: set[UUID]) -> list[Row]:
    """The rows of one part of a divided value, with the numbers of that part."""
    own: list[Any] = [row for row in rows if row.account_id in accounts]
    findings = len({row.finding_id for row in own})
    return [replace(row, accounts=len(accounts), findings=findings) for row in own]


def _refused(attribute: UUID, own: _Class, classes: Sequence[_Class]) -> list[NotJoined]:
    against: dict[UUID, int] = {}
    for other in classes:
        for decision in forbids(own.tags, other.tags) if other is not own else ():
            against[decision] = against.get(decision, 0) + len(other.accounts)
    return [NotJoined(own.accounts[0], decision, attribute, n) for decision, n in sorted(against.items())]
