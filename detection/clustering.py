"""Groups accounts into clusters: suspected pools first, then the rest by the identity and network values they share.

Never pairwise: a pool is found through what its accounts do and tested through what they share (see `candidates`), and
the other accounts are tied to attribute values, weighted by rarity, and joined by Leiden communities (Traag, Waltman,
van Eck 2019) as in graspologic-native. Seeded, so that the same input gives the same clusters in any row order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import combinations

import graspologic_native
import numpy as np
import orjson

from detection import assessment
from detection.evidence import effective
from detection.members import Builder
from detection.pools import Search, find_pools
from detection.population import Population
from detection.records import AccountFacts, Clustering, Edge, FindingDraft, Hub, rfc3339

ALGORITHM = "pools-leiden"
VERSION = "2.3.0"
TIE_KINDS = frozenset({"payment_fingerprint", "org", "api_key", "email_domain", "programme", "ip", "subnet", "asn"})


@dataclass(frozen=True)
class Parameters:
    """All that decides how accounts are grouped; stored with each run."""

    resolution: float = 1.0
    seed: int = 20260604
    iterations: int = 3
    smallest: int = 2
    carrier_spread: float = 10.0
    carrier_behaviours: int = 8
    carrier_fillings: int = 5
    carrier_relatedness: float = 0.45
    carrier_crowd: float = 0.5
    search: Search = field(default_factory=Search)

    def flat(self) -> dict[str, float | int | str]:
        """Give every parameter by one name, as it is stored; `choices` is none: it follows from the candidates."""
        own = {name: value for name, value in asdict(self).items() if name != "search"}
        search = {f"search_{k}": v for k, v in asdict(self.search).items() if k not in ("limits", "weights", "choices")}
        limits = {f"limit_{k}": v for k, v in asdict(self.search.limits).items()}
        weights = {f"weight_{k}": v for k, v in asdict(self.search.weights).items()}
        return own | search | limits | weights | assessment.thresholds()


def edges_from(findings: Iterable[FindingDraft]) -> list[Edge]:
    """Turn what findings say into account–attribute edges, one for each account and value, in a fixed order."""
    joined: dict[tuple[str, str, str], Edge] = {}
    for finding in findings:
        label = str(finding.support.get("template", ""))
        for account in finding.accounts:
            for seen in account.attributes:
                key = (account.account_id, seen.type, seen.value)
                old = joined.get(key)
                joined[key] = Edge(
                    *key,
                    count=max(seen.count, old.count) if old else seen.count,
                    first_seen=min(seen.first_seen, old.first_seen) if old else seen.first_seen,
                    last_seen=max(seen.last_seen, old.last_seen) if old else seen.last_seen,
                    signal=finding.signal,
                    weight=max(finding.score, old.weight) if old else finding.score,
                    label=label,
                    findings=tuple(sorted({*(old.findings if old else ()), finding.uid})),
                )
    return [joined[key] for key in sorted(joined)]


def cluster_accounts(
    edges: Sequence[Edge],
    facts: Mapping[str, AccountFacts],
    hubs: Sequence[Hub] = (),
    parameters: Parameters | None = None,
) -> Clustering:
    """Cluster the accounts that the edges name; accounts without facts (not active in the window) are left out."""
    parameters = parameters or Parameters()
    edges = sorted((e for e in edges if e.account_id in facts), key=lambda e: (e.account_id, e.type, e.value, e.count))
    population = Population(edges, facts)
    carriers = _carriers(population, parameters)
    population.gateways[[population.place[account] for account in carriers]] = True
    pools = find_pools(population, parameters.search)
    build = Builder(edges, population, carriers, parameters.search.limits)
    taken = {population.facts[place].account_id for pool in pools for place in pool.members.tolist()}
    clusters = [build.pool(pool) for pool in pools]
    clusters += [build.group(group) for group in _communities(edges, population, taken | carriers.keys(), parameters)]
    clusters += [build.group(frozenset([account])) for account in sorted(carriers)]
    return Clustering(
        algorithm=ALGORITHM,
        version=VERSION,
        parameters=parameters.flat(),
        input_sha256=_digest(edges, facts),
        accounts=len(facts),
        edges=len(edges),
        clusters=tuple(sorted(clusters, key=lambda c: (-c.assessment.score, -len(c.members), c.key))),
        hubs=tuple(hubs),
    )


def _carriers(population: Population, parameters: Parameters) -> Mapping[str, int]:
    """Find single accounts that carry many behaviours evenly that hardly anybody else combines, as a gateway does.

    What a gateway carries its customers' likes do too, one thing each. In a pool of thousands with as many templates
    hardly any two accounts combine the same either, but whoever does the same is as wide: such a crowd is no gateways.
    """
    many = np.zeros(population.size, np.int64)
    for behaviour in population.everything:
        many[behaviour.holders] += 1
    wide = np.flatnonzero(many >= parameters.carrier_behaviours)
    held: dict[int, list[tuple[int, int]]] = {place: [] for place in wide.tolist()}
    for number, behaviour in enumerate(population.everything):
        for place, count in zip(behaviour.holders.tolist(), behaviour.counts.tolist(), strict=True):
            if place in held:
                held[place].append((number, count))
    found: dict[int, list[int]] = {}
    overlap = _Overlaps(population)
    for place, own in held.items():
        often = [number for number, count in own if count >= parameters.carrier_fillings]
        if len(often) < parameters.carrier_behaviours or effective([n for _, n in own]) < parameters.carrier_spread:
            continue
        if _relatedness(overlap, often) <= parameters.carrier_relatedness:
            found[place] = often
    crowded = _crowding(population, found)
    return {
        population.facts[place].account_id: len(held[place])
        for place in found
        if crowded[place] <= parameters.carrier_crowd
    }


def _crowding(population: Population, found: Mapping[int, Sequence[int]]) -> Mapping[int, float]:
    """Give, of all others who do what each of these accounts often does, the share that is of these accounts too."""
    wide = np.zeros(population.size, bool)
    wide[list(found)] = True
    holders = [behaviour.holders for behaviour in population.everything]
    others = np.array([len(places) - 1 for places in holders])
    alike = np.array([np.count_nonzero(wide[places]) - 1 for places in holders])
    return {place: alike[often].sum() / max(1, others[often].sum()) for place, often in found.items()}


class _Overlaps:
    """The share of the rarer of two behaviours' holders that show both; wide accounts ask for the same pairs."""

    def __init__(self, population: Population) -> None:
        self.everything = population.everything
        self._shares: dict[tuple[int, int], float] = {}

    def share(self, pair: tuple[int, int]) -> float:
        if pair not in self._shares:
            one, two = (self.everything[number].holders for number in pair)
            both = len(np.intersect1d(one, two, assume_unique=True))
            self._shares[pair] = both / min(len(one), len(two))
        return self._shares[pair]


def _relatedness(overlap: _Overlaps, numbers: Sequence[int]) -> float:
    """Give how far behaviours go together elsewhere: the mean share of the rarer one's holders that show both."""
    everything = overlap.everything
    rarest = sorted(numbers, key=lambda n: (len(everything[n].holders), everything[n].key))[:12]
    shares = [overlap.share(pair) for pair in combinations(rarest, 2)]
    return sum(shares) / len(shares)


def _communities(
    edges: Iterable[Edge], population: Population, apart: set[str], parameters: Parameters
) -> list[frozenset[str]]:
    """Run Leiden over accounts and the values that tie them; gives the accounts of each community, in a fixed order.

    Accounts go in by their places: where several partitions are as good, no account's name decides between them.
    """
    weights: dict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        if edge.type in TIE_KINDS and edge.account_id not in apart:
            weights[f"a:{population.place[edge.account_id]:09d}", f"t:{edge.type}:{edge.value}"] = edge.weight**2
    if not weights:
        return []
    graph = [(source, target, weight) for (source, target), weight in sorted(weights.items())]
    _, communities = graspologic_native.leiden(
        graph, None, parameters.resolution, 0.001, parameters.iterations, True, parameters.seed, 1
    )
    groups: dict[int, set[str]] = defaultdict(set)
    for node, community in communities.items():
        if node.startswith("a:"):
            groups[community].add(population.facts[int(node[2:])].account_id)
    wanted = (frozenset(group) for group in groups.values() if len(group) >= parameters.smallest)
    return sorted(wanted, key=lambda group: (-len(group), min(group)))


def _digest(edges: Iterable[Edge], facts: Mapping[str, AccountFacts]) -> str:
    """Hash the whole input in canonical JSON lines, so that a run can be shown to rest on it.

    Lists of text and whole numbers: of these orjson makes the bytes of RFC 8785, in a tenth of the time.
    """
    digest = sha256()
    for edge in edges:
        digest.update(orjson.dumps([edge.account_id, edge.type, edge.value, edge.count, str(edge.weight)]) + b"\n")
    for account in sorted(facts):
        fact = facts[account]
        line = [account, fact.exchanges, rfc3339(fact.first_seen), rfc3339(fact.last_seen)]
        digest.update(orjson.dumps(line) + b"\n")
    return digest.hexdigest()
