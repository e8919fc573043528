"""Finds pools whose prompts are distributed otherwise than those of as many accounts together: kernel MMD."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar
from zlib import crc32

import ibis
import numpy as np

from detection.detectors.pool import SEED, Comparison, PoolDetector, rows_of
from detection.population import Places, Population
from detection.records import Figures, Number, Window
from detection.telemetry.dataset import Dataset

_WORD = re.compile(r"\w+|[^\w\s]")
Features = np.ndarray[tuple[int, int], np.dtype[np.float32]]


class DistributionShift(PoolDetector):
    """Statistic: maximum mean discrepancy of the pool's prompts from a reference of everybody's, several kernel widths.

    Prompts are hashed bags of words and word pairs, so that no model and no reference text is needed. Windows of at
    least 1,500 prompts see small shares of a campaign; smaller ones see less, and the finding prints the size. Groups
    drawn at random have each their own products in them: that is the threshold, not the noise of a sample.

    A finding prints the test's power too: of the drawn groups, with a tenth or a quarter of their exchanges replaced by
    such as the pool's, how many would have been found.
    """

    name = "distribution-shift"
    signal = "distribution_shift"
    version = "1.3.0"
    title = "Group whose prompts are distributed otherwise"
    idea = "What a pool asks for, taken together, is not what customers taken together ask for."
    requires = ("prompt",)
    parameters: ClassVar[Mapping[str, Number]] = {
        **PoolDetector.COMMON,
        "draws": 99,
        "background": 600,
        "window": 1_500,
        "fewest_prompts": 300,
        "features": 256,
        "embedding": 128,
        "per_account": 60,
        "small_share": 0.1,
        "large_share": 0.25,
    }
    innocent_explanations = (
        "a product, benchmark or course of several accounts",
        "a language or trade that few other customers share",
    )
    source = (
        "arXiv 2606.05725 (windows of 1,500 queries, kernel MMD); Gretton et al. 2012; hashing after Weinberger 2009"
    )
    techniques = ("AML.T0024.002",)

    def measures(self, dataset: Dataset, window: Window, population: Population, places: Places) -> Any:
        """Give each account's sum of embedded prompts, how many they are, and the mean of all together."""
        rows = rows_of(dataset, window, population, places)
        rows = rows.filter(rows.prompt.notnull()).select("place", "prompt", mixed=rows.request_id.hexdigest("sha256"))
        order = ibis.window(group_by=rows.place, order_by=[rows.mixed, rows.prompt])
        ranked = rows.mutate(rank=ibis.row_number().over(order))
        some = ranked.filter(ranked.rank < int(self.parameters["per_account"])).select("place", "prompt")
        size, dimensions = int(self.parameters["features"]), int(self.parameters["embedding"])
        sums, counts, embed = None, np.zeros(population.size), None
        for batch in dataset.arrow(some.order_by(["place", "prompt"])).to_batches(max_chunksize=20_000):
            features = hashed(batch["prompt"].to_pylist(), size)
            embed = embed or Embedding(features, dimensions)
            sums = np.zeros((population.size, embed.dimensions)) if sums is None else sums
            place = batch["place"].to_numpy()
            np.add.at(sums, place, embed(features))
            np.add.at(counts, place, 1)
        if sums is None:
            return np.zeros((population.size, 1)), counts, np.zeros(1)
        return sums, counts, sums[places].sum(axis=0) / max(1.0, counts[places].sum())

    def statistic(self, measures: Any, members: Places) -> float | None:
        sums, counts, reference = measures
        total = float(counts[members].sum())
        if total < self.parameters["fewest_prompts"]:
            return None
        return float(np.sum((sums[members].sum(axis=0) / total - reference) ** 2))

    def needed(self, measures: Any) -> str:
        return f"{self.parameters['fewest_prompts']:,} prompts"

    def words(self, measures: Any, members: Places, comparison: Comparison) -> tuple[str, Figures]:
        size, wanted = int(measures[1][members].sum()), int(self.parameters["window"])
        threshold = float(np.quantile(comparison.drawn, 0.95))
        shares = [float(self.parameters[name]) for name in ("small_share", "large_share")]
        powers = [self.power(measures, members, comparison, share) for share in shares]
        text = (
            f"A window of {size:,} of the pool's prompts is {comparison.value:.4f} from everybody's; groups drawn at "
            f"random stay below {threshold:.4f} in 95 of 100 cases. With prompts like the pool's for "
            f"{shares[0]:.0%} of their own {powers[0]:.0%} of these would have been found, for {shares[1]:.0%} "
            f"{powers[1]:.0%}."
        )
        if size < wanted:
            text += f" The window is smaller than {wanted:,} prompts: what it does not show may still be there."
        figures = {f"power_{round(100 * share)}": round(power, 4) for share, power in zip(shares, powers, strict=True)}
        return text, {"window": size, "threshold_95": round(threshold, 5), **figures}

    def power(self, measures: Any, members: Places, comparison: Comparison, share: float) -> float:
        """Give how many of the drawn groups would be found with this share of exchanges such as the pool's.

        For each the pool's accounts are drawn anew, some of them twice, so that what differs between them counts.
        """
        sums, counts, reference = measures
        chance = np.random.default_rng(SEED)
        found = 0
        for group in comparison.groups:
            some = chance.choice(members[counts[members] > 0], len(members))
            mixed = (1 - share) * sums[group].sum(axis=0) / counts[group].sum()
            mixed += share * sums[some].sum(axis=0) / counts[some].sum()
            distance = float(np.sum((mixed - reference) ** 2))
            found += self.share_as_far(distance, comparison.drawn) <= self.parameters["highest_chance"]
        return found / len(comparison.groups)


class Embedding:
    """Random Fourier features of Gaussian kernels of three widths: distances of their means are the discrepancy.

    Rahimi and Recht 2007. Widths are a quarter, once and four times the median squared distance of the first sample.
    """

    def __init__(self, sample: Features, dimensions: int) -> None:
        some = sample[:300]
        middle = float(np.median(np.maximum(2 - 2 * some @ some.T, 0))) or 1.0
        chance = np.random.default_rng(SEED)
        directions = [
            chance.normal(0, (2 / width) ** 0.5, (sample.shape[1], dimensions))
            for width in (middle / 4, middle, 4 * middle)
        ]
        self.directions = np.concatenate(directions, axis=1).astype(np.float32)
        self.phases = np.asarray(chance.uniform(0, 2 * np.pi, self.directions.shape[1]), np.float32)
        self.scale = (2 / dimensions) ** 0.5
        self.dimensions = self.directions.shape[1]

    def __call__(self, features: Features) -> Features:
        embedded: Features = np.cos(features @ self.directions + self.phases) * np.float32(self.scale)
        return embedded


def hashed(prompts: Sequence[str], size: int) -> Features:
    """Hash each prompt's words and word pairs into a vector of length one; long prompts by their first 120 words."""
    features = np.zeros((len(prompts), size), np.float32)
    for number, prompt in enumerate(prompts):
        words = _WORD.findall(prompt.lower())[:120]
        tokens = words + [f"{one} {two}" for one, two in pairwise(words)]
        values = np.fromiter((crc32(token.encode()) for token in tokens), np.int64, len(tokens))
        np.add.at(features[number], values % size, np.where(values & (1 << 30), 1, -1))
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Features = features / np.maximum(norms, 1e-9)
    return unit
