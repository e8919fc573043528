"""Charts are pictures of tables: the same numbers, every day, what is marked named in words."""

import json
from datetime import timedelta

import pytest

from cases import actions, charts
from detection.models import Cluster
from tests.factories import DAYS, START, Cast, make_case, make_cluster, make_lead, make_release, provider_ids

pytestmark = pytest.mark.django_db


def test_case_chart_and_its_table_say_the_same(cast: Cast) -> None:
    chart = charts.volume_chart(make_case(cast, accounts=3))
    bars = [trace for trace in chart.figure["data"] if trace["type"] == "bar"]

    assert chart.columns == [
        ("Day (UTC)", False),
        ("aster-2", True),
        ("aster-1", True),
        ("All models", True),
        ("Marked", False),
    ]
    assert [[int(cell) for cell in row[1:4]] for row in chart.rows] == [
        [a, b, a + b] for a, b in zip(bars[0]["y"], bars[1]["y"], strict=True)
    ]
    assert (chart.unit, chart.window, len(chart.rows)) == ("exchanges a day", "1 May 2026 – 10 May 2026, UTC", DAYS)


def test_release_and_detection_are_marked_in_picture_and_table(cast: Cast) -> None:
    make_release("aster-2", day=4.5)
    chart = charts.volume_chart(make_case(cast))
    marker = chart.figure["data"][-1]

    assert [shape["x0"] for shape in chart.figure["layout"]["shapes"]] == ["2026-05-05 12:00:00"]
    assert [one["text"] for one in chart.figure["layout"]["annotations"]] == ["aster-2 released"]
    assert (marker["mode"], marker["x"]) == ("markers", ["2026-05-10"])
    assert [row[-1] for row in chart.rows] == [
        *[""] * 4,
        "aster-2 released",
        *[""] * 4,
        "1 finding by shared_attribute",
    ]


def test_days_without_exchanges_are_there(cast: Cast) -> None:
    volume = [{"day": day, "model": "aster-1", "exchanges": 7} for day in ("2026-05-01", "2026-05-04")]
    chart = charts.volume_chart(make_case(cast, volume=volume))

    assert [row[:2] for row in chart.rows] == [
        ["2026-05-01", "7"],
        ["2026-05-02", "0"],
        ["2026-05-03", "0"],
        ["2026-05-04", "7"],
    ]


def test_many_models_fold_into_other(cast: Cast) -> None:
    volume = [{"day": "2026-05-01", "model": f"m{n}", "exchanges": 10 - n} for n in range(7)]
    chart = charts.volume_chart(make_case(cast, volume=volume))

    assert chart.rows[0][1:7] == ["10", "9", "8", "7", "15", "49"]
    assert [label for label, _ in chart.columns[1:6]] == ["m0", "m1", "m2", "m3", "other models"]


def test_accounts_in_two_held_clusters_are_said_to_count_twice(cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(4))
    actions.join_case(make_lead([*provider_ids(1), *provider_ids(3, prefix="other")]), case, actor=cast.lead)

    assert "1 memberships are of accounts that stand in more than one" in charts.volume_chart(case).note


def test_case_without_volume_has_an_empty_table(cast: Cast) -> None:
    chart = charts.volume_chart(make_case(cast, volume=[]))

    assert (chart.rows, chart.window) == ([], "no day with exchanges")


@pytest.fixture
def cluster(db: None) -> Cluster:
    return make_cluster(3, last_seen=START + timedelta(days=2))


def test_cluster_chart_is_json_with_svg_traces_alone(cluster: Cluster) -> None:
    chart = charts.cluster_chart(cluster)

    assert json.loads(json.dumps(chart.figure)) == chart.figure
    assert {trace["type"] for trace in chart.figure["data"]} == {"bar", "scatter"}


def test_names_from_outside_are_drawn_letter_by_letter(cast: Cast) -> None:
    name = '<a href="https://x.example">x</a> & \u202egpj'
    make_release(name, day=4.5)
    chart = charts.volume_chart(make_case(cast))

    drawn = '&lt;a href="https://x.example">x&lt;/a> &amp; ⟨U+202E⟩gpj'
    assert [one["text"] for one in chart.figure["layout"]["annotations"]] == [f"{drawn} released"]
    assert charts.drawn("--chart-1") == "&#45;-chart-1"
