"""The page of all findings: what narrows it, its groups, one finding beside it, who reads it, queries and pages."""

import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from detection import detector_verbs, ingest, queries, window_days
from detection.models import Account, Attribute, DetectorVersion, Finding
from spine.ids import bounds_of, new_id
from tests.cases.pages import client_of, text_of
from tests.detection.samples import DETECTOR, finding
from tests.factories import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]


def store(*documents: Any, detector: str = DETECTOR) -> None:
    counts = ingest.store(documents, actor=f"detector:{detector}", detector=detector)
    assert counts.errors == []


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def shown(client: Client, **query: Any) -> list[str]:
    return [row.finding.uid for row in client.get("/findings/", query).context["rows"]]


def of_template(uid: str, account: str) -> Any:
    shows = [{"type": "template", "value": "sha256:77aa"}]
    return finding(uid, signal="template_reuse", accounts=[{"id": account, "attributes": shows}])


def test_findings_are_shown_newest_first_under_pseudonyms(analyst: Client) -> None:
    store(finding("first"), finding("second", title="Asks acct_1 for reasoning"))
    assert shown(analyst) == ["second", "first"]
    page = analyst.get("/findings/", {"open": str(Finding.objects.get(uid="second").pk)})
    assert "acct_1" not in text_of(page)
    assert Account.objects.get(provider_id="acct_1").pseudonym in page.context["drawer"]["title"]


def test_each_condition_narrows_the_list(analyst: Client) -> None:
    store(finding("low", score=0.2), finding("high", score=0.97), of_template("same", "acct_9"))
    store(finding("other", detector={"name": "other", "version": "9"}), detector="other")
    store(finding("low", score=0.3, version=2))
    account = Account.objects.get(provider_id="acct_9").pseudonym
    hour = timedelta(hours=1)
    ago, ahead = ((timezone.now() + by).strftime("%Y-%m-%dT%H:%M") for by in (-hour, hour))
    conditions: dict[tuple[str, str], list[str]] = {
        ("signal", "template_reuse"): ["same"],
        ("detector", "other"): ["other"],
        ("version", "9"): ["other"],
        ("account", account): ["same"],
        ("min_score", "0.95"): ["high"],
        ("since", ago): ["low", "other", "same", "high", "low"],
        ("since", ahead): [],
        ("until", ahead): ["low", "other", "same", "high", "low"],
        ("until", ago): [],
        ("standing", "superseded"): ["low"],
        ("standing", "counts"): ["low", "other", "same", "high"],
        ("standing", "set_aside"): [],
        ("attribute", str(Attribute.objects.get(type="template").pk)): ["same"],
    }
    assert {name: shown(analyst, **dict([name])) for name in conditions} == conditions


def of_window(uid: str, start: str, end: str, **more: Any) -> Any:
    return finding(uid, window={"start": f"2026-{start}:00Z", "end": f"2026-{end}:00Z"}, **more)


@pytest.fixture
def windows() -> None:
    store(
        of_window("week", "05-01T00:00", "05-08T00:00"),
        of_window("evening", "05-05T22:00", "05-05T23:59"),
        of_window("day", "05-04T00:00", "05-05T00:00"),
        of_window("moment", "05-05T00:00", "05-05T00:00"),
        of_window("later", "05-09T06:00", "05-09T07:00"),
    )


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"window_from": "2026-05-05"}, ["later", "moment", "evening", "week"]),
        ({"window_from": "2026-05-08"}, ["later"]),
        ({"window_from": "2026-05-10"}, []),
        ({"window_until": "2026-05-04"}, ["day", "week"]),
        ({"window_until": "2026-04-30"}, []),
        ({"window_until": "2026-05-05"}, ["moment", "day", "evening", "week"]),
        ({"window_from": "2026-05-05", "window_until": "2026-05-05"}, ["moment", "evening", "week"]),
        ({"window_from": "2026-05-06", "window_until": "2026-05-08"}, ["week"]),
        ({"window_from": "0001-01-01", "window_until": "9999-12-31"}, ["later", "moment", "day", "evening", "week"]),
    ],
)
def test_days_narrow_the_list_to_windows_that_overlap_them(
    analyst: Client, query: dict[str, str], expected: list[str]
) -> None:
    assert shown(analyst, **query) == expected


@pytest.mark.usefixtures("windows")
def test_ids_are_not_narrowed_where_windows_are_of_too_many_days(
    analyst: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_days, "MOST_DAYS", 2)
    assert shown(analyst, window_from="2026-05-04", window_until="2026-05-05") == ["moment", "day", "evening", "week"]


@pytest.mark.usefixtures("windows")
def test_groups_are_counted_among_the_windows_of_the_days(analyst: Client) -> None:
    page = analyst.get("/findings/", {"by": "signal", "window_until": "2026-05-04"})
    (row,) = page.context["groups"]["rows"]
    assert (row["group"].findings, "window_until=2026-05-04" in row["address"]) == (2, True)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("query", [{"window_from": "2027-01-01"}, {"version": "none has it"}])
def test_no_group_is_counted_where_nothing_can_match(analyst: Client, query: dict[str, str]) -> None:
    page = analyst.get("/findings/", {"by": "signal", **query})
    assert (page.context["groups"]["rows"], "No finding matches" in text_of(page)) == ([], True)


@pytest.mark.usefixtures("windows")
def test_a_last_day_before_the_first_is_said_beside_it(analyst: Client) -> None:
    page = analyst.get("/findings/", {"window_from": "2026-05-05", "window_until": "2026-05-04"})
    assert page.context["form"].errors == {"window_until": ["The last day is before the first."]}
    assert page.context["rows"] == []
    assert 'value="2026-05-05"' in text_of(page)


def test_the_list_reads_only_between_ids_that_have_such_windows(analyst: Client) -> None:
    store(*[of_window(f"d{day}", f"05-{day:02}T00:00", f"05-{day:02}T12:00") for day in range(1, 10)])
    found = queries.findings(window_from=date(2026, 5, 4), window_until=date(2026, 5, 6))
    ids = dict(Finding.objects.values_list("uid", "pk"))
    assert f">= {ids['d4']}" in str(found.query)
    assert f"<= {ids['d6']}" in str(found.query)


def test_what_a_recalled_version_stated_is_marked_and_counts_no_more(analyst: Client, cast: Cast) -> None:
    store(finding("a"))
    version = DetectorVersion.objects.get()
    detector_verbs.recall_version(version, actor=cast.admin, reason="It counted twice.")
    assert shown(analyst, standing="recalled") == ["a"]
    assert shown(analyst, standing="counts") == []
    assert "recalled</span>" in text_of(analyst.get("/findings/"))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("signal", [("reasoning_elicitation", 2), ("template_reuse", 2)]),
        ("detector", [(DETECTOR, 4)]),
        ("template", [("sha256:77aa", 2)]),
    ],
)
def test_findings_are_counted_in_groups_that_lead_to_them(
    analyst: Client, by: str, expected: list[tuple[str, int]]
) -> None:
    store(finding("a"), finding("b"), of_template("c", "acct_8"), of_template("d", "acct_9"))
    groups = analyst.get("/findings/", {"by": by}).context["groups"]["rows"]
    assert sorted((row["group"].label, row["group"].findings) for row in groups) == sorted(expected)
    for row in groups:
        assert len(analyst.get(row["address"]).context["rows"]) == row["group"].findings


def test_groups_by_account_go_by_pseudonyms(analyst: Client) -> None:
    store(of_template("c", "acct_8"), of_template("d", "acct_8"), of_template("e", "acct_9"))
    page = analyst.get("/findings/", {"by": "account", "signal": "template_reuse"})
    rows = page.context["groups"]["rows"]
    pseudonym = Account.objects.get(provider_id="acct_8").pseudonym
    assert (rows[0]["group"].label, rows[0]["group"].findings) == (pseudonym, 2)
    assert f"account={pseudonym}" in rows[0]["address"]
    assert "signal=template_reuse" in rows[0]["address"]
    assert "acct_8" not in text_of(page)


@pytest.mark.parametrize(
    "query",
    [
        {"account": "acct_81c2"},
        {"min_score": "2"},
        {"since": "soon"},
        {"attribute": "x"},
        {"signal": "a\x00"},
        {"window_from": "4 May"},
        {"window_until": "2026-02-30"},
    ],
)
def test_a_condition_that_is_none_is_said_beside_its_field(analyst: Client, query: dict[str, str]) -> None:
    store(finding())
    page = analyst.get("/findings/", query)
    assert (page.status_code, list(page.context["form"].errors), page.context["rows"]) == (200, list(query), [])


def test_pages_lead_on_and_back_and_keep_the_conditions(analyst: Client) -> None:
    store(*[finding(f"f{number}") for number in range(51)])
    first = analyst.get("/findings/", {"signal": "reasoning_elicitation"})
    second = analyst.get(first.context["pages"]["next_url"])
    assert [row.finding.uid for row in second.context["rows"]] == ["f0"]
    assert "signal=reasoning_elicitation" in second.context["pages"]["previous_url"]
    back = analyst.get(second.context["pages"]["previous_url"])
    assert [row.finding.uid for row in back.context["rows"]] == [row.finding.uid for row in first.context["rows"]]
    assert analyst.get("/findings/", {"cursor": "made up"}).status_code == 422


def test_nothing_is_said_in_words(analyst: Client) -> None:
    assert "No finding yet" in text_of(analyst.get("/findings/"))
    assert "No finding matches" in text_of(analyst.get("/findings/", {"min_score": "0.5"}))


def test_the_list_takes_one_number_of_queries_for_one_row_and_for_three(analyst: Client) -> None:
    counted = []
    for number in (0, 1, 3):
        store(*[finding(f"n{number}-{one}") for one in range(number)])
        with CaptureQueriesContext(connection) as queried:
            assert analyst.get("/findings/").status_code == 200
        counted.append(len(queried))
    assert counted[1] == counted[2]


def test_who_may_not_read_leads_is_neither_served_nor_led_here(cast: Cast) -> None:
    page = client_of(cast.admin).get("/system/")
    assert 'href="/findings/"' not in text_of(page)
    assert 'href="/findings/"' in text_of(client_of(cast.reader).get("/cases/"))


def test_ids_lie_around_the_time_they_were_made() -> None:
    """What narrows by arrival leans on it: ids made within minutes of a time lie within the bounds of it."""
    before = timezone.now()
    made = new_id()
    assert bounds_of(before)[0] <= made <= bounds_of(timezone.now())[1]
    store(finding())
    found = queries.findings().get()
    low, high = (
        bounds_of(found.received_at - queries.WRITTEN_WITHIN),
        bounds_of(found.received_at + queries.WRITTEN_WITHIN),
    )
    assert low[0] <= found.pk <= high[1]


def test_the_count_of_a_version_leads_to_its_findings(analyst: Client, cast: Cast) -> None:
    store(finding("a"), finding("b", detector={"name": DETECTOR, "version": "4 β"}))
    version = DetectorVersion.objects.get(version="4 β")
    address = f"/detectors/{version.detector_id}/versions/{version.pk}/"
    link = re.search(r'href="(/findings/[^"]*)"[^>]*>1<', text_of(analyst.get(address)))
    assert link is not None
    assert [row.finding.uid for row in analyst.get(unescape(link[1])).context["rows"]] == ["b"]
    assert "/findings/?detector" not in text_of(client_of(cast.admin).get(address))
