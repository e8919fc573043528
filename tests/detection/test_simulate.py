"""Simulated telemetry: the same numbers give the same bytes, in time order, with nothing real in it."""

import gzip
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from detection.simulate import NAMES, Scale, simulate

SMALL = Scale(accounts=400, exchanges=3_000, campaigns=1, seed=5, days=10)


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_simulate_with_the_same_scale_gives_the_same_bytes_and_with_another_seed_others(tmp_path: Path) -> None:
    simulate(SMALL, tmp_path / "a")
    simulate(SMALL, tmp_path / "b")
    simulate(Scale(accounts=400, exchanges=3_000, campaigns=1, seed=6, days=10), tmp_path / "c")
    one, two, other = ([(tmp_path / f / name).read_bytes() for name in NAMES] for f in "abc")
    assert one == two
    assert all(mine != theirs for mine, theirs in zip(one[:3], other[:3], strict=True))


def test_simulate_writes_rows_in_time_order_with_own_ids_and_about_as_many_as_asked(tmp_path: Path) -> None:
    made = simulate(SMALL, tmp_path)
    written = rows(made.telemetry)
    times = [row["ts"] for row in written]
    assert times == sorted(times)
    assert len({row["request_id"] for row in written}) == made.rows == len(written)
    assert 2_700 < made.rows < 3_300


def test_simulate_names_nothing_real(tmp_path: Path) -> None:
    made = simulate(SMALL, tmp_path)
    reserved = ipaddress.ip_network("2001:db8::/32")
    written = rows(made.telemetry)
    accounts = [json.loads(line) for line in made.accounts.read_text().splitlines()]
    assert all(ipaddress.ip_address(row["ip"]) in reserved for row in written)
    assert all(4_200_000_000 <= row["asn"] < 4_294_967_295 for row in written)
    ends = {".".join(one["email_domain"].split(".")[-1:]) for one in accounts}
    assert ends <= {"example", "com", "net", "org"}
    domains = {one["email_domain"] for one in accounts}
    assert all(d.endswith((".example", ".example.com", ".example.net", ".example.org")) for d in domains)


def test_simulate_pivots_campaigns_to_the_new_model_and_others_little(tmp_path: Path) -> None:
    made = simulate(Scale(accounts=400, exchanges=8_000, campaigns=1, seed=5, days=10), tmp_path)
    truth = json.loads(made.truth.read_text())
    pool = set(truth["campaigns"][0]["accounts"])
    after = [row for row in rows(made.telemetry) if row["ts"] >= truth["release"]]
    share = {
        side: sum(r["model"].startswith("birch-2") for r in part) / len(part)
        for side, part in (
            ("pool", [r for r in after if r["account_id"] in pool]),
            ("others", [r for r in after if r["account_id"] not in pool]),
        )
    }
    assert share["pool"] > 0.6
    assert share["others"] < 0.25


@pytest.mark.parametrize("wrong", [{"accounts": 0}, {"exchanges": 0}, {"campaigns": -1}, {"days": 3}, {"accounts": 20}])
def test_simulate_with_numbers_that_cannot_be_refuses(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        simulate(Scale(**{"accounts": 400, "exchanges": 3_000, "campaigns": 1, "seed": 5, **wrong}), tmp_path)
