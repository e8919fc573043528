"""Ordinary customers of the mixture: persons in bursts of a few days, products at their steady rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from detection.simulation import wording
from detection.simulation.cast import BROWSERS, CLIENTS, COUNTRIES, EDITORS, MAIL
from detection.simulation.choices import Ints
from detection.simulation.kinds import ORDINARY
from detection.simulation.population import CARRIERS, Roll

Columns = dict[str, Any]


def add_ordinary(roll: Roll, size: int) -> None:
    """Add `size` ordinary customers of all kinds by their shares."""
    shares = np.array([share for share, _ in ORDINARY.values()])
    counts = roll.rng.multinomial(size, shares / shares.sum())
    for kind, count in zip(ORDINARY, counts.tolist(), strict=True):
        if count:
            roll.add(kind, count, **ordinary(roll, kind, count))


def ordinary(roll: Roll, kind: str, size: int) -> Columns:
    """Give the columns of ordinary customers of one kind."""
    return MAKERS[kind](roll, size) | {"weight": ORDINARY[kind][1] * roll.rng.lognormal(0, 1.0, size)}


def person(roll: Roll, size: int) -> Columns:
    """Give what all persons have: a home, a few days of use, several exchanges within minutes, pauses."""
    rng = roll.rng
    return {
        "payment": np.where(rng.random(size) < 0.6, -1, -2),
        "domain": rng.integers(len(MAIL), size=size),
        "country": rng.integers(len(COUNTRIES), size=size),
        "plan": rng.integers(0, 2, size=size),
        "carrier": rng.integers(len(CARRIERS) - 2, size=size),
        "created": roll.registered(size),
        "active": rng.beta(1.2, 6, size) + 0.02,
        "hour": rng.uniform(8, 22, size),
        "spread": 1.5,
        "sitting": rng.integers(3, 14, size=size),
        "gap": rng.uniform(30, 80, size),
        "lines": roll.homes(size),
        "clients": roll.one_client(BROWSERS, size),
        "new_share": rng.beta(0.6, 2.5, size),
        "reasons": rng.beta(1, 6, size),
        "talks": True,
        "temperature": 0,
        "surge": 1.0,
    }


def product(roll: Roll, size: int) -> Columns:
    """Give what all products have: their users' steady stream from an office or a host, and often a domain."""
    rng = roll.rng
    own = rng.random(size) < 0.7
    domains = [roll.domain() if one else int(rng.integers(len(MAIL))) for one in own.tolist()]
    return {
        "domain": np.array(domains),
        "country": rng.integers(len(COUNTRIES), size=size),
        "plan": rng.integers(1, 4, size=size),
        "carrier": rng.integers(len(CARRIERS) - 2, size=size),
        "created": roll.registered(size),
        "active": rng.uniform(0.3, 1.0, size),
        "hour": rng.uniform(10, 16, size),
        "spread": rng.uniform(2, 7, size),
        "sitting": rng.integers(1, 4, size=size),
        "gap": rng.uniform(5, 900, size),
        "lines": roll.offices(size),
        "clients": roll.one_client(CLIENTS, size),
        "new_share": rng.beta(0.5, 3, size),
        "reasons": rng.beta(0.6, 5, size),
        "temperature": rng.integers(0, 4, size=size),
        "ceiling": rng.choice([0, 256, 512, 1024], size=size),
        "answer": rng.uniform(3.5, 5.5, size),
    }


def own_menus(roll: Roll, size: int, filling: str, most: int, public: float) -> Ints:
    """Give each account one to `most` frames over the filling: its own, or with chance `public` ones many use."""
    known = [roll.frames.add(frame, filling) for frame in wording.PUBLIC[filling]]
    rows = []
    for count in roll.rng.integers(1, most + 1, size=size).tolist():
        own = [
            roll.words.choice(known)
            if roll.words.random() < public
            else roll.frames.add(wording.product_frame(roll.words, roll.scale.prompt_length), filling)
            for _ in range(count)
        ]
        rows.append([*own, *[own[0]] * (most - count)])
    return roll.menus.add_each(np.array(rows, dtype=np.int64).reshape(size, most))


def menu(roll: Roll, parts: Mapping[str, float]) -> int:
    """Give a menu of the frames many people use, by filling and weight."""
    frames: list[int] = []
    weights: list[float] = []
    for filling, weight in parts.items():
        known = [roll.frames.add(frame, filling) for frame in wording.PUBLIC[filling]]
        frames += known
        weights += [weight / len(known)] * len(known)
    return roll.menus.add(frames, weights)


def _chat(roll: Roll, size: int) -> Columns:
    return person(roll, size) | {"menu": menu(roll, {"question": 1}), "follows": 0.35}


def _developer(roll: Roll, size: int) -> Columns:
    menus = [menu(roll, {"code": 6 + n, "question": 3, "coding": n}) for n in range(4)]
    clients = roll.one_client((*CLIENTS, *BROWSERS), size)
    return person(roll, size) | {"menu": roll.pick(np.array(menus), size), "clients": clients, "follows": 0.15}


def _editor(roll: Roll, size: int) -> Columns:
    frames = [roll.frames.add(frame, "code") for frame in wording.EDITOR_FRAMES]
    menus = np.array([roll.menus.add([frame]) for frame in frames])
    which = roll.rng.integers(len(EDITORS), size=size)
    agents = np.array([int(roll.one_client((name,), 1)[0]) for name in EDITORS])
    sitting = roll.rng.integers(10, 40, size=size)
    return person(roll, size) | {
        "menu": menus[which],
        "clients": agents[which],
        "sitting": sitting,
        "talks": False,
        "answer": 3.5,
        "ceiling": 128,
    }


def _product(filling: str, most: int, public: float) -> Callable[[Roll, int], Columns]:
    return lambda roll, size: product(roll, size) | {"menu": own_menus(roll, size, filling, most, public)}


def _pipeline(roll: Roll, size: int) -> Columns:
    first = size // 2
    menus = [own_menus(roll, first, "passage", 4, 0.4), own_menus(roll, size - first, "translate", 3, 0.5)]
    return product(roll, size) | {"menu": np.concatenate(menus), "reasons": 0.02}


MAKERS: Mapping[str, Callable[[Roll, int], Columns]] = {
    "chat_hobby": _chat,
    "dev_hobby": _developer,
    "ide_assist": _editor,
    "saas_app": _product("question", 1, 0.0),
    "nlp_pipeline": _pipeline,
    "tutor_app": _product("puzzle", 2, 0.5),
    "bulk_content": _product("chapter", 3, 0.3),
    "rag_docs": _product("passage", 2, 0.25),
    "agent_app": _product("tool", 3, 0.4),
}
