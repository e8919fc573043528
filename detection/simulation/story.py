"""Writes the sample story's telemetry: one campaign of one kind and four look-alikes, a row at a time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from detection.records import rfc3339
from detection.simulation.cast import Account, World, make_cast, make_networks
from detection.simulation.made import Made, write_lines
from detection.simulation.scale import MODELS, NEW_MODELS, SPREAD, START, Scale


def simulate_story(scale: Scale, out: Path, on_progress: Callable[[int, int], None]) -> Made:
    """Write telemetry.jsonl.gz, accounts, networks and models as NDJSON, and truth.json, under `out`."""
    chance = Random(scale.seed)  # noqa: S311 - made-up data, not a secret
    world = World(START, scale.days, scale.release_day, chance, make_networks(chance))
    cast = make_cast(world, scale.accounts, scale.campaigns or 0, scale.pooled / scale.accounts)
    chance.shuffle(cast)
    telemetry, accounts, networks, models, truth = (out / name for name in NAMES)
    made = Made(telemetry, accounts, networks, models, truth, _write(cast, world, scale, telemetry, on_progress))
    write_lines(made.accounts, sorted((_registration(one) for one in cast), key=lambda row: str(row["account_id"])))
    write_lines(made.networks, ({"asn": n.asn, "kind": n.kind, "country": n.country} for n in world.networks))
    write_lines(made.models, _releases(world))
    made.truth.write_text(json.dumps(_truth(cast, scale, world), indent=1) + "\n")
    return made


NAMES = ("telemetry.jsonl.gz", "accounts.jsonl", "networks.jsonl", "models.jsonl", "truth.json")


def _write(
    cast: Sequence[Account], world: World, scale: Scale, path: Path, on_progress: Callable[[int, int], None]
) -> int:
    """Write every exchange in time order; gives how many there are."""
    rows = 0
    plan = _Plan(cast, scale, world)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        for day in range(world.days):
            texts = Random(scale.seed * 1_000_003 + day)  # noqa: S311
            for place, microseconds in plan.day(day):
                row = _exchange(cast[place], world, day, microseconds, rows, scale.seed, texts)
                packed.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
                rows += 1
                cast[place].sent += 1
                if rows % 5_000 == 0:
                    on_progress(rows, scale.exchanges)
    on_progress(rows, rows)
    return rows


class _Plan:
    """Decides who sends when: for each day the number of exchanges of every account and their times, sorted."""

    def __init__(self, cast: Sequence[Account], scale: Scale, world: World) -> None:
        self.seed = scale.seed
        self.active = np.array([account.active_days for account in cast])
        self.first = np.array([account.from_day for account in cast])
        self.last = np.array([account.to_day for account in cast])
        self.hour = np.array([account.hour for account in cast])
        self.hours = np.array([account.hours for account in cast])
        self.rate = self._rates(cast, scale, world)

    def _rates(self, cast: Sequence[Account], scale: Scale, world: World) -> Any:
        """Give exchanges per active day, so that both sides come to their share of the whole."""
        weight = np.array([account.weight for account in cast])
        campaign = np.array([account.kind == "campaign" for account in cast])
        present = np.clip(np.minimum(self.last, world.days) - np.maximum(self.first, 0), 0, None)
        whole = weight * self.active * present
        rate = np.zeros(len(cast))
        sides = ((campaign, scale.campaign_exchanges if campaign.any() else 0.0), (~campaign, 1.0))
        left = float(scale.exchanges)
        for side, share in sides:
            part = left if share == 1.0 else scale.exchanges * share
            if share and whole[side].sum() > 0:
                rate[side] = weight[side] * part / whole[side].sum()
                left -= part
        return rate

    def day(self, day: int) -> Iterator[tuple[int, int]]:
        """Give (place in the cast, microseconds of the day) of each exchange of the day, in order of time."""
        rng = np.random.Generator(np.random.PCG64([self.seed, day]))
        here = (rng.random(len(self.rate)) < self.active) & (self.first <= day) & (day < self.last)
        counts = rng.poisson(np.where(here, self.rate, 0.0))
        places = np.repeat(np.arange(len(counts)), counts)
        middle = np.repeat(self.hour + rng.normal(0, 1, len(counts)), counts)
        hours = middle + rng.normal(0, 1, len(places)) * np.repeat(self.hours, counts) / 2
        times = (np.mod(hours, 24.0) * 3_600_000_000).astype(np.int64)
        order = np.lexsort((places, times))
        yield from zip(places[order].tolist(), times[order].tolist(), strict=True)


def _exchange(account: Account, world: World, day: int, us: int, number: int, seed: int, r: Random) -> dict[str, Any]:
    prompt = account.pick(r)
    at = world.start + timedelta(days=day, microseconds=us)
    way = 0 if len(account.networks) == 1 or r.random() < 0.75 else 1
    network = account.networks[way]
    pooled = network.kind == "vpn"
    host = r.randrange(60) if pooled else account.hosts[way]
    model = _model(account, day >= world.release_day, r)
    thinking = model.endswith("reason")
    output = max(1, int(r.lognormvariate(5.0 if account.reasons < 0.3 else 5.8, 0.8)))
    row: dict[str, Any] = {
        "request_id": f"req_{((number + 1) * SPREAD + seed) & (2**64 - 1):016x}",
        "ts": rfc3339(at),
        "account_id": account.id,
        "org_id": account.org_id,
        "surface": "api",
        "ip": network.address(host),
        "asn": network.asn,
        "country": network.country,
        "user_agent": account.clients[0] if len(account.clients) == 1 else r.choice(account.clients),
        "payment_fingerprint": account.payment,
        "model": model,
        "input_tokens": max(4, len(prompt) // 4 + r.randint(0, 12)),
        "output_tokens": output,
        "reasoning_tokens": int(output * r.uniform(1, 4)) if thinking else 0,
        "status": 200,
        "prompt": prompt,
    }
    return row


def _model(account: Account, released: bool, r: Random) -> str:
    thinking = r.random() < account.reasons
    if released and r.random() < account.new_share:
        return NEW_MODELS[1] if thinking else NEW_MODELS[0]
    if thinking:
        return MODELS[2]
    return MODELS[0] if r.random() < 0.5 else MODELS[1]


def _registration(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.id,
        "org_id": account.org_id,
        "created_at": rfc3339(account.created_at),
        "email_domain": account.email_domain,
        "country": account.country,
        "payment_fingerprint": account.payment,
        "kyc_level": "email" if account.payment is None else "card",
        "plan": account.plan,
        "programme": account.programme,
        "banned_at": None if account.banned_at is None else rfc3339(account.banned_at),
        "terms_version": "2026-01",
        "terms_accepted_at": rfc3339(account.created_at),
    }


def _releases(world: World) -> list[dict[str, str]]:
    old = [{"model": model, "released_at": rfc3339(world.start - timedelta(days=200))} for model in MODELS]
    at = rfc3339(world.start + timedelta(days=world.release_day))
    return old + [{"model": model, "released_at": at} for model in NEW_MODELS]


def _truth(cast: Sequence[Account], scale: Scale, world: World) -> dict[str, Any]:
    groups: dict[str, list[Account]] = {}
    for account in cast:
        if account.group:
            groups.setdefault(account.group, []).append(account)
    return {
        "seed": scale.seed,
        "release": rfc3339(world.start + timedelta(days=world.release_day)),
        "campaigns": [
            {
                "campaign_id": name,
                "kind": "hydra",
                "accounts": sorted(account.id for account in members),
                "idle_accounts": sorted(account.id for account in members if not account.sent),
            }
            for name, members in sorted(groups.items())
            if members[0].kind == "campaign"
        ],
        "benign_groups": [
            {"group_id": name, "kind": members[0].kind, "accounts": sorted(account.id for account in members)}
            for name, members in sorted(groups.items())
            if members[0].kind != "campaign"
        ],
        "account_kinds": {account.id: account.kind for account in sorted(cast, key=lambda account: account.id)},
    }
