"""Finds pools whose exchanges, taken together, are smoother than those of as many accounts that nothing steers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import Comparison, PoolDetector, rows_of
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset


class LoadBalancing(PoolDetector):
    """Statistic: minus the dispersion of the pool's exchanges in stretches of hours, from one day to the next.

    Dispersion is the mean squared difference over twice the mean: 1 for independent arrivals at a rate that changes
    slowly, whatever the time of day.

    Accounts that nobody steers each have their own hours and heavy users, so that a group of them is uneven; a balancer
    spreads one queue thinly and evenly. Near −1 the pool is as even as independent arrivals.
    """

    name = "load-balancing"
    signal = "load_balancing"
    version = "1.2.0"
    title = "Group with an even total load"
    idea = "The total of one operation is smooth while its members come and go."
    requires = ("ts",)
    parameters: ClassVar[Mapping[str, Number]] = {**PoolDetector.COMMON, "stretch_hours": 6, "fewest_exchanges": 100}
    innocent_explanations = (
        "a gateway that spreads its customers over several keys",
        "one company's workers behind a queue",
        "batch jobs scheduled around the clock",
    )
    source = "Public report of load balancing over account pools (Anthropic, 2026); dispersion against drawn groups"
    techniques = ("AML.T0024.002",)

    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        rows = rows_of(dataset, window, population, places)
        stretch = (rows.ts.epoch_seconds() // (int(self.parameters["stretch_hours"]) * 3600)).name("stretch")
        counted = rows.group_by(["place", stretch]).aggregate(n=rows.count())
        table = dataset.arrow(counted.order_by(["place", "stretch"]))
        place = table["place"].to_numpy()
        starts = np.searchsorted(place, np.arange(population.size + 1))
        first = int(table["stretch"].to_numpy().min(initial=0)) if len(place) else 0
        return starts, table["stretch"].to_numpy().astype(np.int64) - first, table["n"].to_numpy().astype(np.int64)

    def statistic(self, measures: Any, members: Places) -> float | None:
        totals = _totals(measures, members)
        if totals.sum() < self.parameters["fewest_exchanges"] or len(totals) < 3 * self._day():
            return None
        return -_dispersion(totals, self._day())

    def needed(self, measures: Any) -> str:
        return f"{self.parameters['fewest_exchanges']:,} exchanges, or fewer than three days between first and last"

    def _day(self) -> int:
        return 24 // int(self.parameters["stretch_hours"])

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        totals = _totals(measures, members)
        hours = int(self.parameters["stretch_hours"])
        text = (
            f"In stretches of {hours} hours the pool sends {totals.mean():.1f} exchanges; from one day "
            f"to the next they scatter {-comparison.value:.1f} times as much as independent arrivals, where "
            f"{-comparison.usual:.1f} is usual."
        )
        return text, {"stretch_hours": hours, "exchanges": int(totals.sum()), "stretches": len(totals)}


def _dispersion(totals: np.ndarray[tuple[int], np.dtype[np.int64]], day: int) -> float:
    steps = (totals[day:] - totals[:-day]).astype(float)
    return float((steps**2).mean() / (2 * totals.mean()))


def _totals(measures: Any, members: Places) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give the group's exchanges in each stretch, from its first to its last."""
    starts, stretches, counts = measures
    slices = [np.arange(starts[place], starts[place + 1]) for place in members.tolist()]
    chosen = np.concatenate(slices) if slices else np.array([], np.int64)
    if not len(chosen):
        return np.zeros(0, np.int64)
    totals = np.bincount(stretches[chosen], weights=counts[chosen]).astype(np.int64)
    return totals[int(stretches[chosen].min()) :]
