"""Small worlds of accounts for tests of coincidences, clusters and assessments: facts and edges without telemetry."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from detection.records import AccountFacts, Edge
from tests.detection.telemetry.rows import START

TEMPLATES = ("head-a", "head-b", "head-c", "head-d")


def fact(account: str, **known: Any) -> AccountFacts:
    """An ordinary account with an organisation and payer of its own, registered months ago."""
    number = int(account.split("_")[1])
    base = AccountFacts(
        account_id=account,
        exchanges=50,
        input_tokens=500,
        output_tokens=5000,
        first_seen=START,
        last_seen=START + timedelta(days=9),
        org_id=f"org_{number}",
        payment_fingerprint=f"pf_{number}",
        created_at=START - timedelta(days=300 - number / 2),
        networks=1,
        home_asn=4_200_000_000 + number % 7,
        home_kind="isp",
        prompts=50,
        fillings=50,
    )
    return AccountFacts(**{**{name: getattr(base, name) for name in base.__dataclass_fields__}, **known})


def edge(account: str, kind: str, value: str, count: int = 8) -> Edge:
    signal = "template_reuse" if kind == "template" else "shared_attribute"
    return Edge(account, kind, value, count, START, START + timedelta(days=8), signal, 0.8, value, (f"{kind}-{value}",))


def crowd(size: int = 300) -> dict[str, AccountFacts]:
    """Unrelated accounts by id."""
    return {name: fact(name) for name in (f"acct_{n:04d}" for n in range(size))}


def scattered(accounts: Iterable[str], seed: int = 3) -> list[Edge]:
    """A few ordinary holders of the templates outside the first 24, so that rarity has something to be measured on."""
    r = Random(seed)
    return [
        edge(account, "template", template, 3)
        for template in TEMPLATES
        for account in r.sample(sorted(accounts)[24:], 6)
    ]


def pool(facts: dict[str, AccountFacts], size: int = 24) -> list[Edge]:
    """Strangers on paper that pay in rings of four, were registered on one day, and fill the same four templates."""
    edges = []
    for n in range(size):
        account = f"acct_{n:04d}"
        ring = f"pf_ring_{n // 4}"
        facts[account] = fact(account, payment_fingerprint=ring, created_at=START - timedelta(days=9, minutes=n))
        edges += [edge(account, "template", template) for template in TEMPLATES]
        edges.append(edge(account, "payment_fingerprint", ring))
    return edges


def people(facts: dict[str, AccountFacts], templates: int) -> list[Edge]:
    """Twenty of the crowd, used in sessions by people, who share templates that products send too, and nothing else."""
    r = Random(4)
    edges = []
    names = [f"acct_{n:04d}" for n in range(150, 300)]
    facts.update({name: replace(facts[name], crowding=0.5) for name in names})
    for name in r.sample(names, 20):
        edges += [edge(name, "template", f"head-{n}", 2) for n in range(templates)]
    for n in range(templates):
        products = r.sample([f"acct_{k:04d}" for k in range(150)], 6)
        edges += [edge(name, "template", f"head-{n}", 40) for name in products]
    return edges
