"""Simulated mixtures: every kind, labels that add up, the same bytes by any number of processes, constant memory."""

import gzip
import ipaddress
import json
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from detection.simulate import Made, Scale, simulate
from detection.simulation import writing
from detection.simulation.ensemble import make_ensemble
from detection.simulation.kinds import CAMPAIGNS, LOOK_ALIKES, ORDINARY
from detection.simulation.plan import Plan
from detection.simulation.rows import COLUMNS
from detection.telemetry.adapters import add_telemetry, file_sha256
from detection.telemetry.columns import ACCOUNTS, EXCHANGES

MIXTURE = Scale(
    accounts=1_200,
    exchanges=24_000,
    campaigns=None,
    seed=7,
    days=14,
    campaign_accounts=150,
    kinds=("all",),
    columns="all",
)
SMALLER = replace(MIXTURE, accounts=500, campaign_accounts=110, exchanges=4_000, days=7)


def read(made: Made) -> list[dict[str, Any]]:
    with gzip.open(made.telemetry, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return simulate(MIXTURE, tmp_path_factory.mktemp("mixture"))


@pytest.fixture(scope="module")
def truth(mixture: Made) -> dict[str, Any]:
    labels: dict[str, Any] = json.loads(mixture.truth.read_text())
    return labels


@pytest.fixture(scope="module")
def rows(mixture: Made) -> list[dict[str, Any]]:
    return read(mixture)


def test_a_mixture_has_every_kind_of_campaign_look_alike_and_customer(truth: dict[str, Any]) -> None:
    assert {one["kind"] for one in truth["campaigns"]} == set(CAMPAIGNS)
    assert {one["kind"] for one in truth["benign_groups"]} == set(LOOK_ALIKES)
    assert set(truth["account_kinds"].values()) == {"campaign", *LOOK_ALIKES, *ORDINARY}


def test_the_labels_of_a_mixture_add_up(mixture: Made, truth: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    sent = Counter(row["account_id"] for row in rows)
    known = [json.loads(line)["account_id"] for line in mixture.accounts.read_text().splitlines()]
    assert sorted(truth["account_kinds"]) == known == sorted(set(known))
    assert len(known) == MIXTURE.accounts
    assert set(sent) <= set(known)
    groups = [one["accounts"] for part in ("campaigns", "benign_groups") for one in truth[part]]
    grouped = [account for accounts in groups for account in accounts]
    assert len(grouped) == len(set(grouped))
    in_campaigns = {account for one in truth["campaigns"] for account in one["accounts"]}
    assert in_campaigns == {account for account, kind in truth["account_kinds"].items() if kind == "campaign"}
    for one in truth["campaigns"]:
        assert one["requests"] == sum(sent[account] for account in one["accounts"])
        assert one["idle_accounts"] == [account for account in one["accounts"] if not sent[account]]


def test_a_mixture_comes_to_the_numbers_asked(truth: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    requests = sum(one["requests"] for one in truth["campaigns"])
    assert len(rows) == pytest.approx(MIXTURE.exchanges, rel=0.15)
    assert requests / len(rows) == pytest.approx(MIXTURE.campaign_exchanges, rel=0.25)


def test_the_rows_of_a_mixture_are_in_order_and_fit_every_column(mixture: Made, rows: list[dict[str, Any]]) -> None:
    assert [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
    assert len({row["request_id"] for row in rows}) == len(rows) == mixture.rows
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert set(COLUMNS) <= set(EXCHANGES)
    assert set(json.loads(mixture.accounts.read_text().splitlines()[0])) == set(ACCOUNTS)


def test_a_mixture_is_read_by_the_adapter_without_a_bad_row(tmp_path: Path) -> None:
    made = simulate(SMALLER, tmp_path)
    read = add_telemetry(made.telemetry, tmp_path / "dataset", sha256=file_sha256(made.telemetry))
    assert (read.rows, read.bad, read.repeated, read.unknown_columns) == (made.rows, 0, 0, {})
    assert set(read.columns_present) == set(COLUMNS)


@pytest.mark.parametrize("form", [{"files": "day"}, {"format": "parquet"}])
def test_processes_do_not_change_a_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: dict[str, Any]) -> None:
    monkeypatch.setattr(writing, "WORTH_HELPERS", 0)
    scale = replace(SMALLER, **form)
    for name, processes in (("one", 1), ("two", 2)):
        simulate(scale, tmp_path / name, processes=processes)
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert len(one) == (4 + 7 if "files" in form else 5)


def test_every_form_of_a_mixture_has_the_same_rows(tmp_path: Path) -> None:
    lines = simulate(SMALLER, tmp_path / "gzip")
    rows = read(lines)
    made = simulate(replace(SMALLER, format="parquet"), tmp_path / "parquet")
    table = pq.read_table(made.telemetry)
    assert table.num_rows == len(rows)
    for name in set(COLUMNS) - {"ts"}:
        assert table[name].to_pylist() == [row[name] for row in rows], name
    assert table["ts"].to_pylist() == pa.array([row["ts"] for row in rows]).cast(table["ts"].type).to_pylist()
    packed = simulate(replace(SMALLER, packing="zstd"), tmp_path / "zstd")
    with gzip.open(lines.telemetry) as plain:
        assert pa.input_stream(packed.telemetry, compression="zstd").read() == plain.read()


def test_another_seed_makes_another_mixture(truth: dict[str, Any], tmp_path: Path) -> None:
    other = simulate(replace(SMALLER, seed=8), tmp_path)
    drawn = [[one["linkage"] for one in labels["campaigns"]] for labels in (truth, json.loads(other.truth.read_text()))]
    assert drawn[0] != drawn[1]
    assert not set(truth["account_kinds"]) & set(json.loads(other.truth.read_text())["account_kinds"])


def test_a_mixture_names_nothing_real(mixture: Made, rows: list[dict[str, Any]]) -> None:
    reserved = ipaddress.ip_network("2001:db8::/32")
    assert all(ipaddress.ip_address(row["ip"]) in reserved for row in rows)
    assert all(4_200_000_000 <= row["asn"] < 4_294_967_295 for row in rows)
    domains = {json.loads(line)["email_domain"] for line in mixture.accounts.read_text().splitlines()}
    assert all(d.endswith((".example", ".example.com", ".example.net", ".example.org")) for d in domains)


def by_kind(truth: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Sort the rows by campaign kind, or by account kind where there is no campaign."""
    named = dict(truth["account_kinds"])
    for one in truth["campaigns"]:
        named |= dict.fromkeys(one["accounts"], one["kind"])
    sorted_rows = defaultdict(list)
    for row in rows:
        sorted_rows[named[row["account_id"]]].append(row)
    return sorted_rows


def test_a_grading_pool_asks_each_item_several_times_through_different_accounts(
    truth: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    asked = defaultdict(list)
    for row in by_kind(truth, rows)["rubric_grader"]:
        if "Answer B:" in row["prompt"]:
            asked[row["prompt"].partition("Question: ")[2].partition("\nAnswer B")[0]].append(row["account_id"])
    repeated = [accounts for accounts in asked.values() if len(accounts) > 1]
    assert len(repeated) > len(asked) / 2
    assert sum(len(set(accounts)) > 1 for accounts in repeated) > 0.8 * len(repeated)


def test_a_harness_is_one_account_that_repeats_its_items(truth: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    harnesses = [one for one in truth["benign_groups"] if one["kind"] == "eval_harness"]
    assert all(len(one["accounts"]) == 1 for one in harnesses)
    prompts = Counter((row["account_id"], row["prompt"]) for row in by_kind(truth, rows)["eval_harness"])
    assert max(prompts.values()) >= 3


def test_only_a_relay_and_colleagues_present_reasoning_that_another_account_was_given(
    truth: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    issuer = {row["issued_block_hashes"][0]: row["account_id"] for row in rows if row["issued_block_hashes"]}
    presented: dict[str, Counter[bool]] = {}
    for kind, some in by_kind(truth, rows).items():
        blocks = [(row, row["presented_block_hashes"][0]) for row in some if row["presented_block_hashes"]]
        presented[kind] = Counter(issuer[block] == row["account_id"] for row, block in blocks)
    assert presented["block_replay"][False] > 20
    assert presented["block_replay"][True] == 0
    assert presented["chat_hobby"][True] > 10
    assert {kind for kind, counts in presented.items() if counts[False]} <= {"block_replay", "corp_nat"}


def test_only_probes_set_a_bias_and_ask_for_one_token(truth: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    probing = by_kind(truth, rows)["logit_probe"]
    assert all((row["max_tokens"], row["top_logprobs"]) == (1, 20) for row in probing)
    assert sum(row["logit_bias_count"] is not None for row in rows) == len(probing) > 0


def test_a_pivot_moves_to_the_new_model_within_a_day(truth: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    def share(some: list[dict[str, Any]]) -> float:
        after = [row for row in some if row["ts"] >= truth["release"]][: len(some) // 4]
        return sum(row["model"].startswith("birch-2") for row in after) / len(after)

    kinds = by_kind(truth, rows)
    assert share(kinds["release_pivot"]) > 0.4
    assert share(kinds["saas_app"]) < 0.1


def test_persons_come_in_bursts_and_pools_are_spread_over_the_day(
    truth: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    def middle_pause(some: list[dict[str, Any]]) -> float:
        times = defaultdict(list)
        for row in some:
            times[row["account_id"]].append(datetime.fromisoformat(row["ts"]).timestamp())
        return median(later - one for seen in times.values() for one, later in pairwise(seen))

    kinds = by_kind(truth, rows)
    assert middle_pause(kinds["chat_hobby"]) < 120
    assert middle_pause(kinds["hydra"]) > 900
    hours = Counter(row["ts"][11:13] for row in kinds["hydra"])
    assert len(hours) == 24
    assert max(hours.values()) < 3 * min(hours.values())


def test_banned_accounts_fall_silent_and_later_registrations_take_their_place(tmp_path: Path) -> None:
    made = simulate(replace(SMALLER, linkage=(("replaced", "yes"),)), tmp_path)
    accounts = [json.loads(line) for line in made.accounts.read_text().splitlines()]
    banned = {one["account_id"]: one["banned_at"] for one in accounts if one["banned_at"]}
    assert banned
    assert all(row["ts"] < banned[row["account_id"]] for row in read(made) if row["account_id"] in banned)
    after = [one for one in accounts if one["created_at"] > min(banned.values())]
    assert len(after) >= len(banned)


def test_short_prompts_have_about_a_hundred_characters(tmp_path: Path) -> None:
    made = simulate(replace(SMALLER, prompt_length="short", columns="core"), tmp_path)
    written = read(made)
    assert 80 < sum(len(row["prompt"]) for row in written) / len(written) < 150
    assert len(written[0]) == 13


def test_the_largest_campaign_hides_in_as_many_ordinary_exchanges(tmp_path: Path) -> None:
    scale = Scale(2_750, 20_000, 1, 3, 9, 250, 0.5, kinds=("hydra",), look_alikes="few", prompt_length="short")
    made = simulate(scale, tmp_path)
    labels = json.loads(made.truth.read_text())
    assert [(one["kind"], len(one["accounts"])) for one in labels["campaigns"]] == [("hydra", 250)]
    assert labels["campaigns"][0]["requests"] / made.rows == pytest.approx(0.5, abs=0.05)
    assert {one["kind"] for one in labels["benign_groups"]} == {k for k, v in LOOK_ALIKES.items() if v.few}


def test_memory_holds_a_day_and_not_the_window() -> None:
    peaks = []
    for days in (8, 40):
        cast = make_ensemble(replace(MIXTURE, days=days, exchanges=4_000 * days))
        plan = Plan(cast)
        tracemalloc.start()
        for day in range(days):
            plan.day(day)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kinds": ("hydra", "kraken")}, "kraken is no kind of campaign"),
        ({"campaign_accounts": 2_000}, "too few"),
        ({"campaign_exchanges": 1.0}, "below 1"),
        ({"linkage": (("network", "pigeons"),)}, "network=pigeons is no linkage"),
        ({"columns": "most"}, "columns must be one of core, all"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(tmp_path: Path, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        simulate(replace(MIXTURE, **wrong), tmp_path)


def test_a_folder_with_a_day_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "2025-01-01.parquet").touch()
    with pytest.raises(ValueError, match=r"holds 2025-01-01\.parquet"):
        simulate(replace(MIXTURE, files="day", format="parquet"), tmp_path)


def test_the_command_makes_a_mixture_where_one_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--accounts=300", "--exchanges=2000", "--days=7", f"--out={tmp_path}"]
    fixed = "--linkage=network=hosting,cover_share=0.25"
    call_command("simulate", *few, "--kinds=slow_and_low,hydra", "--format=parquet", "--files=day", fixed)
    written = capsys.readouterr().out.splitlines()
    assert written[0] == str(tmp_path / "telemetry")
    assert len(list((tmp_path / "telemetry").iterdir())) == 7
    campaigns = json.loads((tmp_path / "truth.json").read_text())["campaigns"]
    assert [one["kind"] for one in campaigns] == ["slow_and_low", "hydra"]
    assert [(one["linkage"]["network"], one["linkage"]["cover_share"]) for one in campaigns] == [("hosting", 0.25)] * 2
    with pytest.raises(CommandError, match="no kind of campaign"):
        call_command("simulate", *few, "--kinds=kraken")
