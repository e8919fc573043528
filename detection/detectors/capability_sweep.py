"""Finds pools whose mix of capabilities is not that of other traffic: one narrow band, or a sweep over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from detection.detectors.pool import Comparison, PoolDetector, rows_of
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.cues import Capability
from detection.telemetry.dataset import Dataset

LABELS = len(Capability)


class CapabilitySweep(PoolDetector):
    """Statistic: Jensen–Shannon divergence (bits) of the pool's mix of capability labels from the others' mix.

    Every member weighs the same, so that no busy account is the pool. Benchmarks look the same: scale, repetition and
    pivots separate them, and a person.
    """

    name = "capability-sweep"
    signal = "capability_sweep"
    version = "1.2.1"
    title = "Group with a mix of capabilities of its own"
    idea = "A data set is collected for some capability, or over all of them evenly; customers each have their own mix."
    requires = ("prompt",)
    parameters: ClassVar[Mapping[str, Number]] = {**PoolDetector.COMMON, "fewest_prompts": 100}
    innocent_explanations = (
        "a benchmark or evaluation suite run by several people",
        "several accounts of one product",
        "a course or contest on one subject",
    )
    source = "Public reports of campaigns in a narrow band of capabilities (2026); Lin 1991 (divergence)"
    techniques = ("AML.T0024.002",)

    def unsuited(self, dataset: Dataset, window: Window) -> str | None:
        rows = dataset.within(window)
        named = {name: rows[name].count() for name in ("cue_capability", "cue_reasoning") if name in rows.columns}
        counted = dataset.arrow(rows.aggregate(**named)).to_pylist()[0] if named else {}
        if counted.get("cue_capability"):
            return None
        if named.keys() == {"cue_capability", "cue_reasoning"} and not counted["cue_reasoning"]:
            return "No request in the window has a prompt."
        return "The telemetry was added before prompts were labelled by capability: add it again under a new name."

    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        """Give each account's share of prompts by label, and how many prompts it sent."""
        rows = rows_of(dataset, window, population, places)
        rows = rows.filter(rows.cue_capability.notnull())
        counted = rows.group_by(["place", "cue_capability"]).aggregate(n=rows.count())
        table = dataset.arrow(counted)
        counts = np.zeros((population.size, LABELS))
        counts[table["place"].to_numpy(), table["cue_capability"].to_numpy()] = table["n"].to_numpy()
        totals = counts.sum(axis=1)
        shares = counts / np.maximum(totals, 1)[:, None]
        sent = totals[places] > 0
        return shares, totals, shares[places][sent].mean(axis=0) if sent.any() else np.full(LABELS, 1 / LABELS)

    def statistic(self, measures: Any, members: Places) -> float | None:
        shares, totals, usual = measures
        sent = members[totals[members] > 0]
        if not len(sent) or totals[sent].sum() < self.parameters["fewest_prompts"]:
            return None
        return _divergence(shares[sent].mean(axis=0), usual)

    def needed(self, measures: Any) -> str:
        return f"{self.parameters['fewest_prompts']:,} prompts with a label"

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        shares, totals, usual = measures
        sent = members[totals[members] > 0]
        mix = shares[sent].mean(axis=0)
        more = sorted(range(LABELS), key=lambda label: usual[label] - mix[label])[:2]
        named = " and ".join(
            f"{Capability(label).name.lower().replace('_', ' ')} ({mix[label]:.0%}, usually {usual[label]:.0%})"
            for label in more
            if mix[label] > usual[label]
        )
        text = (
            f"The pool's mix of capabilities is {comparison.value:.3f} bits from everybody's, most of all in {named}."
        )
        return text, {"prompts": int(totals[sent].sum()), "bits": round(comparison.value, 4)}


def _divergence(one: np.ndarray[Any, np.dtype[np.float64]], two: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    middle = (one + two) / 2
    return float((_information(one, middle) + _information(two, middle)) / 2)


def _information(one: np.ndarray[Any, np.dtype[np.float64]], other: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    there = one > 0
    return float(np.sum(one[there] * np.log2(one[there] / other[there])))
