"""Finds pools in which an account that stops is soon followed by a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import SEED, Comparison, Lack, PoolDetector
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset

Days = np.ndarray[tuple[int], np.dtype[np.float64]]


class ReplacementAfterBan(PoolDetector):
    """Statistic: share of members that stopped and were followed within days by a member that was new then.

    Each new account follows one at most. Ban times say when an account stopped; without them the last activity stands
    in, and the finding says so. A member counts as new by its registration, without registration times by its first
    activity.

    Groups drawn at random have hardly any bans. So with ban times the pool's own are kept, and its new accounts are
    replaced by as many new ones of others: how many accounts were banned or are new says nothing, only whether the new
    ones come after the bans.
    """

    name = "replacement-after-ban"
    signal = "replacement_after_ban"
    version = "1.1.0"
    title = "Group in which new accounts follow those that stop"
    idea = (
        "An operation that loses accounts opens others; unrelated customers come and go without regard to each other."
    )
    requires = ("ts",)
    uses = ("banned_at", "created_at")
    parameters: ClassVar[Mapping[str, Number]] = {
        **PoolDetector.COMMON,
        "days": 3,
        "edge_days": 2,
        "fewest_stopped": 3,
        "fewest_new": 20,
    }
    innocent_explanations = (
        "trial accounts that run out while other customers sign up",
        "a course that ends as the next begins",
        "staff who leave a company and are followed by others",
    )
    source = "Public reports of replacement accounts after bans (2026); time to replacement against drawn groups"
    techniques = ("AML.T0008.005",)

    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        """Give when each account stopped and when it was new, in days; NaN where it did neither inside the window."""
        start, end = window.start.timestamp() / 86_400, window.end.timestamp() / 86_400
        edge = float(self.parameters["edge_days"])
        stopped = population.last
        banned = "banned_at" in dataset.account_columns
        if banned:
            table = dataset.arrow(
                dataset.accounts.filter(dataset.accounts.banned_at.notnull()).select("account_id", "banned_at")
            )
            stopped = np.full(population.size, np.nan)
            for account, at in zip(table["account_id"].to_pylist(), table["banned_at"].to_pylist(), strict=True):
                if account in population.place:
                    stopped[population.place[account]] = at.timestamp() / 86_400
        registered = bool(np.any(~np.isnan(population.created)))
        new = population.created if registered else population.first
        inside = (stopped >= start) & (stopped < end - edge)
        return np.where(inside, stopped, np.nan), np.where((new > start + edge) & (new < end), new, np.nan), banned

    def statistic(self, measures: Any, members: Places) -> float | None:
        stopped, new, _ = measures
        ends = _known(stopped[members])
        if len(ends) < self.parameters["fewest_stopped"]:
            return None
        return self._share(ends, _known(new[members]))

    def compare(self, population: Population, members: Places, others: Places, measures: Any) -> Comparison | Lack:
        """With ban times, compare with as many new accounts of others after the same bans; else as every pool is."""
        stopped, new, banned = measures
        if not banned:
            return super().compare(population, members, others, measures)
        value = self.statistic(measures, members)
        if value is None:
            return Lack.POOL
        ends, theirs = _known(stopped[members]), _known(new[others])
        if len(theirs) < self.parameters["fewest_new"]:
            return Lack.DRAWN
        chance, size = np.random.default_rng(SEED), len(_known(new[members]))
        draws = range(int(self.parameters["draws"]))
        drawn = tuple(self._share(ends, np.sort(chance.choice(theirs, size))) for _ in draws)
        against = "draws of as many new accounts of others, after the same bans,"
        return Comparison(value, drawn, self.share_as_far(value, drawn), against=against)

    def needed(self, measures: Any) -> str:
        what = "were banned" if measures[2] else "stopped"
        return f"{self.parameters['fewest_stopped']} accounts that {what} in the window, in time to be followed"

    def lacking(self, measures: Any, lack: Lack) -> str:
        if measures[2] and lack is Lack.DRAWN:
            return f"fewer than {self.parameters['fewest_new']} accounts outside of pools are new in the window"
        return super().lacking(measures, lack)

    def _share(self, ends: Days, begins: Days) -> float:
        return _followed(ends, begins, float(self.parameters["days"])) / len(ends)

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        stopped, _, banned = measures
        ends = int(np.sum(~np.isnan(stopped[members])))
        days = int(self.parameters["days"])
        what = "were banned" if banned else "stopped (no ban times are known: last activity stands in)"
        text = (
            f"Of the pool's accounts {ends:,} {what}; {comparison.value:.0%} of them were followed within {days} days "
            f"by an account that was new then, where {comparison.usual:.0%} is usual."
        )
        return text, {"days": days, "stopped": ends, "ban_times_known": int(banned)}


def _known(days: Days) -> Days:
    """Give the days that are known, in order."""
    return np.sort(days[~np.isnan(days)])


def _followed(ends: Days, begins: Days, days: float) -> int:
    """Count the ends that something of its own follows within so many days; both in order.

    The earliest that is left goes to each end in turn, which leaves out none that could be followed.
    """
    followed = at = 0
    for end in ends:
        while at < len(begins) and begins[at] <= end:
            at += 1
        if at < len(begins) and begins[at] <= end + days:
            followed += 1
            at += 1
    return followed
