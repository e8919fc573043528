"""The list of cases: filters in the address and a fixed number of queries."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_case, provider_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(cast: Cast) -> Client:
    return client_of(cast.reader)


def test_cases_stand_last_changed_first_with_their_counts(cast: Cast, reader: Client) -> None:
    older = make_case(cast, stage="judged", accounts=3)
    newer = make_case(cast, accounts=provider_ids(2, "b"))
    context = reader.get("/cases/").context
    rows = [(row.case.ref, row.accounts, row.judged) for row in context["case_rows"]]
    assert rows == [(newer.ref, 2, 0), (older.ref, 3, 3)]
    assert [(chip["label"], chip["count"]) for chip in context["chips"]][:3] == [
        ("all", 2),
        ("open", 1),
        ("investigating", 1),
    ]


def test_filters_in_the_address_narrow_the_list(cast: Cast, reader: Client) -> None:
    case = make_case(cast, stage="investigating")
    make_case(cast, accounts=provider_ids(2, "b"))
    for query in ("status=investigating", f"q={case.ref.lower()}", "status=investigating&q=pay%20alike"):
        assert [row.case.ref for row in reader.get(f"/cases/?{query}").context["case_rows"]] == [case.ref]
    assert "No case matches" in text_of(reader.get("/cases/?q=zzz"))


def test_no_case_yet_says_where_they_come_from(reader: Client) -> None:
    assert "No case yet" in text_of(reader.get("/cases/"))


def test_one_row_and_three_rows_cost_the_same_queries(cast: Cast, reader: Client) -> None:
    make_case(cast, stage="judged")
    reader.get("/cases/")
    with CaptureQueriesContext(connection) as one:
        assert reader.get("/cases/").status_code == 200
    for n in range(2):
        make_case(cast, accounts=provider_ids(2, f"case{n}"))
    with CaptureQueriesContext(connection) as three:
        assert len(reader.get("/cases/").context["case_rows"]) == 3
    assert len(three) == len(one)
