"""Makes cluster records: who belongs and how firmly, which links say so, and the assessment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import numpy as np

from detection.assessment import assess
from detection.candidates import Limits, Stratum, evidence, test
from detection.describe import cluster_title, link_reason, value_in_words
from detection.evidence import Evidence
from detection.pools import Pool
from detection.population import OPEN, TRAITS, Places, Population
from detection.records import Cluster, Edge, Link, Member
from detection.surprise import NONE, Surprise

TRAIT_NAMES = {"client": "Client", "network": "Network", "country": "Country", "domain": "Mail domain"}
TELLING = 3.0  # from this many powers of ten a test is a reason for a single member


class Builder:
    """Makes cluster records: members with strength and reasons, links with rarity, the assessment."""

    def __init__(
        self, edges: Sequence[Edge], population: Population, carriers: Mapping[str, int], limits: Limits
    ) -> None:
        self.population, self.carriers, self.limits = population, carriers, limits
        self.of_account: dict[str, list[Edge]] = defaultdict(list)
        self.holders: dict[tuple[str, str], int] = defaultdict(int)
        for edge in edges:
            self.of_account[edge.account_id].append(edge)
            self.holders[edge.type, edge.value] += 1
        self.held: dict[int, list[int]] = defaultdict(list)
        for number, behaviour in enumerate(population.behaviours):
            for place in behaviour.holders.tolist():
                self.held[place].append(number)
        self.whole = {}
        for persons in (False, True):
            base = (population.persons == persons) & (population.kind != OPEN)
            self.whole[persons] = Stratum("whole", persons, np.flatnonzero(base), population)

    def pool(self, pool: Pool) -> Cluster:
        """Make the cluster of a suspected pool; how firmly an account belongs is what the refining believes."""
        beliefs = dict(zip(pool.members.tolist(), pool.belief.tolist(), strict=True))
        return self._cluster(pool.members, beliefs, pool.tests, pool.evidence, pool.behaviours)

    def group(self, accounts: frozenset[str]) -> Cluster:
        """Make the cluster of accounts that shared values tie; it is tested like a pool when they do the same."""
        members = np.array(sorted(self.population.place[account] for account in accounts), np.int64)
        tests, strength = self._tested(members)
        return self._cluster(members, {}, tests, strength, ())

    def _tested(self, members: Places) -> tuple[Mapping[str, Surprise], float]:
        if len(members) < self.limits.fewest - 2:
            return {}, 0.0
        persons = bool(self.population.persons[members].mean() >= 0.5)
        tests = test(self.population, self.whole[persons], members, NONE)
        return tests, evidence(tests, self.limits)

    def _cluster(
        self,
        places: Places,
        beliefs: Mapping[int, float],
        tests: Mapping[str, Surprise],
        strength: float,
        marking: Sequence[int],
    ) -> Cluster:
        accounts = [self.population.facts[place].account_id for place in places.tolist()]
        shared = self._shared(frozenset(accounts))
        links = [self._link(edge, inside, len(accounts)) for edge, inside in shared]
        of_member: dict[str, list[Link]] = defaultdict(list)
        for link in links:
            of_member[link.account_id].append(link)
        rests = Evidence(
            population=self.population,
            places=places,
            held=self.held,
            tests=tests,
            strength=strength,
            suspected=bool(beliefs),
            links=links,
            carried={a: self.carriers[a] for a in accounts if a in self.carriers},
            limits=self.limits,
        )
        members = tuple(
            sorted(
                (self._member(place, beliefs, tests, marking, of_member) for place in places.tolist()),
                key=lambda member: member.account_id,
            )
        )
        return Cluster(
            key=sha256("\n".join(sorted(accounts)).encode()).hexdigest()[:32],
            title=cluster_title(members, links, tests),
            members=members,
            links=tuple(links),
            signals=tuple(sorted({link.signal for link in links})),
            findings=tuple(sorted({uid for edge, _ in shared for uid in edge.findings})),
            exchanges=sum(member.exchanges for member in members),
            input_tokens=sum(member.input_tokens for member in members),
            output_tokens=sum(member.output_tokens for member in members),
            first_seen=min(member.first_seen for member in members),
            last_seen=max(member.last_seen for member in members),
            assessment=assess(rests),
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
            population=self.population.size,
            strength=round(edge.weight * inside / holders, 4),
            signal=edge.signal,
            reason=link_reason(edge, holders, self.population.size, inside, size),
        )

    def _member(
        self,
        place: int,
        beliefs: Mapping[int, float],
        tests: Mapping[str, Surprise],
        marking: Sequence[int],
        links: Mapping[str, Sequence[Link]],
    ) -> Member:
        fact = self.population.facts[place]
        own = sorted(links.get(fact.account_id, ()), key=lambda link: (-link.strength, link.type, link.value))
        strength = beliefs.get(place)
        if strength is None:
            miss = 1.0
            for link in own[:5]:
                miss *= 1 - min(0.9, link.strength)
            strength = 1 - miss
        reasons = [*self._reasons(place, tests, marking), *(link.reason for link in own[:4])]
        return Member(
            account_id=fact.account_id,
            strength=round(strength, 4),
            reasons=tuple(dict.fromkeys(reasons)),
            exchanges=fact.exchanges,
            input_tokens=fact.input_tokens,
            output_tokens=fact.output_tokens,
            first_seen=fact.first_seen,
            last_seen=fact.last_seen,
        )

    def _reasons(self, place: int, tests: Mapping[str, Surprise], marking: Sequence[int]) -> Iterator[str]:
        """Say what of the cluster's reasons holds for this member: its templates, its dates, the values it shows."""
        mine = len(set(marking) & set(self.held[place]))
        if mine:
            yield f"Fills {mine} of the {len(marking)} templates that mark this cluster"
        spans = {"registration": self.population.created, "first_use": self.population.first}
        for name, surprise in sorted(tests.items(), key=lambda pair: (-pair[1].power, pair[0])):
            if surprise.power < TELLING or not surprise.of:
                continue
            if name in spans and surprise.of[0] <= spans[name][place] <= surprise.of[1]:
                verb = "Registered" if name == "registration" else "First used"
                yield f"{verb} in the same span as {surprise.found - 1:,} of the other {surprise.among - 1:,} members"
            if name in TRAITS and int(self.population.codes[name][place]) in surprise.of:
                value = self.population.values[name][int(self.population.codes[name][place])]
                same = "this or one of two others" if len(surprise.of) > 1 else "this"
                shown = f"{TRAIT_NAMES[name]} {value_in_words(name, value)}"
                yield f"{shown}: {surprise.found:,} of {surprise.among:,} members show {same}"
