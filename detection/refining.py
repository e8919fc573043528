"""Who belongs to a pool: each account weighed by what it shows, against the pool's other members and everybody else.

A mixture of two naive-Bayes models, fitted by expectation and maximisation from a candidate's members: for every trait
the likelihood ratio of an account's value in the pool and outside, the account itself left out of the pool's side.
Ratios are capped, so that no single trait decides, and what an account does counts only so far: it must also look like
the others in who it is, where it comes from or when it came.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detection.population import TRAITS, Flags, Places, Population
from detection.surprise import Codes, Floats


@dataclass(frozen=True)
class Weights:
    """Caps and tempers of the likelihood ratios (natural logarithms); traits go together, hence below 1."""

    rounds: int = 6
    highest: float = math.log(30)
    lowest: float = -math.log(8)
    trait: float = 0.7
    use_time: float = 0.5
    behaviours: float = 4.5
    behaviours_of_persons: float = 9.0
    least: float = 1.5
    least_of_persons: float = -2.5
    fewest_held_by_persons: int = 2
    marking: float = 3.0
    marking_of_persons: float = 6.0
    marking_share: float = 0.15
    growth: float = 1.5
    ring_outside: float = 0.02
    member: float = 0.6
    fewest: int = 4


@dataclass(frozen=True)
class Membership:
    """The members, how sure each is (0–1, by place in the population), and the numbers of the marking behaviours."""

    members: Places
    belief: Floats
    behaviours: tuple[int, ...]


def refine(population: Population, seed: Places, alive: Flags, persons: bool, weights: Weights) -> Membership:
    """Find the accounts that belong with the seed; alive are those not yet taken by another pool."""
    belief = np.zeros(population.size)
    belief[seed] = 1.0
    marking: tuple[int, ...] = ()
    for _ in range(weights.rounds):
        size = float(belief.sum())
        doing, held, marking = _doing(population, belief, alive, persons, weights)
        if size < 2.5 or not marking:
            return Membership(np.array([], np.int64), belief, ())
        fewest = weights.fewest_held_by_persons if persons else 1
        asked = np.flatnonzero((held >= fewest) & alive)  # nobody else can belong
        being = np.full(population.size, -np.inf)
        being[asked] = _being(population, belief, alive, asked, weights)
        prior = math.log(max(min(size, weights.growth * len(seed)), 5.0) / max(1, int(alive.sum())))
        new = 1 / (1 + np.exp(-np.clip(prior + doing + being, -30, 30)))
        least = np.where(population.persons & persons, weights.least_of_persons, weights.least)
        new[being < least] = 0
        settled = float(np.abs(new - belief).sum()) < 0.5
        belief = new
        if settled:
            break
    return Membership(np.flatnonzero(belief >= weights.member), belief, marking)


def _doing(
    population: Population, belief: Floats, alive: Flags, persons: bool, weights: Weights
) -> tuple[Floats, Places, tuple[int, ...]]:
    """Weigh what accounts do, holding each marking behaviour or not: the ratios, how many each holds, and which."""
    size, base = float(belief.sum()), alive & population.persons if persons else alive
    inside_base = float(belief[base].sum())
    outside = max(1.0, float(base.sum()) - inside_base + 1)
    ratios, held, marking = np.zeros(population.size), np.zeros(population.size, np.int64), []
    for number, behaviour in enumerate(population.behaviours):
        places = behaviour.holders[alive[behaviour.holders]]
        inside = float(belief[places].sum())
        if inside < max(2.0, weights.marking_share * size):
            continue
        counted = places[base[places]]
        rate_out = (len(counted) - float(belief[counted].sum()) + 0.5) / outside
        if inside / size < (weights.marking_of_persons if persons else weights.marking) * rate_out:
            continue
        marking.append(number)
        holds = np.zeros(population.size, bool)
        holds[places] = True
        rate_in = np.clip((inside - np.where(holds, belief, 0) + rate_out) / (size - belief + 1), 0.02, 0.97)
        ratios += np.where(
            holds,
            np.clip(np.log(rate_in / rate_out), -1, 3.5),
            np.clip(np.log((1 - rate_in) / max(1e-6, 1 - rate_out)), -1.2, 0),
        )
        held += holds
    return np.clip(ratios, -6, weights.behaviours_of_persons if persons else weights.behaviours), held, tuple(marking)


def _being(population: Population, belief: Floats, alive: Flags, asked: Places, weights: Weights) -> Floats:
    """Weigh who the asked accounts are, where they come from, when they came and went, and how much they sent."""
    ratio = weights.use_time * _in_time(population.first, belief, alive, asked, (0.5, 2.0), weights)
    ratio += weights.use_time * _in_time(population.last, belief, alive, asked, (0.5, 2.0), weights)
    ratio += _in_time(population.created, belief, alive, asked, (1.0, 4.0, 15.0), weights)
    for codes in (*(population.codes[trait] for trait in TRAITS), population.kind, population.persons.astype(np.int64)):
        ratio += weights.trait * _of_value(codes, belief, alive, asked, weights)
    for measure in (population.volume, population.roaming):
        ratio += weights.trait * _of_measure(measure, belief, alive, asked)
    return ratio + _in_ring(population, belief, weights)[asked]


def _of_value(codes: Codes, belief: Floats, alive: Flags, asked: Places, weights: Weights) -> Floats:
    known = codes >= 0
    if not known.any():
        return np.zeros(len(asked))
    values = int(codes.max()) + 1
    everyone = np.bincount(codes[known & alive], minlength=values) + 0.5
    rate = everyone / everyone.sum()
    pool = np.bincount(codes[known], weights=belief[known], minlength=values)
    size, told = float(belief[known].sum()), known[asked]
    own, code = np.where(told, belief[asked], 0), np.where(told, codes[asked], 0)
    inside = (pool[code] - own + 4 * rate[code]) / (size - own + 4)
    return np.where(told, np.clip(np.log(np.maximum(inside, 1e-12) / rate[code]), weights.lowest, weights.highest), 0)


def _in_time(
    days: Floats, belief: Floats, alive: Flags, asked: Places, widths: tuple[float, ...], weights: Weights
) -> Floats:
    known = ~np.isnan(days)
    if not known.any():
        return np.zeros(len(asked))
    everyone = np.sort(days[known & alive])
    places = np.flatnonzero((belief > 0.05) & known)
    places = places[np.argsort(days[places], kind="stable")]
    times, added = days[places], np.concatenate([[0.0], np.cumsum(belief[places])])
    told, size = known[asked], float(belief[places].sum())
    at, own = np.where(told, days[asked], 0.0), np.where(told, belief[asked], 0)
    ratio = np.zeros(len(asked))
    for width in widths:
        near = np.searchsorted(everyone, at + width, "right") - np.searchsorted(everyone, at - width, "left")
        rate = (near + 0.5) / (len(everyone) + 1)
        pool = added[np.searchsorted(times, at + width, "right")] - added[np.searchsorted(times, at - width, "left")]
        inside = (np.maximum(pool - own, 0) + 3 * rate) / (size - belief[asked] + 3)
        ratio += np.log(np.maximum(inside, 1e-6) / rate)
    return np.where(told, np.clip(ratio / len(widths), weights.lowest, weights.highest), 0)


def _of_measure(measure: Floats, belief: Floats, alive: Flags, asked: Places) -> Floats:
    size = float(belief.sum())
    if size < 4:
        return np.zeros(len(asked))
    middle, spread = float(measure[alive].mean()), float(measure[alive].std()) + 1e-6
    mean = float(belief @ measure + 2 * middle) / (size + 2)
    width = max(math.sqrt(float(belief @ (measure - mean) ** 2 + 2 * spread**2) / (size + 2)), 0.25 * spread)
    own = measure[asked]
    ratio = -0.5 * ((own - mean) / width) ** 2 - math.log(width)
    return np.clip(ratio + 0.5 * ((own - middle) / spread) ** 2 + math.log(spread), -3, 2.5)


def _in_ring(population: Population, belief: Floats, weights: Weights) -> Floats:
    """Weigh sharing a payment fingerprint, key or programme with other members; rings of strangers say nothing."""
    with_others = np.zeros(population.size)
    for places in population.rings.values():
        others = np.minimum(1.0, belief[places].sum() - belief[places])
        with_others[places] = np.maximum(with_others[places], others)
    share = float(belief @ with_others) / max(1e-9, float(belief.sum()))
    inside = math.log(min(0.95, max(0.05, share)) / weights.ring_outside) if share > 0.1 else 0.0
    return np.where(with_others > 0.5, inside, 0.8 * math.log(max(0.05, 1 - share)))
