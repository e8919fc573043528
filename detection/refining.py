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
from detection.surprise import Codes, Floats, Usual

USE_WIDTHS = (0.5, 2.0)  # days
REGISTRATION_WIDTHS = (1.0, 4.0, 15.0)


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


class Background:
    """Everybody not taken yet, against whom members are weighed; good until the next pool is taken."""

    def __init__(self, population: Population, alive: Flags) -> None:
        self.population, self.alive, self.size = population, alive.copy(), int(alive.sum())
        self.talkers: Flags = self.alive & population.persons
        self.first, self.last = (Times(days, alive, USE_WIDTHS) for days in (population.first, population.last))
        self.created = Times(population.created, alive, REGISTRATION_WIDTHS)
        traits = (*(population.codes[trait] for trait in TRAITS), population.kind, population.persons.astype(np.int64))
        self.rates = [(codes, _rates(codes, alive)) for codes in traits if (codes >= 0).any()]
        self.measures = [(measure, Usual(measure[alive])) for measure in (population.volume, population.roaming)]


class Times:
    """One time of every account, and the share of everybody's that lie within each width of it; in days."""

    def __init__(self, days: Floats, alive: Flags, widths: tuple[float, ...]) -> None:
        self.days, self.known = days, ~np.isnan(days)
        order = np.argsort(days, kind="stable")[: int(self.known.sum())]
        own = days[order]
        everyone = own[alive[order]]
        self.near: dict[float, Floats] = {}
        for width in widths:
            near = np.searchsorted(everyone, own + width, "right") - np.searchsorted(everyone, own - width, "left")
            self.near[width] = np.ones(len(days))
            self.near[width][order] = (near + 0.5) / (len(everyone) + 1)


@dataclass(frozen=True)
class Mark:
    """A behaviour that marks the pool: who of those not taken holds it, how often in the pool and outside it."""

    number: int
    holders: Places
    inside: float
    rate_outside: float


def refine(background: Background, seed: Places, persons: bool, weights: Weights) -> Membership:
    """Find the accounts that belong with the seed, among those not yet taken by another pool.

    Only accounts that hold a marking behaviour are weighed, since nobody else can belong: what a round costs follows
    the pool and not the population.
    """
    population = background.population
    belief = np.zeros(population.size)
    belief[seed] = 1.0
    marks: list[Mark] = []
    for _ in range(weights.rounds):
        believed = np.flatnonzero(belief)
        size = float(belief[believed].sum())
        marks = _marks(background, belief, believed, persons, weights)
        if size < 2.5 or not marks:
            return Membership(np.array([], np.int64), belief, ())
        fewest = weights.fewest_held_by_persons if persons else 1
        held = np.bincount(np.concatenate([mark.holders for mark in marks]))
        asked = np.flatnonzero(held >= fewest)
        being = _being(background, belief, believed, asked, weights)
        prior = math.log(max(min(size, weights.growth * len(seed)), 5.0) / max(1, background.size))
        doing = _doing(marks, belief[asked], asked, size, persons, weights)
        sure = 1 / (1 + np.exp(-np.clip(prior + doing + being, -30, 30)))
        least = np.where(population.persons[asked] & persons, weights.least_of_persons, weights.least)
        sure[being < least] = 0
        new = np.zeros(population.size)
        new[asked] = sure
        settled = float(np.abs(new - belief).sum()) < 0.5
        belief = new
        if settled:
            break
    return Membership(np.flatnonzero(belief >= weights.member), belief, tuple(mark.number for mark in marks))


def _marks(background: Background, belief: Floats, believed: Places, persons: bool, weights: Weights) -> list[Mark]:
    """Give the behaviours that a good part of the pool shows and hardly anybody outside it."""
    population, size = background.population, float(belief[believed].sum())
    base = background.talkers if persons else background.alive
    outside = max(1.0, float(base.sum()) - float(belief[believed[base[believed]]].sum()) + 1)
    shown = population.doing.sums(believed, belief[believed])
    marks = []
    for number in np.flatnonzero(shown >= max(2.0, weights.marking_share * size)).tolist():
        holders, inside = population.behaviours[number].holders, float(shown[number])
        holders = holders[background.alive[holders]]
        counted = holders[base[holders]]
        rate = (len(counted) - float(belief[counted].sum()) + 0.5) / outside
        if inside / size >= (weights.marking_of_persons if persons else weights.marking) * rate:
            marks.append(Mark(number, holders, inside, rate))
    return marks


def _doing(marks: list[Mark], belief: Floats, asked: Places, size: float, persons: bool, weights: Weights) -> Floats:
    """Weigh what the asked accounts do: holding each marking behaviour or not."""
    ratios = np.zeros(len(asked))
    for mark in marks:
        holds, rate = np.isin(asked, mark.holders, assume_unique=True), mark.rate_outside
        inside = np.clip((mark.inside - np.where(holds, belief, 0) + rate) / (size - belief + 1), 0.02, 0.97)
        ratios += np.where(
            holds,
            np.clip(np.log(inside / rate), -1, 3.5),
            np.clip(np.log((1 - inside) / max(1e-6, 1 - rate)), -1.2, 0),
        )
    return np.clip(ratios, -6, weights.behaviours_of_persons if persons else weights.behaviours)


def _being(background: Background, belief: Floats, believed: Places, asked: Places, weights: Weights) -> Floats:
    """Weigh who the asked accounts are, where they come from, when they came and went, and how much they sent."""
    population = background.population
    ratio = np.zeros(len(asked))
    for times in (background.first, background.last):
        ratio += weights.use_time * _in_time(times, belief, believed, asked, weights)
    ratio += _in_time(background.created, belief, believed, asked, weights)
    for codes, rate in background.rates:
        ratio += weights.trait * _of_value(codes, rate, belief, believed, asked, weights)
    for measure, usual in background.measures:
        ratio += weights.trait * _of_measure(measure, usual, belief, believed, asked)
    return ratio + _in_ring(population, belief, believed, weights)[asked]


def _rates(codes: Codes, alive: Flags) -> Floats:
    everyone = np.bincount(codes[alive & (codes >= 0)], minlength=int(codes.max(initial=0)) + 1) + 0.5
    rates: Floats = everyone / everyone.sum()
    return rates


def _of_value(codes: Codes, rate: Floats, belief: Floats, believed: Places, asked: Places, weights: Weights) -> Floats:
    known = believed[codes[believed] >= 0]
    pool = np.bincount(codes[known], weights=belief[known], minlength=len(rate))
    size, told = float(belief[known].sum()), codes[asked] >= 0
    own, code = np.where(told, belief[asked], 0), np.where(told, codes[asked], 0)
    inside = (pool[code] - own + 4 * rate[code]) / (size - own + 4)
    return np.where(told, np.clip(np.log(np.maximum(inside, 1e-12) / rate[code]), weights.lowest, weights.highest), 0)


def _in_time(times: Times, belief: Floats, believed: Places, asked: Places, weights: Weights) -> Floats:
    """Weigh how near to the members' times an account's own is, against how near to everyone's."""
    places = believed[(belief[believed] > 0.05) & times.known[believed]]
    places = places[np.argsort(times.days[places], kind="stable")]
    members, added = times.days[places], np.concatenate([[0.0], np.cumsum(belief[places])])
    told, size = times.known[asked], float(belief[places].sum())
    at, own = np.where(told, times.days[asked], 0.0), np.where(told, belief[asked], 0)
    ratio = np.zeros(len(asked))
    for width, near in times.near.items():
        rate = near[asked]
        last, first = np.searchsorted(members, at + width, "right"), np.searchsorted(members, at - width, "left")
        inside = (np.maximum(added[last] - added[first] - own, 0) + 3 * rate) / (size - belief[asked] + 3)
        ratio += np.log(np.maximum(inside, 1e-6) / rate)
    return np.where(told, np.clip(ratio / len(times.near), weights.lowest, weights.highest), 0)


def _of_measure(measure: Floats, usual: Usual, belief: Floats, believed: Places, asked: Places) -> Floats:
    weight, values = belief[believed], measure[believed]
    size = float(weight.sum())
    if size < 4:
        return np.zeros(len(asked))
    middle, spread = usual.mean, usual.deviation + 1e-6
    mean = (float((weight * values).sum()) + 2 * middle) / (size + 2)
    varies = float((weight * (values - mean) ** 2).sum())
    width = max(math.sqrt((varies + 2 * spread**2) / (size + 2)), 0.25 * spread)
    own = measure[asked]
    ratio = -0.5 * ((own - mean) / width) ** 2 - math.log(width)
    return np.clip(ratio + 0.5 * ((own - middle) / spread) ** 2 + math.log(spread), -3, 2.5)


def _in_ring(population: Population, belief: Floats, believed: Places, weights: Weights) -> Floats:
    """Weigh sharing a payment fingerprint, key or programme with other members; rings of strangers say nothing."""
    rings = population.rings
    shared = rings.sums(believed, belief[believed])
    touched = shared[rings.groups] > 0
    places = rings.places[touched]
    with_others = np.zeros(population.size)
    np.maximum.at(with_others, places, np.minimum(1.0, shared[rings.groups[touched]] - belief[places]))
    weight = belief[believed]
    share = float((weight * with_others[believed]).sum()) / max(1e-9, float(weight.sum()))
    inside = math.log(min(0.95, max(0.05, share)) / weights.ring_outside) if share > 0.1 else 0.0
    return np.where(with_others > 0.5, inside, 0.8 * math.log(max(0.05, 1 - share)))
