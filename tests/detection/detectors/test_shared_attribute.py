"""Shared attributes: found when rare, set aside when common, not told when there is nothing to tell from."""

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detection.detectors.shared_attribute import SharedAttribute, subnet_of
from detection.records import Outcome, Status, Window
from tests.detection.telemetry.rows import START, dataset_of, row

WINDOW = Window(START, START + timedelta(days=7))


def population(size: int = 40, **columns: Any) -> list[dict[str, Any]]:
    return [row(n, f"acct_{n:02d}", hours=n, **columns) for n in range(size)]


def detect(folder: Path, rows: list[dict[str, Any]], **side: Any) -> Outcome:
    with dataset_of(folder, rows, **side) as dataset:
        return SharedAttribute().detect(dataset, WINDOW)


def found(outcome: Outcome) -> list[tuple[str, list[str]]]:
    return [
        (finding.reproduction["key"], [account.account_id for account in finding.accounts])  # type: ignore[misc]
        for finding in outcome.findings
    ]


def test_shared_attribute_with_payment_of_two_accounts_names_both_and_the_rarity(tmp_path: Path) -> None:
    accounts = [{"account_id": f"acct_{n:02d}", "payment_fingerprint": f"pf_{min(n, 38)}"} for n in range(40)]
    outcome = detect(tmp_path, population(), accounts=accounts)
    assert (outcome.status, found(outcome)) == (Status.FOUND, [("payment_fingerprint pf_38", ["acct_38", "acct_39"])])
    (finding,) = outcome.findings
    assert finding.summary.startswith("2 accounts of 40 active ones show the same payment fingerprint")
    assert dict(finding.support) == {"accounts": 2, "population": 40, "rarity": 0.8121}


def test_shared_attribute_with_value_of_many_accounts_sets_it_aside_and_says_why(tmp_path: Path) -> None:
    outcome = detect(tmp_path, population(user_agent="sdk-python/1.0"))
    assert (outcome.status, found(outcome)) == (Status.NOTHING_FOUND, [])
    (hub,) = outcome.hubs
    assert (hub.type, hub.accounts, hub.reason) == ("user_agent", 40, "shown by 40 of 40 accounts, more than 20")


def test_shared_attribute_on_a_carrier_network_is_set_aside(tmp_path: Path) -> None:
    rows = population() + [row(90 + n, f"acct_{n:02d}", asn=4_200_000_001) for n in range(4)]
    networks = [{"asn": 4_200_000_001, "kind": "mobile"}]
    outcome = detect(tmp_path, rows, networks=networks)
    assert [hub.reason for hub in outcome.hubs] == ["a network of kind mobile carries unrelated customers"]
    assert found(outcome) == []


def test_shared_attribute_with_address_of_two_is_a_household_and_of_three_a_finding(tmp_path: Path) -> None:
    rows = population()
    for n, ip in enumerate(["203.0.113.7"] * 2 + ["2001:db8::5"] * 3):
        rows[n]["ip"] = ip
    assert found(detect(tmp_path, rows)) == [("ip 2001:db8::5", ["acct_02", "acct_03", "acct_04"])]


def test_shared_attribute_without_any_identity_column_cannot_tell(tmp_path: Path) -> None:
    outcome = detect(tmp_path, population())
    assert outcome.status is Status.COULD_NOT_TELL
    assert outcome.reason.startswith("The telemetry has none of the columns this detector can work with: payment_")


def test_shared_attribute_with_one_account_cannot_tell(tmp_path: Path) -> None:
    outcome = detect(tmp_path, [row(1, ip="203.0.113.7")])
    assert (outcome.status, outcome.counts["accounts"]) == (Status.COULD_NOT_TELL, 1)


def test_shared_attribute_with_shuffled_rows_gives_the_same_drafts(tmp_path: Path) -> None:
    rows = [one | {"ip": f"203.0.113.{n % 9}"} for n, one in enumerate(population())]
    shuffled = random.Random(4).sample(rows, len(rows))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert detect(tmp_path / "a", rows) == detect(tmp_path / "b", shuffled)


@pytest.mark.parametrize(
    ("ip", "subnet"),
    [("203.0.113.7", "203.0.113.0/24"), ("2001:db8:1:2::9", "2001:db8:1::/48"), ("not an address", None)],
)
def test_subnet_of_an_address(ip: str, subnet: str | None) -> None:
    assert subnet_of(ip) == subnet
