"""Draws for many rows at once: weighted lists, and numbers that are mixed so that they look like nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]


class Choices:
    """Many weighted lists of whole numbers, added in blocks; `draw` takes one of each of many lists in one pass."""

    def __init__(self) -> None:
        self._values: list[Ints] = []
        self._bounds: list[Floats] = []
        self._lists = 0

    def add(self, values: Sequence[int] | Ints, weights: Sequence[float] | None = None) -> int:
        """Add one list and give its number."""
        return int(self.add_each(np.asarray(values)[None, :], weights)[0])

    def add_each(self, values: Any, weights: Any = None) -> Ints:
        """Add a list for each row of `values` (with the same weights for all, or a row each); gives their numbers."""
        table = np.asarray(values, dtype=np.int64)
        shares = np.broadcast_to(np.asarray(1.0 if weights is None else weights, dtype=np.float64), table.shape)
        numbers = np.arange(self._lists, self._lists + len(table))
        ends = np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True)
        ends[:, -1] = 1.0
        self._values.append(table.ravel())
        self._bounds.append((numbers[:, None] + ends).ravel())
        self._lists += len(table)
        return numbers

    def closed(self) -> Choices:
        """Join the blocks; to be called once, before the first draw."""
        self._values = [np.concatenate(self._values) if self._values else np.empty(0, np.int64)]
        self._bounds = [np.concatenate(self._bounds) if self._bounds else np.empty(0)]
        return self

    def draw(self, lists: Ints, chance: Floats) -> Ints:
        """Give a value of each list; `chance` holds numbers from 0 up to, not including, 1."""
        at = np.minimum(lists + chance, np.nextafter(lists + 1.0, 0.0))
        found: Ints = self._values[0][np.searchsorted(self._bounds[0], at, side="right")]
        return found


def mix(numbers: Any, salt: int = 0) -> Words:
    """Scatter 64-bit numbers (the finaliser of splitmix64, Steele et al., OOPSLA 2014): a bijection for each salt."""
    x = np.asarray(numbers).astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 & 2**64 - 1)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scattered: Words = x ^ (x >> np.uint64(31))
    return scattered
