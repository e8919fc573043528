"""Headline figures come from verdicts and members by the printed rule."""

from datetime import timedelta

import pytest

from cases import actions, figures
from cases.figures import FIGURES, Value
from cases.filters import AccountFilter, matching
from cases.models import Case
from cases.vocabulary import VerdictValue
from tests.factories import DAYS, START, Cast, make_case

pytestmark = pytest.mark.django_db


def values(case: Case) -> dict[str, Value]:
    return {one.figure.key: one.value for one in figures.compute(case)}


def decide(case: Case, cast: Cast, *verdicts: str) -> None:
    for held, value in zip(case.accounts.select_related("account").order_by("id"), verdicts, strict=False):
        actions.set_verdict(
            case, held.account, actor=cast.analyst, value=value, reason="looked at", expected=held.verdict_id
        )


def test_figures_count_each_account_by_its_newest_verdict(cast: Cast) -> None:
    case = make_case(cast, accounts=6)
    decide(case, cast, "victim", "victim")
    decide(case, cast, "actor_controlled", "actor_controlled", "benign", "reseller_pool", "unknown")

    assert values(case) == {
        "accounts_actor_controlled": 2,
        "exchanges_actor_controlled": 200,
        "input_tokens_actor_controlled": 2000,
        "output_tokens_actor_controlled": 18000,
        "first_activity_actor_controlled": START,
        "last_activity_actor_controlled": START + timedelta(days=DAYS - 1),
        "accounts_in_case": 6,
        "exchanges_in_case": 600,
        "accounts_reseller_pool": 1,
        "accounts_victim": 0,
        "accounts_benign": 1,
        "accounts_unknown": 1,
        "accounts_without_verdict": 1,
        "accounts_sanctioned_testers": 0,
    }


def test_case_without_verdicts_claims_nothing(cast: Cast) -> None:
    found = values(make_case(cast))

    assert [found[key] for key in found if key.endswith("actor_controlled")] == [0, 0, 0, 0, None, None]


def test_every_figure_prints_its_rule_and_keys_are_unique() -> None:
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    assert [figure.key for figure in FIGURES if len(figure.rule) < 20 or not figure.unit] == []


def test_verdict_counts_add_up_to_the_accounts_of_the_case(cast: Cast) -> None:
    case = make_case(cast, accounts=7)
    decide(case, cast, *VerdictValue.values)
    found = values(case)
    parts = [found[f"accounts_{value}"] for value in VerdictValue.values] + [found["accounts_without_verdict"]]

    assert sum(part for part in parts if isinstance(part, int)) == found["accounts_in_case"] == 7


def test_number_leads_to_as_many_rows(cast: Cast) -> None:
    case = make_case(cast, accounts=7)
    decide(case, cast, *VerdictValue.values, "victim")
    counted = [one for one in figures.compute(case) if one.figure.unit == "accounts"]

    assert [
        matching(case, AccountFilter(verdict=one.figure.verdict, tester=one.figure.tester)).count() for one in counted
    ] == [one.value for one in counted]
