"""Writes a mixture: campaigns of several kinds with varied linkage, their look-alikes and ordinary customers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from detection.simulation import labels
from detection.simulation.ensemble import make_ensemble
from detection.simulation.made import Made, write_lines
from detection.simulation.scale import Scale
from detection.simulation.story import NAMES
from detection.simulation.writing import write_exchanges


def simulate_mixture(scale: Scale, out: Path, on_progress: Callable[[int, int], None], processes: int) -> Made:
    """Write the exchanges as the scale says, accounts, networks and models as NDJSON, and truth.json, under `out`."""
    cast = make_ensemble(scale)
    accounts, networks, models, truth = (out / name for name in NAMES[1:])
    write_lines(accounts, labels.account_rows(cast))
    write_lines(networks, labels.network_rows(cast))
    write_lines(models, labels.model_rows(cast))
    telemetry, sent = write_exchanges(scale, cast, out, on_progress, processes)
    truth.write_text(json.dumps(labels.truth(cast, sent), indent=1) + "\n")
    return Made(telemetry, accounts, networks, models, truth, int(sent.sum()))
