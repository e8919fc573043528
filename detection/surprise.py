"""How surprising a concentration is: the probability, as a power of ten, that chance alone would do as much.

Every function gives a `Surprise`: minus the logarithm to base ten of a bound on that probability, after correction for
the places looked at, with the counts a sentence needs. Binomial tails are bounded on the safe side; the rate chance
would have is itself estimated, so that small figures are approximate and only sums of several count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FEWEST = 3
FEWEST_ALIKE = 8
LEAST_LIFT = 3.0  # many accounts make any small difference certain: it has to be a large one as well
LEAST_SHARE = 0.22  # of the own accounts: what a few of many share is not what holds them together
LEAST_DIFFERENCE = 0.8  # in standard deviations
MOST_SPREAD = 0.35  # standard deviation of a logarithm: two in three within a factor of 1.4 of the middle
MOST_VALUES = 3  # how many values of one trait may make up a concentration
# Questions whose power is a figure set by hand and no bound on a probability: it ranks, and nobody says a chance of it.
NO_CHANCE = frozenset({"ring", "roaming"})

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Codes = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Surprise:
    """`found` of `among` accounts, where `expected` would be by chance; `of` says which values or which span."""

    power: float = 0.0
    found: int = 0
    among: int = 0
    expected: float = 0.0
    of: tuple[Any, ...] = ()


NONE = Surprise()


class Usual:
    """A measure among everyone, which one's own is held against: how many, their mean and standard deviation."""

    def __init__(self, values: Floats) -> None:
        self.count = len(values)
        self.mean = float(values.mean()) if self.count else 0.0
        self.deviation = float(values.std()) if self.count else 0.0


def tail(hits: int, draws: int, rate: float) -> float:
    """Bound the binomial tail P(X ≥ hits) from above, as log10: Chernoff's bound, exact enough and never too small."""
    if draws <= 0 or hits <= draws * rate:
        return 0.0
    share = min(1.0, hits / draws)
    rate = min(max(rate, 1e-12), 1 - 1e-12)
    divergence = share * math.log(share / rate)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - rate))
    return -draws * divergence / math.log(10)


def _large(found: int, count: int, rate: float) -> bool:
    """Tell whether a concentration is large, beside being certain."""
    return found >= LEAST_SHARE * count and found >= LEAST_LIFT * rate * count


def in_one_span(own: Floats, everyone: Floats, widths: Sequence[float]) -> Surprise:
    """Ask whether times (days, sorted; NaN left out before) fall into one span more than everyone's do.

    Scan statistic: the fullest span of each width, corrected for the spans looked at. `everyone` includes the own.
    """
    count = len(own)
    if count < FEWEST or len(everyone) <= count:
        return NONE
    best = NONE
    for width in widths:
        ends = np.searchsorted(own, own + width, side="right")
        inside = ends - np.arange(count)
        start = int(inside.argmax())
        found = int(inside[start])
        first, last = float(own[start]), float(own[ends[start] - 1])
        here = np.searchsorted(everyone, first + width, side="right") - np.searchsorted(everyone, first, side="left")
        rate = min(0.99, (max(0, int(here) - found) + 1) / (len(everyone) - count + 2))
        power = -(tail(found, count, rate) + math.log10(count * len(widths)))
        if power > best.power and _large(found, count, rate):
            best = Surprise(power, found, count, rate * count, (first, last))
    return best


def in_few_values(own: Codes, theirs: Codes, used: Codes | None = None) -> Surprise:
    """Ask whether one to three values of a trait make up more of the own accounts than of everyone's.

    `theirs` is how many of everyone, the own included, show each value; its length corrects for the choice. Codes of
    the own below zero are unknown and left out. With `used` (how many accounts of the whole population show each
    value) a value most of whose users are these accounts themselves is no surprise: a tool brings its own client and
    its own templates.
    """
    own, values, everyone = own[own >= 0], len(theirs), int(theirs.sum())
    count = len(own)
    if count < FEWEST or everyone <= count:
        return NONE
    mine = np.bincount(own, minlength=values)
    order = np.lexsort((np.arange(values), -mine))[:MOST_VALUES]
    best, found, rest = NONE, 0, 0
    for place, code in enumerate(order, start=1):
        if mine[code] == 0:
            break
        if used is not None and mine[code] > 0.5 * used[code]:
            continue
        found += int(mine[code])
        rest += max(0, int(theirs[code] - mine[code]))
        rate = min(0.99, (rest + 0.5 * place) / (everyone - count + place))
        power = -(tail(found, count, rate) + place * math.log10(max(2, values)))
        if power > best.power and _large(found, count, rate):
            best = Surprise(power, found, count, rate * count, tuple(int(c) for c in order[:place]))
    return best


def higher(own: Floats, usual: Usual) -> Surprise:
    """Ask whether a measure lies higher among the own accounts; the power is half the standardised difference."""
    if len(own) < FEWEST:
        return NONE
    difference = (float(own.mean()) - usual.mean) / (usual.deviation + 1e-9)
    if difference < LEAST_DIFFERENCE:
        return NONE
    power, size = difference * math.sqrt(len(own)) / 2, len(own)
    return Surprise(power, size, size, 0.0, (float(own.mean()), usual.mean))


def alike(own: Floats, usual: Usual) -> Surprise:
    """Ask whether logarithms of a measure vary less among the own accounts than chance allows among all of them.

    The chance that a sample of normal deviates varies so little follows a chi-square distribution. People and products
    differ by factors; what one scheduler shares out does not.
    """
    if len(own) < FEWEST_ALIKE or usual.count <= len(own):
        return NONE
    spread, theirs = float(own.std(ddof=1)), usual.deviation
    if spread > MOST_SPREAD or theirs <= spread:
        return NONE
    freedom = len(own) - 1
    power = -_lower_gamma(freedom / 2, freedom * (max(spread, 1e-3) / theirs) ** 2 / 2)
    return Surprise(power, len(own), len(own), 0.0, (math.exp(spread), math.exp(theirs)))


def _lower_gamma(shape: float, x: float) -> float:
    """Give log10 of the regularised lower incomplete gamma function by its series (Abramowitz and Stegun 6.5.29)."""
    term = total = 1.0
    for step in range(1, 1_000):
        term *= x / (shape + step)
        total += term
        if term < 1e-12 * total:
            break
    return (shape * math.log(x) - x - math.lgamma(shape + 1) + math.log(total)) / math.log(10)
