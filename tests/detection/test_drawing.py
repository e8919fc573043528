"""What is drawn of a cluster: hours of use and template examples, by a job, the same each time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from detection import drawing
from detection.drawing import BUSIEST
from detection.models import Account, ClusterDrawing, TelemetrySource
from spine.errors import Conflict
from spine.models import Job
from tests.detection.drawn import FRAME, add_exchanges, make_drawn_lead, make_template_lead
from tests.factories import make_lead, provider_ids, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(autouse=True)
def telemetry_apart(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    yield


def ids(*provider: str) -> list[str]:
    known = dict(Account.objects.values_list("provider_id", "pk"))
    return [str(known[one]) for one in provider]


def test_exchanges_are_counted_by_account_and_hour_of_the_window() -> None:
    lead = make_template_lead(["acct_a", "acct_b", "acct_c"])
    now = timezone.now()
    then, later, before = now - timedelta(hours=6), now - timedelta(hours=3), now - timedelta(days=3)
    add_exchanges([("acct_b", then), ("acct_b", later), ("acct_a", then), ("acct_a", before), ("acct_x", then)])
    run_job(drawing.request_drawing(lead.cluster, actor="user:analyst"))
    hours = lead.cluster.drawing.hours
    assert [row["account"] for row in hours["rows"]] == ids("acct_b", "acct_a")
    expected = [0] * 24
    expected[then.hour], expected[later.hour] = 1, 1
    assert hours["rows"][0]["hours"] == expected
    assert sum(hours["rows"][1]["hours"]) == 1  # what lies outside the window is not counted
    assert hours["rest"] == {"accounts": 1, "hours": [0] * 24}


def test_the_busiest_accounts_are_rows_and_the_others_are_one() -> None:
    lead = make_drawn_lead(BUSIEST + 10)
    hours = lead.cluster.drawing.hours
    assert (len(hours["rows"]), hours["rest"]["accounts"], sum(hours["rest"]["hours"])) == (BUSIEST, 10, 20)


def test_without_telemetry_the_hours_are_unknown_and_the_rest_is_drawn() -> None:
    lead = make_template_lead(provider_ids(3))
    run_job(drawing.request_drawing(lead.cluster, actor="user:analyst"))
    assert lead.cluster.drawing.hours is None
    assert [one["frame"] for one in lead.cluster.drawing.templates] == [FRAME]


def test_an_example_carries_the_frame_as_it_was_stated_with_its_counts() -> None:
    lead = make_drawn_lead(4)
    shown = drawing.examples(lead.cluster.drawing)
    assert [{name: one[name] for name in one if name not in ("attribute", "finding")} for one in shown] == [
        {
            "frame": FRAME,
            "accounts": 4,
            "holders": 4,
            "population": 4,
            "exchanges": 420,
            "fillings": 380,
            "days": 12,
        }
    ]


def test_an_account_id_in_a_frame_is_left_out() -> None:
    lead = make_drawn_lead(["acct-7701", "acct-7702"], frame="greet acct-7701, kindly: …")
    assert [one["frame"] for one in lead.cluster.drawing.templates] == ["greet ‹account›, kindly: …"]


def test_a_drawing_names_accounts_and_values_by_our_ids_alone() -> None:
    lead = make_drawn_lead(["acct_secret_1", "acct_secret_2"])
    drawn = lead.cluster.drawing
    assert "secret" not in f"{drawn.hours}{drawn.templates}{drawn.graph}"
    assert "pf_head" not in f"{drawn.hours}{drawn.templates}{drawn.graph}"


def test_what_is_drawn_is_not_drawn_again() -> None:
    lead = make_drawn_lead(3)
    with pytest.raises(Conflict):
        drawing.request_drawing(lead.cluster, actor="user:analyst")
    made = lead.cluster.drawing.made_at
    again = Job.objects.create(
        kind="clusters.draw", key="again", actor="user:a", args={"cluster": str(lead.cluster_id)}
    )
    assert run_job(again).result == {"drawn": 0}
    assert ClusterDrawing.objects.get(cluster=lead.cluster).made_at == made


def test_a_job_draws_what_is_worth_a_look_of_a_run() -> None:
    worth = make_lead(3).cluster
    job = Job.objects.create(
        kind="clusters.draw", key=str(worth.run_id), actor="user:a", args={"run": str(worth.run_id)}
    )
    assert drawing.standing(worth).job == job
    assert run_job(job).result == {"drawn": 1}
    assert drawing.standing(worth).drawing == worth.drawing
    assert TelemetrySource.objects.count() == 1
