"""Cases over the API: list, read, edit with what was seen, assign, move; who finds nothing; the logs."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from cases.figures import FIGURES
from cases.models import Case
from spine import sequencer
from tests.cases.api import client_of, client_of_detector, places
from tests.factories import Cast, judge_all, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(cast: Cast) -> APIClient:
    return client_of(cast.analyst)


def url(case: Case, verb: str = "") -> str:
    return f"/api/v1/cases/{case.ref}/{verb}"


def test_the_list_narrows_by_status_marking_assignee_and_words(api: APIClient, cast: Cast) -> None:
    opened = make_case(cast, accounts=provider_ids(3))
    looked_into = make_case(cast, stage="investigating", accounts=provider_ids(3, "other"))
    for query, found in (
        ({}, [looked_into.ref, opened.ref]),
        ({"status": "open"}, [opened.ref]),
        ({"marking": "TLP:RED"}, []),
        ({"assignee": "analyst", "status": "investigating"}, [looked_into.ref]),
        ({"search": opened.ref[-5:]}, [opened.ref]),
    ):
        assert [row["ref"] for row in api.get("/api/v1/cases/", query).json()["results"]] == found


def test_pages_of_the_list_lead_to_each_other(api: APIClient, cast: Cast) -> None:
    refs = [make_case(cast, accounts=provider_ids(2, f"group{n}")).ref for n in range(3)]
    first = api.get("/api/v1/cases/", {"page_size": 2}).json()
    second = api.get(first["next"]).json()
    assert [row["ref"] for row in first["results"] + second["results"]] == refs[::-1]
    assert api.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "bz0tMQ==", "cj0xJnA9JTAw"])
def test_a_cursor_nobody_gave_out_is_no_fault_of_the_server(api: APIClient, cursor: str) -> None:
    for address in ("cases", "leads", "log"):
        assert api.get(f"/api/v1/{address}/", {"cursor": cursor}).status_code in {200, 404}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_takes_one_number_of_queries(
    api: APIClient, cast: Cast, rows: int, django_assert_num_queries: Any
) -> None:
    for number in range(rows):
        make_case(cast, accounts=provider_ids(2, f"group{number}"))
    api.get("/api/v1/cases/")
    with django_assert_num_queries(5):
        assert len(api.get("/api/v1/cases/").json()["results"]) == rows


def test_a_case_carries_its_figures_with_rules_and_what_escalation_needs(api: APIClient, cast: Cast) -> None:
    body = api.get(url(make_case(cast))).json()
    assert (body["status"], body["marking"], body["assignee"]) == ("open", "TLP:AMBER", "analyst")
    assert [(one["key"], one["rule"]) for one in body["figures"]] == [(one.key, one.rule) for one in FIGURES]
    values = {one["key"]: one["value"] for one in body["figures"]}
    assert (values["accounts_in_case"], values["accounts_without_verdict"]) == (4, 4)
    assert values["first_activity_actor_controlled"] is None
    assert body["missing_for_escalation"][0]["tab"] == "preservation"
    assert [one["to"] for one in body["moves"]] == ["investigating", "closed"]


def test_a_case_nothing_is_missing_from_says_so(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    judge_all(case, cast.analyst)
    assert api.get(url(case)).json()["missing_for_escalation"] == []


def test_a_stranger_is_answered_as_if_the_case_were_missing(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    missing = api.get("/api/v1/cases/RT-2026-ZZZZZ/")
    for stranger in (client_of(cast.admin), client_of_detector()):
        for method in ("get", "patch", "post", "delete"):
            answer = getattr(stranger, method)(url(case))
            assert (answer.status_code, answer.content) == (404, missing.content)


@pytest.mark.parametrize("ref", ["%00", "RT-2026-ZZZZZ", "x" * 300, "%ed%a0%80"])
def test_a_reference_nobody_has_is_not_found(api: APIClient, ref: str) -> None:
    for under in ("", "accounts/", "log/", "evidence/1/content/"):
        assert api.get(f"/api/v1/cases/{ref}/{under}").status_code == 404


def test_editing_changes_what_is_sent_and_twice_is_refused(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    changed = api.patch(url(case), {"marking": "TLP:RED", "expected": {"marking": "TLP:AMBER"}})
    assert (changed.status_code, changed.json()["marking"]) == (200, "TLP:RED")
    assert api.patch(url(case), {"marking": "TLP:RED"}).status_code == 409


def test_editing_what_somebody_changed_since_is_a_conflict_that_says_what_it_is(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    answer = api.patch(url(case), {"title": "Another title", "expected": {"title": "What I saw"}})
    case.refresh_from_db()
    assert (answer.status_code, case.title) == (409, "Accounts that pay alike")
    assert case.title in answer.json()["detail"]


def test_editing_names_each_bad_field(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    answer = api.patch(url(case), {"marking": "TLP:PINK", "title": [], "expected": 3})
    assert (answer.status_code, sorted(places(answer))) == (400, ["/expected", "/marking", "/title"])
    assert places(api.patch(url(case), {"summary": "They probably did."})) == ["/summary"]


def test_moving_tells_the_loser_of_a_race_and_lists_what_escalation_lacks(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    body = {"to": "investigating", "expected_from": "open"}
    assert api.post(url(case, "move/"), body).json()["status"] == "investigating"
    assert api.post(url(case, "move/"), body).status_code == 409
    refused = api.post(url(case, "move/"), {"to": "escalated", "expected_from": "investigating"})
    assert refused.status_code == 409
    listed = [one["text"] for one in api.get(url(case)).json()["missing_for_escalation"]]
    assert refused.json()["missing"] == listed


def test_closing_needs_a_reason_of_the_table(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    answer = api.post(url(case, "move/"), {"to": "closed", "expected_from": "open"})
    assert (answer.status_code, places(answer)) == (400, ["/closing_reason"])
    closed = api.post(url(case, "move/"), {"to": "closed", "expected_from": "open", "closing_reason": "benign"})
    assert (closed.status_code, closed.json()["closing_reason"]) == (200, "benign")


def test_assigning_a_case(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    given = api.post(url(case, "assign/"), {"to": "lead", "expected": "analyst"})
    assert (given.status_code, given.json()["assignee"]) == (200, "lead")
    assert api.post(url(case, "assign/"), {"to": "analyst", "expected": "analyst"}).status_code == 409
    assert places(api.post(url(case, "assign/"), {"to": "reader", "expected": "lead"})) == ["/to"]


def test_the_log_of_a_case_tells_each_act_in_words_with_its_place(api: APIClient, cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    assert {row["index"] for row in api.get(url(case, "log/")).json()["results"]} == {None}
    sequencer.sequence()
    rows = api.get(url(case, "log/")).json()["results"]
    assert [row["action"] for row in rows] == ["case.moved", "case.opened"]
    assert rows[0]["sentence"] == f"moved {case.ref} from open to investigating"
    assert rows[0]["index"] > rows[1]["index"] >= 0
    narrowed = api.get(url(case, "log/"), {"action": "case.opened"}).json()["results"]
    assert narrowed == [rows[1]]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_log_takes_one_number_of_queries(
    api: APIClient, cast: Cast, rows: int, django_assert_num_queries: Any
) -> None:
    case = make_case(cast)
    for number in range(rows - 1):
        api.patch(url(case), {"title": f"Title {number}"})
    api.get(url(case, "log/"))
    with django_assert_num_queries(6):
        assert len(api.get(url(case, "log/")).json()["results"]) == rows


def test_the_log_tells_an_administrator_nothing_of_cases_and_leads(api: APIClient, cast: Cast) -> None:
    case = make_case(cast)
    make_lead(provider_ids(3, "other"))
    told = {(row["action"], row["case"]) for row in api.get("/api/v1/log/").json()["results"]}
    assert {("case.opened", case.ref), ("lead.raised", None), ("token.created", None)} <= told
    limited = {row["action"] for row in client_of(cast.admin).get("/api/v1/log/").json()["results"]}
    assert limited == {"findings.received", "run.finished", "token.created"}
