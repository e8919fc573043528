"""Finds pools in which an account that stops is soon followed by a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import SEED, Comparison, Lack, PoolDetector
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset

Days = np.ndarray[Any, np.dtype[np.float64]]


class ReplacementAfterBan(PoolDetector):
    """Statistic: share of members that stopped and were followed within days by a member that was new then.

    Each new account follows one at most. Ban times say when an account stopped; without them the last activity stands
    in, and the finding says so. A member counts as new by its registration, without registration times by its first
    activity.

    Groups drawn at random have hardly any bans. So with ban times the pool's own are kept, and its new accounts are
    replaced by as many new ones of others: how many accounts were banned or are new says nothing, only whether the new
    ones come after the bans. Those that came as shortly before are taken off, since in a pool that grows accounts come
    around any time; and what is left must be half of the bans or more.
    """

    name = "replacement-after-ban"
    signal = "replacement_after_ban"
    version = "1.3.0"
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
        "lowest_excess": 0.5,
    }
    innocent_explanations = (
        "trial accounts that run out while other customers sign up",
        "a course that ends as the next begins",
        "staff who leave a company and are followed by others",
    )
    source = "Public reports of replacement accounts after bans (2026); time to replacement against drawn groups"
    techniques = ("AML.T0008.005",)

    def unsuited(self, dataset: Dataset, window: Window) -> str | None:
        if not {"banned_at", "created_at"} & set(dataset.account_columns):
            return "The accounts are known neither by when they were registered nor by when they were banned."
        return None

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
        stopped, new, banned = measures
        ends = _known(stopped[members])
        if len(ends) < self.parameters["fewest_stopped"]:
            return None
        return self._share(ends, _known(new[members]), banned)

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
        drawn = tuple(self._share(ends, np.sort(chance.choice(theirs, size)), banned) for _ in draws)
        enough = value >= self.parameters["lowest_excess"]
        against = "draws of as many new accounts of others, after the same bans,"
        return Comparison(value, drawn, self.share_as_far(value, drawn) if enough else 1.0, against=against)

    def rests_on_one(self, measures: Any, members: Places, comparison: Comparison) -> bool:
        """No group does: each account counts once, however much it sends."""
        return False

    def needed(self, measures: Any) -> str:
        what = "were banned" if measures[2] else "stopped"
        return f"{self.parameters['fewest_stopped']} accounts that {what} in the window, in time to be followed"

    def lacking(self, measures: Any, lack: Lack) -> str:
        if measures[2] and lack is Lack.DRAWN:
            return f"fewer than {self.parameters['fewest_new']} accounts outside of pools are new in the window"
        return super().lacking(measures, lack)

    def _share(self, ends: Days, begins: Days, banned: bool) -> float:
        """Give the share of ends that are followed, with ban times less the share that are preceded."""
        days = float(self.parameters["days"])
        preceded = _followed(-ends[::-1], -begins[::-1], days) if banned else 0
        return (_followed(ends, begins, days) - preceded) / len(ends)

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        stopped, new, banned = measures
        ends, begins = _known(stopped[members]), _known(new[members])
        days = int(self.parameters["days"])
        followed = _followed(ends, begins, days)
        figures = {"days": days, "stopped": len(ends), "followed": followed, "ban_times_known": int(banned)}
        what = "were banned" if banned else "stopped (no ban times are known: last activity stands in)"
        text = (
            f"Of the pool's accounts {len(ends):,} {what}; {followed / len(ends):.0%} of them were followed within "
            f"{days} days by an account that was new then"
        )
        if not banned:
            return f"{text}, where {comparison.usual:.0%} is usual.", figures
        preceded = _followed(-ends[::-1], -begins[::-1], days)
        return (
            f"{text} and {preceded / len(ends):.0%} preceded by one, a difference of {comparison.value:.0%} of the "
            f"bans, where {comparison.usual:.0%} is usual.",
            {**figures, "preceded": preceded},
        )


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
