"""Finds pools that move to a new model within two days of its release, far beyond how others take it up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import Comparison, PoolDetector, rows_of
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset


class ReleasePivot(PoolDetector):
    """Statistic: share of the pool's exchanges on a released model in the 48 hours after; before, it is nought.

    A difference in differences: the same of drawn groups is what everybody's adoption does. Two days and not one, so
    that a pool that is used at some hours of the day has more than one of them in it.
    """

    name = "release-pivot"
    signal = "release_pivot"
    version = "1.2.0"
    title = "Group that takes up a new model early"
    idea = "An operation that collects a model's answers takes up the next model within two days of its release."
    requires = ("model", "ts")
    parameters: ClassVar[Mapping[str, Number]] = {**PoolDetector.COMMON, "hours": 48, "fewest_exchanges": 20}
    innocent_explanations = (
        "enthusiasts and benchmark teams who try every new model",
        "one product whose default model changed",
        "a price or limit that made everybody move",
    )
    source = (
        "Public report of half a campaign's traffic moving within 24 hours (2026), looked for here within 48; "
        "difference in differences"
    )
    techniques = ("AML.T0024.002",)

    def unsuited(self, dataset: Dataset, window: Window) -> str | None:
        if not self._releases(dataset, window):
            return (
                f"The release calendar names no model that was released within the window and at least "
                f"{self.parameters['hours']} hours before its end."
            )
        return None

    def _releases(self, dataset: Dataset, window: Window) -> list[tuple[str, datetime]]:
        latest = window.end - timedelta(hours=float(self.parameters["hours"]))
        return sorted((m, at) for m, at in dataset.releases().items() if window.start < at <= latest)

    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        """Give for each place its exchanges in the hours after the releases, and those of them on a released model."""
        releases = self._releases(dataset, window)
        rows = rows_of(dataset, window, population, places)
        times = sorted({at for _, at in releases})
        after = np.zeros((population.size, 2))
        for at in times:
            models = [model for model, released in releases if released == at]
            end = at + timedelta(hours=float(self.parameters["hours"]))
            some = rows.filter((rows.ts >= at) & (rows.ts < end))
            counted = some.group_by("place").aggregate(n=some.count(), new=some.model.isin(models).sum())
            table = dataset.arrow(counted)
            place = table["place"].to_numpy()
            after[place, 0] += table["n"].to_numpy()
            after[place, 1] += table["new"].to_numpy()
        return after

    def statistic(self, measures: Any, members: Places) -> float | None:
        total, new = measures[members].sum(axis=0)
        return None if total < self.parameters["fewest_exchanges"] else float(new / total)

    def needed(self, measures: Any) -> str:
        return (
            f"{self.parameters['fewest_exchanges']:,} exchanges in the {self.parameters['hours']} hours after a release"
        )

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        total, new = measures[members].sum(axis=0)
        hours = int(self.parameters["hours"])
        text = (
            f"Within {hours} hours of a release {comparison.value:.0%} of the pool's exchanges were on the new model, "
            f"where {comparison.usual:.0%} is usual."
        )
        return text, {"hours": hours, "exchanges": int(total), "on_new_model": int(new)}
