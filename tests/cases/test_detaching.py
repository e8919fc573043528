"""A cluster or single accounts are taken out of a case again, and put back; nothing that was said is changed."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from cases import actions, figures, history, leads, preservation, recalls
from cases.dossier.freeze import take_snapshot
from cases.history import cut
from cases.models import Case, CaseAccount, Detachment, Lead, LeadDecision, Reattachment, Verdict
from detection.models import DetectorVersion
from spine import sequencer, vault
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.deconflicting import restrict
from tests.cases.pages import client_of, text_of
from tests.factories import Cast, make_case, make_cluster, make_lead, provider_ids

pytestmark = pytest.mark.django_db
WHY = "These accounts are a reseller's, as the invoices show."


@pytest.fixture
def case(cast: Cast) -> Case:
    """A case of two clusters that share two accounts: 0 to 4, and 3 to 6."""
    made = make_case(cast, accounts=provider_ids(5, "det"))
    actions.join_case(make_lead(provider_ids(4, "det", start=3)), made, actor=cast.analyst)
    return Case.objects.get(pk=made.pk)


def numbers(case: Case) -> list[int]:
    ids = CaseAccount.objects.filter(case=case).values_list("account__provider_id", flat=True)
    return sorted(int(one[-4:]) for one in ids)


def second(case: Case) -> Any:
    """The cluster that was joined last."""
    return case.clusters.latest("entry__at").cluster


def detach(case: Case, cast: Cast, **given: Any) -> Detachment:
    return actions.detach_cluster(case, second(case), actor=cast.analyst, **{"reason": WHY, **given})


def alone(case: Case, cast: Cast, *wanted: int) -> Detachment:
    names = [f"det-{one:04d}" for one in wanted]
    picked = CaseAccount.objects.filter(case=case, account__provider_id__in=names).values_list("pk", flat=True)
    return actions.detach_accounts(case, list(picked), actor=cast.analyst, reason=WHY)


def test_accounts_that_no_other_cluster_has_leave_and_the_rest_goes_on_through_those(case: Case, cast: Cast) -> None:
    assert numbers(case) == [0, 1, 2, 3, 4, 5, 6]
    joined = second(case)
    left = detach(case, cast)
    assert numbers(case) == [0, 1, 2, 3, 4]
    assert left.accounts_left == 2
    assert not CaseAccount.objects.filter(case=case, member__cluster=joined).exists()
    assert {one.pk for one in history.clusters_at(case)} == {case.clusters.earliest("entry__at").cluster_id}
    assert history.findings_at(case).count() == 1
    assert {one.account_id for one in history.members_at(case)} == set(case.accounts.values_list("account", flat=True))


def test_its_lead_waits_again_with_who_and_why_and_comes_back_with_the_undo(case: Case, cast: Cast) -> None:
    lead = Lead.objects.get(sightings__cluster=second(case))
    left = detach(case, cast)
    lead.refresh_from_db()
    assert (lead.state, lead.why_now) == ("waiting", f"detached from {case.ref} by analyst")
    assert lead.decisions.latest("at").note == WHY
    actions.attach_again(left, actor=cast.lead, reason="It was the wrong one.")
    lead.refresh_from_db()
    assert lead.state == "in_case"
    assert [one.kind for one in lead.decisions.order_by("at", "id")] == ["joined", "detached", "reattached"]
    assert numbers(case) == [0, 1, 2, 3, 4, 5, 6]


def test_undo_of_a_lead_that_was_decided_about_since_is_told(case: Case, cast: Cast) -> None:
    left = detach(case, cast)
    lead = Lead.objects.get(sightings__cluster=left.held.cluster)
    actions.reject_lead(lead, actor=cast.lead, reason="reseller")
    with pytest.raises(Conflict, match="Its lead was decided about since"):
        actions.attach_again(left, actor=cast.analyst)
    assert not Reattachment.objects.exists()


def test_the_same_lead_joined_to_the_case_once_more_puts_it_back(case: Case, cast: Cast) -> None:
    left = detach(case, cast)
    lead = Lead.objects.get(sightings__cluster=left.held.cluster)
    actions.join_case(lead, case, actor=cast.lead)
    assert Reattachment.objects.get(detachment=left).by == cast.lead
    assert numbers(case) == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(Conflict, match="put back before"):
        actions.attach_again(left, actor=cast.analyst)


def test_lead_joined_to_another_case_takes_its_accounts_there(case: Case, cast: Cast) -> None:
    lead = Lead.objects.get(sightings__cluster=detach(case, cast).held.cluster)
    other = actions.open_case(lead, actor=cast.analyst, title="Accounts of a reseller")
    assert numbers(other) == [3, 4, 5, 6]


def test_verdicts_are_kept_and_count_again_when_the_accounts_are_back(case: Case, cast: Cast) -> None:
    picks = dict(CaseAccount.objects.filter(case=case).values_list("id", "verdict_id"))
    actions.set_verdicts_picked(case, picks, actor=cast.analyst, value="reseller_pool", reason="They pay alike")
    left = detach(case, cast)
    assert figures.totals(case).of("reseller_pool").accounts == 5
    assert Verdict.objects.filter(case=case).count() == 7
    actions.attach_again(left, actor=cast.analyst)
    assert figures.totals(case).of("reseller_pool").accounts == 7
    row = CaseAccount.objects.select_related("account").filter(case=case).latest("account__provider_id")
    actions.set_verdict(case, row.account, actor=cast.lead, value="benign", reason="A class", expected=row.verdict_id)


def test_single_accounts_stay_out_whichever_cluster_has_them(case: Case, cast: Cast) -> None:
    left = alone(case, cast, 3, 4)
    assert numbers(case) == [0, 1, 2, 5, 6]
    actions.join_case(make_lead(provider_ids(12, "det", start=3)), case, actor=cast.analyst)
    assert numbers(case) == [0, 1, 2, *range(5, 15)]
    assert figures.totals(case).of().accounts == history.members_at(case).count() == 13
    actions.attach_again(left, actor=cast.analyst)
    assert numbers(case) == list(range(15))


def test_verdict_on_an_account_that_was_taken_out_is_refused(case: Case, cast: Cast) -> None:
    row = CaseAccount.objects.select_related("account").filter(case=case).latest("account__provider_id")
    alone(case, cast, 6)
    with pytest.raises(Refused, match="is not in"):
        actions.set_verdict(case, row.account, actor=cast.lead, value="benign", reason="A class", expected=None)
    with pytest.raises(Conflict, match="1 of the picked accounts are not in"):
        actions.detach_accounts(case, [row.pk], actor=cast.analyst, reason=WHY)


def test_cut_before_the_detachment_has_what_the_case_had_then(case: Case, cast: Cast) -> None:
    sequencer.sequence()
    before = cut(case)
    left, gone = detach(case, cast), alone(case, cast, 0)
    sequencer.sequence()
    between = cut(case)
    for one in (left, gone):
        actions.attach_again(one, actor=cast.analyst)
    sequencer.sequence()
    after = cut(case)
    counts = [(history.clusters_at(case, at).count(), history.members_at(case, at).count()) for at in (before, between)]
    assert counts == [(2, 7), (1, 4)]
    assert figures.totals(case, between).of().accounts == 4
    assert (history.clusters_at(case, after).count(), history.members_at(case, after).count()) == (2, 7)
    assert figures.totals(case).of() == figures.totals(case, after).of()


def test_case_that_rests_on_a_recalled_version_no_more_does_not_lean_on_it(case: Case, cast: Cast) -> None:
    version = DetectorVersion.objects.get()
    assert recalls.cases(version, Case.objects.all()).count() == 1
    detach(case, cast)
    assert recalls.cases(version, Case.objects.all()).count() == 1
    actions.detach_cluster(case, case.clusters.earliest("entry__at").cluster, actor=cast.analyst, reason=WHY)
    assert recalls.cases(version, Case.objects.all()).count() == 0
    assert preservation.clocks(case) == []


def test_case_without_any_cluster_has_all_its_pages(case: Case, cast: Cast) -> None:
    detach(case, cast)
    actions.detach_cluster(case, case.clusters.earliest("entry__at").cluster, actor=cast.analyst, reason=WHY)
    browser = client_of(cast.analyst)
    for tab in ("", "claims/", "accounts/", "findings/", "timeline/", "preservation/", "dossiers/", "log/"):
        assert browser.get(f"/cases/{case.ref}/{tab}").status_code == 200, tab
    assert "This case holds no cluster" in text_of(browser.get(f"/cases/{case.ref}/accounts/"))


def test_stranger_to_a_restricted_case_does_not_see_the_lead_that_left_it(case: Case, cast: Cast) -> None:
    restrict(case, cast.lead)
    left = actions.detach_cluster(case, second(case), actor=cast.lead, reason=WHY)
    lead = Lead.objects.get(sightings__cluster=left.held.cluster)
    assert client_of(cast.analyst).get(f"/leads/{lead.pk}/").status_code == 404
    assert lead.cluster.title not in text_of(client_of(cast.analyst).get("/"))
    assert client_of(cast.lead).get(f"/leads/{lead.pk}/").status_code == 200


def test_lead_that_was_detached_goes_on_with_newer_runs(case: Case, cast: Cast) -> None:
    lead = Lead.objects.get(sightings__cluster=detach(case, cast).held.cluster)
    newer = make_cluster(provider_ids(5, "det", start=3))
    leads.on_run_finished({"run": str(newer.run_id)})
    lead.refresh_from_db()
    assert lead.cluster == newer


def test_who_may_not_write_detaches_nothing(case: Case, cast: Cast) -> None:
    for person in (cast.counsel, cast.reader, cast.admin):
        with pytest.raises(PermissionDenied):
            actions.detach_cluster(case, second(case), actor=person, reason=WHY)


@pytest.mark.parametrize("reason", ["", "It was stolen by a thief."])
def test_detachment_without_a_fair_reason_is_refused(case: Case, cast: Cast, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        detach(case, cast, reason=reason)
    assert refused.value.field == "reason"


def test_cluster_that_is_not_held_any_more_is_told(case: Case, cast: Cast) -> None:
    cluster = detach(case, cast).held.cluster
    with pytest.raises(Conflict, match=r"does not hold this cluster .by analyst"):
        actions.detach_cluster(case, cluster, actor=cast.lead, reason=WHY)


def test_page_takes_out_and_puts_back(case: Case, cast: Cast) -> None:
    browser, address = client_of(cast.analyst), f"/cases/{case.ref}"
    page = text_of(browser.post(f"{address}/clusters/{second(case).pk}/detach/", {"reason": WHY}, follow=True))
    assert "Taken out of the case; 2 accounts left with it." in page
    row = CaseAccount.objects.select_related("account").filter(case=case).earliest("account__provider_id")
    page = text_of(
        browser.post(f"{address}/accounts/detach/", {"account": str(row.pk), "reason": WHY, "value": ""}, follow=True)
    )
    assert row.account.pseudonym in page
    for one in Detachment.objects.all():
        page = text_of(browser.post(f"{address}/detachments/{one.pk}/undo/", {"reason": "A mistake"}, follow=True))
    assert page.count("put back by analyst") == 2
    assert numbers(case) == list(range(7))
    log = text_of(browser.get(f"{address}/log/"))
    assert f"took a cluster out of {case.ref} again (2 accounts left with it): {WHY}" in log.replace("&#x27;", "'")
    assert f"put single accounts back into {case.ref} (1 accounts)" in log


def test_page_says_what_is_missing_with_the_input_kept(case: Case, cast: Cast) -> None:
    browser, address = client_of(cast.analyst), f"/cases/{case.ref}"
    assert browser.post(f"{address}/clusters/{second(case).pk}/detach/", {"reason": ""}).status_code == 422
    answer = browser.post(f"{address}/clusters/{second(case).pk}/detach/", {"reason": "A thief did it."})
    assert answer.status_code == 422
    assert "A thief did it." in text_of(answer)
    answer = browser.post(f"{address}/accounts/detach/", {"reason": WHY})
    assert answer.status_code == 422
    assert "Pick between 1 and 500 accounts" in text_of(answer)


def test_api_takes_out_and_puts_back(case: Case, cast: Cast) -> None:
    api, address = api_of(cast.analyst), f"/api/v1/cases/{case.ref}/detachments/"
    made = api.post(address, {"cluster": str(second(case).pk), "reason": WHY}, format="json")
    assert made.status_code == 201, made.json()
    account = case.accounts.earliest("account__provider_id").account_id
    alone = api.post(address, {"accounts": [str(account)], "reason": WHY}, format="json").json()
    assert (alone["cluster"], alone["accounts"], alone["accounts_left"]) == (None, [str(account)], 1)
    undone = api.post(f"{address}{alone['id']}/undo/", {"reason": "A mistake"}, format="json")
    assert (undone.status_code, undone.json()["undone_by"]) == (200, "analyst")
    assert api.post(f"{address}{alone['id']}/undo/", {}, format="json").status_code == 409
    found = api.get(address).json()["results"]
    assert {one["id"] for one in found} == {made.json()["id"], alone["id"]}
    for wrong in ({"reason": WHY}, {"cluster": str(second(case).pk), "accounts": [str(account)], "reason": WHY}):
        assert api.post(address, wrong, format="json").status_code == 400


def test_log_has_one_entry_an_act_with_all_its_rows(case: Case, cast: Cast) -> None:
    left = alone(case, cast, 0, 1, 2)
    [entry] = LogEntry.objects.filter(action="case.detached", scope=case.pk)
    assert left.entry_id == entry.pk
    assert {one.entry_id for one in left.accounts.all()} == {entry.pk}
    assert entry.data["accounts"] == 3


@pytest.mark.django_db(transaction=True)
def test_snapshot_after_the_detachment_names_nothing_of_it_and_an_earlier_one_stays(
    committed_cast: Cast, no_broker: None
) -> None:
    cast = committed_cast
    case = make_case(cast, accounts=provider_ids(3, "det"))
    actions.join_case(make_lead(provider_ids(3, "det", start=7)), case, actor=cast.analyst)
    given = {"edition": "counsel", "recipient": "", "basis": "", "as_of": None}
    before = take_snapshot(case, **given)
    first = vault.read(before.snapshot_sha256)
    detach(case, cast)
    alone(case, cast, 0)
    after = json.loads(vault.read(take_snapshot(case, **given).snapshot_sha256))
    assert len(json.loads(first)["accounts"]["rows"]) == 6
    assert vault.read(before.snapshot_sha256) == first
    assert {name: len(after[name]["rows"]) for name in ("accounts", "clusters", "findings", "links")} == {
        "accounts": 2,
        "clusters": 1,
        "findings": 1,
        "links": 2,
    }
    assert LeadDecision.objects.filter(kind="detached").count() == 1
