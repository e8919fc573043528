"""A detector version is declared bad after its findings reached a case and a disclosed dossier."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from cases import actions, lifecycle, recalls
from cases.actions import disclosures, dossiers
from cases.actions.recalls import answer_recall
from cases.dossier.build import build
from cases.models import Case, Notice, RecallDraft, RecallFlag
from detection import detector_verbs, runs
from detection.records import Window
from spine import vault
from spine.errors import Conflict
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.keeping import everything_to, register
from tests.cases.pages import client_of, text_of
from tests.cases.recalling import recall, version_under
from tests.factories import START, Cast, make_case, provider_ids

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


def test_it_is_recalled_answered_and_reinstated_by_clicking(case: Case, committed_cast: Cast) -> None:
    cast = committed_cast
    admin, analyst = client_of(cast.admin), client_of(cast.analyst)
    said = text_of(admin.post(f"{address(case)}recall/", {"reason": "It counted twice"}, follow=True))
    assert "The version is recalled; what leans on it is being flagged." in said
    with transaction.atomic():
        recalls.flag(version_under(case).recalls.get())
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
    recalls.flag(version_under(case).recalls.get())
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


def test_who_got_a_dossier_that_leans_on_it_gets_a_draft_and_nobody_else(
    case: Case, committed_cast: Cast, checkpoints_apart: Path, tmp_path: Path
) -> None:
    cast = committed_cast
    version = dossiers.freeze(
        case,
        actor=cast.analyst,
        edition="counsel",
        recipient=register().name,
        basis=everything_to("committee").code,
    )
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    build(version, tmp_path, actor="user:analyst")
    ask = disclosures.ask_disclosure(version, actor=cast.analyst, channel="by hand")
    recall(version_under(case))
    assert not RecallDraft.objects.exists()  # nobody has it yet
    disclosures.release_disclosure(ask, actor=cast.lead)
    recalls.flag(version_under(case).recalls.get())
    draft = RecallDraft.objects.get()
    assert draft.text.startswith(f"To {ask.recipient_name}\n\n")
    assert f"the dossier {version.bag_name} (package SHA-256 {ask.package_sha256})" in draft.text
    assert "Concerned are 1 of the 1 findings of that dossier: F1." in draft.text
    assert draft.text.split("this reason: ")[1].startswith("It counted retries twice")
    page = text_of(client_of(cast.reader).get(f"/dossiers/{version.pk}/disclosures/"))
    assert "Draft of a notice: a detector version is recalled" in page
    [body] = api_of(cast.reader).get("/api/v1/disclosures/").json()["results"]
    assert body["recall_drafts"][0]["text"] == draft.text
    later = dossiers.freeze(case, actor=cast.analyst, edition="counsel")
    rows = json.loads(vault.read(later.snapshot_sha256))["findings"]["rows"]
    assert [(row["number"], row["recalled"], row["set_aside"]) for row in rows] == [(1, True, False)]


def test_no_draft_without_a_disclosure(case: Case) -> None:
    recall(version_under(case))
    assert not RecallDraft.objects.exists()
