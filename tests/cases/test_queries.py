"""Lists and counts: filters, pages by key, and as many queries for one row as for three."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cases import actions, queries
from cases.filters import AccountFilter
from cases.models import Case
from cases.paging import Page, page
from cases.queries import ACCOUNT_ORDERS
from detection.models import Cluster
from spine.errors import Refused
from tests.factories import Cast, add_exhibit, make_case, make_lead, make_run, provider_ids

pytestmark = pytest.mark.django_db


def walk(turn: Callable[[str], Page[Any]]) -> tuple[list[Any], list[Any]]:
    """All rows forwards, then all rows back from the last page."""
    found = turn("")
    forwards = list(found.rows)
    while found.next:
        found = turn(found.next)
        forwards += found.rows
    backwards = list(found.rows)
    while found.previous:
        found = turn(found.previous)
        backwards = found.rows + backwards
    return forwards, backwards


@pytest.mark.parametrize("order", ACCOUNT_ORDERS)
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_account_pages_cover_everything_once_in_order(cast: Cast, order: str, size: int) -> None:
    case = make_case(cast, accounts=7)
    forwards, backwards = walk(
        lambda cursor: queries.account_page(case, AccountFilter(), order=order, cursor=cursor, size=size)
    )

    assert forwards == backwards == list(case.accounts.order_by(*ACCOUNT_ORDERS[order]))


def test_pages_of_times_neither_repeat_nor_leave_out(cast: Cast) -> None:
    for number in range(5):
        make_lead(provider_ids(2, prefix=f"group{number}"))
    rows = queries.leads(cast.lead)
    forwards, backwards = walk(lambda cursor: queries.lead_page(rows, cursor=cursor, size=2))

    assert forwards == backwards == list(rows.order_by("-raised_at", "-id"))


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "WyJhIixudWxsLG51bGxd", "WyJhIiwxLDIsM10", "ÿÿÿÿ"])
def test_cursor_of_no_page_is_refused(cast: Cast, cursor: str) -> None:
    with pytest.raises(Refused, match="no page"):
        page(queries.cases(cast.lead), ("-updated_at", "-id"), cursor=cursor)


@pytest.mark.parametrize(
    "text",
    [
        '["a","x","y"]',
        '["a",{"t":"2026-05-01T00:00:00+00:00"},"no id"]',
        '["a",1e999,1]',
        '["a",1,NaN]',
        '[["a"],1,2]',
        '["a","\\ud800","\\ud800"]',
        "[" * 3000,
    ],
)
def test_cursor_with_values_of_other_fields_is_refused(cast: Cast, text: str) -> None:
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    with pytest.raises(Refused, match="no page"):
        page(queries.cases(cast.lead), ("-updated_at", "-id"), cursor=cursor)


def test_queue_lists_waiting_leads_and_filters(cast: Cast) -> None:
    waiting = make_lead(provider_ids(3), title="Ring of payers")
    other = make_lead(provider_ids(2, prefix="b"), title="Class of students", assessment="shared_egress")
    actions.reject_lead(make_lead(provider_ids(2, prefix="c")), actor=cast.analyst, reason="evaluation")
    actions.assign_lead(other, actor=cast.lead, to=cast.lead, expected=None)

    assert set(queries.leads(cast.reader)) == {waiting, other}
    assert list(queries.leads(cast.reader, text="payers")) == [waiting]
    assert list(queries.leads(cast.reader, assessment="shared_egress")) == [other]
    assert list(queries.leads(cast.lead, mine=True)) == [other]
    assert queries.lead_counts(cast.reader) == {"waiting": 2, "in_case": 0, "rejected": 1, "snoozed": 0}
    assert queries.assessment_counts(queries.leads(cast.reader)) == {"coordinated_extraction": 1, "shared_egress": 1}


def test_cases_list_filters_and_counts(cast: Cast) -> None:
    case, closed = make_case(cast, accounts=3), make_case(cast, stage="closed", accounts=provider_ids(2, prefix="b"))
    rows = queries.case_rows(queries.case_page(queries.cases(cast.reader)).rows)

    assert {row.case: (row.accounts, row.judged) for row in rows} == {case: (3, 0), closed: (2, 3)}
    assert list(queries.cases(cast.reader, status="closed")) == [closed]
    assert list(queries.cases(cast.reader, text=case.ref.lower())) == [case]
    assert queries.case_counts(cast.reader) == {"open": 1, "investigating": 0, "escalated": 0, "closed": 1}


def test_administrator_sees_no_case_and_no_lead(cast: Cast) -> None:
    make_case(cast)

    assert (list(queries.cases(cast.admin)), list(queries.leads(cast.admin, state=""))) == ([], [])
    assert sum([*queries.case_counts(cast.admin).values(), *queries.lead_counts(cast.admin).values()]) == 0


def test_verdict_counts_name_every_verdict(cast: Cast) -> None:
    assert queries.verdict_counts(make_case(cast)) == {
        "": 4,
        "actor_controlled": 0,
        "reseller_pool": 0,
        "victim": 0,
        "benign": 0,
        "unknown": 0,
    }


def test_account_view_shows_links_findings_and_verdicts_newest_first(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    held = case.accounts.select_related("account", "verdict")[0]
    actions.set_verdict(
        case, held.account, actor=cast.lead, value="victim", reason="taken over", expected=held.verdict_id
    )
    view = queries.account_view(case, held.account)

    assert view is not None
    assert [one.value for one in view.verdicts] == ["victim", "actor_controlled"]
    assert (len(view.links), len(view.findings), view.held.value) == (1, 1, "victim")


def test_account_of_no_concern_has_no_view(cast: Cast) -> None:
    other = make_lead(provider_ids(2, prefix="other")).cluster.members.all()[0].account

    assert queries.account_view(make_case(cast), other) is None


def test_shared_values_say_how_rare_they_are(cast: Cast) -> None:
    (shared,) = queries.shared_values(make_lead(3).cluster)

    assert (shared.type, shared.accounts, shared.holders, shared.population) == ("payment_fingerprint", 3, 3, 2481)


def test_strongest_exhibits_are_the_most_cited(cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    add_exhibit(case, cast.lead, b"cited by nobody")

    assert queries.strongest_exhibits(case) == [case.evidence.get(number=1)]


def test_log_of_a_case_is_not_the_log_of_the_rest(cast: Cast) -> None:
    case = make_case(cast)

    assert [entry.action for entry in queries.log_page(case).rows] == ["case.opened"]
    assert {entry.action for entry in queries.log_page().rows} == {"findings.received", "run.finished", "lead.raised"}


def test_models_hit_are_summed_over_held_clusters(cast: Cast) -> None:
    assert queries.models_hit(make_case(cast, accounts=1)) == [("aster-2", 60), ("aster-1", 40)]


Listing = Callable[[Case, Cast], object]
LISTINGS: dict[str, Listing] = {
    "leads": lambda case, cast: [
        (lead.cluster.title, lead.assignee) for lead in queries.lead_page(queries.leads(cast.lead, state="")).rows
    ],
    "cases": lambda case, cast: [
        (row.case.assignee, row.accounts) for row in queries.case_rows(queries.case_page(queries.cases(cast.lead)).rows)
    ],
    "accounts": lambda case, cast: [
        (row.account.pseudonym, row.member.strength, row.verdict and row.verdict.decided_by)
        for row in queries.account_page(case, AccountFilter()).rows
    ],
    "members": lambda case, cast: [
        member.account.pseudonym for member in queries.member_page(case.clusters.all()[0].cluster).rows
    ],
    "findings": lambda case, cast: [
        (finding.detector.name, finding.detector_version.version) for finding in queries.finding_page(case).rows
    ],
    "exhibits": lambda case, cast: [(one.item.added_by, one.custody) for one in queries.exhibits(case)],
    "claims": lambda case, cast: [judged and judged.author for _, judged in queries.claim_strip(case)],
    "alternatives": lambda case, cast: [answer and answer.author for _, _, answer in queries.alternatives(case)],
    "log": lambda case, cast: [getattr(entry, "sequence", None) for entry in queries.log_page(case).rows],
}


def grow(cast: Cast, groups: Sequence[int]) -> Case:
    """As many cases, leads, exhibits and accounts as asked for; the first case is given."""
    found = [make_case(cast, stage="judged", accounts=provider_ids(n, prefix=f"g{i}")) for i, n in enumerate(groups)]
    for content in (b"a", b"b")[: len(groups) - 1]:
        add_exhibit(found[0], cast.lead, content)
    return found[0]


@pytest.mark.parametrize("name", LISTINGS)
def test_list_of_three_takes_as_many_queries_as_a_list_of_one(
    cast: Cast, name: str, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    small = grow(cast, [1])
    with django_assert_max_num_queries(4) as counted:
        LISTINGS[name](small, cast)
    large = make_case(cast, stage="judged", accounts=provider_ids(3, prefix="large"))
    for content in (b"a", b"b"):
        add_exhibit(large, cast.lead, content)
    make_lead(provider_ids(2, prefix="third"))
    with django_assert_num_queries(len(counted)):
        LISTINGS[name](large, cast)


def test_cluster_not_held_filters_to_nothing(cast: Cast) -> None:
    case = make_case(cast)
    cluster: Cluster = make_run(provider_ids(2, prefix="b")).clusters.get()

    assert queries.account_page(case, AccountFilter(cluster=str(cluster.id))).rows == []
