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

import graspologic_native
import rfc8785

from detection.coincidence import Behaviour, Cell, Limits, behaviours, cells, ties
from detection.evidence import effective
from detection.members import Builder
from detection.records import AccountFacts, Clustering, Edge, FindingDraft, Hub, Label, rfc3339

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
    build = Builder(edges, facts, known, found, carriers, parameters.highest_doubt)
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
    groups: Sequence[frozenset[str]], found: Sequence[Cell], build: Builder, parameters: Parameters
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
