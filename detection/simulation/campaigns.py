"""Suspected campaigns of the mixture: what each asks, and how its accounts hang together, drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np

from detection.simulation import wording
from detection.simulation.cast import BROWSERS, CLIENTS
from detection.simulation.choices import Ints
from detection.simulation.customers import Columns, person
from detection.simulation.kinds import CAMPAIGNS, COVER, LINKAGE, SPREADS, CampaignKind
from detection.simulation.population import ALWAYS, CARRIERS, DAY, NEVER, USER_AGENTS, Roll
from detection.simulation.scale import Scale
from detection.simulation.shares import chosen_kinds, sizes

LARGE = 1_000  # accounts from which a campaign lasts the whole window


def add_campaigns(roll: Roll) -> None:
    """Add every campaign; raises `ValueError` when there are too few accounts."""
    kinds = chosen_kinds(roll.scale)
    given = sizes(roll.scale, kinds)
    if sum(given) > roll.scale.accounts:
        raise ValueError(
            f"{roll.scale.accounts} accounts are too few for {len(kinds)} campaigns: at least {sum(given)} are needed"
        )
    for kind, size in zip(kinds, given, strict=True):
        _add(roll, kind, size)


def asked_linkage(scale: Scale) -> dict[str, Any]:
    """Give what the scale fixes of every campaign's linkage; raises `ValueError` when it is none of ours."""
    asked: dict[str, Any] = {}
    for axis, word in scale.linkage:
        if axis == COVER and word.replace(".", "", 1).isdigit() and float(word) < 1:
            asked[axis] = float(word)
        elif word in LINKAGE.get(axis, ()):
            asked[axis] = word
        else:
            known = "; ".join(f"{name}: {', '.join(words)}" for name, words in LINKAGE.items())
            raise ValueError(f"{axis}={word} is no linkage; there are {known}; {COVER}: a share below 1")
    return asked


def _add(roll: Roll, kind: str, size: int) -> None:
    plan = CAMPAIGNS[kind]
    linkage = _drawn(roll, plan) | dict(plan.fixed) | asked_linkage(roll.scale)
    group = roll.group(kind, campaign=True, **linkage)
    columns = person(roll, size) | _manner(roll, plan, size) | {"group": group, "campaign": True}
    for axis, apply in LINKS.items():
        columns |= apply(roll, linkage[axis], size)
    columns["menu"] = _menus(roll, plan, size, linkage[COVER])
    columns["weight"] = plan.volume * roll.rng.lognormal(0, SPREADS[linkage["volume"]], size)
    columns |= _window(roll, columns["created"], size)
    if linkage["replaced"] == "yes" and size >= 10:
        _replace_some(roll, columns, size)
    roll.add("campaign", size, **columns)


def _drawn(roll: Roll, plan: CampaignKind) -> dict[str, Any]:
    """Draw a campaign's linkage from the seed and its number alone, so that new words elsewhere leave it as it is."""
    r = Random(roll.scale.seed * 7_919 + len(roll.groups))  # noqa: S311 - made-up data, not a secret
    linkage: dict[str, Any] = {axis: r.choices(list(words), list(words.values()))[0] for axis, words in LINKAGE.items()}
    return linkage | {COVER: round(r.uniform(*plan.cover), 3)}


def _manner(roll: Roll, plan: CampaignKind, size: int) -> Columns:
    """Give how a kind spreads its exchanges: over the pool by a balancer, as a person does, or steadily."""
    columns: Columns = {
        "plan": 1,
        "reasons": plan.reasons,
        "samples": plan.samples,
        "surge": plan.surge,
        "new_share": plan.new_share,
        "ramp": 1.0 if plan.pivots else 4.0,
        "probes": "probe" in plan.tasks,
        "replays": plan.reasons >= 0.9,
        "temperature": int(roll.rng.integers(0, 4)),
        "answer": 5.8,
        "ceiling": 0,
    }
    if plan.manner == "person":
        return columns | {"active": roll.rng.uniform(0.08, 0.3, size), "follows": 0.1}
    if plan.manner == "steady":
        return columns | {"active": 0.9, "spread": 6.0, "sitting": 1, "talks": False}
    return columns | {"active": roll.rng.uniform(0.5, 0.9, size), "pooled": True, "talks": False}


def _payment(roll: Roll, word: str, size: int) -> Columns:
    if word == "unique":
        return {"payment": np.where(roll.rng.random(size) < 0.8, -1, -2)}
    rings = max(2, size // 6) if word == "groups" else 1 + size // 300
    codes = np.array([roll.code() for _ in range(rings)])
    return {"payment": codes[roll.rng.permutation(size) % rings]}


def _registration(roll: Roll, word: str, size: int) -> Columns:
    rng, days = roll.rng, roll.scale.days
    if word == "aged":
        return {"created": (rng.uniform(-600, -60, size) * DAY).astype(np.int64)}
    if word == "trickle":
        return {"created": (rng.uniform(-30, 0.4 * days, size) * DAY).astype(np.int64)}
    bursts = 1 if word == "burst" else 3 + size // 800
    starts = rng.uniform(-30, 0.3 * days if bursts > 1 else 0.1 * days, bursts)
    at = starts[rng.permutation(size) % bursts] + rng.uniform(0, 1.3, size)
    return {"created": (at * DAY).astype(np.int64)}


def _network(roll: Roll, word: str, size: int) -> Columns:
    if word == "mixed":
        parts = np.stack([_lines_of(roll, one, size) for one in ("vpn", "hosting", "residential_static")], axis=1)
        chosen = parts[np.arange(size), roll.rng.integers(3, size=size)]
        return {"lines": roll.ways.add_each(chosen)}
    return {"lines": roll.ways.add_each(_lines_of(roll, word, size))}


def _lines_of(roll: Roll, word: str, size: int) -> Ints:
    """Give each account two lines of one sort of network."""
    rng, lines = roll.rng, roll.lines
    if word == "residential_static":
        return np.stack([roll.home_lines(size), roll.other_lines(size)], axis=1)
    if word == "residential_rotating":
        some = lines.add(roll.pick(roll.networks.of("isp"), 40), 2**20, 2**28, ALWAYS)
        return some[rng.integers(len(some), size=(size, 2))]
    networks = roll.pick(roll.networks.of("vpn" if word == "vpn" else "hosting"), 2 + size // 4_000)
    exits = max(3, size // 5)
    hosts = rng.integers(roll.exits, size=exits) if word == "vpn" else roll.hosts(exits)
    some = lines.add(networks[np.arange(exits) % len(networks)], hosts)
    return some[rng.integers(exits, size=(size, 2))]


def _email(roll: Roll, word: str, size: int) -> Columns:
    if word == "mainstream":
        return {}
    own = [roll.domain() for _ in range(1 + size // 2_000)]
    share = 1.0 if word == "one_domain" else 0.3
    mainstream = roll.rng.integers(4, size=size)
    chosen = np.array(own)[roll.rng.permutation(size) % len(own)]
    return {"domain": np.where(roll.rng.random(size) < share, chosen, mainstream)}


def _user_agents(roll: Roll, word: str, size: int) -> Columns:
    tls = len(roll.groups) - 1
    if word == "any":
        return {"clients": roll.one_client((*CLIENTS, *BROWSERS), size), "tls": tls, "carrier": _virtual(roll, size)}
    names = roll.words.sample(CLIENTS, 1 if word == "one" else 3)
    return {"clients": roll.agents.add([USER_AGENTS.index(name) for name in names]), "carrier": _virtual(roll, size)}


def _virtual(roll: Roll, size: int) -> Ints:
    """Give most accounts of a pool a carrier of rented numbers."""
    ordinary = roll.rng.integers(len(CARRIERS) - 2, size=size)
    return np.where(roll.rng.random(size) < 0.6, len(CARRIERS) - 1 - len(roll.groups) % 2, ordinary)


LINKS: Mapping[str, Callable[[Roll, str, int], Columns]] = {
    "payment": _payment,
    "registration": _registration,
    "network": _network,
    "email": _email,
    "user_agents": _user_agents,
}


def _menus(roll: Roll, plan: CampaignKind, size: int, cover: float) -> Ints:
    """Give each account its squad's menu: some of the campaign's frames, and what ordinary people ask, as cover."""
    frames = _frames(roll, plan, 6 + size // 400)
    covers = [roll.frames.add(f, "question") for f in wording.CHAT] + [
        roll.frames.add(f, "code") for f in wording.CODE_ASKS
    ]
    menus = []
    for _ in range(max(1, size // 250)):
        squad = roll.words.sample(frames, min(8, len(frames)))
        whole = sum(weight for _, weight in squad)
        weights = [(1 - cover) * weight / whole for _, weight in squad] + [cover / len(covers)] * len(covers)
        menus.append(roll.menus.add([frame for frame, _ in squad] + covers, weights))
    return np.array(menus)[roll.rng.permutation(size) % len(menus)]


def _frames(roll: Roll, plan: CampaignKind, count: int) -> list[tuple[int, float]]:
    """Make the campaign's frames with their weights; one in five is a public one, which many others fill too."""
    tasks = list(plan.tasks)
    named = tasks + roll.words.choices(tasks, list(plan.tasks.values()), k=max(0, count - len(tasks)))
    made: dict[int, float] = {}
    for n, task in enumerate(named):
        filling, make = wording.TASKS[task]
        public = n and roll.words.random() < 0.2
        frame = roll.words.choice(wording.PUBLIC[filling]) if public else make(roll.words)
        made[roll.frames.add(frame, filling)] = plan.tasks[task] / named.count(task)
    return list(made.items())


def _window(roll: Roll, created: Ints, size: int) -> Columns:
    """Give first and last day of each account: within the campaign's time, and a little after registration."""
    days = roll.scale.days
    start, end = 0, days
    if size < LARGE:
        start, end = int(roll.rng.uniform(0, 0.3) * days), int(np.ceil(roll.rng.uniform(0.75, 1.0) * days))
    first = np.maximum(start, created // DAY + 1 + roll.rng.integers(0, 3, size=size))
    return {"first": np.minimum(first, end - 1), "last": end}


def _replace_some(roll: Roll, columns: Columns, size: int) -> None:
    """Ban a tenth of the pool in the middle of the window and let others, registered after, take their place."""
    tenth, day = max(1, size // 10), roll.scale.days // 2
    gone, come = np.arange(size) < tenth, np.arange(size) >= size - tenth
    after = (day + roll.rng.uniform(0.3, 4, size)) * DAY
    columns["banned"] = np.where(gone, int((day + 0.4) * DAY), NEVER)
    columns["created"] = np.where(come, after.astype(np.int64), columns["created"])
    columns["first"] = np.where(come, columns["created"] // DAY + 1, np.where(gone, 0, columns["first"]))
    columns["last"] = np.where(gone, day, columns["last"])
    columns["created"] = np.where(gone, np.minimum(columns["created"], -DAY), columns["created"])
