"""The queue: filters in the address, why each row is here, a fixed number of queries, the front door."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from cases import actions, lifecycle
from cases.models import Case
from tests.cases.pages import client_of
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def labels(chips: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(chip["label"], chip["count"]) for chip in chips]


def test_leads_stand_newest_first_with_counts_of_every_state(cast: Cast, analyst: Client) -> None:
    first, second = make_lead(3), make_lead(provider_ids(4, "b"))
    actions.reject_lead(make_lead(provider_ids(5, "c")), actor=cast.analyst, reason="evaluation")
    context = analyst.get("/").context
    assert [row["lead"].pk for row in context["leads"]] == [second.pk, first.pk]
    assert labels(context["chips"]) == [("waiting", 2), ("in a case", 0), ("rejected", 1), ("snoozed", 0), ("all", 3)]
    assert context["newest"] == second.raised_at


def test_filters_in_the_address_narrow_the_list(analyst: Client) -> None:
    make_lead(3, title="Alpha")
    pool = make_lead(provider_ids(4, "b"), title="Beta", assessment="reseller_pool")
    for query in ("kind=reseller_pool", "q=beta", "state=all&kind=reseller_pool&q=Bet"):
        assert [row["lead"].pk for row in analyst.get(f"/?{query}").context["leads"]] == [pool.pk]
    assert labels(analyst.get("/").context["kinds"])[0] == ("any", None)
    assert list(analyst.get("/?q=none%00").context["leads"]) == []


def test_an_unknown_filter_is_no_filter(analyst: Client) -> None:
    make_lead(3)
    assert len(analyst.get("/?state=odd&kind=odd&at=-1").context["leads"]) == 1


def test_an_address_with_a_broken_page_is_refused_in_words(analyst: Client) -> None:
    response = analyst.get("/?cursor=broken")
    assert (response.status_code, response.templates[0].name) == (422, "refused.html")
    assert "This address leads to no page of the list." in response.content.decode()


def test_every_waiting_case_says_what_it_waits_for(cast: Cast, analyst: Client) -> None:
    stages = ("open", "investigating", "judged", "escalated", "closed")
    cases = [make_case(cast, stage=stage, accounts=provider_ids(2, stage)) for stage in stages]
    free = make_case(cast, accounts=provider_ids(2, "free"))
    actions.assign_case(free, actor=cast.analyst, to=None, expected=cast.analyst)
    rows = {row["case"].pk: row["why_now"] for row in analyst.get("/").context["waiting_cases"]}
    assert rows == {
        free.pk: "Nobody has taken it.",
        cases[0].pk: "Waits for somebody to start.",
        cases[1].pk: "17 things missing before it can be escalated.",
        cases[2].pk: "Ready to be escalated.",
        cases[3].pk: "Escalated: a dossier, or closing, comes next.",
    }


@pytest.mark.parametrize(("stage", "asked"), [("open", False), ("investigating", True), ("escalated", False)])
def test_what_is_missing_is_asked_only_of_cases_whose_sentence_says_it(
    cast: Cast, analyst: Client, stage: str, asked: bool
) -> None:
    make_case(cast, stage=stage)
    with CaptureQueriesContext(connection) as queried:
        analyst.get("/")
    assert any('FROM "cases_judgement"' in query["sql"] for query in queried) == asked


def test_what_several_cases_miss_is_what_each_misses_alone(cast: Cast) -> None:
    for stage in ("open", "investigating", "judged", "escalated"):
        make_case(cast, stage=stage, accounts=provider_ids(2, stage))
    found = list(Case.objects.all())
    assert lifecycle.missing_by_case(found) == {case.id: lifecycle.missing_for_escalation(case) for case in found}


def test_one_row_and_three_rows_cost_the_same_queries(cast: Cast, analyst: Client) -> None:
    make_case(cast, stage="investigating")
    make_lead(provider_ids(3, "a"))
    analyst.get("/")
    with CaptureQueriesContext(connection) as one:
        assert analyst.get("/").status_code == 200
    for n in range(2):
        make_case(cast, stage="investigating", accounts=provider_ids(2, f"case{n}"))
        make_lead(provider_ids(3, f"lead{n}"))
    with CaptureQueriesContext(connection) as three:
        context = analyst.get("/").context
    assert (len(context["leads"]), len(context["waiting_cases"]), len(three)) == (3, 3, len(one))


def test_the_queue_leads_an_administrator_to_the_log(cast: Cast) -> None:
    response = client_of(cast.admin).get("/", follow=True)
    assert (response.redirect_chain, response.status_code) == ([("/log/", 302)], 200)
    page = response.content.decode()
    assert ('href="/cases/"' in page, 'data-go="q"' in page) == (False, False)
