"""Makes telemetry at any scale: seeded, in time order, streamed day by day, with its labels in a file of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detection.simulation.made import Made
from detection.simulation.mixture import simulate_mixture
from detection.simulation.scale import MODELS, NEW_MODELS, SAMPLE_SEED, START, Scale, check
from detection.simulation.story import NAMES, simulate_story

__all__ = ["MODELS", "NAMES", "NEW_MODELS", "SAMPLE_SEED", "START", "Made", "Scale", "simulate"]


def simulate(
    scale: Scale,
    out: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    processes: int = 1,
) -> Made:
    """Write exchanges, accounts, networks and models, and truth.json for scoring alone, under `out`.

    The same scale gives the same bytes, whatever `processes` is. Memory holds the cast and one day's plan for each
    process, never the rows. Without `scale.kinds` it is the sample story's cast, written by one process. Raises
    `ValueError` when the numbers cannot be, or the accounts do not suffice for what was asked.
    """
    check(scale)
    out.mkdir(parents=True, exist_ok=True)
    if scale.kinds:
        return simulate_mixture(scale, out, on_progress, processes)
    return simulate_story(scale, out, on_progress)
