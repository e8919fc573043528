"""Draws what a day's exchanges are, as numbers: frame, model, address, client, tokens, failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from detection.simulation.choices import Floats, Ints, mix
from detection.simulation.ensemble import Ensemble
from detection.simulation.plan import NOBODY, Day
from detection.simulation.population import DAY, ONCE
from detection.simulation.scale import MODELS, NEW_MODELS

ALL_MODELS = (*MODELS, *NEW_MODELS)
THINKING = np.array([name.endswith("reason") for name in ALL_MODELS])
FINE, LIMITED, FAILED = range(3)
LIMIT_SHARE = 0.25  # of a pool member's stints, how many end at a rate limit


@dataclass(frozen=True)
class Drawn:
    """A day's exchanges as numbers, an array entry each."""

    frame: Ints
    model: Ints  # place in ALL_MODELS
    network: Ints
    host: Ints
    agent: Ints  # place in USER_AGENTS
    output: Ints  # tokens
    outcome: Ints  # FINE, LIMITED or FAILED
    presented: Ints  # the exchange whose reasoning is presented, or NOBODY
    chance: Floats  # one more draw for small things


def draw(cast: Ensemble, day: Day) -> Drawn:
    """Draw a day; the seed and the day decide."""
    rng = np.random.Generator(np.random.PCG64([cast.scale.seed, 3, day.number]))
    model = _model(cast, day, rng)
    network, host = _address(cast, day, rng)
    outcome = _outcome(cast, day, rng)
    answer = cast.columns["answer"][day.place] + 0.6 * THINKING[model]
    output = np.maximum(1, rng.lognormal(answer, 0.8)).astype(np.int64)
    issued = (outcome == FINE) & THINKING[model]
    presented = np.where((day.before != NOBODY) & issued[day.before], day.before, NOBODY)
    return Drawn(
        frame=_frame(cast, day, rng),
        model=model,
        network=network,
        host=host,
        agent=cast.agents.draw(cast.columns["clients"][day.place], rng.random(len(day))),
        output=np.where(outcome == FINE, output, 0),
        outcome=outcome,
        presented=presented,
        chance=rng.random(len(day)),
    )


def _frame(cast: Ensemble, day: Day, rng: np.random.Generator) -> Ints:
    frame = cast.menus.draw(cast.columns["menu"][day.place], rng.random(len(day)))
    again = day.follows & (rng.random(len(day)) < cast.columns["follows"][day.place])
    return np.where(again, cast.follow_frame, frame)


def _model(cast: Ensemble, day: Day, rng: np.random.Generator) -> Ints:
    """Give the model: new ones after the release, by the account's share and how fast it comes to it."""
    columns, place = cast.columns, day.place
    since = day.number + day.time / DAY - cast.scale.release_day
    adopted = columns["new_share"][place] * np.clip(since / columns["ramp"][place], 0.1, 1.0)
    new = (since >= 0) & (rng.random(len(day)) < adopted)
    thinking = rng.random(len(day)) < columns["reasons"][place]
    old = np.where(thinking, 2, (rng.random(len(day)) < 0.5).astype(np.int64))
    return np.where(new, len(MODELS) + thinking, old)


def _address(cast: Ensemble, day: Day, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Give network and host: of a line that keeps its address, changes it each day, or each time."""
    lines = cast.lines
    line = cast.ways.draw(cast.columns["lines"][day.place], rng.random(len(day)))
    by_day = mix(day.place * 4_096 + day.number, 4)
    each = rng.integers(2**62, size=len(day)).astype(np.uint64)
    moved: Any = np.where(lines["turn"][line] == 1, by_day, each) % lines["span"][line].astype(np.uint64)
    host = lines["base"][line] + np.where(lines["turn"][line] == ONCE, 0, moved.astype(np.int64))
    return lines["network"][line], host


def _outcome(cast: Ensemble, day: Day, rng: np.random.Generator) -> Ints:
    u = rng.random(len(day))
    limited = (day.leaves & (u < LIMIT_SHARE)) | (u > 0.998)
    return np.where(limited, LIMITED, np.where(u > 0.9975, FAILED, FINE))
