"""Accounts, verdicts, claims, innocent explanations, findings and the timeline of a case over the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from cases import actions
from cases.models import Case, CaseAccount
from cases.vocabulary import ALTERNATIVES
from spine.ids import new_id
from spine.models import Job
from tests.cases.api import client_of, places
from tests.factories import (
    Cast,
    add_exhibit,
    judge_all,
    make_case,
    make_lead,
    make_release,
    provider_ids,
    run_job,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]


@pytest.fixture
def api(cast: Cast) -> APIClient:
    return client_of(cast.analyst)


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


def url(case: Case, under: str) -> str:
    return f"/api/v1/cases/{case.ref}/{under}/"


def account_of(case: Case) -> str:
    return str(CaseAccount.objects.filter(case=case).order_by("account__provider_id").values_list("account_id")[0][0])


def verdict(case: Case, **changed: Any) -> dict[str, Any]:
    body = {"account": account_of(case), "value": "benign", "reason": "a course", "expected": None}
    return body | changed


def test_accounts_stand_by_our_id_and_pseudonym_never_by_the_providers(api: APIClient, case: Case) -> None:
    body = api.get(url(case, "accounts")).json()
    held = CaseAccount.objects.filter(case=case).select_related("account").order_by("-id")
    assert [(row["id"], row["pseudonym"]) for row in body["results"]] == [
        (str(one.account_id), one.account.pseudonym) for one in held
    ]
    assert {row["verdict"] for row in body["results"]} == {None}
    assert "acct-0000" not in str(body)


def test_a_providers_id_that_a_detector_wrote_down_is_shown_as_its_pseudonym(api: APIClient, cast: Cast) -> None:
    case = make_case(cast, accounts=["acct_81c2f7", "Payment"])
    row = api.get(url(case, "findings")).json()["results"][0]
    name = case.accounts.get(account__provider_id="Payment").account.pseudonym
    assert row["title"] == f"{name} fingerprint shared by 2 accounts"


@pytest.mark.parametrize("rows", [1, 3])
def test_accounts_take_one_number_of_queries(
    api: APIClient, cast: Cast, rows: int, django_assert_num_queries: Any
) -> None:
    case = make_case(cast, accounts=rows)
    judge_all(case, cast.analyst)
    api.get(url(case, "accounts"))
    with django_assert_num_queries(8):
        assert len(api.get(url(case, "accounts")).json()["results"]) == rows


def test_accounts_narrow_by_verdict_and_words(api: APIClient, case: Case) -> None:
    api.post(url(case, "verdicts"), verdict(case))
    row = api.get(url(case, "accounts"), {"verdict": "benign"}).json()["results"]
    assert [(one["id"], one["verdict"]["value"]) for one in row] == [(account_of(case), "benign")]
    assert len(api.get(url(case, "accounts"), {"verdict": "none"}).json()["results"]) == 3
    by_name = api.get(url(case, "accounts"), {"text": row[0]["pseudonym"]}).json()["results"]
    assert [one["id"] for one in by_name] == [account_of(case)]


@pytest.mark.parametrize(
    "query", [{"verdict": "guilty"}, {"cluster": "x"}, {"min_exchanges": "-1"}, {"text": "x" * 201}, {"text": "\x00"}]
)
def test_a_filter_that_cannot_be_meant_names_its_place(api: APIClient, case: Case, query: dict[str, str]) -> None:
    answer = api.get(url(case, "accounts"), query)
    assert (answer.status_code, places(answer)) == (400, [f"/{next(iter(query))}"])


def test_a_verdict_over_one_that_was_not_seen_is_a_conflict(api: APIClient, case: Case) -> None:
    first = api.post(url(case, "verdicts"), verdict(case))
    assert (first.status_code, first.json()["value"], first.json()["decided_by"]) == (201, "benign", "analyst")
    blind = api.post(url(case, "verdicts"), verdict(case, value="victim"))
    assert blind.status_code == 409
    assert "analyst" in blind.json()["detail"]
    seen = api.post(url(case, "verdicts"), verdict(case, value="victim", expected=first.json()["id"]))
    assert (seen.status_code, seen.json()["supersedes"]) == (201, first.json()["id"])


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"account": str(new_id())}, "/account"),
        ({"value": "guilty"}, "/value"),
        ({"reason": " "}, "/reason"),
        ({"reason": "he is a thief"}, "/reason"),
        ({"expected": "none"}, "/expected"),
    ],
)
def test_a_bad_verdict_names_its_place(api: APIClient, case: Case, changed: dict[str, Any], pointer: str) -> None:
    answer = api.post(url(case, "verdicts"), verdict(case, **changed))
    assert (answer.status_code, places(answer)) == (400, [pointer])


def test_a_decision_about_all_that_match_is_a_job_that_can_be_taken_back(api: APIClient, case: Case) -> None:
    count = api.get(url(case, "verdicts/bulk"), {"value": "benign"}).json()["count"]
    body = {"filter": {"verdict": "none"}, "value": "benign", "reason": "a course", "expected_count": count}
    asked = api.post(url(case, "verdicts/bulk"), body)
    assert (asked.status_code, asked["Location"]) == (202, asked.json()["status_url"])
    assert api.post(url(case, "verdicts/bulk"), body).json()["job"]["id"] == asked.json()["job"]["id"]
    run_job(Job.objects.get())
    done = api.get(asked.json()["status_url"]).json()
    assert (done["state"], done["result"]["accounts"]) == ("done", 4)
    undo = api.post(url(case, f"verdicts/bulk/{done['id']}/undo"), {"reason": "wrong filter"})
    assert undo.status_code == 202
    run_job(Job.objects.get(id=undo.json()["job"]["id"]))
    assert set(CaseAccount.objects.filter(case=case).values_list("value", flat=True)) == {""}
    assert api.post(url(case, f"verdicts/bulk/{done['id']}/undo")).status_code == 409


def test_a_decision_about_another_number_than_seen_is_a_conflict(api: APIClient, case: Case) -> None:
    body = {"filter": {}, "value": "benign", "reason": "a course", "expected_count": 3}
    assert api.post(url(case, "verdicts/bulk"), body).status_code == 409
    assert places(api.post(url(case, "verdicts/bulk"), body | {"filter": {"text": 7 * ["x"]}})) == ["/filter/text"]


def test_a_job_is_read_by_who_may_know_of_its_case_only(api: APIClient, case: Case, cast: Cast) -> None:
    body = {"filter": {}, "value": "benign", "reason": "a course", "expected_count": 4}
    address = api.post(url(case, "verdicts/bulk"), body).json()["status_url"]
    assert client_of(cast.reader).get(address).status_code == 200
    assert client_of(cast.admin).get(address).status_code == 404
    assert api.get(f"/api/v1/jobs/{new_id()}/").status_code == 404


def judgement(**changed: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "claim": "a",
        "likelihood": "likely",
        "confidence": "moderate",
        "rationale": "One payment fingerprint ties all accounts.",
        "alternatives": "A company that pays for its staff would look alike.",
        "citations": [],
        "supersedes": None,
    }
    return body | changed


def test_judging_a_claim_with_citations_and_over_one_not_seen(api: APIClient, case: Case, cast: Cast) -> None:
    finding = api.get(url(case, "findings")).json()["results"][0]["id"]
    exhibit = str(add_exhibit(case, cast.analyst).id)
    cited = [
        {"side": "for", "kind": "finding", "item": finding},
        {"side": "against", "kind": "evidence", "item": exhibit, "note": "it covers one day"},
    ]
    made = api.post(url(case, "claims"), judgement(citations=cited))
    assert (made.status_code, made.json()["likelihood_percent"]) == (201, [55, 80])
    assert api.post(url(case, "claims"), judgement()).status_code == 409
    claims = api.get(url(case, "claims")).json()["results"]
    assert [(one["claim"], one["required"]) for one in claims] == [
        ("a", True), ("b", True), ("c", True), ("d", False), ("e", False), ("f", False)
    ]  # fmt: skip
    assert claims[0]["judgement"] == made.json()
    assert [one["item"] for one in claims[0]["judgement"]["citations"]] == [finding, exhibit]
    again = api.post(url(case, "claims"), judgement(likelihood="very_likely", supersedes=made.json()["id"]))
    assert (again.status_code, again.json()["supersedes"]) == (201, made.json()["id"])


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"claim": "g"}, "/claim"),
        ({"likelihood": "probable"}, "/likelihood"),
        ({"rationale": "They probably share it."}, "/rationale"),
        ({"citations": [{"side": "for", "kind": "finding", "item": str(new_id())}]}, "/citations"),
        ({"citations": [{"side": "for", "kind": "lead", "item": str(new_id())}]}, "/citations/0/kind"),
        ({"citations": {"side": "for"}}, "/citations"),
    ],
)
def test_a_bad_judgement_names_its_place(api: APIClient, case: Case, changed: dict[str, Any], pointer: str) -> None:
    answer = api.post(url(case, "claims"), judgement(**changed))
    assert (answer.status_code, places(answer)) == (400, [pointer])


def test_answering_an_innocent_explanation(api: APIClient, case: Case) -> None:
    body = {"alternative": "academic", "state": "ruled_out", "reason": "No study fits.", "supersedes": None}
    given = api.post(url(case, "alternatives"), body)
    assert (given.status_code, api.post(url(case, "alternatives"), body).status_code) == (201, 409)
    rows = api.get(url(case, "alternatives")).json()["results"]
    assert [row["alternative"] for row in rows] == list(ALTERNATIVES)
    assert [row["answer"] for row in rows if row["answer"]] == [given.json()]


@pytest.mark.parametrize("rows", [1, 3])
def test_findings_of_a_case_take_one_number_of_queries(
    api: APIClient, cast: Cast, rows: int, django_assert_num_queries: Any
) -> None:
    case = make_case(cast, accounts=2)
    for number in range(rows - 1):
        actions.join_case(make_lead(provider_ids(2, f"group{number}")), case, actor=cast.analyst)
    api.get(url(case, "findings"))
    with django_assert_num_queries(7):
        assert len(api.get(url(case, "findings")).json()["results"]) == rows


NOTE = {
    "lane": "decisions",
    "starts_at": "2026-05-04T08:00:00Z",
    "text": "The provider was told",
    "source": "Mail of that day",
    "confidence": "high",
}


def test_timeline_entries_are_added_once_corrected_and_taken_back(api: APIClient, case: Case) -> None:
    added = api.post(url(case, "timeline"), NOTE)
    assert (added.status_code, api.post(url(case, "timeline"), NOTE).status_code) == (201, 409)
    corrected = api.post(
        url(case, "timeline"), {**NOTE, "text": "The provider was called", "supersedes": added.json()["id"]}
    )
    assert (corrected.status_code, corrected.json()["supersedes"]) == (201, added.json()["id"])
    withdraw = url(case, f"timeline/{corrected.json()['id']}/withdraw")
    assert [api.post(withdraw).status_code, api.post(withdraw).status_code] == [201, 409]
    kinds = {row["kind"] for row in api.get(url(case, "timeline")).json()["results"]}
    assert "note" not in kinds


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"starts_at": "2026-05-04T08:00:00"}, "/starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+23:59"}, "/starts_at"),
        ({"starts_at": 5}, "/starts_at"),
        ({"ends_at": "2026-05-03T08:00:00Z"}, "/ends_at"),
        ({"lane": "sky"}, "/lane"),
        ({"supersedes": str(new_id())}, "/supersedes"),
    ],
)
def test_a_bad_timeline_entry_names_its_place(api: APIClient, case: Case, changed: Any, pointer: str) -> None:
    answer = api.post(url(case, "timeline"), {**NOTE, **changed})
    assert (answer.status_code, places(answer)) == (400, [pointer])


def test_the_timeline_pages_in_order_and_by_lane(api: APIClient, case: Case) -> None:
    make_release()
    api.post(url(case, "timeline"), NOTE)
    whole = api.get(url(case, "timeline")).json()["results"]
    assert [row["kind"] for row in whole] == [
        "activity",
        "note",
        "release",
        "activity",
        "findings",
        "decision",
        "decision",
    ]
    first = api.get(url(case, "timeline"), {"page_size": 4}).json()
    rest = api.get(first["next"]).json()
    assert first["results"] + rest["results"] == whole
    assert api.get(rest["previous"]).json()["results"] == first["results"]
    one_lane = api.get(url(case, "timeline"), {"lane": "detectors"}).json()["results"]
    assert [row["kind"] for row in one_lane] == ["findings"]
