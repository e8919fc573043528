"""A detector version is declared bad after its findings reached a case and a disclosed dossier."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from cases import actions, lifecycle, recalls
from cases.actions import disclosures, dossiers
from cases.actions.recalls import answer_recall
from cases.actions.versions import answer_version
from cases.dossier.build import build
from cases.models import Case, Detachment, DossierVersion, Lead, NewerVersion, Notice, RecallDraft, RecallFlag
from cases.views import recalls as views
from detection import detector_verbs, runs
from detection.models import DetectorVersion, VersionRecall
from detection.records import Window
from people.models import User
from spine import outbox, vault
from spine.errors import Conflict, Refused
from spine.models import LogEntry, Outbox
from tests.cases.api import client_of as api_of
from tests.cases.keeping import everything_to, register
from tests.cases.newer import newer_version
from tests.cases.pages import client_of, text_of
from tests.cases.recalling import follow, recall, version_under
from tests.cases.test_actions_twice import at_once
from tests.factories import START, Cast, make_case, make_lead, provider_ids

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def case(committed_cast: Cast, no_broker: None) -> Case:
    return make_case(committed_cast, stage="judged")


def address(case: Case) -> str:
    version = version_under(case)
    return f"/detectors/{version.detector_id}/versions/{version.pk}/"


def needs(case: Case) -> list[str]:
    return [one.text for one in lifecycle.missing_for_escalation(case)]


def test_every_case_that_leans_on_the_version_is_flagged_once_and_who_has_it_is_told(
    case: Case, committed_cast: Cast
) -> None:
    other = make_case(committed_cast, accounts=provider_ids(3, "other"))
    found = recall(version_under(case))
    assert {flag.case_id for flag in RecallFlag.objects.all()} == {case.pk, other.pk}
    flag = RecallFlag.objects.get(case=case)
    assert (flag.findings, flag.cited) == (1, 0)
    assert LogEntry.objects.get(action="recall.flagged", scope=case.pk).data["findings"] == 1
    assert "is recalled: It counted retries twice" in Notice.objects.get(case=case).text
    assert recalls.flag(found) == {"cases": 0, "drafts": 0}
    assert RecallFlag.objects.count() == 2


def test_escalation_waits_until_somebody_says_what_follows(case: Case, committed_cast: Cast) -> None:
    before = needs(case)
    recall(version_under(case))
    assert needs(case) == ["an answer to the recall of shared_attribute 1.0.0", *before]
    flag = RecallFlag.objects.select_related("recall__detector_version__detector", "case").get(case=case)
    answer_recall(flag, actor=committed_cast.analyst, words="Claims stand without it")
    assert needs(case) == before
    with pytest.raises(Conflict, match="answered it meanwhile"):
        answer_recall(flag, actor=committed_cast.lead, words="Late")


def test_recall_that_is_taken_back_asks_for_nothing_more(case: Case) -> None:
    before = needs(case)
    found = recall(version_under(case))
    detector_verbs.reinstate_version(found, actor="user:admin", reason="It was right")
    assert needs(case) == before
    with pytest.raises(Conflict, match="already"):
        detector_verbs.reinstate_version(found, actor="user:admin", reason="Again")
    recall(version_under(case))
    with pytest.raises(Conflict, match="already"):
        detector_verbs.recall_version(version_under(case), actor="user:admin", reason="Again")


def test_findings_of_a_recalled_version_join_nothing(case: Case) -> None:
    window = Window(START - timedelta(days=1), START + timedelta(days=60))
    assert list(runs._edges("default", window)) != []
    found = recall(version_under(case))
    assert list(runs._edges("default", window)) == []
    detector_verbs.reinstate_version(found, actor="user:admin", reason="It was right")
    assert list(runs._edges("default", window)) != []


def test_page_shows_all_that_leans_on_it_to_who_may_know_and_to_nobody_else(case: Case, committed_cast: Cast) -> None:
    cast = committed_cast
    hidden = make_case(cast, accounts=provider_ids(3, "hidden"))
    actions.restrict_case(hidden, actor=cast.lead, reason="Few need to know", people=[])
    recall(version_under(case))
    shown = {person.role: text_of(client_of(person).get(address(case))) for person in cast.all()}
    assert all(case.ref in shown[role] for role in ("case_lead", "analyst", "counsel", "reader"))
    assert hidden.ref in shown["case_lead"]
    assert not any(hidden.ref in shown[role] for role in ("administrator", "counsel", "reader"))
    assert case.ref not in shown["administrator"]
    body = api_of(cast.reader).get(f"/api/v1{address(case)}").json()
    assert body["leaning"]["cases"] == [case.ref]
    assert body["recalls"][0]["reason"] == "It counted retries twice"


def test_queue_and_head_of_an_escalated_case_say_that_an_answer_is_waited_for(committed_cast: Cast) -> None:
    case = make_case(committed_cast, stage="escalated")
    analyst = client_of(committed_cast.analyst)

    def why() -> tuple[str, str]:
        [waiting] = analyst.get("/").context["waiting_cases"]
        return waiting["why_now"], analyst.get(f"/cases/{case.ref}/").context["why_now"]

    before = why()
    recall(version_under(case))
    assert why() == (
        "Leans on shared_attribute 1.0.0, which is recalled: somebody has to say what follows.",
        "escalated: it waits for an answer to the recall of shared_attribute 1.0.0",
    )
    answer_recall(RecallFlag.objects.get(case=case), actor=committed_cast.analyst, words="It stands without it")
    assert why() == before


def test_it_is_recalled_answered_and_reinstated_by_clicking(case: Case, committed_cast: Cast) -> None:
    cast = committed_cast
    admin, analyst = client_of(cast.admin), client_of(cast.analyst)
    said = text_of(admin.post(f"{address(case)}recall/", {"reason": "It counted twice"}, follow=True))
    assert "The version is recalled; what leans on it is being flagged." in said
    follow()
    tab = f"/cases/{case.ref}/findings/"
    page = text_of(analyst.get(tab))
    assert "was declared not to be relied on" in page
    assert '<span class="badge failed">recalled</span>' in page
    flag = RecallFlag.objects.get(case=case)
    page = text_of(analyst.post(f"/cases/{case.ref}/recalls/{flag.pk}/answer/", {"words": "It stands"}, follow=True))
    assert "It stands" in page
    said = text_of(admin.post(f"{address(case)}reinstate/", {"reason": "It was right"}, follow=True))
    assert "It was right" in said
    assert '<span class="badge failed">recalled</span>' not in text_of(analyst.get(tab))


def test_api_recalls_lists_and_answers(case: Case, committed_cast: Cast) -> None:
    admin, analyst = api_of(committed_cast.admin), api_of(committed_cast.analyst)
    path = f"/api/v1{address(case)}"
    made = admin.post(f"{path}recall/", {"reason": "It counted twice"}, format="json")
    assert (made.status_code, made.json()["leaning"]["cases"]) == (201, [])  # administrators know of no case
    assert admin.post(f"{path}recall/", {"reason": "x"}, format="json").status_code == 409
    follow()
    [flag] = analyst.get(f"/api/v1/cases/{case.ref}/recalls/").json()["results"]
    assert (flag["detector"], flag["answer"]) == ("shared_attribute", None)
    answered = analyst.post(f"/api/v1/cases/{case.ref}/recalls/{flag['id']}/answer/", {"words": "w"}, format="json")
    assert (answered.status_code, answered.json()["answered_by"]) == (201, "analyst")
    assert admin.post(f"{path}reinstate/", {"reason": "right"}, format="json").status_code == 200
    assert admin.post(f"{path}reinstate/", {"reason": "right"}, format="json").status_code == 409


def test_command_recalls_and_reinstates(case: Case, capsys: Any) -> None:
    call_command("recall_version", "shared_attribute", "1.0.0", reason="It counted twice")
    assert version_under(case).recalls.filter(reinstated=None).exists()
    call_command("recall_version", "shared_attribute", "1.0.0", reason="It was right", reinstate=True)
    assert not version_under(case).recalls.filter(reinstated=None).exists()


@pytest.fixture
def sealed(case: Case, committed_cast: Cast, checkpoints_apart: Path, tmp_path: Path) -> DossierVersion:
    """A sealed dossier of the case for a registered recipient."""
    cast = committed_cast
    basis = everything_to("committee").code
    version = dossiers.freeze(case, actor=cast.analyst, edition="counsel", recipient=register().name, basis=basis)
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    build(version, tmp_path, actor="user:analyst")
    return DossierVersion.objects.get(pk=version.pk)


def test_who_got_a_dossier_that_leans_on_it_gets_a_draft_and_nobody_else(
    sealed: DossierVersion, committed_cast: Cast
) -> None:
    cast = committed_cast
    ask = disclosures.ask_disclosure(sealed, actor=cast.analyst, channel="by hand")
    disclosures.release_disclosure(ask, actor=cast.lead)
    follow()
    assert not RecallDraft.objects.exists()
    recall(version_under(sealed.case))
    draft = RecallDraft.objects.get()
    assert draft.text.startswith(f"To {ask.recipient_name}\n\n")
    assert f"the dossier {sealed.bag_name} (package SHA-256 {ask.package_sha256})" in draft.text
    assert "Concerned are 1 of the 1 findings of that dossier: F1." in draft.text
    assert draft.text.split("this reason: ")[1].startswith("It counted retries twice")
    page = text_of(client_of(cast.reader).get(f"/dossiers/{sealed.pk}/disclosures/"))
    assert "Draft of a notice: a detector version is recalled" in page
    [body] = api_of(cast.reader).get("/api/v1/disclosures/").json()["results"]
    assert body["recall_drafts"][0]["text"] == draft.text
    later = dossiers.freeze(sealed.case, actor=cast.analyst, edition="counsel")
    rows = json.loads(vault.read(later.snapshot_sha256))["findings"]["rows"]
    assert [(row["number"], row["recalled"], row["set_aside"]) for row in rows] == [(1, True, False)]


def test_dossier_waits_for_the_answer_and_who_gets_it_then_gets_a_draft_at_once(
    sealed: DossierVersion, case: Case, committed_cast: Cast
) -> None:
    cast = committed_cast
    ask = disclosures.ask_disclosure(sealed, actor=cast.analyst, channel="by hand")
    found = recall(version_under(case))
    waits = f"It leans on shared_attribute 1.0.0, which is recalled: somebody has to say in {case.ref} what follows."
    with pytest.raises(Refused) as refused:
        disclosures.release_disclosure(ask, actor=cast.lead)
    assert refused.value.missing == (waits,)
    api = api_of(cast.lead)
    said = api.post(f"/api/v1/disclosures/{ask.pk}/release/", {}, format="json")
    assert (said.status_code, said.json()["missing"]) == (409, [waits])
    [shown] = api.get(f"/api/v1/dossiers/{sealed.pk}/").json()["recalls"]
    assert (shown["detector"], shown["unanswered"], shown["stated"]) == ("shared_attribute", True, False)
    page = text_of(client_of(cast.lead).get(f"/dossiers/{sealed.pk}/"))
    assert "It was frozen before and does not say so; a new version would." in page

    answer(case, cast)
    disclosures.release_disclosure(ask, actor=cast.lead)
    assert not RecallDraft.objects.exists()
    follow()
    assert RecallDraft.objects.get().recall == found
    assert Notice.objects.filter(recipient=cast.analyst, key__startswith="recall-draft:").count() == 1
    page = text_of(client_of(cast.lead).get(f"/dossiers/{sealed.pk}/disclosures/"))
    assert "Whoever it is disclosed to, a notice is drafted for." in page
    assert "Draft of a notice: a detector version is recalled" in page
    again()
    assert RecallDraft.objects.count() == 1


def test_dossier_frozen_since_says_that_it_is_recalled_and_waits_as_well(
    case: Case, committed_cast: Cast, checkpoints_apart: Path
) -> None:
    cast = committed_cast
    recall(version_under(case))
    later = dossiers.freeze(case, actor=cast.analyst, edition="counsel")
    [leaned] = recalls.leaned(later)
    assert (leaned.said, leaned.waits) == (True, True)
    answer(case, cast)
    [leaned] = recalls.leaned(later)
    assert (leaned.said, leaned.waits) == (True, False)
    detector_verbs.reinstate_version(leaned.recall, actor="user:admin", reason="It was right")
    assert recalls.leaned(later) == []


def answer(case: Case, cast: Cast) -> None:
    flag = RecallFlag.objects.select_related("recall__detector_version__detector", "case").get(case=case, answer=None)
    answer_recall(flag, actor=cast.analyst, words="Claims stand without it")


def again() -> None:
    """Whatever was handled is handled once more, as after a crash before its end was written down."""
    Outbox.objects.update(handled_at=None)
    follow()


def opened(lead: Lead, cast: Cast) -> Case:
    return actions.open_case(lead, actor=cast.analyst, title="Accounts that pay alike")


def test_case_opened_from_an_older_lead_after_the_recall_is_flagged(committed_cast: Cast, no_broker: None) -> None:
    cast = committed_cast
    lead = make_lead()
    version = DetectorVersion.objects.select_related("detector").get(detector__name="shared_attribute")
    recall(version)
    assert not RecallFlag.objects.exists()
    made = opened(lead, cast)
    assert "an answer to the recall of shared_attribute 1.0.0" in needs(made)  # before it is flagged, too
    address = f"/detectors/{version.detector_id}/versions/{version.pk}/"
    assert "being flagged" in text_of(client_of(cast.reader).get(address))
    follow()
    flag = RecallFlag.objects.get()
    assert (flag.case, flag.findings, flag.cited) == (made, 1, 0)
    assert "is recalled: It counted retries twice" in Notice.objects.get(key=f"recall:{flag.pk}").text
    assert LogEntry.objects.filter(action="recall.flagged", scope=made.pk).count() == 1
    page = text_of(client_of(cast.reader).get(address))
    assert ("being flagged" in page, "flagged" in page) == (False, True)
    [listed] = api_of(cast.reader).get(f"/api/v1/cases/{made.ref}/recalls/").json()["results"]
    assert (listed["id"], listed["findings"]) == (str(flag.pk), 1)
    again()
    assert RecallFlag.objects.count() == 1


def comes_back(case: Case, cast: Cast, gone: Detachment) -> None:
    actions.attach_again(gone, actor=cast.analyst)


def joins(case: Case, cast: Cast, gone: Detachment | None = None) -> None:
    actions.join_case(make_lead(provider_ids(3, "other")), case, actor=cast.analyst)


def takes_a_newer_version(case: Case, cast: Cast, gone: Detachment) -> None:
    answer_version(NewerVersion.objects.get(case=case), actor=cast.analyst, kind="taken")


@pytest.mark.parametrize("act", [comes_back, joins, takes_a_newer_version])
def test_case_that_comes_to_rest_on_it_after_the_recall_is_flagged(
    case: Case, committed_cast: Cast, act: Callable[[Case, Cast, Detachment], None]
) -> None:
    cast, version = committed_cast, version_under(case)
    newer_version(case)
    held = case.clusters.get().cluster
    gone = actions.detach_cluster(case, held, actor=cast.analyst, reason="Another operation")
    recall(version)
    assert not RecallFlag.objects.exists()
    act(case, cast, gone)
    follow()
    again()
    assert RecallFlag.objects.get().findings == 1


def test_answered_case_that_comes_to_rest_on_more_is_flagged_again(case: Case, committed_cast: Cast) -> None:
    cast = committed_cast
    recall(version_under(case))
    joins(case, cast)
    follow()
    assert RecallFlag.objects.get().findings == 1  # it waits for its answer already
    answer(case, cast)
    again()
    assert [flag.findings for flag in RecallFlag.objects.order_by("at")] == [1, 2]
    assert needs(case)[0] == "an answer to the recall of shared_attribute 1.0.0"
    answer(case, cast)
    again()
    assert RecallFlag.objects.count() == 2


def test_nothing_is_flagged_of_a_recall_that_was_taken_back(case: Case, committed_cast: Cast) -> None:
    found = detector_verbs.recall_version(version_under(case), actor="user:admin", reason="It counted twice")
    detector_verbs.reinstate_version(found, actor="user:admin", reason="It was right")
    follow()
    opened(make_lead(provider_ids(3, "other")), committed_cast)
    follow()
    assert not RecallFlag.objects.exists()


def test_case_whose_opening_is_committed_after_the_job_looked_is_flagged(committed_cast: Cast, no_broker: None) -> None:
    cast, lead = committed_cast, make_lead()
    version = DetectorVersion.objects.select_related("detector").get(detector__name="shared_attribute")
    looked, written = threading.Event(), threading.Event()

    def opens() -> Case:
        with transaction.atomic():
            made = opened(lead, cast)
            written.set()
            assert looked.wait(timeout=30)
        return made

    def recalls_meanwhile() -> VersionRecall:
        assert written.wait(timeout=30)
        found = recall(version)
        looked.set()
        return found

    def act(person: User) -> object:
        return opens() if person == cast.analyst else recalls_meanwhile()

    outcomes = dict(at_once(act, cast.analyst, cast.admin))
    assert isinstance(outcomes[cast.analyst], Case), outcomes
    assert not RecallFlag.objects.exists()
    follow()
    assert RecallFlag.objects.get().case == outcomes[cast.analyst]


def test_job_and_follow_up_at_once_flag_a_case_once(case: Case, committed_cast: Cast) -> None:
    cast = committed_cast
    found = detector_verbs.recall_version(version_under(case), actor="user:admin", reason="It counted twice")

    def act(person: User) -> object:
        return outbox.relay_all() if person == cast.analyst else recalls.flag(found)

    outcomes = at_once(act, cast.analyst, cast.admin)
    assert not [one for _, one in outcomes if isinstance(one, Exception)], outcomes
    follow()
    assert RecallFlag.objects.count() == 1
    assert LogEntry.objects.filter(action="recall.flagged").count() == 1


def test_every_list_of_what_leans_on_it_is_whole_on_page_and_api(
    case: Case, committed_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = committed_cast
    others = [make_case(cast, accounts=provider_ids(2, f"more{number}")) for number in range(2)]
    hidden = make_case(cast, accounts=provider_ids(2, "hidden"))
    actions.restrict_case(hidden, actor=cast.lead, reason="Few need to know", people=[])
    recall(version_under(case))
    reader, refs = client_of(cast.reader), {case.ref, *(one.ref for one in others)}
    page = reader.get(address(case))
    totals = {one["name"]: one["total"] for one in page.context["lists"]}
    assert totals == {"clusters": 4, "leads": 3, "cases": 3, "dossiers": 0, "disclosures": 0}
    [clusters] = [one["rows"] for one in page.context["lists"] if one["name"] == "clusters"]
    assert [row["lead"] is None for row in clusters].count(True) == 1  # of the restricted case

    monkeypatch.setattr(views, "SHOWN", 2)
    page = reader.get(address(case))
    assert "Show all 3 cases" in text_of(page)
    first = reader.get(address(case), {"list": "cases"})
    [cases] = [one for one in first.context["lists"] if "rows" in one]
    second = reader.get(cases["pages"]["next_url"])
    [more] = [one for one in second.context["lists"] if "rows" in one]
    assert {row["case"].ref for row in (*cases["rows"], *more["rows"])} == refs
    assert (len(more["rows"]), more["pages"]["next_url"], "list=cases" in more["pages"]["previous_url"]) == (
        1,
        "",
        True,
    )
    assert reader.get(address(case), {"list": "cases", "cursor": "odd"}).status_code == 422

    api, path = api_of(cast.reader), f"/api/v1{address(case)}leaning/"
    body = api.get(path, {"page_size": 2}).json()
    rest = api.get(body["next"]).json()
    assert {row["case"] for row in (*body["results"], *rest["results"])} == refs
    assert (len(body["results"]), rest["next"]) == (2, None)
    assert len(api.get(path, {"kind": "clusters"}).json()["results"]) == 4
    assert {row["case"] for row in api.get(path, {"kind": "leads"}).json()["results"]} == {None}
    assert api.get(path, {"kind": "findings"}).status_code == 400
    assert api_of(cast.admin).get(path).status_code == 403


def test_dossiers_and_disclosures_that_lean_on_it_are_listed(sealed: DossierVersion, committed_cast: Cast) -> None:
    cast = committed_cast
    ask = disclosures.ask_disclosure(sealed, actor=cast.analyst, channel="by hand")
    disclosures.release_disclosure(ask, actor=cast.lead)
    recall(version_under(sealed.case))
    page = text_of(client_of(cast.reader).get(address(sealed.case), {"list": "disclosures"}))
    assert ("Draft of the notice" in page, "Show all lists" in page) == (True, True)
    assert sealed.bag_name in text_of(client_of(cast.reader).get(address(sealed.case), {"list": "dossiers"}))
    path = f"/api/v1{address(sealed.case)}leaning/"
    for kind, pk, name in (("dossiers", sealed.pk, sealed.bag_name), ("disclosures", ask.pk, ask.recipient_name)):
        [row] = api_of(cast.reader).get(path, {"kind": kind}).json()["results"]
        assert (row["id"], row["name"], row["case"]) == (str(pk), name, sealed.case.ref)


def test_no_draft_without_a_disclosure(case: Case) -> None:
    recall(version_under(case))
    assert not RecallDraft.objects.exists()
