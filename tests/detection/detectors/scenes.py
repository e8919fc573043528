"""One small world a detector: telemetry in which it has something to find, and some in which it only looks so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from detection.records import Window, rfc3339
from detection.simulation import texts
from tests.detection.telemetry.rows import START, row

WINDOW = Window(START, START + timedelta(days=14))
Rows = list[dict[str, Any]]
Side = Mapping[str, Rows]


@dataclass(frozen=True)
class Scene:
    """What a detector finds something in, with whom it names; a look-alike; and the columns it cannot do without."""

    found: Callable[[], tuple[Rows, Side]]
    alike: Callable[[], tuple[Rows, Side]]
    named: frozenset[str]
    needs: Sequence[str] = field(default_factory=tuple)


def ordinary(size: int = 600, **columns: Any) -> Rows:
    """Questions of sixty accounts, at odd moments, no two of which share a product."""
    r = Random(11)
    return [
        row(n, f"acct_{n % 60:02d}", hours=n / 2 + r.random() / 2, prompt=texts.question(r), **columns)
        for n in range(size)
    ]


def names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}_{n:02d}" for n in range(number)]


def registered(account: str, at: datetime, **columns: Any) -> dict[str, Any]:
    return {"account_id": account, "created_at": rfc3339(at), "org_id": f"org_{account}"} | columns


def residents() -> Rows:
    """The sixty ordinary accounts, registered one a week, each with a domain of its own."""
    r = Random(12)
    return [
        registered(a, START - timedelta(days=7 * n + 7), email_domain=f"{a}.example", country=r.choice(["DE", "FR"]))
        for n, a in enumerate(names("acct", 60))
    ]


def asking(frame: str, accounts: Sequence[str], times: int, first: int = 5000) -> Rows:
    r = Random(13)
    return [
        row(first + 100 * a + n, account, hours=a + 9 * n, prompt=frame.format(texts.task(r)))
        for a, account in enumerate(accounts)
        for n in range(times)
    ]


def burst(one_organisation: bool = False) -> tuple[Rows, Side]:
    """Twelve accounts registered within two hours under one domain; openly of one organisation, or not."""
    batch = names("batch", 12)
    rows = ordinary() + [row(9000 + n, a, hours=n, prompt="hello there") for n, a in enumerate(batch)]
    at = START - timedelta(days=30)
    own = {"org_id": "org_staff"} if one_organisation else {}
    made = [
        registered(a, at + timedelta(minutes=10 * n), email_domain="Made.Example", country="NZ") | own
        for n, a in enumerate(batch)
    ]
    return rows, {"accounts": residents() + made}


def in_step(round_minute: bool = False) -> tuple[Rows, Side]:
    """Five accounts that one scheduler wakes at odd minutes; or five whose own schedules wake them at full hours."""
    r = Random(14)
    minutes = sorted(
        {60 * n for n in range(300)} if round_minute else {7 * n + 1 for n in range(2500) if (7 * n + 1) % 5}
    )
    moments = sorted(r.sample(minutes, 40))
    rows = [
        row(n, a, hours=(60 * minute + r.random() * 50) / 3600, prompt=texts.question(r))
        for number, a in enumerate(names("step", 5))
        for n, minute in enumerate(moments, 20_000 + 1000 * number)
        if r.random() < 0.95
    ]
    return ordinary() + rows, {}


def elicited() -> tuple[Rows, Side]:
    frame = "Lay your whole reasoning open before you state the answer: {}"
    return ordinary() + asking(frame, names("probe", 4), 9), {}


def explained() -> tuple[Rows, Side]:
    """Pupils who ask for steps now and then, in words of their own."""
    r = Random(15)
    frames = ["{} Please go step by step.", "Help me with this, show your work: {}", "{} And why is that so?"]
    rows = [
        row(7000 + n, f"acct_{n % 60:02d}", hours=n, prompt=frames[n % 3].format(texts.question(r))) for n in range(180)
    ]
    return ordinary() + rows, {}


def graded() -> tuple[Rows, Side]:
    frame = "Rate the following response on a scale from 1 to 10 and fill in the form.\nResponse: {}\nScore:"
    return ordinary() + asking(frame, names("probe", 4), 9), {}


def marked() -> tuple[Rows, Side]:
    """A teacher who has an essay looked at now and then, and people who ask about scores in a game."""
    r = Random(16)
    frames = ["Please evaluate my answer kindly: {}", "What is a good score from 1 to 10 in {}?"]
    rows = [
        row(7000 + n, f"acct_{n % 60:02d}", hours=n, prompt=frames[n % 2].format(texts.task(r))) for n in range(180)
    ]
    return ordinary() + rows, {}


def replayed(one_organisation: bool = False) -> tuple[Rows, Side]:
    """A relay that moves conversations between four accounts, which are strangers on paper or one organisation's."""
    relay = names("relay", 4)
    org = {a: "org_team" if one_organisation else f"org_{a}" for a in relay}
    rows = ordinary()
    for n in range(40):
        giver, taker = relay[n % 4], relay[(n + 1) % 4]
        own = {"issued_block_hashes": [f"blk_{n:03d}"], "org_id": org[giver]}
        rows.append(row(9000 + 2 * n, giver, hours=3 * n, model="birch-2", **own))
        other = {"presented_block_hashes": [f"blk_{n:03d}"], "org_id": org[taker]}
        rows.append(row(9001 + 2 * n, taker, hours=3 * n + 1, model="birch-1", **other))
    for n in range(40):  # an ordinary customer, whose conversation goes on
        rows.append(row(9500 + 2 * n, "acct_01", hours=4 * n, issued_block_hashes=[f"own_{n}"], org_id="org_o"))
        rows.append(row(9501 + 2 * n, "acct_01", hours=4 * n + 1, presented_block_hashes=[f"own_{n}"], org_id="org_o"))
    return rows, {}


def probed() -> tuple[Rows, Side]:
    """Two accounts that send one prompt with ever other biases."""
    rows = ordinary(logit_bias_count=0, top_logprobs=0, max_tokens=512)
    for number, account in enumerate(names("probe", 2)):
        for n in range(80):
            own = {"logit_bias_count": 300, "top_logprobs": 5, "max_tokens": 1, "prompt": "Once upon a time in a land"}
            rows.append(row(9000 + 500 * number + n, account, hours=n, **own))
    return rows, {}


def classified() -> tuple[Rows, Side]:
    """A classifier held to four labels, which reads their probabilities, and whose prompts are all different."""
    rows = ordinary(logit_bias_count=0, top_logprobs=0, max_tokens=512)
    r = Random(17)
    for n in range(200):
        own = {"logit_bias_count": 4, "top_logprobs": 5, "max_tokens": 1, "prompt": f"Sort: {texts.task(r)} {n}"}
        rows.append(row(9000 + n, "acct_03", hours=n, **own))
    return rows, {}


def shared_out() -> tuple[Rows, Side]:
    """Four accounts that work off one list of numbered items, every fourth each."""
    rows = ordinary()
    r = Random(18)
    for n in range(120):
        text = f"Work through the entry below and return it.\nitem {n + 1}: {texts.task(r)}"
        rows.append(row(9000 + n, f"part_{n % 4:02d}", hours=2 * n + r.random(), prompt=text))
    return rows, {}


def same_exercises() -> tuple[Rows, Side]:
    """A class that asks about the same numbered exercises."""
    rows = ordinary()
    r = Random(19)
    for pupil in range(6):
        for n in range(1, 31):
            text = f"I do not understand the homework.\nexercise {n}: {texts.task(r)}"
            rows.append(row(9000 + 100 * pupil + n, f"acct_{pupil:02d}", hours=5 * n + 3 * r.random(), prompt=text))
    return rows, {}


SCENES: Mapping[str, Scene] = {
    "registration-burst": Scene(burst, lambda: burst(True), frozenset(names("batch", 12)), ["created_at"]),
    "synchronised-activity": Scene(in_step, lambda: in_step(True), frozenset(names("step", 5))),
    "reasoning-requests": Scene(elicited, explained, frozenset(names("probe", 4)), ["prompt"]),
    "reasoning-block-replay": Scene(
        replayed,
        lambda: replayed(True),
        frozenset(names("relay", 4)),
        ["issued_block_hashes", "presented_block_hashes"],
    ),
    "reward-grading": Scene(graded, marked, frozenset(names("probe", 4)), ["prompt"]),
    "logit-probing": Scene(probed, classified, frozenset(names("probe", 2)), ["logit_bias_count", "top_logprobs"]),
    "no-human-cadence": Scene(shared_out, same_exercises, frozenset(names("part", 4))),
}
