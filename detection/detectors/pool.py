"""What detectors of pools share: they look at groups of accounts that a run has found, against groups drawn at random.

A statistic of a pool means little by itself: many small firms together look smooth, a popular product moves to a new
model. So each is compared with the same statistic of groups of the same size, drawn from accounts that are used alike
and send about as much. The share of drawn groups that come as far is the finding's chance; no distribution is assumed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import ibis
import numpy as np
import pyarrow as pa

from detection.detectors.base import Detector, confidence_word, plural
from detection.population import Places, Population
from detection.records import AccountSeen, Figures, FindingDraft, Number, Outcome, Window
from detection.telemetry.dataset import Dataset

SEED = 20260604
MOST_TRIES = 2  # groups are drawn for each that is wanted, where some cannot be compared
Draws = np.ndarray[tuple[int, int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Group:
    """Accounts that may be one pool: a cluster's key and its members' places in the population."""

    key: str
    members: Places


class Lack(StrEnum):
    """Why a group cannot be compared: it has too little of what is counted, or what it is compared with has."""

    POOL = "pool"
    DRAWN = "drawn"


@dataclass(frozen=True)
class Comparison:
    """A group's statistic, the same of the drawn groups, and the share of them that come as far or farther.

    `drawn` and `groups` go together: those that support a statistic. `against` says in words what was drawn.
    """

    value: float
    drawn: tuple[float, ...]
    chance: float
    groups: Sequence[Places] = ()
    against: str = "groups drawn at random from accounts used alike"

    @property
    def usual(self) -> float:
        return float(np.median(self.drawn))


@dataclass(frozen=True)
class _Asked:
    """Groups to look at together, the accounts they are compared with, and `places` of both; `lack` forbids it."""

    counts: Mapping[str, int]
    large: Sequence[Group]
    others: Places
    places: Places
    lack: str


class PoolDetector(Detector):
    """A detector that examines groups. Asked for accounts one by one it cannot tell."""

    minimum_support: ClassVar[int] = 5
    support_unit: ClassVar[str] = "accounts in a pool"
    parameters: ClassVar[Mapping[str, Number]] = {}
    COMMON: ClassVar[Mapping[str, Number]] = {
        "draws": 199,
        "highest_chance": 0.01,
        "most_members": 500,
        "background": 3_000,
    }

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        return self.could_not_tell("It looks at pools: a run hands it the clusters it has made.")

    def examine(self, dataset: Dataset, window: Window, population: Population, groups: Sequence[Group]) -> Outcome:
        """Examine every group; findings name the group's accounts and carry its key in `support`.

        Where no group could be compared the answer is "could not tell", with what was lacking.
        """
        (outcome,) = self.examine_in_turn(dataset, window, population, [groups])
        return outcome

    def examine_in_turn(
        self, dataset: Dataset, window: Window, population: Population, times: Sequence[Sequence[Group]]
    ) -> Iterator[Outcome]:
        """Examine some groups, then others, as `examine` does each time, with one fetch for all of them.

        What is usual of everybody is then of all accounts that any of the times asks about.
        """
        if reason := self.missing(dataset) or self.unsuited(dataset, window):
            yield from (self.could_not_tell(reason) for _ in times)
            return
        asked = [self._asked(population, groups) for groups in times]
        places = [one.places for one in asked if not one.lack]
        measures = self.measures(dataset, window, population, np.unique(np.concatenate(places))) if places else None
        for one in asked:
            yield self._compared(window, population, one, measures)

    def _asked(self, population: Population, groups: Sequence[Group]) -> _Asked:
        """Say which of the groups can be looked at, against which others, and whose rows that needs."""
        large = [group for group in groups if len(group.members) >= self.minimum_support]
        others = _background(population, groups, int(self.parameters["background"]))
        places = np.unique(np.concatenate([others, *(self._looked_at(group) for group in large)]))
        lack = ""
        if not large:
            lack = f"No pool has {self.minimum_support} accounts."
        elif len(others) < 20 * self.minimum_support:
            lack = f"Only {len(others):,} accounts are left to compare with."
        return _Asked({"pools": len(groups), "pools_large_enough": len(large)}, large, others, places, lack)

    def _compared(self, window: Window, population: Population, asked: _Asked, measures: Any) -> Outcome:
        if asked.lack:
            return self.could_not_tell(asked.lack, asked.counts)
        findings: list[FindingDraft] = []
        lacks: list[Lack] = []
        alone = 0
        for group in asked.large:
            members = self._looked_at(group)
            comparison = self.compare(population, members, asked.others, measures)
            if isinstance(comparison, Lack):
                lacks.append(comparison)
            elif comparison.chance <= self.parameters["highest_chance"]:
                if self.rests_on_one(measures, members, comparison):
                    alone += 1
                else:
                    findings += self._findings(window, population, group, members, measures, comparison)
        pools = len(asked.large)
        compared = {"accounts_compared_with": len(asked.others), "pools_compared": pools - len(lacks)}
        counts = {**asked.counts, **compared, "pools_unlike_others_by_one_account": alone}
        untold = " ".join(self._untold(measures, lacks, pools))
        if len(lacks) == pools:
            return self.could_not_tell(untold, counts)
        return self.outcome(findings, counts, (), f"No pool differs from groups drawn at random. {untold}".strip())

    def _untold(self, measures: Any, lacks: Sequence[Lack], pools: int) -> Iterator[str]:
        """Say how many pools could not be compared, and what was lacking."""
        for lack in Lack:
            if number := lacks.count(lack):
                yield f"{number:,} of {plural(pools, 'pools')} could not be compared: {self.lacking(measures, lack)}."

    def rests_on_one(self, measures: Any, members: Places, comparison: Comparison) -> bool:
        """Tell whether the group does not come as far without some one of its accounts, which says nothing of a pool.

        Drawn groups have such an account more seldom than their share of accounts: some who send most are in the group.
        """
        values = (self.statistic(measures, np.delete(members, place)) for place in range(len(members)))
        highest = self.parameters["highest_chance"]
        return any(value is None or self.share_as_far(value, comparison.drawn) > highest for value in values)

    def unsuited(self, dataset: Dataset, window: Window) -> str | None:
        """Say why this dataset and window cannot be asked, beyond absent columns; None when they can."""
        return None

    @abstractmethod
    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        """Fetch once what the statistic needs of these accounts."""

    @abstractmethod
    def statistic(self, measures: Any, members: Places) -> float | None:
        """Give the statistic of a group, larger being more suspicious; None when the group supports none."""

    @abstractmethod
    def needed(self, measures: Any) -> str:
        """Say what a group needs at least for the statistic, to be read after "fewer than"."""

    def lacking(self, measures: Any, lack: Lack) -> str:
        """Say what there was too little of."""
        if lack is Lack.POOL:
            return f"fewer than {self.needed(measures)}"
        return f"of the groups drawn at random too many have fewer than {self.needed(measures)}"

    @abstractmethod
    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        """Say a finding in a sentence, with its figures."""

    def _looked_at(self, group: Group) -> Places:
        most = int(self.parameters["most_members"])
        if len(group.members) <= most:
            return group.members
        return np.sort(np.random.default_rng(SEED).choice(group.members, most, replace=False))

    def _findings(
        self,
        window: Window,
        population: Population,
        group: Group,
        members: Places,
        measures: Any,
        comparison: Comparison,
    ) -> list[FindingDraft]:
        text, figures = self.words(measures, members, comparison)
        score = min(1.0, 0.5 + 0.5 * (1 - comparison.chance / float(self.parameters["highest_chance"])))
        support = {
            **figures,
            "cluster": group.key,
            "accounts": len(group.members),
            "accounts_looked_at": len(members),
            "statistic": round(comparison.value, 4),
            "usual": round(comparison.usual, 4),
            "chance": round(comparison.chance, 4),
            "groups_drawn": len(comparison.drawn),
        }
        made = self.drafts(
            window,
            ("pool", group.key),
            [_seen(population, place) for place in group.members.tolist()],
            title=f"{self.title}: {len(group.members):,} accounts",
            summary=f"{text} Of {len(comparison.drawn):,} {comparison.against} "
            f"{comparison.chance * (len(comparison.drawn) + 1) - 1:.0f} come as far.",
            score=score,
            confidence=confidence_word(score, len(group.members)),
            support=support,
        )
        return list(made)

    def compare(self, population: Population, members: Places, others: Places, measures: Any) -> Comparison | Lack:
        """Compare a group with groups drawn at random, where the group and enough of those support the statistic.

        A drawn group that supports none (nobody in it stopped, too little was sent) is no comparison and another is
        drawn, twice as many as wanted at most. What is left has to be able to make a chance small enough.
        """
        value = self.statistic(measures, members)
        if value is None:
            return Lack.POOL
        wanted = int(self.parameters["draws"])
        drawn: list[float] = []
        groups: list[Places] = []
        for draw in matched(population, members, others, MOST_TRIES * wanted):
            one = self.statistic(measures, draw)
            if one is not None:
                drawn.append(one)
                groups.append(draw)
            if len(drawn) == wanted:
                break
        if self.share_as_far(np.inf, drawn) > self.parameters["highest_chance"]:
            return Lack.DRAWN
        return Comparison(value, tuple(drawn), self.share_as_far(value, drawn), groups)

    def share_as_far(self, value: float, drawn: Sequence[float]) -> float:
        """Give the share of drawn groups, the group itself among them, that come as far as the group."""
        return (1 + sum(one >= value for one in drawn)) / (1 + len(drawn))


def matched(population: Population, members: Places, others: Places, draws: int) -> Draws:
    """Draw groups: for every member another account, used alike, that sends about as much. The same draws each time."""
    chance = np.random.default_rng(SEED)
    drawn = np.empty((draws, len(members)), np.int64)
    for alike in (False, True):
        mine = np.flatnonzero(population.persons[members] == alike)
        pool = others[population.persons[others] == alike]
        pool = pool if len(pool) >= 20 else others
        pool = pool[np.argsort(population.volume[pool], kind="stable")]
        at = np.searchsorted(population.volume[pool], population.volume[members[mine]])
        reach = max(10, len(pool) // 10)
        low = np.clip(at - reach, 0, max(0, len(pool) - 2 * reach))
        high = np.minimum(low + 2 * reach, len(pool))
        drawn[:, mine] = pool[chance.integers(low, high, (draws, len(mine)))]
    return drawn


def _background(population: Population, groups: Sequence[Group], most: int) -> Places:
    """Give accounts of no group to compare with, a sample of them where there are many."""
    free = np.ones(population.size, bool)
    for group in groups:
        free[group.members] = False
    others = np.flatnonzero(free)
    if len(others) <= most:
        return others
    return np.sort(np.random.default_rng(SEED).choice(others, most, replace=False))


def rows_of(dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
    """Give the exchanges of some accounts, with the account's place instead of its id."""
    ids = [population.facts[place].account_id for place in places.tolist()]
    chosen = ibis.memtable(pa.table({"account_id": ids, "place": pa.array(places, pa.int64())}))
    return dataset.within(window).inner_join(chosen, "account_id")


def _seen(population: Population, place: int) -> AccountSeen:
    fact = population.facts[place]
    return AccountSeen(
        fact.account_id, fact.exchanges, fact.input_tokens, fact.output_tokens, fact.first_seen, fact.last_seen
    )
