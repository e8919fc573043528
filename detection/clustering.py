"""Groups accounts into clusters: an account–attribute graph weighted by rarity, joined by Leiden communities.

Never pairwise: an account is tied to attribute values, and to the coincidences of behaviour and identity it takes
part in (see `coincidence`). Communities by Leiden (Traag, Waltman, van Eck 2019) as in graspologic-native, seeded, so
that the same input gives the same clusters in any row order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import combinations
from math import prod

import graspologic_native
import rfc8785

from detection.assessment import assess
from detection.coincidence import NETWORK_TIES, Behaviour, Cell, Limits, behaviours, cells, ties
from detection.describe import cluster_title, link_reason
from detection.evidence import Evidence, effective
from detection.records import AccountFacts, Cluster, Clustering, Edge, FindingDraft, Hub, Label, Link, Member, rfc3339

ALGORITHM = "coincidence-leiden"
VERSION = "1.0.0"
TIE_KINDS = frozenset({"payment_fingerprint", "org", "api_key", "email_domain", "programme", "ip", "subnet", "asn"})


JOINABLE = frozenset({Label.COORDINATED_EXTRACTION, Label.CANNOT_TELL})
SPECIFIC = frozenset({"payment_fingerprint", "api_key", "email_domain", "programme", "asn"})


@dataclass(frozen=True)
class Parameters:
    """All that decides how accounts are grouped; stored with each run."""

    resolution: float = 1.0
    seed: int = 20260604
    iterations: int = 3
    smallest: int = 2
    splinter: float = 0.25
    telling_lift: float = 20.0
    weight_coincidence: float = 1.0
    weight_behaviour: float = 0.3
    family_share: float = 0.25
    family_lift: float = 4.0
    family_held: tuple[int, ...] = (2, 3, 4)
    carrier_spread: float = 10.0
    carrier_behaviours: int = 8
    carrier_fillings: int = 5
    carrier_relatedness: float = 0.35
    highest_doubt: float = 0.02
    limits: Limits = field(default_factory=Limits)


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
    known = behaviours(edges)
    carriers = _carriers(known, parameters)
    found = _coincidences(edges, known, carriers, facts, parameters)
    build = _Builder(edges, facts, known, found, carriers, parameters)
    groups = _communities(edges, found, carriers, parameters)
    groups = _gather([group for group in groups if len(group) >= parameters.smallest], found, build, parameters)
    clusters = [build.cluster(group) for group in groups]
    clusters += [build.cluster(frozenset([account])) for account in sorted(carriers)]
    return Clustering(
        algorithm=ALGORITHM,
        version=VERSION,
        parameters={k: v for k, v in asdict(parameters).items() if k != "limits"} | asdict(parameters.limits),
        input_sha256=_digest(edges, facts),
        accounts=len(facts),
        edges=len(edges),
        clusters=tuple(sorted(clusters, key=lambda c: (-c.assessment.score, -len(c.members), c.key))),
        hubs=tuple(hubs),
    )


def _carriers(known: Sequence[Behaviour], parameters: Parameters) -> Mapping[str, int]:
    """Find single accounts that carry many behaviours evenly that hardly anybody else combines, as a gateway does."""
    held: dict[str, list[Behaviour]] = defaultdict(list)
    for behaviour in known:
        for account in behaviour.holders:
            held[account].append(behaviour)
    found = {}
    for account, own in sorted(held.items()):
        counts = [behaviour.holders[account] for behaviour in own]
        often = [b for b in own if b.holders[account] >= parameters.carrier_fillings]
        wide = len(often) >= parameters.carrier_behaviours and effective(counts) >= parameters.carrier_spread
        if wide and _relatedness(often) <= parameters.carrier_relatedness:
            found[account] = len(own)
    return found


def _relatedness(own: Sequence[Behaviour]) -> float:
    """Give how far behaviours go together elsewhere: the mean share of the rarer one's holders that show both."""
    top = sorted(own, key=lambda b: (len(b.holders), b.key))[:12]
    shares = [
        len(one.holders.keys() & two.holders.keys()) / min(len(one.holders), len(two.holders))
        for one, two in combinations(top, 2)
    ]
    return sum(shares) / len(shares)


def _coincidences(
    edges: Sequence[Edge],
    known: Sequence[Behaviour],
    carriers: Mapping[str, int],
    facts: Mapping[str, AccountFacts],
    parameters: Parameters,
) -> list[Cell]:
    """Test behaviours against ties; then once more with the behaviours of each community as one family."""
    limits = parameters.limits
    plain = {account: fact for account, fact in facts.items() if account not in carriers}
    tied = ties([edge for edge in edges if edge.account_id in plain], plain, limits)
    own = [Behaviour(b.key, b.templates, {a: n for a, n in b.holders.items() if a in plain}) for b in known]
    first = _distinct(cells(own, tied, plain, limits))
    families = [
        family
        for group in _communities((), first, carriers, parameters)
        for family in _families(group, own, len(plain), parameters)
    ]
    return _distinct([*first, *cells(families, tied, plain, limits)])


def _families(
    group: frozenset[str], known: Sequence[Behaviour], population: int, parameters: Parameters
) -> Iterator[Behaviour]:
    """Give the accounts that hold at least two, three, four of the behaviours a community is marked by."""
    marking = []
    for behaviour in known:
        inside = sum(account in group for account in behaviour.holders)
        outside = (len(behaviour.holders) - inside) / max(1, population - len(group))
        if inside >= parameters.family_share * len(group) and inside / len(group) >= parameters.family_lift * outside:
            marking.append(behaviour)
    held: dict[str, int] = defaultdict(int)
    for behaviour in marking:
        for account in behaviour.holders:
            held[account] += 1
    templates = tuple(sorted(template for behaviour in marking for template in behaviour.templates))
    name = sha256(" ".join(templates).encode()).hexdigest()[:16]
    for fewest in parameters.family_held:
        holders = {account: count for account, count in held.items() if count >= fewest}
        if holders and len(marking) >= fewest:
            yield Behaviour(f"family:{fewest}-{name}", templates, holders)


def _distinct(found: Iterable[Cell]) -> list[Cell]:
    """Drop a cell most of whose accounts stand in a stronger one of the same behaviour and kind of tie."""
    kept: list[Cell] = []
    by_kind: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in sorted(found, key=lambda c: (c.log10_p, c.behaviour, c.tie.kind, c.tie.value)):
        stronger = by_kind[cell.behaviour, cell.tie.kind]
        if all(len(cell.members & other.members) < 0.8 * len(cell.members) for other in stronger):
            stronger.append(cell)
            kept.append(cell)
    return kept


def _communities(
    edges: Iterable[Edge], found: Iterable[Cell], carriers: Mapping[str, int], parameters: Parameters
) -> list[frozenset[str]]:
    """Run Leiden over accounts and what ties them; gives the accounts of each community, in a fixed order."""
    weights: dict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        if edge.type in TIE_KINDS and edge.account_id not in carriers:
            weights[f"a:{edge.account_id}", f"t:{edge.type}:{edge.value}"] = edge.weight**2
    for cell in found:
        strength = min(1.0, -cell.log10_p / 20) * (1 - 1 / max(cell.lift, 1))
        for account in cell.members:
            tie, behaviour = f"t:{cell.tie.kind}:{cell.tie.value}", f"b:{cell.behaviour}"
            for node, weight in ((tie, parameters.weight_coincidence), (behaviour, parameters.weight_behaviour)):
                key = f"a:{account}", node
                weights[key] = max(weights[key], weight * strength)
    if not weights:
        return []
    graph = [(source, target, weight) for (source, target), weight in sorted(weights.items())]
    _, communities = graspologic_native.leiden(
        graph, None, parameters.resolution, 0.001, parameters.iterations, True, parameters.seed, 1
    )
    groups: dict[int, set[str]] = defaultdict(set)
    for node, community in communities.items():
        if node.startswith("a:"):
            groups[community].add(node[2:])
    return sorted((frozenset(group) for group in groups.values()), key=lambda group: (-len(group), min(group)))


def _gather(
    groups: Sequence[frozenset[str]], found: Sequence[Cell], build: _Builder, parameters: Parameters
) -> list[frozenset[str]]:
    """Join communities that share two behaviours and a telling tie; for a splinter any shared tie is enough.

    A community with an open explanation of its own is never joined to another: a class that registers in the week of a
    pool is not part of it.
    """
    marks = [_marks(group, found) for group in groups]
    telling = _telling(found, parameters)
    joinable = [bool(mark[1]) and build.label(group) in JOINABLE for group, mark in zip(groups, marks, strict=True)]
    home = list(range(len(groups)))
    for small in range(len(groups)):
        for large in range(small):
            ties_shared = marks[small][1] & marks[large][1]
            if len(groups[small]) > parameters.splinter * len(groups[large]):
                ties_shared &= telling
            alike = len(marks[small][0] & marks[large][0]) >= 2
            if ties_shared and alike and joinable[small] and joinable[large]:
                home[small] = home[large]
                break
    gathered: dict[int, frozenset[str]] = {}
    for place, group in enumerate(groups):
        gathered[home[place]] = gathered.get(home[place], frozenset()) | group
    return sorted(gathered.values(), key=lambda group: (-len(group), min(group)))


def _telling(found: Sequence[Cell], parameters: Parameters) -> set[tuple[str, str]]:
    """Give the ties that hold few accounts by chance: specific values, and registration bursts with a high lift."""
    return {
        (cell.tie.kind, cell.tie.value)
        for cell in found
        if cell.tie.kind in SPECIFIC or (cell.lift >= parameters.telling_lift and _is_short(cell))
    }


def _is_short(cell: Cell) -> bool:
    """Tell whether most accounts registered in the span take part: the burst is the pool's own, not the month's."""
    return cell.tie.kind == "registration" and len(cell.members) >= 0.7 * cell.among


def _marks(group: frozenset[str], found: Sequence[Cell]) -> tuple[set[str], set[tuple[str, str]]]:
    """Give the behaviours and ties of the coincidences in which a fifth of a community takes part."""
    own = [cell for cell in found if len(cell.members & group) >= max(2, 0.2 * len(group))]
    return {cell.behaviour for cell in own}, {(cell.tie.kind, cell.tie.value) for cell in own}


class _Builder:
    """Makes cluster records: members with strength and reasons, links with rarity, the assessment."""

    def __init__(
        self,
        edges: Sequence[Edge],
        facts: Mapping[str, AccountFacts],
        known: Sequence[Behaviour],
        found: Sequence[Cell],
        carriers: Mapping[str, int],
        parameters: Parameters,
    ) -> None:
        self.facts, self.known, self.found, self.carriers = facts, known, found, carriers
        self.parameters = parameters
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
        highest = self.parameters.highest_doubt
        return frozenset(
            account
            for account, by_kind in doubt.items()
            if prod(by_kind.values()) <= highest and not by_kind.keys() <= NETWORK_TIES
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


def _digest(edges: Iterable[Edge], facts: Mapping[str, AccountFacts]) -> str:
    """Hash the whole input in canonical JSON lines, so that a run can be shown to rest on it."""
    digest = sha256()
    for edge in edges:
        digest.update(rfc8785.dumps([edge.account_id, edge.type, edge.value, edge.count, str(edge.weight)]) + b"\n")
    for account in sorted(facts):
        fact = facts[account]
        digest.update(
            rfc8785.dumps([account, fact.exchanges, rfc3339(fact.first_seen), rfc3339(fact.last_seen)]) + b"\n"
        )
    return digest.hexdigest()
