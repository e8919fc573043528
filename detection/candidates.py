"""Candidate pools: accounts of one way of use that do the same, tested for what unrelated customers do not share.

Customers of one product share a template, neighbours share a network, and neither is suspicious. Candidates are the
holders of one behaviour, or of two that go together far more often than chance allows, within a stratum: accounts used
in the same way (in sessions as people do, or steadily as software does) on the same kind of line. Within its stratum a
candidate is asked a fixed set of questions; each answer is a `Surprise`, and their capped sum is its evidence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from detection.population import CLOUD, CONSUMER, OPEN, PROXY, RINGS, TRAITS, UNKNOWN_KIND, Flags, Places, Population
from detection.surprise import NONE, Codes, Floats, Surprise, Usual, alike, higher, in_few_values, in_one_span, tail

REGISTRATION_DAYS = (1.0, 3.0, 7.0, 21.0, 45.0)
USE_DAYS = (1.0, 3.0)


@dataclass(frozen=True)
class Limits:
    """What is looked at and how far one answer counts. In powers of ten; docs/limits.md says whence."""

    fewest: int = 5
    nearly_all: float = 0.8
    fewest_in_stratum: int = 30
    most_of_stratum: float = 0.5
    lowest_lift: float = 3.0
    person_lift: float = 6.0
    person_fewest: int = 8
    person_share: float = 0.2
    person_products: float = 0.1
    regular: int = 3
    cap: float = 8.0
    least: float = 2.0
    client_cap: float = 4.0
    roaming_cap: float = 4.0
    volume_cap: float = 4.0
    combination_cap: float = 14.0
    most_open: float = 0.3
    most_of_one_organisation: float = 0.6
    most_behind_one_line: float = 0.4


@dataclass(frozen=True)
class Stratum:
    """Accounts that are used alike: chance is reckoned among them. `persons` tells sessions from steady use."""

    name: str
    persons: bool
    places: Places
    population: Population

    @cached_property
    def inside(self) -> Flags:
        flags = np.zeros(self.population.size, bool)
        flags[self.places] = True
        return flags

    @cached_property
    def created(self) -> Floats:
        return _sorted(self.population.created[self.places])

    @cached_property
    def begun(self) -> Floats:
        return _sorted(self.population.begun[self.places])

    @cached_property
    def ended(self) -> Floats:
        return _sorted(self.population.ended[self.places])

    @cached_property
    def roaming(self) -> Usual:
        return Usual(self.population.roaming[self.places])

    @cached_property
    def volume(self) -> Usual:
        return Usual(self.population.volume[self.places])

    @cached_property
    def shown(self) -> Mapping[str, Codes]:
        """How many accounts show each value, by trait."""
        counted = {}
        for trait in TRAITS:
            codes = self.population.codes[trait][self.places]
            counted[trait] = np.bincount(codes[codes >= 0], minlength=len(self.population.values[trait]))
        return counted


@dataclass
class Candidate:
    """Accounts that do the same in one stratum. Only `test` fills in `tests` and `evidence`."""

    stratum: str
    behaviours: tuple[int, ...]
    members: Places
    combination: Surprise = NONE
    tests: Mapping[str, Surprise] = field(default_factory=dict)
    evidence: float = 0.0


def strata(population: Population, alive: Flags, limits: Limits) -> list[Stratum]:
    """Give the strata of accounts still looked at; gateways stand in none."""
    usable = alive & ~population.gateways & ~population.openly_tied
    steady, lines = usable & ~population.persons, population.kind
    chosen = [(f"steady-{kind}", False, steady & (lines == kind)) for kind in (CONSUMER, PROXY, CLOUD, UNKNOWN_KIND)]
    chosen += [
        ("steady", False, steady & (lines != OPEN)),
        ("persons", True, usable & population.persons & (lines != OPEN)),
    ]
    made = [Stratum(name, persons, np.flatnonzero(flags), population) for name, persons, flags in chosen]
    return [stratum for stratum in made if len(stratum.places) >= limits.fewest_in_stratum]


def candidates(population: Population, parts: Sequence[Stratum], limits: Limits) -> list[Candidate]:
    """Give every candidate of every stratum, in a fixed order; the same accounts once in a stratum."""
    by_products = _regulars(population, range(len(population.behaviours)), limits)
    found: list[Candidate] = []
    for stratum in parts:
        kept: dict[bytes, Candidate] = {}
        for candidate in _of_stratum(population, stratum, by_products, limits):
            same = kept.get(key := candidate.members.tobytes())
            if same is None or candidate.combination.power > same.combination.power:
                kept[key] = candidate
        found += kept.values()
    return found


def _of_stratum(
    population: Population, stratum: Stratum, by_products: Mapping[int, float], limits: Limits
) -> Iterator[Candidate]:
    total = len(stratum.places)
    holders: dict[int, Places] = {}
    for number, behaviour in enumerate(population.behaviours):
        inside = behaviour.holders[stratum.inside[behaviour.holders]]
        if limits.fewest <= len(inside) <= limits.most_of_stratum * total:
            holders[number] = inside
            yield Candidate(stratum.name, (number,), inside)
    for (one, two), both in sorted(_together(holders, limits.fewest).items()):
        if len(both) < limits.lowest_lift * len(holders[one]) * len(holders[two]) / total:
            continue
        members = np.array(sorted(both), np.int64)
        combination = NONE
        if stratum.persons and min(by_products[one], by_products[two]) >= limits.person_products:
            combination = _combination(population, stratum, (one, two), members, limits)
        yield Candidate(stratum.name, (one, two), members, combination)


def _combination(
    population: Population, stratum: Stratum, pair: tuple[int, int], members: Places, limits: Limits
) -> Surprise:
    """Ask whether people who talk fill both templates more often than chance allows; software in bursts is left out.

    They have to be a good part of all who fill each: the few of a product's users that look like people are its users.
    """
    talking = population.talking & stratum.inside
    one, two = (population.behaviours[number].holders for number in pair)
    first, second, both = (int(talking[places].sum()) for places in (one, two, members))
    total = max(1, int(talking[stratum.places].sum()))
    expected = first * second / total
    if both < max(limits.person_fewest, limits.person_lift * expected):
        return NONE
    if first < limits.person_share * len(one) or second < limits.person_share * len(two):
        return NONE
    choices = math.log10(max(2, len(population.behaviours)) ** 2 / 2)
    power = -tail(both, first, min(1.0, second / total)) - choices
    return Surprise(max(0.0, power), both, first, expected)


def _together(holders: Mapping[int, Places], fewest: int) -> dict[tuple[int, int], list[int]]:
    """Give the accounts of each pair of behaviours that several hold both of; work grows with what accounts hold."""
    held: dict[int, list[int]] = defaultdict(list)
    for number, places in holders.items():
        for place in places.tolist():
            held[place].append(number)
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, numbers in held.items():
        for pair in combinations(numbers, 2):
            pairs[pair].append(place)
    return {pair: places for pair, places in pairs.items() if len(places) >= fewest}


def _regulars(
    population: Population, numbers: Iterable[int], limits: Limits, apart: Places | None = None
) -> Mapping[int, float]:
    """Give for some behaviours the share of their holders that are products: steady, and filling it again and again.

    A frame that products send is a scaffold; one that only people type is a community's own, and ties nobody. Accounts
    set `apart`, whom it is asked about, do not count: the busy ones of a course make no product of its exercises.
    """
    usual, others = ~population.persons & ~population.gateways, np.ones(population.size, bool)
    if apart is not None:
        others[apart] = False
    shares = {}
    for number in numbers:
        behaviour = population.behaviours[number]
        counted = others[behaviour.holders]
        steady = usual[behaviour.holders] & (behaviour.counts >= limits.regular) & counted
        shares[number] = int(steady.sum()) / max(8, int(counted.sum()))
    return shares


def combination_of(
    population: Population, stratum: Stratum, numbers: Sequence[int], members: Places, limits: Limits
) -> Surprise:
    """Give the strongest combination of two behaviours among members used in sessions, as for a candidate."""
    by_products, own, best = _regulars(population, numbers, limits, members), np.zeros(population.size, bool), NONE
    own[members] = True
    for one, two in combinations(numbers, 2):
        if min(by_products[one], by_products[two]) < limits.person_products:
            continue
        first, second = (population.behaviours[n].holders for n in (one, two))
        both = np.intersect1d(first, second, assume_unique=True)
        found = _combination(population, stratum, (one, two), both[own[both]], limits)
        best = max(best, found, key=lambda surprise: surprise.power)
    return best


def test(population: Population, stratum: Stratum, members: Places, combination: Surprise) -> dict[str, Surprise]:
    """Ask the fixed questions of some accounts against their stratum; gives the answers by name."""
    answers = {
        "registration": in_one_span(_sorted(population.created[members]), stratum.created, REGISTRATION_DAYS),
        "first_use": in_one_span(_sorted(population.begun[members]), stratum.begun, USE_DAYS),
        "last_use": in_one_span(_sorted(population.ended[members]), stratum.ended, USE_DAYS),
    }
    for trait in TRAITS:
        if trait == "client" and stratum.persons:
            continue  # an application that people use brings its own templates
        used = population.used[trait] if trait == "client" else None
        answers[trait] = in_few_values(population.codes[trait][members], stratum.shown[trait], used)
    answers["roaming"] = higher(population.roaming[members], stratum.roaming)
    answers["volume"] = alike(population.volume[members], stratum.volume)
    answers["ring"] = _in_rings(population, members)
    answers["combination"] = combination
    return answers


def evidence(answers: Mapping[str, Surprise], limits: Limits) -> float:
    """Add up the answers, each up to its cap: how many powers of ten speak against chance.

    What happens once in a hundred times is left out: of eleven questions one is always a little off.
    """
    telling = {name: surprise.power for name, surprise in answers.items() if surprise.power >= limits.least}
    return sum(min(power, cap_of(name, limits)) for name, power in telling.items())


def cap_of(name: str, limits: Limits) -> float:
    """Give how far one answer counts, in powers of ten."""
    own = {
        "combination": limits.combination_cap,
        "roaming": limits.roaming_cap,
        "volume": limits.volume_cap,
        "client": limits.client_cap,
    }
    return own.get(name, limits.cap)


def _in_rings(population: Population, members: Places) -> Surprise:
    """Give how many members share a payer, key or programme with another member, and which of these they share.

    The power is a figure that grows with their share and number, set by hand: no probability.
    """
    rings, which = population.rings.of(members)
    several = np.bincount(rings, minlength=population.rings.count) >= 2
    tied = several[rings]
    found = len(np.unique(which[tied]))
    kinds = tuple(RINGS[kind] for kind in np.unique(population.ring_kinds[rings[tied]]).tolist())
    return Surprise(found / len(members) * min(8, len(members)), found, len(members), of=kinds)


def explained(population: Population, members: Places, limits: Limits) -> bool:
    """Tell whether an open explanation covers the accounts: one school or company network, organisation or address."""
    if float((population.kind[members] == OPEN).mean()) > limits.most_open:
        return True
    organisation = population.organisation[members]
    if (known := organisation[organisation >= 0]).size and np.bincount(
        known
    ).max() >= limits.most_of_one_organisation * len(members):
        return True
    return behind_one_line(population, members) > limits.most_behind_one_line


def behind_one_line(population: Population, members: Places) -> float:
    """Give the share of accounts that have shown one and the same address or subnet; 0 where most use proxies."""
    if float((population.kind[members] == PROXY).mean()) >= 0.5:
        return 0.0
    return float(population.lines.sums(members).max(initial=0)) / len(members)


def _sorted(days: Floats) -> Floats:
    return np.sort(days[~np.isnan(days)])
