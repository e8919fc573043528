"""Finds suspected pools: the strongest candidate first, its membership refined, its accounts set aside, then the next.

Taking pools off one by one keeps a large pool from hiding a small one, and one campaign from being the background
against which another looks ordinary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from detection.candidates import (
    Candidate,
    Limits,
    Stratum,
    candidates,
    combination_of,
    evidence,
    explained,
    strata,
    test,
)
from detection.population import CLOUD, CONSUMER, OPEN, PAYERS, RINGS, Flags, Places, Population
from detection.refining import Background, Membership, Weights, refine
from detection.surprise import Floats, Surprise


@dataclass(frozen=True)
class Search:
    """How far the search goes. Evidence is in powers of ten; below `worth` a candidate is not looked into."""

    worth: float = 7.5
    usual_candidates: int = 1_000
    choices: float = 0.0  # set by the search: powers of ten that more candidates than usual take off the evidence
    kept_apart: float = 0.9
    fewest_apart: int = 8
    evidence_apart: float = 25.0
    paid_across: float = 0.5
    most_pools: int = 400
    most_tries: int = 1_000
    limits: Limits = field(default_factory=Limits)
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class Pool:
    """Accounts that do the same and share what strangers do not: members in order, with belief, tests and evidence."""

    members: Places
    belief: Floats
    behaviours: tuple[int, ...]
    tests: Mapping[str, Surprise]
    evidence: float


def find_pools(population: Population, search: Search) -> list[Pool]:
    """Give the pools in the order found; accounts that an open explanation covers stand in none.

    Half of the tries go to what is densest, which is how small pools are met before what they could melt into; the
    other half to what is heaviest: among very many accounts the densest candidates are thousands, and all are small.
    """
    limits, found = search.limits, list[Pool]()
    alive: Flags = ~population.gateways & ~population.openly_tied
    parts = {stratum.name: stratum for stratum in strata(population, alive, limits)}
    waiting = [_tested(population, parts, c, limits) for c in candidates(population, list(parts.values()), limits)]
    search = replace(search, choices=math.log10(max(1.0, len(waiting) / search.usual_candidates)))
    waiting = sorted((candidate for candidate in waiting if candidate.evidence >= search.worth), key=_density)
    background = Background(population, alive)
    order = _density
    for tried in range(search.most_tries):
        if not waiting or len(found) >= search.most_pools:
            break
        if tried == search.most_tries // 2:
            order = _weight
            waiting.sort(key=order)
        pools = _refined(background, waiting.pop(), search)
        if not pools:
            continue
        found += pools
        for pool in pools:
            alive[pool.members] = False
        background = Background(population, alive)
        parts = {stratum.name: stratum for stratum in strata(population, alive, limits)}
        left = (_left(population, parts, old, alive, limits) for old in waiting)
        waiting = sorted((candidate for candidate in left if candidate.evidence >= search.worth), key=order)
    return found


def _density(candidate: Candidate) -> tuple[float, str, tuple[int, ...]]:
    """Give the order in which candidates are looked into first, the last first: much evidence on few accounts."""
    return candidate.evidence / len(candidate.members) ** 0.5, candidate.stratum, candidate.behaviours


def _weight(candidate: Candidate) -> tuple[float, str, tuple[int, ...]]:
    """Give the order of the later tries, the last first: much evidence on many accounts."""
    return candidate.evidence * math.log(len(candidate.members)), candidate.stratum, candidate.behaviours


def _tested(population: Population, parts: Mapping[str, Stratum], candidate: Candidate, limits: Limits) -> Candidate:
    candidate.tests = test(population, parts[candidate.stratum], candidate.members, candidate.combination)
    open_explanation = explained(population, candidate.members, limits)
    candidate.evidence = 0.0 if open_explanation else evidence(candidate.tests, limits)
    return candidate


def _left(
    population: Population, parts: Mapping[str, Stratum], old: Candidate, alive: Flags, limits: Limits
) -> Candidate:
    """Give a candidate without the accounts that a pool has taken, tested anew when it lost any."""
    members = old.members[alive[old.members]]
    if len(members) == len(old.members):
        return old
    if len(members) < limits.fewest or old.stratum not in parts:
        return Candidate(old.stratum, old.behaviours, members)
    share = len(members) / len(old.members) if len(members) >= limits.person_fewest else 0.0
    power = old.combination.power * share
    combination = Surprise(power, len(members), old.combination.among, old.combination.expected)
    return _tested(population, parts, Candidate(old.stratum, old.behaviours, members, combination), limits)


def _refined(background: Background, candidate: Candidate, search: Search) -> list[Pool]:
    """Refine a candidate's membership, take it apart where it is several, and test the outcome afresh."""
    population, alive, persons = background.population, background.alive, candidate.stratum == "persons"
    membership = refine(background, candidate.members, persons, search.weights)
    if len(membership.members) < search.weights.fewest:
        return []
    parts = _by_line(population, membership, persons, alive, search)
    if parts:
        return parts
    whole = _pool(population, membership.members, membership, persons, alive, search)
    return [whole] if whole is not None else []


def _alike(population: Population, members: Places, persons: bool, alive: Flags, limits: Limits) -> Places:
    """Give who members are compared with: used as they are, and on the same kind of line where nearly all are on one.

    Products in one cloud share its few networks; that says nothing among products in clouds. Who comes through
    proxies is compared with everybody.
    """
    base = alive & (population.persons == persons) & (population.kind != OPEN)
    for kind in (CONSUMER, CLOUD):
        if not persons and float((population.kind[members] == kind).mean()) >= limits.nearly_all:
            same = np.flatnonzero(base & (population.kind == kind))
            if len(same) >= 2 * len(members):
                return same
    return np.flatnonzero(base)


def _by_line(population: Population, membership: Membership, persons: bool, alive: Flags, search: Search) -> list[Pool]:
    """Take a pool apart by the kind of line its members use, where each part is a strong pool on its own.

    Two campaigns may fill the same templates in the same weeks; how they come in is what an operation does one way.
    Parts that have payers or keys in common are one operation that comes in more than one way.
    """
    kinds = population.kind[membership.members]
    parts = [membership.members[kinds == kind] for kind in np.unique(kinds).tolist()]
    parts = [part for part in parts if len(part) >= search.fewest_apart]
    if len(parts) < 2 or sum(len(part) for part in parts) < search.kept_apart * len(membership.members):
        return []
    if all(_paid_across(population, part, membership.members) >= search.paid_across for part in parts):
        return []
    pools = [_pool(population, part, membership, persons, alive, search) for part in parts]
    strong = [pool for pool in pools if pool is not None and pool.evidence >= search.evidence_apart]
    return strong if len(strong) == len(parts) else []


def _paid_across(population: Population, part: Places, members: Places) -> float:
    """Give the share of a part's accounts that share a payer or key with other members."""
    rings = population.rings
    others = rings.sums(np.setdiff1d(members, part)) > 0
    across = others & np.isin(population.ring_kinds, [RINGS.index(kind) for kind in PAYERS])
    groups, which = rings.of(part)
    return len(np.unique(which[across[groups]])) / len(part)


def _pool(
    population: Population, members: Places, membership: Membership, persons: bool, alive: Flags, search: Search
) -> Pool | None:
    """Test some of the members as a pool; None when nothing firm is left or an open explanation covers them."""
    limits = search.limits
    if len(members) < search.weights.fewest or explained(population, members, limits):
        return None
    mostly_persons = bool(population.persons[members].mean() >= 0.5)
    stratum = Stratum("alike", mostly_persons, _alike(population, members, mostly_persons, alive, limits), population)
    combination = Surprise()
    if persons:
        combination = combination_of(population, stratum, membership.behaviours, members, limits)
    tests = test(population, stratum, members, combination)
    strength = evidence(tests, limits) - search.choices
    if strength < search.worth:
        return None
    return Pool(members, membership.belief[members], membership.behaviours, tests, strength)
