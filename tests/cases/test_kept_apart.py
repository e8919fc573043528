"""Accounts that a person said are not the same operation: no correlation joins them again until it is taken back."""

import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from cases import actions, kept_apart, leads
from cases.models import Case, Lead
from detection import apart, joining
from detection.models import Cluster, ClusterLink, Detector, KeptApart, KeptApartEffect, Run
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from spine.principal import acting_as
from tests.cases.api import client_of as api_of
from tests.cases.deconflicting import restrict
from tests.cases.keeping_apart import WHY, make_effect, make_grouped, pay_alike
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_lead, make_run, provider_ids

pytestmark = pytest.mark.django_db
ALL = [f"acct-{n}" for n in range(6)]


@dataclass(frozen=True)
class _Row:
    attribute_id: UUID
    account_id: UUID
    finding_id: UUID
    accounts: int
    findings: int


@pytest.fixture
def detector() -> Detector:
    return make_grouped()


def ids(lead: Lead, *names: str) -> list[UUID]:
    rows = lead.cluster.members.filter(account__provider_id__in=names)
    return list(rows.order_by("account__provider_id").values_list("account", flat=True))


def grouped(detector: Detector, uid: str, *accounts: str, pf: str = "pf_1") -> list[list[str]]:
    """The groups that this finding leads to."""
    known = set(Run.objects.values_list("pk", flat=True))
    pay_alike(detector, uid, *accounts, pf=pf)
    fresh = Cluster.objects.exclude(run__in=known)
    return sorted(sorted(one.members.values_list("account__provider_id", flat=True)) for one in fresh)


def newest() -> Lead:
    return Lead.objects.select_related("cluster").latest("raised_at")


def keep(lead: Lead, cast: Cast, *names: str, against: Collection[str] = ()) -> KeptApart:
    others = ids(lead, *against) if against else ()
    return actions.keep_apart(lead, ids(lead, *names), against=others, actor=cast.analyst, reason=WHY)


def test_grouping_joins_each_side_by_itself_and_says_what_it_left(detector: Detector, cast: Cast) -> None:
    assert grouped(detector, "a", *ALL) == [ALL]
    decision = keep(newest(), cast, *ALL[:2])
    assert (decision.picked, decision.others, decision.rest) == (2, 4, True)
    assert grouped(detector, "b", *ALL) == [ALL[:2], ALL[2:]]
    effects = KeptApartEffect.objects.order_by("accounts").values_list("cluster__account_count", "accounts")
    assert list(effects) == [(4, 2), (2, 4)]
    reasons = ClusterLink.objects.filter(cluster__account_count=2).values_list("reason", flat=True)
    assert set(reasons) == {"the same payment fingerprint as 1 other account, in 2 findings within 24 h"}


def test_two_accounts_are_not_joined_through_others_between(detector: Detector, cast: Cast) -> None:
    grouped(detector, "a", *ALL[:3])
    keep(newest(), cast, ALL[0], against=[ALL[2]])
    found = grouped(detector, "b", *ALL[:3])
    assert found == [ALL[:2]]  # the one between goes with who came first, the other is left alone
    assert grouped(detector, "c", ALL[1], ALL[2], ALL[3], pf="pf_2") == [ALL[1:4]]


def test_it_may_be_taken_back_and_holds_no_more(detector: Detector, cast: Cast) -> None:
    grouped(detector, "a", *ALL)
    decision = keep(newest(), cast, *ALL[:2])
    actions.join_again(decision, actor=cast.lead, reason="One key after all")
    assert grouped(detector, "b", *ALL) == [ALL]
    assert not KeptApartEffect.objects.exists()
    with pytest.raises(Conflict, match=r"taken back before \(by lead"):
        actions.join_again(decision, actor=cast.analyst, reason="Again")


def test_accounts_that_come_later_join_either_side_and_never_both(detector: Detector, cast: Cast) -> None:
    grouped(detector, "a", *ALL[:4])
    keep(newest(), cast, *ALL[:2])
    found = grouped(detector, "b", *ALL)
    assert [len(one) for one in found] in ([2, 4], [4, 2])
    for one in found:
        assert not ({*ALL[:2]} & {*one} and {*ALL[2:4]} & {*one})


def test_part_of_a_value_that_has_too_few_accounts_by_itself_is_no_group(detector: Detector, cast: Cast) -> None:
    grouped(detector, "a", *ALL[:3])
    keep(newest(), cast, ALL[0])
    assert grouped(detector, "b", *ALL[:3]) == [ALL[1:3]]


def test_newer_run_is_not_taken_for_a_lead_it_is_kept_apart_from(cast: Cast) -> None:
    names = provider_ids(4, "kin")
    lead = make_lead(names)
    keep(lead, cast, *names[:2])
    leads.on_run_finished({"run": str(make_run(names[2:]).pk)})  # half of it: the lead stands for these now
    assert Lead.objects.get().cluster.account_count == 2
    leads.on_run_finished({"run": str(make_run(names[:2]).pk)})
    assert Lead.objects.count() == 2
    assert [one.cluster.account_count for one in Lead.objects.order_by("raised_at")] == [2, 2]
    leads.on_run_finished({"run": str(make_run(names[:2]).pk)})
    assert Lead.objects.count() == 2  # and is known again as itself


def test_run_over_telemetry_joins_both_and_the_page_says_who_stands_apart_and_why(cast: Cast) -> None:
    names = provider_ids(4, "tel")
    lead = make_lead(names)
    keep(lead, cast, names[0])
    leads.on_run_finished({"run": str(make_run(names).pk)})
    page = text_of(client_of(cast.reader).get(f"/leads/{lead.pk}/"))
    assert page.count("stands apart") == 1
    assert "Both are members here" in page
    assert WHY in page


def test_accounts_in_a_case_that_the_lead_is_kept_apart_from_are_said(cast: Cast) -> None:
    names = provider_ids(4, "inc")
    lead = make_lead(names)
    keep(lead, cast, *names[:2])
    case = actions.open_case(lead, actor=cast.analyst, title="Accounts alike")
    other = make_lead([*names[:2], "inc-9"])
    assert other != lead
    [effect] = kept_apart.on_lead(cast.analyst, other)
    assert (effect.within, effect.cases, effect.lead) == (False, (case.ref,), lead.pk)
    assert case.ref in text_of(client_of(cast.analyst).get(f"/leads/{other.pk}/"))
    held = text_of(client_of(cast.analyst).get(f"/cases/{case.ref}/accounts/"))
    assert f"2 accounts and 2 others that this case holds are kept apart because: {WHY}" in held
    restrict(case, cast.lead)
    assert kept_apart.on_lead(cast.analyst, other) == []
    assert WHY not in text_of(client_of(cast.analyst).get(f"/leads/{other.pk}/"))
    with acting_as(cast.analyst.principal):
        assert not KeptApart.objects.exists()  # the database holds it too
    [effect] = kept_apart.on_lead(cast.lead, other)
    assert effect.cases == (case.ref,)
    assert not LogEntry.objects.filter(action="accounts.kept_apart").exclude(about__startswith="cases.lead:").exists()


@pytest.mark.parametrize(
    ("names", "against", "says"),
    [
        ([], [], "Pick between 1 and 500"),
        (provider_ids(4, "bad"), [], "nobody to keep them apart from"),
        (["bad-0001"], ["bad-0001"], "from itself"),
    ],
)
def test_sides_that_make_no_sense_are_refused(cast: Cast, names: list[str], against: list[str], says: str) -> None:
    with pytest.raises(Refused, match=says):
        keep(make_lead(provider_ids(4, "bad")), cast, *names, against=against)


def test_accounts_of_another_lead_and_reasons_that_accuse_are_refused(cast: Cast) -> None:
    lead, other = make_lead(provider_ids(3, "one")), make_lead(provider_ids(3, "two"))
    with pytest.raises(Refused, match="not in this lead"):
        actions.keep_apart(lead, ids(other, "two-0000"), actor=cast.analyst, reason=WHY)
    with pytest.raises(Refused) as refused:
        actions.keep_apart(lead, ids(lead, "one-0000"), actor=cast.analyst, reason="A thief")
    assert refused.value.field == "reason"
    with pytest.raises(Conflict, match="newer run"):
        actions.keep_apart(lead, ids(lead, "one-0000"), actor=cast.analyst, reason=WHY, cluster=other.cluster_id)


def test_the_same_two_named_the_other_way_round_are_the_same(cast: Cast) -> None:
    lead = make_lead(provider_ids(3, "two"))
    keep(lead, cast, "two-0001", against=["two-0000"])
    with pytest.raises(Conflict, match="kept apart already"):
        keep(lead, cast, "two-0000", against=["two-0001"])


def test_page_keeps_apart_and_takes_back(cast: Cast) -> None:
    lead = make_lead(provider_ids(4, "pag"))
    browser, two = client_of(cast.analyst), [str(one) for one in ids(lead, "pag-0000", "pag-0001")]
    sent: dict[str, Any] = {"cluster": str(lead.cluster_id), "reason": WHY, "against": "each_other", "account": two}
    assert browser.post(f"/leads/{lead.pk}/keep-apart/", sent | {"account": two[:1]}).status_code == 422
    page = text_of(browser.post(f"/leads/{lead.pk}/keep-apart/", sent, follow=True))
    assert "Kept apart: 1 from 1." in page
    assert page.count("stands apart") == 2
    address = f"/leads/{lead.pk}/kept-apart/{KeptApart.objects.get().pk}/undo/"
    assert "reason is missing" in text_of(browser.post(address, {"reason": ""}, follow=True)).lower()
    page = text_of(browser.post(address, {"reason": "One key after all"}, follow=True))
    assert "taken back by analyst" in page
    assert "stands apart" not in page
    log = text_of(client_of(cast.lead).get("/log/"))
    assert "said that 1 accounts of a lead are not the same operation as 1 others" in log


def test_api_keeps_apart_lists_and_takes_back(cast: Cast) -> None:
    effect = make_effect(cast.lead)
    lead = Lead.objects.get(sightings__cluster=effect.decision.cluster)
    api, address = api_of(cast.analyst), f"/api/v1/leads/{lead.pk}/kept-apart/"
    [found] = api.get(address).json()["results"]
    assert (found["picked"], found["others"], found["reason"], found["by"]) == (2, 2, WHY, "lead")
    other = Lead.objects.get(sightings__cluster=effect.cluster)
    [there] = api.get(f"/api/v1/leads/{other.pk}/kept-apart/").json()["results"]
    assert [one["accounts"] for one in there["not_joined"]] == [2]
    undone = api.post(f"{address}{found['id']}/undo/", {"reason": "One key"}, format="json")
    assert (undone.status_code, undone.json()["lifted_by"]) == (200, "analyst")
    picked = [str(one) for one in ids(lead, "eff-1", "eff-3")]
    body = {"accounts": picked[:1], "reason": WHY}
    made = api.post(address, body, format="json")
    assert made.status_code == 201, made.json()
    assert api.post(address, body, format="json").status_code == 409
    elsewhere = f"/api/v1/leads/{make_lead().pk}/kept-apart/{made.json()['id']}/undo/"
    assert api.post(elsewhere, {"reason": "r"}, format="json").status_code == 404


def test_no_group_has_both_sides_of_any_decision_whatever_the_rows() -> None:
    accounts = [UUID(int=n) for n in range(40)]
    decisions = [UUID(int=100 + n) for n in range(12)]
    rows = [
        _Row(UUID(int=1000 + value), accounts[(value * 7 + step * (value % 5 + 1)) % 40], UUID(int=value), 1, 1)
        for value in range(30)
        for step in range(6)
    ]
    sides = {
        one: frozenset(
            (decision, "ab"[(n + place) % 2]) for place, decision in enumerate(decisions) if (n * 3 + place) % 11 == 0
        )
        for n, one in enumerate(accounts)
    }
    groups, refused = joining.joined(rows, sides, least_accounts=2, least_findings=1)
    assert len(groups) > 1
    assert refused
    for group in groups:
        tags = frozenset[tuple[UUID, str]]().union(*(sides[row.account_id] for row in group))
        assert joining.one_sided(tags) == tags
    assert (groups, refused) == joining.joined(rows, sides, least_accounts=2, least_findings=1)
    [whole] = joining.joined(rows, {}, least_accounts=2, least_findings=1)[0]
    assert len({row.account_id for row in whole}) == 40


@pytest.mark.django_db(transaction=True)
def test_decision_waits_for_a_correlation_under_way_and_the_next_one_follows_it(
    committed_cast: Cast, no_broker: None
) -> None:
    lead = make_lead(provider_ids(4, "lock"))
    done = threading.Event()

    def decide() -> None:
        with acting_as(committed_cast.analyst.principal):
            keep(lead, committed_cast, "lock-0000")
        done.set()
        connection.close()

    with transaction.atomic():
        apart.settled()
        thread = threading.Thread(target=decide)
        thread.start()
        assert not done.wait(0.5)
        assert apart.sides_in([lead.cluster_id])[lead.cluster_id] == frozenset()
    thread.join(20)
    assert done.is_set()
    assert len(apart.sides_in([lead.cluster_id])[lead.cluster_id]) == 2


@pytest.mark.django_db(transaction=True)
def test_one_lead_a_group_also_when_two_runs_end_at_once_beside_a_decision(
    committed_cast: Cast, no_broker: None
) -> None:
    names = provider_ids(4, "once")
    lead = make_lead(names)
    runs = [make_run(names[:2], names[2:]), make_run(names[:2], names[2:])]

    def end(run: Run) -> None:
        with acting_as("system:leads"):
            leads.on_run_finished({"run": str(run.pk)})
        connection.close()

    def decide() -> None:
        with acting_as(committed_cast.analyst.principal), suppress(Refused):
            keep(lead, committed_cast, *names[:2])
        connection.close()

    threads = [threading.Thread(target=end, args=[run]) for run in runs] + [threading.Thread(target=decide)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert KeptApart.objects.count() <= 1  # its reader may have looked at a version that a run had changed
    assert Lead.objects.count() == 2
    assert {one.sightings.count() for one in Lead.objects.all()} == {2, 3}
    assert not Case.objects.exists()
