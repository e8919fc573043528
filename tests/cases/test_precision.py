"""Precision of a detector version: by verdicts alone, with its interval, and without restricted cases."""

import pytest

from cases import actions, precision
from cases.filters import AccountFilter
from cases.models import Case, Verdict, VersionPrecision
from cases.sample_texts import SOURCE
from detection import detector_verbs, ingest
from detection.index import ensure_accounts
from detection.models import SIMULATED, Detector, DetectorVersion, TelemetrySource
from people.models import DetectorKey
from tests.cases.pages import client_of, text_of
from tests.cases.recalling import version_under
from tests.detection.registered import ADMIN, make_canary, make_detector, make_quarantine
from tests.detection.samples import finding
from tests.factories import Cast, make_case, provider_ids, run_job

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
    return figures_of(version_under(case))


def figures_of(version: DetectorVersion) -> tuple[int, int]:
    precision.measure()
    found = VersionPrecision.objects.filter(detector_version=version).first()
    return (found.confirmed, found.decided) if found else (0, 0)


def named_by(detector: Detector, key: DetectorKey, *accounts: str) -> DetectorVersion:
    """The version of a finding that came by this key and names these accounts."""
    stated = {"name": detector.name, "version": "1.0"}
    document = finding("x-1", accounts=[{"id": one} for one in accounts], detector=stated)
    origin = ingest.Origin(key=key.pk)
    counts = ingest.store([document], actor=f"detector:{detector.name}", detector=detector.name, origin=origin)
    assert counts.errors == []
    return DetectorVersion.objects.get(detector=detector)


def decide_about(case: Case, cast: Cast, account: str, value: str) -> None:
    row = case.accounts.select_related("account").get(account__provider_id=account)
    actions.set_verdict(case, row.account, actor=cast.analyst, value=value, reason="Looked at", expected=row.verdict_id)


def test_accounts_nobody_decided_about_count_for_nothing(case: Case, cast: Cast) -> None:
    assert figures(case) == (0, 0)
    decide(case, cast, "actor_controlled", "reseller_pool", "benign", "victim", "unknown")
    assert figures(case) == (2, 4)


def test_simulated_accounts_are_in_no_figure(cast: Cast) -> None:
    ids = provider_ids(3, "mixed")
    ensure_accounts(f"{SIMULATED}trial", ids[:1])
    mixed = make_case(cast, accounts=ids)
    for one, value in zip(ids, ("benign", "actor_controlled", "benign"), strict=True):
        decide_about(mixed, cast, one, value)
    assert figures(mixed) == (1, 2)


def test_cases_of_the_sample_story_are_in_no_figure(case: Case, cast: Cast) -> None:
    decide(case, cast, "actor_controlled", "benign")
    assert figures(case) == (1, 2)
    TelemetrySource.objects.filter(runs__clusters__cases__case=case).update(name=SOURCE)
    assert figures(case) == (0, 0)


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
    rest = AccountFilter(verdict="none")
    given = {"value": "reseller_pool", "reason": "Alike", "expected_count": 5}
    job = run_job(actions.set_verdicts_matching(case, rest, actor=cast.analyst, **given))
    assert figures(case) == (6, 6)
    run_job(actions.undo_verdicts(job, actor=cast.lead))
    assert Verdict.objects.filter(value="").count() == 5
    assert figures(case) == (1, 1)


def test_finding_in_quarantine_names_nobody_until_it_is_lifted(case: Case, cast: Cast) -> None:
    detector, key = make_detector()
    version = named_by(detector, key, "p-0000", "p-0001")
    decide_about(case, cast, "p-0000", "actor_controlled")
    decide_about(case, cast, "p-0001", "benign")
    assert (figures_of(version), figures(case)) == ((1, 2), (1, 2))
    held = make_quarantine(key)
    assert (figures_of(version), figures(case)) == ((0, 0), (1, 2))
    detector_verbs.lift_quarantine(held, actor=ADMIN, reason="Another key leaked")
    assert (figures_of(version), figures(case)) == ((1, 2), (1, 2))


def test_canary_counts_for_no_version_whatever_was_decided_about_it(case: Case, cast: Cast) -> None:
    detector, key = make_detector()
    version = named_by(detector, key, "p-0000", "p-0001")
    decide_about(case, cast, "p-0000", "actor_controlled")
    decide_about(case, cast, "p-0001", "actor_controlled")
    assert (figures_of(version), figures(case)) == ((2, 2), (2, 2))
    make_canary(detector, account_id="p-0001")
    assert (figures_of(version), figures(case)) == ((1, 1), (1, 1))
