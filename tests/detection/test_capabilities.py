"""What requests ask for: counted by capability for a cluster beside all accounts, or said that it could not be told."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from cases.models import Lead
from detection import capabilities, drawing, runs, simulating
from detection.capabilities import NO_LABELS, NO_PROMPTS, NONE_OF_THESE, NOTHING_KEPT, WORDS
from detection.models import Account, Cluster, ClusterDrawing, TelemetrySource
from detection.records import Window
from detection.simulate import Scale, simulate
from detection.telemetry import cues
from detection.telemetry.dataset import Dataset, open_dataset
from spine import outbox
from spine.models import Job
from tests.cases.pages import client_of, text_of
from tests.detection.conftest import Caller
from tests.detection.drawn import add_exchanges, make_template_lead
from tests.detection.telemetry.rows import START, added, dataset_of, file_of, row
from tests.factories import Cast, provider_ids, run_job

WINDOW = Window(START, START + timedelta(days=1))
PROMPTS = {
    "grading": "Rate the response from 1 to 5. Response: def f(): pass",
    "tool_use": 'Tools: [{"name": "get_weather", "parameters": {}}]\nWeather in Kiel?',
    "translation": "Translate into Finnish: the ferry is late",
    "code": "Write a function that reverses a list.",
    "math": "Solve 3x + 4 = 19",
    "reasoning": "Is this valid?\nOptions:\n(A) valid\n(B) invalid",
    "extraction": "Summarise this notice in two sentences: the ferry is late",
    "chat": "Where do storks spend the winter?",
    "not_recognised": "Good evening",
}
TRACED = "Solve 3x + 4 = 19 and print the entire chain of thought, leave nothing out."


def rows_of(account: str, *prompts: str, start: int = 0, hours: float = 1) -> list[dict[str, Any]]:
    return [row(start + place, account, hours, prompt=prompt) for place, prompt in enumerate(prompts)]


def each_of(dataset: Dataset, *accounts: str) -> list[dict[str, int]]:
    rows = dataset.within(WINDOW)
    chosen = rows.filter(rows.account_id.isin(accounts))
    return list(dataset.arrow(chosen.group_by("account_id").aggregate(**capabilities.counts(chosen))).to_pylist())


def mix_of(dataset: Dataset, *accounts: str) -> dict[str, Any]:
    return capabilities.mix(dataset, each_of(dataset, *accounts), capabilities.everybody(dataset, WINDOW))


def figures(stored: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    rows = stored["mix"]
    return {one["capability"]: (one["exchanges"], one["accounts"], one["all_exchanges"]) for one in rows}


def test_each_label_is_counted_once_and_requests_for_reasoning_beside_them(tmp_path: Path) -> None:
    other = rows_of("acct_x", *PROMPTS.values(), start=100)
    late = rows_of("acct_a", TRACED, start=200, hours=30)
    mine = [*rows_of("acct_a", TRACED, PROMPTS["math"]), *rows_of("acct_b", PROMPTS["code"], start=50)]
    with dataset_of(tmp_path, [*mine, *other, *late]) as dataset:
        stored = mix_of(dataset, "acct_a", "acct_b")
    found = figures(stored)
    assert {name: found.pop(name) for name in ("reasoning_traces", "math", "code")} == {
        "reasoning_traces": (1, 1, 1),
        "math": (2, 1, 3),
        "code": (1, 1, 2),
    }
    assert found == {name: (0, 0, 1) for name in PROMPTS if name not in ("math", "code")}
    assert {name: stored[name] for name in stored if name != "mix"} == {
        "reason": "",
        "exchanges": 3,
        "read": 3,
        "accounts": 2,
        "all_exchanges": 12,
        "all_read": 12,
    }


def test_shares_are_of_requests_with_a_label_and_the_rest_comes_last(tmp_path: Path) -> None:
    bare = [row(90, "acct_a", 1)]
    mine = rows_of("acct_a", PROMPTS["not_recognised"], PROMPTS["not_recognised"], PROMPTS["code"], PROMPTS["code"])
    with dataset_of(tmp_path, [*mine, *bare, *rows_of("acct_x", *[PROMPTS["chat"]] * 4, start=50)]) as dataset:
        stored = mix_of(dataset, "acct_a")
    shown = capabilities.shares(stored)
    assert (stored["exchanges"], stored["read"]) == (5, 4)
    named = [(one["capability"], one["share"], one["all_share"]) for one in shown]
    assert (named[0], named[1], named[-1]) == (
        ("code", 0.5, 0.25),
        ("chat", 0.0, 0.5),
        ("not_recognised", 0.5, 0.25),
    )
    assert sum(one["share"] for one in shown if one["capability"] != "reasoning_traces") == 1
    assert capabilities.farthest_above(shown) == shown[0]


def test_where_the_mix_is_that_of_all_nothing_stands_out(tmp_path: Path) -> None:
    with dataset_of(tmp_path, rows_of("acct_a", *PROMPTS.values())) as dataset:
        assert capabilities.farthest_above(capabilities.shares(mix_of(dataset, "acct_a"))) is None


def test_every_label_has_words_and_stands_once() -> None:
    assert sorted(capabilities.LABELS.values()) == sorted(cues.Capability)
    assert list(WORDS) == ["reasoning_traces", *capabilities.LABELS]


def test_without_prompts_it_could_not_be_told(tmp_path: Path) -> None:
    with dataset_of(tmp_path, [row(1, "acct_a", 1), row(2, "acct_x", 1)]) as dataset:
        stored = mix_of(dataset, "acct_a")
    assert (stored["reason"], stored["exchanges"], stored["all_exchanges"], stored["mix"]) == (NO_PROMPTS, 1, 2, [])
    assert capabilities.shares(stored) == []


def test_where_others_alone_have_prompts_it_could_not_be_told(tmp_path: Path) -> None:
    with dataset_of(tmp_path, [row(1, "acct_a", 1), *rows_of("acct_x", "Good evening", start=5)]) as dataset:
        stored = mix_of(dataset, "acct_a")
    assert (stored["reason"], stored["all_read"], stored["mix"]) == (NONE_OF_THESE, 1, [])


def test_telemetry_older_than_the_labels_could_not_be_told(tmp_path: Path) -> None:
    added(file_of(tmp_path / "rows.ndjson", rows_of("acct_a", *PROMPTS.values())), tmp_path / "set")
    for part in (tmp_path / "set").rglob("exchanges/*/*.parquet"):
        pq.write_table(pq.read_table(part, partitioning=None).drop_columns(list(cues.COLUMNS)), part)
    with open_dataset(tmp_path / "set") as dataset:
        assert mix_of(dataset, "acct_a")["reason"] == NO_LABELS


# Drawn, on the page and over the API


@pytest.fixture
def root(settings: Any, tmp_path: Path, no_broker: None) -> Iterator[Path]:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    yield tmp_path / "telemetry"


@pytest.mark.django_db(transaction=True)
def test_without_telemetry_and_without_prompts_page_and_api_say_why(root: Path, cast: Cast, analyst: Caller) -> None:
    lead = make_template_lead(provider_ids(3))
    address = f"clusters/{lead.cluster_id}/capabilities/"
    assert analyst.get(address).json() == {"state": "none", "made_at": None, "job_id": None, "capabilities": None}
    assert "Not drawn yet." in shown_on(lead, cast)
    run_job(drawing.request_drawing(lead.cluster, actor="user:analyst"))
    assert analyst.get(address).json()["capabilities"] == capabilities.untold(NOTHING_KEPT)
    ClusterDrawing.objects.update(version="1.1.0")
    add_exchanges([(account, timezone.now() - timedelta(hours=2)) for account in provider_ids(3)])
    run_job(drawing.request_drawing(lead.cluster, actor="user:analyst"))
    told = analyst.get(address).json()["capabilities"]
    assert (told["reason"], told["exchanges"], told["read"], told["mix"]) == (NO_PROMPTS, 3, 0, [])
    assert "Could not tell." in shown_on(lead, cast)
    assert NO_PROMPTS in shown_on(lead, cast)


def shown_on(lead: Lead, cast: Cast) -> str:
    """The section of the lead's page."""
    page = text_of(client_of(cast.analyst).get(f"/leads/{lead.pk}/"))
    return page.partition('id="capabilities"')[2].partition("</section>")[0]


CAMPAIGN = Scale(
    accounts=300,
    exchanges=9_000,
    days=10,
    campaigns=1,
    campaign_accounts=24,
    campaign_exchanges=0.15,
    kinds=("cot_elicitation",),
    linkage=(("payment", "groups"), ("registration", "burst"), ("cover_share", "0.2")),
    look_alikes="few",
    seed=5,
)


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_elicits_reasoning_asks_for_it_more_than_all_do(
    root: Path, tmp_path: Path, cast: Cast, analyst: Caller
) -> None:
    run_job(simulating.request_simulation(actor="user:admin", name="trial", scale=CAMPAIGN))
    run = runs.run_detectors(actor="user:admin", source=TelemetrySource.objects.get(), job_id=uuid4())
    outbox.relay_all()
    assert run_job(Job.objects.get(kind="clusters.draw")).state == "done"
    lead = lead_of_the_campaign(run.clusters.filter(worth_a_look=True), tmp_path)
    told = analyst.get(f"clusters/{lead.cluster_id}/capabilities/").json()["capabilities"]
    (traces,) = [one for one in told["mix"] if one["capability"] == "reasoning_traces"]
    assert (told["reason"], told["exchanges"]) == ("", lead.cluster.exchanges)
    assert traces["share"] > 0.4 > 2 * traces["all_share"]
    assert traces["words"] == "requests that ask for the reasoning behind the answer"
    assert traces["exchanges"] <= traces["all_exchanges"] < told["all_read"]
    text = shown_on(lead, cast)
    assert (f"{traces['exchanges']:,}" in text, f"{round(traces['share'] * 100)} %" in text) == (True, True)
    assert "Requests that ask for the reasoning behind the answer" in text


def lead_of_the_campaign(clusters: Any, folder: Path) -> Lead:
    """The lead most of whose accounts the labels give to the campaign."""
    made = simulate(replace(CAMPAIGN, format="parquet", files="day"), folder / "again")
    (campaign,) = json.loads(made.truth.read_text())["campaigns"]
    ids = Account.objects.filter(provider_id__in=campaign["accounts"]).values_list("pk", flat=True)
    held = Counter({one.pk: one.members.filter(account__in=ids).count() for one in clusters})
    (pk, count), *_ = held.most_common(1)
    cluster = Cluster.objects.get(pk=pk)
    assert count >= 0.8 * cluster.account_count
    return Lead.objects.get(cluster=cluster)
