"""Finds pools in which an account that stops is soon followed by a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import Comparison, PoolDetector
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset


class ReplacementAfterBan(PoolDetector):
    """Statistic: share of members that stopped and were followed within days by a member that was new then.

    Ban times say when an account stopped; without them the last activity stands in, and the finding says so. A member
    counts as new by its registration, without registration times by its first activity.
    """

    name = "replacement-after-ban"
    signal = "replacement_after_ban"
    version = "1.0.0"
    title = "Pool that replaces accounts as they stop"
    idea = (
        "Whoever loses an account to a ban opens another; unrelated customers come and go without regard to each other."
    )
    requires = ("ts",)
    uses = ("banned_at", "created_at")
    parameters: ClassVar[Mapping[str, Number]] = {
        **PoolDetector.COMMON,
        "days": 3,
        "edge_days": 2,
        "fewest_stopped": 3,
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
        end = window.end.timestamp() / 86_400 - float(self.parameters["edge_days"])
        start = window.start.timestamp() / 86_400 + float(self.parameters["edge_days"])
        stopped = np.where(population.last < end, population.last, np.nan)
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
        return stopped, np.where(new > start, new, np.nan), banned

    def statistic(self, measures: Any, members: Places) -> float | None:
        stopped, new, _ = measures
        ends, begins = stopped[members], np.sort(new[members][~np.isnan(new[members])])
        ends = ends[~np.isnan(ends)]
        if len(ends) < self.parameters["fewest_stopped"]:
            return None
        return float(_followed(ends, begins, float(self.parameters["days"])).mean())

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


def _followed(
    ends: np.ndarray[Any, np.dtype[np.float64]], begins: np.ndarray[Any, np.dtype[np.float64]], days: float
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell for each end whether something begins within so many days after it."""
    after = np.searchsorted(begins, ends, side="right")
    return np.searchsorted(begins, ends + days, side="right") > after
