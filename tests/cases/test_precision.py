"""Precision of a detector version: by verdicts alone, with its interval, and without restricted cases."""

import pytest

from cases import actions, precision
from cases.models import Case, VersionPrecision
from tests.cases.pages import client_of, text_of
from tests.cases.recalling import version_under
from tests.factories import Cast, make_case, provider_ids

pytestmark = pytest.mark.django_db


def decide(case: Case, cast: Cast, *values: str) -> None:
    rows = case.accounts.select_related("account").order_by("account__pseudonym")
    for row, value in zip(rows, values, strict=False):
        actions.set_verdict(
            case, row.account, actor=cast.analyst, value=value, reason="Looked at", expected=row.verdict_id
        )


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast, accounts=provider_ids(6, "p"))


def figures(case: Case) -> tuple[int, int]:
    precision.measure()
    found = VersionPrecision.objects.filter(detector_version=version_under(case)).first()
    return (found.confirmed, found.decided) if found else (0, 0)


def test_accounts_nobody_decided_about_count_for_nothing(case: Case, cast: Cast) -> None:
    assert figures(case) == (0, 0)
    decide(case, cast, "actor_controlled", "reseller_pool", "benign", "victim", "unknown")
    assert figures(case) == (2, 4)


def test_interval_is_wilsons(case: Case, cast: Cast) -> None:
    decide(case, cast, "actor_controlled", "actor_controlled", "benign")
    precision.measure()
    found = VersionPrecision.objects.get()
    assert (round(found.low or 0, 4), round(found.high or 0, 4)) == (0.2077, 0.9385)  # by hand, z = 1.95996
    assert precision.in_words(found) == "2 of 3: 66.7% (20.8% – 93.9%)"


def test_restricted_case_is_in_no_figure(case: Case, cast: Cast) -> None:
    decide(case, cast, "actor_controlled", "benign")
    actions.restrict_case(case, actor=cast.lead, reason="Few need to know")
    assert figures(case) == (0, 0)
    version = version_under(case)
    page = text_of(client_of(cast.reader).get(f"/detectors/{version.detector_id}/versions/{version.pk}/"))
    assert "no verdict yet" in page


def test_newest_verdict_counts_and_one_taken_back_does_not(case: Case, cast: Cast) -> None:
    decide(case, cast, "benign")
    assert figures(case) == (0, 1)
    decide(case, cast, "actor_controlled")
    assert figures(case) == (1, 1)
