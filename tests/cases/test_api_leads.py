"""Leads over the API: what the queue answers, and each decision about a lead, once and twice."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from cases.models import Case, Lead
from spine.ids import new_id
from tests.cases.api import client_of, places
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(cast: Cast) -> APIClient:
    return client_of(cast.analyst)


def url(lead: Lead, verb: str = "") -> str:
    return f"/api/v1/leads/{lead.id}/{verb}"


def test_the_queue_lists_leads_newest_first_without_provider_ids(api: APIClient) -> None:
    first, second = make_lead(provider_ids(4)), make_lead(provider_ids(3, "other"))
    body = api.get("/api/v1/leads/").json()
    assert [row["id"] for row in body["results"]] == [str(second.id), str(first.id)]
    assert (body["next"], body["previous"]) == (None, None)
    assert (body["results"][1]["account_count"], body["results"][1]["assignee"]) == (4, None)
    assert "acct-0000" not in str(body)


def test_the_queue_narrows_by_state_and_assessment(api: APIClient, cast: Cast) -> None:
    make_case(cast)
    waiting = make_lead(provider_ids(3, "other"), assessment="reseller_pool")
    for query, found in (
        ({"state": "waiting"}, [str(waiting.id)]),
        ({"assessment": "reseller_pool"}, [str(waiting.id)]),
        ({"state": "rejected"}, []),
    ):
        assert [row["id"] for row in api.get("/api/v1/leads/", query).json()["results"]] == found


def test_a_filter_value_that_is_not_known_is_refused_with_its_place(api: APIClient) -> None:
    answer = api.get("/api/v1/leads/", {"state": "lost", "assessment": "x\x00"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert places(answer) == ["/state", "/assessment"]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_queue_takes_one_number_of_queries(api: APIClient, rows: int, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        make_lead(provider_ids(3, f"group{number}"))
    api.get("/api/v1/leads/")
    with django_assert_num_queries(6):
        assert len(api.get("/api/v1/leads/").json()["results"]) == rows


def test_a_lead_tells_its_reasons_its_source_and_its_sightings(api: APIClient) -> None:
    lead = make_lead()
    body = api.get(url(lead)).json()
    assert (body["source"], body["decisions"], body["earlier"]) == ("api-logs", [], None)
    assert [one["cluster"] for one in body["sightings"]] == [str(lead.cluster_id)]


def test_an_unknown_lead_is_not_found(api: APIClient) -> None:
    answer = api.get(f"/api/v1/leads/{new_id()}/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_opening_a_case_answers_with_the_case_and_twice_is_a_conflict(api: APIClient) -> None:
    lead = make_lead()
    body = {"title": "Accounts that pay alike", "cluster": str(lead.cluster_id)}
    opened = api.post(url(lead, "open/"), body)
    assert (opened.status_code, opened.json()["title"]) == (201, "Accounts that pay alike")
    assert Case.objects.get().ref == opened.json()["ref"]
    again = api.post(url(lead, "open/"), body)
    assert (again.status_code, again["Content-Type"]) == (409, "application/problem+json")
    assert opened.json()["ref"] in again.json()["detail"]
    assert api.get(url(lead)).json()["decisions"][0]["case"] == opened.json()["ref"]


def test_opening_on_a_version_a_newer_run_replaced_is_a_conflict(api: APIClient) -> None:
    answer = api.post(url(make_lead(), "open/"), {"title": "A title", "cluster": str(new_id())})
    assert answer.status_code == 409
    assert Case.objects.count() == 0


def test_opening_without_a_title_names_the_field(api: APIClient) -> None:
    answer = api.post(url(make_lead(), "open/"), {"title": ""})
    assert (answer.status_code, places(answer)) == (400, ["/title"])


def test_a_title_that_accuses_is_refused_at_the_field_and_changes_nothing(api: APIClient) -> None:
    lead = make_lead()
    answer = api.post(url(lead, "open/"), {"title": "The thieves of May"})
    lead.refresh_from_db()
    assert (answer.status_code, places(answer), lead.state) == (400, ["/title"], "waiting")


def test_joining_brings_the_accounts_into_the_case(api: APIClient, cast: Cast) -> None:
    case = make_case(cast, accounts=provider_ids(4))
    lead = make_lead(provider_ids(3, "other"))
    answer = api.post(url(lead, "join/"), {"case": case.ref})
    assert (answer.status_code, answer.json()["ref"], case.accounts.count()) == (200, case.ref, 7)


def test_joining_an_unknown_case_names_the_field(api: APIClient) -> None:
    answer = api.post(url(make_lead(), "join/"), {"case": "RT-2026-ZZZZZ"})
    assert (answer.status_code, places(answer)) == (400, ["/case"])


def test_rejecting_and_putting_back(api: APIClient) -> None:
    lead = make_lead()
    rejected = api.post(url(lead, "reject/"), {"reason": "evaluation", "note": "a harness"})
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    assert api.post(url(lead, "reject/"), {"reason": "evaluation"}).status_code == 409
    back = api.post(url(lead, "reopen/"))
    assert (back.status_code, back.json()["state"]) == (200, "waiting")
    assert [one["kind"] for one in back.json()["decisions"]] == ["rejected", "reopened"]
    assert api.post(url(lead, "reopen/")).status_code == 409


def test_rejecting_for_another_reason_needs_a_note(api: APIClient) -> None:
    answer = api.post(url(make_lead(), "reject/"), {"reason": "other"})
    assert (answer.status_code, places(answer)) == (400, ["/note"])


def test_assigning_says_who_has_it_when_the_caller_saw_something_else(api: APIClient, cast: Cast) -> None:
    lead = make_lead()
    taken = api.post(url(lead, "assign/"), {"to": "analyst", "expected": None})
    assert (taken.status_code, taken.json()["assignee"]) == (200, "analyst")
    late = api.post(url(lead, "assign/"), {"to": "lead", "expected": None})
    assert late.status_code == 409
    assert "analyst" in late.json()["detail"]


@pytest.mark.parametrize(("to", "pointer"), [("nobody-here", "/to"), ("reader", "/to")])
def test_assigning_to_somebody_who_cannot_names_the_field(api: APIClient, to: str, pointer: str) -> None:
    answer = api.post(url(make_lead(), "assign/"), {"to": to, "expected": None})
    assert (answer.status_code, places(answer)) == (400, [pointer])
