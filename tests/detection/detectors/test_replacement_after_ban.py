"""Replacement after bans that are known: found where accounts come after bans, not where both merely happen."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from detection.detectors.pool import Group
from detection.detectors.replacement_after_ban import ReplacementAfterBan, _followed
from detection.examining import population_of
from detection.facts import account_facts
from detection.population import Population
from detection.records import Outcome, Status, Window, rfc3339
from detection.simulate import Scale, simulate
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import Dataset, open_dataset
from tests.detection.telemetry.rows import START, dataset_of, file_of, row

SCALE = Scale(
    accounts=3_000,
    exchanges=40_000,
    campaigns=None,
    seed=9,
    campaign_accounts=240,
    kinds=("hydra", "cot_elicitation"),
    linkage=(("replaced", "yes"), ("registration", "burst")),
    columns="all",
)
BANNED = 0.25  # of the innocent accounts of a group, at any moment after they came


@dataclass(frozen=True)
class World:
    """Simulated telemetry in which a quarter of all innocent accounts is banned too, and who is who in it."""

    dataset: Dataset
    window: Window
    population: Population
    campaigns: Mapping[str, list[str]]
    innocent: Mapping[str, list[str]]
    customers: list[str]

    def ask(self, groups: Mapping[str, list[str]]) -> Outcome:
        place = self.population.place
        asked = [
            Group(key, np.array(sorted(place[name] for name in accounts if name in place), np.int64))
            for key, accounts in groups.items()
        ]
        return ReplacementAfterBan().examine(self.dataset, self.window, self.population, asked)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bans")
    made = simulate(SCALE, folder)
    truth = json.loads(made.truth.read_text())
    campaigns = {f"campaign {n}": one["accounts"] for n, one in enumerate(truth["campaigns"])}
    innocent = {f"{one['kind']} {n}": one["accounts"] for n, one in enumerate(truth["benign_groups"])}
    taken = {account for groups in (campaigns, innocent) for accounts in groups.values() for account in accounts}
    customers = sorted(set(truth["account_kinds"]) - taken)
    root = folder / "dataset"
    add_telemetry(made.telemetry, root, sha256=file_sha256(made.telemetry))
    in_pools = {account for accounts in campaigns.values() for account in accounts}
    add_side_table("accounts", file_of(folder / "banned.ndjson", with_bans(made.accounts, in_pools)), root)
    with open_dataset(root) as dataset:
        window = dataset.span()
        assert window is not None
        population = population_of(account_facts(dataset, window))
        yield World(dataset, window, population, campaigns, innocent, customers)


def with_bans(accounts: Path, spared: set[str]) -> Iterator[dict[str, Any]]:
    """Give the accounts, a quarter of the innocent ones banned at some moment of the window after they came."""
    r = Random(51)
    for line in accounts.read_text().splitlines():
        one = json.loads(line)
        if one["account_id"] not in spared and r.random() < BANNED:
            came = (datetime.fromisoformat(one["created_at"]) - START) / timedelta(days=1)
            one["banned_at"] = rfc3339(START + timedelta(days=r.uniform(max(0.0, came), SCALE.days)))
        yield one


def test_campaigns_whose_accounts_come_after_bans_are_found_and_innocent_groups_with_bans_are_not(world: World) -> None:
    outcome = world.ask({**world.campaigns, **world.innocent})
    assert outcome.status is Status.FOUND
    assert {finding.support["cluster"] for finding in outcome.findings} == set(world.campaigns)
    assert outcome.counts["pools_compared"] >= len(world.campaigns) + 3  # bans are there among the innocent too
    for finding in outcome.findings:
        assert finding.support["ban_times_known"] == 1
        assert float(finding.support["statistic"]) > 0.6 > 0.3 > float(finding.support["usual"])  # type: ignore[arg-type]
        assert "199 draws of as many new accounts of others, after the same bans, 0 come as far" in finding.summary


def test_of_innocent_groups_with_bans_hardly_one_is_found(world: World) -> None:
    mixed = Random(52).sample(world.customers, len(world.customers))
    groups = {f"drawn {n}": mixed[16 * n : 16 * n + 16] for n in range(40)}
    outcome = world.ask(groups)
    assert outcome.counts["pools_compared"] > 20
    assert len(list(outcome.findings)) <= 1


def small(
    created: Mapping[str, float], banned: Mapping[str, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give rows and accounts of a pool of twelve and of 130 others; days of registration and of bans by account."""
    names = [f"pool_{n:02d}" for n in range(12)] + [f"acct_{n:03d}" for n in range(130)]
    r = Random(53)
    rows = [row(10 * n + k, name, hours=24 * r.uniform(0, 12)) for n, name in enumerate(names) for k in range(4)]
    accounts = [
        {
            "account_id": name,
            "created_at": rfc3339(START + timedelta(days=created.get(name, -30.0))),
            "banned_at": rfc3339(START + timedelta(days=banned[name])) if name in banned else None,
        }
        for name in names
    ]
    return rows, accounts


def examined(folder: Path, created: Mapping[str, float], banned: Mapping[str, float]) -> Outcome:
    rows, accounts = small(created, banned)
    window = Window(START, START + timedelta(days=12))
    with dataset_of(folder, rows, accounts=accounts) as dataset:
        population = population_of(account_facts(dataset, window))
        members = np.array(sorted(p for name, p in population.place.items() if name.startswith("pool")), np.int64)
        return ReplacementAfterBan().examine(dataset, window, population, [Group("g0", members)])


WAVE = {f"pool_{n:02d}": 4.4 for n in range(6)}
AFTER = {f"pool_{n:02d}": 4.5 + n / 10 for n in range(6, 12)}
SOME = {f"acct_{n:03d}": 2.1 + 9.5 * n / 40 for n in range(40)}


def test_pool_of_which_half_is_banned_and_half_comes_within_days_is_found(tmp_path: Path) -> None:
    outcome = examined(tmp_path, AFTER | SOME, WAVE)
    (finding,) = outcome.findings
    figures = [finding.support[name] for name in ("stopped", "followed", "preceded", "statistic")]
    assert figures == [6, 6, 0, 1.0]
    assert (
        "Of the pool's accounts 6 were banned; 100% of them were followed within 3 days by an account that was new "
        "then and 0% preceded by one, a difference of 100% of the bans, where 0% is usual."
    ) in finding.summary


@pytest.mark.parametrize(
    ("created", "banned"),
    [
        ({f"pool_{n:02d}": 2.1 + 1.5 * (n - 6) for n in range(6, 12)}, WAVE),
        ({name: day - 2.3 for name, day in AFTER.items()}, WAVE),
        (dict(zip(AFTER, (3.0, 3.1, 4.6, 4.7, 4.8, 4.9), strict=True)), WAVE),
        (dict(zip(AFTER, (4.6, 4.7), strict=False)), WAVE),
        ({}, WAVE),
    ],
    ids=["who come all the time", "who came before", "who came on both sides", "two after six", "nobody new"],
)
def test_pool_with_bans_and_new_accounts_that_do_not_follow_them_is_left_alone(
    tmp_path: Path, created: Mapping[str, float], banned: Mapping[str, float]
) -> None:
    outcome = examined(tmp_path, {**created, **SOME}, banned)
    assert (outcome.status, outcome.reason) == (
        Status.NOTHING_FOUND,
        "No pool differs from groups drawn at random.",
    )


@pytest.mark.parametrize(
    ("created", "banned", "why"),
    [
        (AFTER | SOME, {"pool_00": 4.4, "pool_01": 4.4}, "fewer than 3 accounts that were banned in the window"),
        (AFTER | SOME, dict.fromkeys(WAVE, 11.5), "fewer than 3 accounts that were banned in the window, in time"),
        (AFTER | SOME, dict.fromkeys(WAVE, -4.0), "fewer than 3 accounts that were banned in the window, in time"),
        (AFTER, WAVE, "fewer than 20 accounts outside of pools are new in the window"),
    ],
    ids=["two bans", "bans at the end", "bans before", "nobody else is new"],
)
def test_pool_cannot_be_told_without_bans_in_time_or_new_accounts_to_compare_with(
    tmp_path: Path, created: Mapping[str, float], banned: Mapping[str, float], why: str
) -> None:
    outcome = examined(tmp_path, created, banned)
    assert (outcome.status, outcome.findings) == (Status.COULD_NOT_TELL, ())
    assert outcome.reason.startswith(f"1 of 1 pool could not be compared: {why}")


@pytest.mark.parametrize(
    ("ends", "begins", "number"),
    [
        ([1.0, 1.0, 1.0], [2.0], 1),
        ([1.0, 2.0], [2.5, 4.5], 2),
        ([1.0], [1.0, 4.1], 0),
        ([1.0, 9.0], [0.5, 3.9, 12.0], 2),
        ([1.0], [], 0),
    ],
)
def test_each_new_account_follows_one_that_stopped_at_most(ends: list[float], begins: list[float], number: int) -> None:
    assert _followed(np.array(ends), np.array(begins), 3.0) == number
