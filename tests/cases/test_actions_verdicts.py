"""Verdicts on one account and on picked ones: the newest counts, all are kept, none is decided over unseen."""

import pytest

from cases import actions
from cases.models import Case, CaseAccount, Verdict
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.models import LogEntry
from tests.factories import Cast, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db


def first(case: Case) -> CaseAccount:
    return case.accounts.select_related("account").order_by("account__provider_id")[0]


def decide(case: Case, cast: Cast, value: str, expected: Verdict | None = None) -> Verdict:
    return actions.set_verdict(
        case,
        first(case).account,
        actor=cast.analyst,
        value=value,
        reason="see the payment records",
        expected=expected.id if expected else None,
    )


def test_second_verdict_supersedes_the_first(cast: Cast) -> None:
    case = make_case(cast)
    earlier = decide(case, cast, "victim")
    later = decide(case, cast, "benign", expected=earlier)

    assert (first(case).verdict, first(case).value, later.supersedes) == (later, "benign", earlier)
    assert LogEntry.objects.latest("at").data == {
        "ref": case.ref,
        "account": first(case).account.pseudonym,
        "old": "victim",
        "new": "benign",
    }


def test_verdict_decided_over_unseen_is_told_who_and_what(cast: Cast) -> None:
    case = make_case(cast)
    decide(case, cast, "victim")
    with pytest.raises(Conflict, match=r"acc-\w+ is now victim \(by analyst, "):
        decide(case, cast, "benign")


def test_account_outside_the_case_gets_no_verdict(cast: Cast) -> None:
    case, other = make_case(cast), make_lead(provider_ids(2, prefix="other"))
    account = other.cluster.members.all()[0].account
    with pytest.raises(Refused, match="is not in"):
        actions.set_verdict(case, account, actor=cast.analyst, value="benign", reason="x", expected=None)


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [("guilty", "x", "value"), ("", "x", "value"), ("benign", " ", "reason"), ("victim", "stolen card", "reason")],
)
def test_verdict_needs_a_known_value_and_a_fair_reason(cast: Cast, value: str, reason: str, field: str) -> None:
    case = make_case(cast)
    with pytest.raises(Refused) as refused:
        actions.set_verdict(case, first(case).account, actor=cast.analyst, value=value, reason=reason, expected=None)

    assert refused.value.field == field


def test_picked_accounts_are_one_entry(cast: Cast) -> None:
    case = make_case(cast, accounts=5)
    picks = dict(case.accounts.order_by("id").values_list("id", "verdict_id")[:3])
    entry = actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="benign", reason="known")

    assert (entry.row_count, case.accounts.filter(value="benign").count()) == (3, 3)


def test_picked_accounts_are_decided_all_or_none(cast: Cast) -> None:
    case = make_case(cast)
    picks = dict(case.accounts.values_list("id", "verdict_id"))
    decide(case, cast, "victim")
    with pytest.raises(Conflict, match="is now victim"):
        actions.set_verdicts_picked(case, picks, actor=cast.lead, value="benign", reason="known")

    assert case.accounts.filter(value="").count() == 3


def test_pick_that_is_not_in_the_case_is_refused(cast: Cast) -> None:
    case = make_case(cast)
    with pytest.raises(Refused, match="1 of the picked accounts"):
        actions.set_verdicts_picked(case, {new_id(): None}, actor=cast.lead, value="benign", reason="known")
