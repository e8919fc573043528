"""Innocent groups of the mixture that share something openly, or repeat themselves, as campaigns do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from detection.simulation import wording
from detection.simulation.cast import BROWSERS, CLIENTS, COUNTRIES
from detection.simulation.choices import Ints
from detection.simulation.customers import Columns, ordinary, person, product
from detection.simulation.kinds import LOOK_ALIKES, ORDINARY
from detection.simulation.population import DAILY, DAY, HARNESS_CLIENTS, Roll


def planned(roll: Roll, room: int) -> Iterator[tuple[str, int]]:
    """Give kind and size of each innocent group that fits into `room` accounts, at least one of each kind."""
    for kind, plan in LOOK_ALIKES.items():
        if roll.scale.look_alikes == "none" or (roll.scale.look_alikes == "few" and not plan.few):
            continue
        for _ in range(max(1, roll.scale.accounts // plan.one_for)):
            size = int(roll.rng.integers(plan.fewest, plan.most + 1))
            size = max(plan.fewest, min(size, roll.scale.accounts // 40))
            if size > room:
                return
            room -= size
            yield kind, size


def add_look_alikes(roll: Roll, room: int) -> None:
    """Add the innocent groups."""
    for kind, size in planned(roll, room):
        MAKERS[kind](roll, roll.group(kind), size)


def _busy(roll: Roll, kind: str, group: int, **columns: object) -> None:
    """Add one busy account that works through a list with one program, for hours on end."""
    base: Columns = product(roll, 1) | {
        "group": group,
        "clients": roll.one_client((*HARNESS_CLIENTS, *CLIENTS[:4]), 1),
        "active": float(roll.rng.uniform(0.15, 0.6)),
        "hour": float(roll.rng.uniform(0, 24)),
        "spread": 1.5,
        "sitting": 100_000,
        "gap": float(roll.rng.uniform(5, 60)),
        "weight": float(70 * roll.rng.lognormal(0, 0.6)),
    }
    roll.add(kind, 1, **(base | columns))


def _harness(roll: Roll, group: int, size: int) -> None:
    filling = roll.words.choice(("choice", "puzzle", "coding", "sweep"))
    frames = [roll.frames.add(wording.bench_frame(roll.words), filling) for _ in range(roll.words.randint(1, 2))]
    if roll.words.random() < 0.5:
        frames = [roll.frames.add(roll.words.choice(wording.PUBLIC[filling]), filling)]
    items = roll.words.randint(40, 400)
    _busy(roll, "eval_harness", group, menu=roll.menus.add(frames), items=items, logprobs=5, reasons=0.4)


def _judge(roll: Roll, group: int, size: int) -> None:
    frame = wording.TASKS["grade"][1](roll.words)
    if roll.words.random() < 0.5:
        frame = roll.words.choice(wording.PUBLIC["pair"])
    menu_of_one = roll.menus.add([roll.frames.add(frame, "pair")])
    items = roll.words.randint(60, 500)
    _busy(roll, "judge_eval", group, menu=menu_of_one, items=items, weight=20.0, answer=3.0)


def _translation(roll: Roll, group: int, size: int) -> None:
    frame = wording.batch_frame(roll.words)
    if roll.words.random() < 0.4:
        frame = roll.words.choice(wording.PUBLIC["translate"])
    only = roll.menus.add([roll.frames.add(frame, "translate")])
    _busy(roll, "translate_batch", group, menu=only, reasons=0.0)


def _gateway(roll: Roll, group: int, size: int) -> None:
    """Add one account behind which very many unrelated products and persons stand."""
    frames = []
    for _ in range(roll.words.randint(60, 240)):
        filling = roll.words.choice(("question", "passage", "translate", "chapter", "tool", "puzzle"))
        frames.append(roll.frames.add(wording.product_frame(roll.words, roll.scale.prompt_length), filling))
    public = [
        roll.frames.add(frame, name) for name in ("question", "code", "passage") for frame in wording.PUBLIC[name]
    ]
    weights = np.append(roll.rng.pareto(1.1, len(frames)) + 0.1, np.full(len(public), 2.0))
    base = product(roll, 1) | {"group": group, "menu": roll.menus.add(frames + public, weights.tolist())}
    clients = [roll.words.randrange(len(CLIENTS)) for _ in range(12)]
    steady: Columns = {"active": 1.0, "spread": 7.0, "weight": float(90 * roll.rng.lognormal(0, 0.4)), "plan": 3}
    roll.add("gateway_reseller", 1, **(base | steady | {"clients": roll.agents.add(clients)}))


def _synthetic(roll: Roll, group: int, size: int) -> None:
    """Add one account with a contract for synthetic data: it asks what a campaign asks, by itself and by name."""
    frames = []
    for task in ("sweep", "write", "reasoning"):
        filling, make = wording.TASKS[task]
        frames.append(roll.frames.add(make(roll.words), filling))
    base = product(roll, 1) | {"group": group, "menu": roll.menus.add(frames), "plan": 3, "reasons": 0.5}
    roll.programmes.append(f"synthetic-data-contract-{len(roll.programmes)}")
    steady: Columns = {"active": 0.8, "weight": 10.0, "programme": len(roll.programmes) - 1}
    roll.add("authorised_synthetic_data", 1, **(base | steady))


def _some_ordinary(roll: Roll, size: int, kinds: tuple[str, ...]) -> Iterator[tuple[int, Columns]]:
    """Give ordinary customers in blocks of one kind each, `size` in all."""
    shares = np.array([ORDINARY[kind][0] for kind in kinds])
    for kind, count in zip(kinds, roll.rng.multinomial(size, shares / shares.sum()).tolist(), strict=True):
        if count:
            yield count, ordinary(roll, kind, count)


def _reseller(roll: Roll, group: int, size: int) -> None:
    """Add customers whose reseller pays and registers through its programme; they do as they please."""
    roll.programmes.append(f"channel-partner-{len(roll.programmes)}")
    shared = {"group": group, "payment": roll.code(), "programme": len(roll.programmes) - 1, "plan": 1}
    for count, columns in _some_ordinary(roll, size, tuple(ORDINARY)):
        roll.add("reseller_pool", count, **(columns | shared))


def _class(roll: Roll, group: int, size: int) -> None:
    """Add a class: registered within days, one address at school, one sheet of exercises, private accounts."""
    first = int(roll.rng.integers(1, max(2, roll.scale.days // 2)))
    sheet = roll.frames.add(wording.sheet_frame(roll.words), "puzzle")
    chat = [roll.frames.add(frame, "question") for frame in wording.CHAT]
    school = int(roll.lines.add(roll.pick(roll.networks.of("education"), 1), roll.hosts(1))[0])
    base = person(roll, size) | {
        "group": group,
        "created": (first * DAY + roll.rng.uniform(0, 3, size) * DAY).astype(np.int64),
        "first": first,
        "menu": roll.menus.add([sheet, *chat], [3.0] + [1.0] * len(chat)),
        "hour": float(roll.rng.uniform(9, 14)),
        "active": 0.25,
        "lines": _mostly(roll, school, size),
        "follows": 0.2,
        "weight": roll.rng.lognormal(1.0, 0.5, size),
    }
    roll.add("nat_class", size, **(base | {"payment": -2, "domain": roll.domain() if size % 2 else base["domain"]}))


def _mostly(roll: Roll, line: int, size: int) -> Ints:
    pairs = np.stack([np.full(size, line), roll.home_lines(size)], axis=1)
    return roll.ways.add_each(pairs, (0.75, 0.25))


def _company(roll: Roll, group: int, size: int) -> None:
    """Add a company's staff: one organisation, payer and domain, mostly one office address. Openly linked."""
    office = int(roll.lines.add(roll.pick(roll.networks.of("business"), 1), roll.hosts(1))[0])
    shared = {"group": group, "org": roll.code(), "payment": roll.code(), "domain": roll.domain(), "plan": 2}
    shared |= {"shares": True}
    for count, columns in _some_ordinary(roll, size, ("chat_hobby", "dev_hobby", "ide_assist")):
        roll.add("corp_nat", count, **(columns | shared | {"lines": _mostly(roll, office, count)}))


def _hackathon(roll: Roll, group: int, size: int) -> None:
    """Add the people of a weekend: registered in a day through one programme, one starting template, much haste."""
    day = int(roll.rng.integers(2, max(3, roll.scale.days - 4)))
    roll.programmes.append(f"build-weekend-{len(roll.programmes)}")
    start = roll.frames.add(wording.batch_frame(roll.words), "coding")
    hall = roll.lines.add(roll.pick(roll.networks.of("business", "education", "isp"), 1), 0, 8, DAILY)
    code = [roll.frames.add(frame, "code") for frame in wording.CODE_ASKS]
    base = person(roll, size) | {
        "group": group,
        "programme": len(roll.programmes) - 1,
        "created": (day * DAY + roll.rng.uniform(0.3, 0.8, size) * DAY).astype(np.int64),
        "first": day,
        "last": day + 3,
        "active": 0.9,
        "spread": 3.0,
        "menu": roll.menus.add([start, *code], [4.0] + [1.0] * len(code)),
        "lines": _mostly(roll, int(hall[0]), size),
        "clients": roll.one_client((*CLIENTS, *BROWSERS), size),
        "new_share": 0.5,
        "weight": roll.rng.lognormal(1.5, 0.5, size),
    }
    roll.add("hackathon", size, **base)


def _course(roll: Roll, group: int, size: int) -> None:
    """Add the people of an online course: one country, enrolled within days, weeks of the same exercises, from home."""
    first = int(roll.rng.integers(1, max(2, roll.scale.days // 3)))
    sheets = [roll.frames.add(wording.sheet_frame(roll.words), "puzzle") for _ in range(roll.words.randint(2, 5))]
    public = [roll.frames.add(frame, "code") for frame in wording.CODE_ASKS]
    base = person(roll, size) | {
        "group": group,
        "country": roll.words.randrange(len(COUNTRIES)),
        "created": (first * DAY + roll.rng.uniform(-2, 3, size) * DAY).astype(np.int64),
        "first": first,
        "last": min(roll.scale.days, first + roll.words.randint(14, 25)),
        "active": 0.35,
        "menu": roll.menus.add([*sheets, *public], [3.0] * len(sheets) + [1.0] * len(public)),
        "weight": roll.rng.lognormal(1.0, 0.5, size),
    }
    roll.add("online_course", size, **base)


def _tool(roll: Roll, group: int, size: int) -> None:
    """Add the customers of a new tool that takes each one's own key: its client, its prompts, its launch in common."""
    launch = int(roll.rng.integers(1, max(2, roll.scale.days // 2)))
    filling = roll.words.choice(("passage", "translate", "coding", "question"))
    frames = [
        roll.frames.add(wording.product_frame(roll.words, roll.scale.prompt_length), filling)
        for _ in range(roll.words.randint(2, 6))
    ]
    created = (launch * DAY + roll.rng.exponential(2.5, size) * DAY).astype(np.int64)
    base = product(roll, size) | {
        "group": group,
        "created": created,
        "first": np.minimum(created // DAY + 1, roll.scale.days - 1),
        "menu": roll.menus.add(frames),
        "lines": roll.homes(size),
        "clients": roll.agents.add([roll.words.randrange(len(CLIENTS))]),
        "weight": 3.0 * roll.rng.lognormal(0, 0.8, size),
    }
    roll.add("tool_customers", size, **base)


MAKERS: Mapping[str, Callable[[Roll, int, int], None]] = {
    "eval_harness": _harness,
    "judge_eval": _judge,
    "translate_batch": _translation,
    "gateway_reseller": _gateway,
    "authorised_synthetic_data": _synthetic,
    "reseller_pool": _reseller,
    "nat_class": _class,
    "corp_nat": _company,
    "hackathon": _hackathon,
    "online_course": _course,
    "tool_customers": _tool,
}
