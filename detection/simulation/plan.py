"""Decides who sends when: a day's exchanges as columns in order of time, drawn from the seed and the day alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from detection.simulation.choices import Floats, Ints, Words, mix
from detection.simulation.ensemble import Ensemble
from detection.simulation.population import DAY

NOBODY = -1
SHARED = 0.05  # share of exchanges of colleagues that go on with a conversation that one of them was shown
REPLAYED = 0.6  # share of a replaying pool's exchanges that present another account's reasoning


@dataclass(frozen=True)
class Day:
    """A day's exchanges, sorted by time: arrays of one length."""

    number: int
    place: Ints  # the account
    time: Ints  # microseconds of the day
    item: Words  # decides the filling
    sitting: Ints  # number of the sitting an exchange belongs to
    follows: Any  # it is not the first of its sitting
    before: Ints  # the exchange whose reasoning it could present, or NOBODY
    leaves: Any  # it is the last of a pool member's stint, where limits are met

    def __len__(self) -> int:
        return len(self.place)


class Plan:
    """Makes the days. Keeps a few numbers an account, never a row."""

    def __init__(self, cast: Ensemble) -> None:
        self.seed = cast.scale.seed
        self.release_day = cast.scale.release_day
        self.columns = cast.columns
        self.rate = _rates(cast)
        self.pools = np.where(cast.columns["pooled"], cast.columns["group"], NOBODY)

    def day(self, number: int) -> Day:
        """Give the exchanges of one day."""
        rng = np.random.Generator(np.random.PCG64([self.seed, 2, number]))
        counts = self._counts(rng, number)
        place = np.repeat(np.arange(len(counts)), counts)
        turn = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        begins = turn % self.columns["sitting"][place] == 0
        sitting = np.maximum.accumulate(np.where(begins, np.arange(len(place)), 0))
        rows = {
            "place": place,
            "time": self._times(rng, place, begins, sitting),
            "item": self._items(rng, place, turn),
            "sitting": sitting,
            "follows": ~begins,
            "before": np.where(begins, NOBODY, np.arange(len(place)) - 1),
            "leaves": np.zeros(len(place), dtype=bool),
        }
        pools = self.pools[place]
        for pool in np.unique(pools[pools >= 0]).tolist():
            self._balance(rng, rows, np.flatnonzero(pools == pool), number * 1_000 + pool)
        self._share(rng, rows)
        return _sorted(number, rows)

    def _counts(self, rng: np.random.Generator, number: int) -> Ints:
        columns = self.columns
        here = (rng.random(len(self.rate)) < columns["active"]) & (columns["first"] <= number)
        here &= number < columns["last"]
        surge = columns["surge"] if number >= self.release_day else 1.0
        counts: Ints = rng.poisson(np.where(here, self.rate * surge, 0.0))
        return counts

    def _times(self, rng: np.random.Generator, place: Ints, begins: Any, sitting: Ints) -> Ints:
        """Give times: sittings at the account's hours, with its pauses inside them."""
        columns = self.columns
        starts = columns["hour"][place] + columns["spread"][place] * rng.normal(0, 1, len(place))
        gaps = rng.exponential(1.0, len(place)) * columns["gap"][place]
        passed = np.cumsum(np.where(begins, 0.0, gaps))
        seconds = starts[sitting] * 3_600 + passed - passed[sitting]
        times: Ints = np.mod(seconds * 1e6, DAY).astype(np.int64)
        return times

    def _items(self, rng: np.random.Generator, place: Ints, turn: Ints) -> Words:
        """Give what decides the filling: something new, or the next entry of the account's list."""
        new = mix(rng.integers(2**62, size=len(place)))
        lists = self.columns["items"][place].astype(np.int64)
        listed = mix(place * 1_000_003 + turn % np.maximum(lists, 1), 7)
        return np.where(lists > 0, listed, new)

    def _share(self, rng: np.random.Generator, rows: dict[str, Any]) -> None:
        """Let colleagues go on with each other's conversations now and then: an innocent way to present a block."""
        mine = np.flatnonzero(self.columns["shares"][rows["place"]])
        group = self.columns["group"][rows["place"][mine]]
        order = np.lexsort((rows["time"][mine], group))
        inside, group = mine[order], group[order]
        who = rows["place"][inside]
        handed = (group[1:] == group[:-1]) & (who[1:] != who[:-1]) & (rng.random(max(0, len(inside) - 1)) < SHARED)
        rows["before"][inside[1:][handed]] = inside[:-1][handed]

    def _balance(self, rng: np.random.Generator, rows: dict[str, Any], mine: Ints, salt: int) -> None:
        """Spread a pool's exchanges evenly over the day while its members come and go in stints of some hours."""
        members = rows["place"][mine]
        __, stint = np.unique(members, return_inverse=True)
        length = rng.uniform(2, 8, stint.max() + 1)
        start = rng.uniform(0, 24 - length)
        order = np.argsort(start[stint] + length[stint] * rng.random(len(mine)), kind="stable")
        inside = mine[order]
        who = rows["place"][inside]
        rows["time"][inside] = (np.arange(len(mine)) + rng.random(len(mine))) * (DAY / len(mine))
        samples = int(self.columns["samples"][who[0]])
        if samples > 1:
            asked = np.arange(len(mine)) % max(1, len(mine) // samples)
            rows["item"][inside] = mix(asked + salt * 1_000_003, 8)
        last = np.zeros(len(mine), dtype=bool)
        last[len(mine) - 1 - np.unique(who[::-1], return_index=True)[1]] = True
        rows["leaves"][inside] = last
        rows["before"][inside] = NOBODY
        if self.columns["replays"][who[0]]:
            rows["before"][inside] = _of_others(rng, inside, who)


def _of_others(rng: np.random.Generator, inside: Ints, who: Ints) -> Ints:
    """Give for some exchanges of a pool an earlier one of another member, whose reasoning a relay presents again."""
    earlier = np.arange(len(inside)) - rng.integers(1, 6, size=len(inside))
    known = np.maximum(earlier, 0)
    taken = (earlier >= 0) & (who[known] != who) & (rng.random(len(inside)) < REPLAYED)
    return np.where(taken, inside[known], NOBODY)


def _sorted(number: int, rows: dict[str, Any]) -> Day:
    """Put a day's rows in order of time; what would be presented before it was issued is dropped."""
    order = np.lexsort((rows["place"], rows["time"]))
    at = np.empty(len(order) + 1, dtype=np.int64)
    at[order] = np.arange(len(order))
    at[-1] = NOBODY
    sorted_rows = {name: values[order] for name, values in rows.items()}
    before = at[sorted_rows["before"]]
    sorted_rows["before"] = np.where(before < np.arange(len(order)), before, NOBODY)
    return Day(number, **sorted_rows)


def _rates(cast: Ensemble) -> Floats:
    """Give exchanges per active day before the release, so that both sides come to their share of the whole."""
    columns, scale = cast.columns, cast.scale
    after = scale.release_day
    first, last = np.clip(columns["first"], 0, scale.days), np.clip(columns["last"], 0, scale.days)
    early = np.clip(np.minimum(last, after) - first, 0, None)
    late = np.clip(last - np.maximum(first, after), 0, None)
    whole = columns["weight"] * columns["active"] * (early + late * columns["surge"])
    rate: Floats = np.zeros(len(cast))
    campaign = columns["campaign"]
    share = scale.campaign_exchanges if whole[campaign].sum() > 0 else 0.0
    for side, part in ((campaign, share), (~campaign, 1.0 - share)):
        if whole[side].sum() > 0:
            rate[side] = columns["weight"][side] * scale.exchanges * part / whole[side].sum()
    return rate
