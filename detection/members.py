"""Makes cluster records of communities: who firmly belongs, which links say so, and the assessment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import prod

from detection.assessment import assess
from detection.coincidence import NETWORK_TIES, Behaviour, Cell
from detection.describe import cluster_title, link_reason
from detection.evidence import Evidence
from detection.records import AccountFacts, Cluster, Edge, Label, Link, Member


class Builder:
    """Makes cluster records: members with strength and reasons, links with rarity, the assessment."""

    def __init__(
        self,
        edges: Sequence[Edge],
        facts: Mapping[str, AccountFacts],
        known: Sequence[Behaviour],
        found: Sequence[Cell],
        carriers: Mapping[str, int],
        highest_doubt: float,
    ) -> None:
        self.facts, self.known, self.found, self.carriers = facts, known, found, carriers
        self.highest_doubt = highest_doubt
        self.of_account: dict[str, list[Edge]] = defaultdict(list)
        self.holders: dict[tuple[str, str], int] = defaultdict(int)
        for edge in edges:
            self.of_account[edge.account_id].append(edge)
            self.holders[edge.type, edge.value] += 1

    def cluster(self, group: frozenset[str]) -> Cluster:
        """Make the cluster of a community; where coincidences hold it together, accounts outside all of them leave."""
        inside = [cell for cell in self.found if len(cell.members & group) >= 2]
        covered = self._firm(group, inside)
        accounts = covered if len(covered) >= max(3, 0.3 * len(group)) else group
        within = [cell for cell in inside if len(cell.members & accounts) >= 2]
        shared = self._shared(accounts)
        links = [self._link(edge, inside, len(accounts)) for edge, inside in shared]
        evidence = Evidence(
            accounts={a: self.facts[a] for a in sorted(accounts)},
            population=self.facts,
            cells=within,
            behaviours=self.known,
            links=links,
            carried={a: self.carriers[a] for a in accounts if a in self.carriers},
        )
        members = tuple(self._member(a, within, links) for a in sorted(accounts))
        key = sha256("\n".join(sorted(accounts)).encode()).hexdigest()[:32]
        uids = {uid for edge, _ in shared for uid in edge.findings}
        return Cluster(
            key=key,
            title=cluster_title(members, links, within),
            members=members,
            links=tuple(links),
            signals=tuple(sorted({link.signal for link in links})),
            findings=tuple(sorted(uids)),
            exchanges=sum(member.exchanges for member in members),
            input_tokens=sum(member.input_tokens for member in members),
            output_tokens=sum(member.output_tokens for member in members),
            first_seen=min(member.first_seen for member in members),
            last_seen=max(member.last_seen for member in members),
            assessment=assess(evidence),
        )

    def label(self, group: frozenset[str]) -> Label:
        return self.cluster(group).assessment.label

    def _firm(self, group: frozenset[str], inside: Sequence[Cell]) -> frozenset[str]:
        """Give the accounts that hardly stand in the coincidences by chance.

        Of a cell's members, expected / found are there by chance; different kinds of tie are taken as independent. Ties
        through a network alone are not enough: what people send and where they come from go together anyway.
        """
        doubt: dict[str, dict[str, float]] = defaultdict(dict)
        for cell in inside:
            for account in cell.members & group:
                by_kind = doubt[account]
                by_kind[cell.tie.kind] = min(by_kind.get(cell.tie.kind, 1.0), min(1.0, 1 / max(cell.lift, 1e-9)))
        return frozenset(
            account
            for account, by_kind in doubt.items()
            if prod(by_kind.values()) <= self.highest_doubt and not by_kind.keys() <= NETWORK_TIES
        )

    def _shared(self, accounts: frozenset[str]) -> list[tuple[Edge, int]]:
        """Give the edges to values that two members show, with how many do; a single account keeps all of its own."""
        values: dict[tuple[str, str], list[Edge]] = defaultdict(list)
        for account in sorted(accounts):
            for edge in self.of_account[account]:
                values[edge.type, edge.value].append(edge)
        fewest = 1 if len(accounts) == 1 else 2
        return [(edge, len(group)) for group in values.values() if len(group) >= fewest for edge in group]

    def _link(self, edge: Edge, inside: int, size: int) -> Link:
        holders = self.holders[edge.type, edge.value]
        return Link(
            account_id=edge.account_id,
            type=edge.type,
            value=edge.value,
            count=edge.count,
            first_seen=edge.first_seen,
            last_seen=edge.last_seen,
            holders=holders,
            population=len(self.facts),
            strength=round(edge.weight * inside / holders, 4),
            signal=edge.signal,
            reason=link_reason(edge, holders, len(self.facts), inside, size),
        )

    def _member(self, account: str, within: Sequence[Cell], links: Sequence[Link]) -> Member:
        fact = self.facts[account]
        own = sorted(
            (link for link in links if link.account_id == account), key=lambda link: (-link.strength, link.type)
        )
        miss = 1.0
        for link in own[:5]:
            miss *= 1 - min(0.9, link.strength)
        part = [cell for cell in within if account in cell.members]
        for cell in part[:5]:
            miss *= 1 - min(0.9, 1 - 1 / max(cell.lift, 1))
        reasons = [
            f"One of {len(c.members):,} of {c.among:,} accounts that {c.tie.words} and fill the same template"
            for c in part[:3]
        ]
        return Member(
            account_id=account,
            strength=round(1 - miss, 4),
            reasons=tuple(dict.fromkeys([*reasons, *(link.reason for link in own[:4])])),
            exchanges=fact.exchanges,
            input_tokens=fact.input_tokens,
            output_tokens=fact.output_tokens,
            first_seen=fact.first_seen,
            last_seen=fact.last_seen,
        )
