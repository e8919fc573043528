"""The lead page: what it shows, every decision by its form, refusals and lost races with the input kept."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from cases import actions, leads
from cases.models import Case, Lead
from cases.views import lead_drawing
from config.embedded import postgres
from detection import ingest
from detection.models import Answer, ClusterFinding, DetectorVersion, Finding
from spine import log
from spine.models import Job, LogEntry
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.detection.drawn import FRAME, add_exchanges, make_drawn_lead, make_template_lead
from tests.detection.registered import make_measure
from tests.detection.samples import finding
from tests.factories import Cast, make_case, make_lead, make_run, provider_ids, run_job
from tests.servers import HOME

pytestmark = pytest.mark.django_db
VERBS = ("open_case", "join_case", "snooze_lead", "reject_lead", "assign_lead", "draw_lead", "keep_apart")
DOWNLOAD = "download_lead_accounts"


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


@pytest.fixture
def lead(cast: Cast) -> Lead:
    return make_lead(3)


def page(client: Client, lead: Lead) -> Any:
    return client.get(reverse("lead", args=[lead.pk]))


def send(client: Client, name: str, lead: Lead, **data: Any) -> Any:
    """Post what the page's form would send, with these fields filled in."""
    forms = {"open_case": "open_form", "join_case": "join_form", "reject_lead": "reject_form"}
    forms |= {"assign_lead": "assign_form", "reopen_lead": "reopen_form"}
    shown = sent_by(page(client, lead).context[forms[name]])
    return client.post(reverse(name, args=[lead.pk]), {**shown, **data})


def newest() -> tuple[str, str]:
    entry = LogEntry.objects.latest("at")
    return entry.actor, entry.action


def test_the_page_shows_what_is_shared_and_how_rare_that_is(analyst: Client, lead: Lead) -> None:
    context = page(analyst, lead).context
    assert [(one["accounts"], one["holders"], one["population"]) for one in context["links"]] == [(3, 3, 2481)]
    assert [row["account"].pseudonym for row in context["members"]] == [
        member.account.pseudonym for member in lead.cluster.members.order_by("-strength", "-exchanges", "id")
    ]
    assert len(context["chart"].rows) == 10


def test_the_page_never_shows_a_providers_account_id(analyst: Client, lead: Lead) -> None:
    for response in (page(analyst, lead), page(analyst, make_lead(["acct-9000", "acct-9001"], title="t"))):
        assert [one for one in [*provider_ids(3), "acct-9000"] if one in text_of(response)] == []


@pytest.mark.django_db(transaction=True)
def test_invisible_and_reordering_characters_are_shown(analyst: Client, lead: Lead) -> None:
    with postgres.connect(HOME) as owner:  # the program itself changes no value: one goes for a certificate alone
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE detection_attribute SET value = %s", ["203.0.113.9\u202e\u200b"])
    shown = text_of(page(analyst, lead))
    assert ("203.0.113.9⟨U+202E⟩⟨U+200B⟩" in shown, "\u202e" in shown, "\u200b" in shown) == (True, False, False)


def test_a_reader_is_offered_no_decision(cast: Cast, lead: Lead) -> None:
    assert forms_of(page(client_of(cast.reader), lead)) == set()
    assert forms_of(page(client_of(cast.analyst), lead)) == {
        reverse(name, args=[lead.pk]) for name in (*VERBS, DOWNLOAD)
    }
    assert forms_of(page(client_of(cast.counsel), lead)) == {reverse(DOWNLOAD, args=[lead.pk])}


def test_opening_a_case_leads_to_it(analyst: Client, lead: Lead) -> None:
    response = send(analyst, "open_case", lead, title="Suspected collection", summary="")
    case = Case.objects.get()
    assert (response["Location"], case.accounts.count(), newest()[1]) == (f"/cases/{case.ref}/", 3, "case.opened")


def test_joining_a_case_adds_its_accounts(cast: Cast, analyst: Client, lead: Lead) -> None:
    case = make_case(cast, accounts=provider_ids(2, "b"))
    response = send(analyst, "join_case", lead, case=case.ref)
    assert (response["Location"], case.accounts.count()) == (f"/cases/{case.ref}/", 5)


def test_rejecting_and_putting_back(analyst: Client, lead: Lead) -> None:
    assert send(analyst, "reject_lead", lead, reason="evaluation", note="Their harness.").status_code == 302
    offered = {reverse(name, args=[lead.pk]) for name in ("reopen_lead", "draw_lead", "keep_apart", DOWNLOAD)}
    assert forms_of(page(analyst, lead)) == offered
    assert send(analyst, "reopen_lead", lead, note="Looked again.").status_code == 302
    lead.refresh_from_db()
    assert (lead.state, newest()) == ("waiting", ("user:analyst", "lead.reopened"))


def test_taking_a_lead_and_giving_it_on(cast: Cast, analyst: Client, lead: Lead) -> None:
    assert send(analyst, "assign_lead", lead, assignee=cast.analyst.pk).status_code == 302
    assert page(analyst, lead).context["taken_by_me"]
    assert send(analyst, "assign_lead", lead, assignee=cast.lead.pk).status_code == 302
    lead.refresh_from_db()
    assert (lead.assignee, newest()) == (cast.lead, ("user:analyst", "lead.assigned"))


@pytest.mark.parametrize("role", ["counsel", "reader", "admin"])
def test_a_lead_is_given_to_nobody_who_may_not_decide(role: str, cast: Cast, analyst: Client, lead: Lead) -> None:
    response = send(analyst, "assign_lead", lead, assignee=getattr(cast, role).pk)
    assert (response.status_code, list(response.context["assign_form"].errors)) == (422, ["assignee"])


def test_a_rule_that_says_no_keeps_the_input(analyst: Client, lead: Lead) -> None:
    response = send(analyst, "open_case", lead, title="Accounts of a thief", summary="A\r\nsummary")
    form = response.context["open_form"]
    assert (response.status_code, list(form.errors)) == (422, ["title"])
    assert (form["title"].value(), form["summary"].value()) == ("Accounts of a thief", "A\r\nsummary")
    assert Case.objects.count() == 0


def test_a_form_that_is_not_whole_keeps_the_input(analyst: Client, lead: Lead) -> None:
    response = send(analyst, "reject_lead", lead, reason="", note="Kept.")
    assert (response.status_code, response.context["reject_form"]["note"].value()) == (422, "Kept.")
    other = send(analyst, "reject_lead", lead, reason="other", note="")
    assert (other.status_code, list(other.context["reject_form"].errors)) == (422, ["note"])


def test_who_comes_second_is_told_who_was_first(cast: Cast, analyst: Client, lead: Lead) -> None:
    seen = sent_by(page(analyst, lead).context["reject_form"])
    actions.open_case(lead, actor=cast.lead, title="Accounts that pay alike")
    sent = {**seen, "reason": "evaluation", "note": "Kept."}
    response = analyst.post(reverse("reject_lead", args=[lead.pk]), sent)
    assert (response.status_code, response.context["reject_form"]["note"].value()) == (409, "Kept.")
    assert "(by lead, " in response.context["refusal"].message
    assert newest() == ("user:lead", "case.opened")


def test_a_newer_run_is_told_and_sending_again_decides_about_it(analyst: Client, lead: Lead) -> None:
    seen = sent_by(page(analyst, lead).context["open_form"])
    leads.on_run_finished({"run": str(make_run(provider_ids(4)).pk)})
    address = reverse("open_case", args=[lead.pk])
    response = analyst.post(address, {**seen, "title": "My title"})
    assert (response.status_code, Case.objects.count()) == (409, 0)
    again = sent_by(response.context["open_form"])
    assert (again["title"], analyst.post(address, again).status_code) == ("My title", 302)
    assert Case.objects.get().accounts.count() == 4


def test_a_lead_that_somebody_else_took_is_not_taken_over_unseen(cast: Cast, analyst: Client, lead: Lead) -> None:
    seen = {"assignee": cast.analyst.pk, "expected": ""}
    actions.assign_lead(lead, actor=cast.lead, to=cast.lead, expected=None)
    response = analyst.post(reverse("assign_lead", args=[lead.pk]), seen)
    form = response.context["assign_form"]
    assert (response.status_code, form["expected"].value()) == (409, str(cast.lead.pk))
    lead.refresh_from_db()
    assert lead.assignee == cast.lead


def test_a_closed_case_cannot_be_joined(cast: Cast, analyst: Client, lead: Lead) -> None:
    case = make_case(cast, stage="closed", accounts=provider_ids(2, "b"))
    response = send(analyst, "join_case", lead, case=case.ref)
    assert (response.status_code, list(response.context["join_form"].errors)) == (422, ["case"])


@pytest.mark.parametrize("name", [*VERBS, "reopen_lead"])
def test_an_address_that_takes_a_post_leads_to_the_lead_otherwise(name: str, cast: Cast, lead: Lead) -> None:
    response = client_of(cast.reader).get(reverse(name, args=[lead.pk]))
    assert response["Location"] == reverse("lead", args=[lead.pk])


def test_one_member_and_three_members_cost_the_same_queries(analyst: Client) -> None:
    small, large = make_lead(provider_ids(1, "a")), make_lead(provider_ids(3, "b"))
    page(analyst, small)
    with CaptureQueriesContext(connection) as one:
        page(analyst, small)
    with CaptureQueriesContext(connection) as three:
        page(analyst, large)
    assert len(three) == len(one)


def test_a_reason_that_is_a_test_says_what_chance_would_do(analyst: Client) -> None:
    reasons = [
        {
            "text": "Of 17 accounts 15 were registered on one day.",
            "weight": 8,
            "feature": "test.registration",
            "value": 14,
        },
        {"text": "6 templates in common.", "weight": 4, "feature": "common_templates", "value": 6},
        {"text": "Of 17 accounts 15 share a key.", "weight": 7, "feature": "test.ring", "value": 7},
        {"text": "3.0 times as many networks.", "weight": 3, "feature": "test.roaming", "value": 9},
    ]
    lead = make_lead(3, assessment_detail={"reasons_for": reasons, "reasons_against": reasons[:1]})
    detail = page(analyst, lead).context["detail"]
    once = "by chance less than once in a million such groups"
    assert [one["chance"] for one in detail["reasons_for"]] == [once, "", "", ""]
    assert [one["chance"] for one in detail["reasons_against"]] == [once]


def test_look_alikes_stand_as_fitting_not_seen_or_not_checked(analyst: Client) -> None:
    alike = [
        {"name": name, "fits": fits, "text": "Figures."}
        for name, fits in (("harness", True), ("class", False), ("reseller", None))
    ]
    lead = make_lead(3, assessment_detail={"look_alikes": alike})
    shown = analyst.get(reverse("lead", args=[lead.pk])).content.decode()
    card = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown.split('id="alike-title"')[1].split("</section>")[0]))
    assert "harness fits Figures. class does not explain it by itself Figures. reseller could not be checked" in card


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("coordinated_extraction", ["consistent with", "score 0.975"]),
        ("cannot_tell", []),
        ("shared_egress", ["consistent with"]),
    ],
)
def test_score_stands_where_it_was_counted_alone(label: str, shown: list[str], analyst: Client) -> None:
    lead = make_lead(3, assessment=label, score=0.975)
    head = analyst.get(reverse("lead", args=[lead.pk])).content.decode().split('class="figures"')[0]
    assert [words for words in ("consistent with", "score 0.975") if words in head] == shown


def test_that_nothing_speaks_against_a_suspicion_is_said(analyst: Client) -> None:
    lead = make_lead(3, assessment_detail={"reasons_for": [], "reasons_against": []})
    shown = analyst.get(reverse("lead", args=[lead.pk])).content.decode()
    assert "Nothing that programs looked at does." in shown.split('id="against-title"')[1].split("</section>")[0]


def test_what_detectors_could_not_tell_stands_on_the_page(analyst: Client) -> None:
    lead = make_lead(3)
    version = DetectorVersion.objects.get()
    answer = Answer(run=lead.cluster.run, detector_version=version, status="could_not_tell", reason="No column ip.")
    with transaction.atomic():
        log.record(actor="system:test", action="run.finished", about=lead.cluster.run, data={}, rows=[answer])
    assert page(analyst, lead).context["untold"] == [{"detector": "shared_attribute", "reason": "No column ip."}]


@pytest.mark.django_db(transaction=True)
def test_the_page_leads_to_the_run_and_says_how_often_its_detectors_name_the_innocent(
    analyst: Client, lead: Lead
) -> None:
    assert "1 finding here. On a benign reference: not measured." in text_of(page(analyst, lead))
    version = DetectorVersion.objects.get()
    for named in (9, 3):
        make_measure(version, named=named)
    shown = text_of(page(analyst, lead))
    assert reverse("run", args=[lead.cluster.run_id]) in shown
    assert reverse("detector_version", args=[version.detector_id, version.pk]) in shown
    assert "On a benign reference: 3 of 1,516 accounts: 0.2% (0.1% – 0.6%), benign-1" in shown


def test_one_detector_and_three_cost_the_same_queries(analyst: Client, lead: Lead) -> None:
    page(analyst, lead)
    with CaptureQueriesContext(connection) as one:
        page(analyst, lead)
    for uid in ("a", "b"):
        document = {**finding(uid), "detector": {"name": f"detector-{uid}", "version": "1"}}
        ingest.store([document], actor="system:test", detector=f"detector-{uid}")
        rows = [ClusterFinding(cluster=lead.cluster, finding=Finding.objects.get(uid=uid))]
        with transaction.atomic():
            log.record(actor="system:test", action="run.finished", data={"clusters": 1}, rows=rows)
        make_measure(DetectorVersion.objects.get(detector__name=f"detector-{uid}"))
    with CaptureQueriesContext(connection) as three:
        shown = page(analyst, lead)
    assert [row["version"].detector.name for row in shown.context["detectors"]] == [
        "detector-a",
        "detector-b",
        "shared_attribute",
    ]
    assert len(three) == len(one)


def test_a_lead_is_drawn_when_asked_and_shows_hours_and_examples(analyst: Client, no_broker: None) -> None:
    lead = make_template_lead(provider_ids(3))
    add_exchanges([(account, timezone.now() - timedelta(hours=2)) for account in provider_ids(3)])
    assert page(analyst, lead).context["hours"] is None
    assert analyst.post(reverse("draw_lead", args=[lead.pk])).status_code == 302
    job = Job.objects.get(kind="clusters.draw")
    assert f'hx-get="/jobs/{job.pk}/"' in text_of(page(analyst, lead))
    run_job(job)
    shown = page(analyst, lead).context
    assert (len(shown["hours"]["rows"]), shown["hours"]["total"], shown["drawing_job"]) == (3, 3, None)
    assert [(one["frame"], one["rare"]) for one in shown["examples"]] == [(FRAME, "100% of accounts")]
    assert analyst.post(reverse("draw_lead", args=[lead.pk])).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_an_account_id_in_an_example_is_masked(analyst: Client, no_broker: None) -> None:
    lead = make_drawn_lead(["acct-7701", "acct-7702"], frame="greet acct-7701 kindly: …")
    assert ("acct-7701" in text_of(page(analyst, lead)), "kindly" in text_of(page(analyst, lead))) == (False, True)


@pytest.mark.django_db(transaction=True)
def test_a_drawing_that_failed_says_so_and_is_tried_again(cast: Cast, analyst: Client, no_broker: None) -> None:
    lead = make_lead(3)
    analyst.post(reverse("draw_lead", args=[lead.pk]))
    Job.objects.update(state="failed", error="OSError: the disk is full")
    shown = text_of(page(analyst, lead))
    assert ("the disk is full" in shown, "could not be drawn" in shown, "Try again" in shown) == (True, True, True)
    assert forms_of(page(client_of(cast.reader), lead)) == set()
    analyst.post(reverse("draw_lead", args=[lead.pk]))
    assert [job.state for job in Job.objects.order_by("created_at")] == ["failed", "queued"]


def test_shades_tell_a_quiet_hour_from_an_empty_one() -> None:
    assert [lead_drawing.shade(n, 1000) for n in (0, 1, 40, 41, 160, 161, 1000)] == [0, 1, 1, 2, 2, 3, 5]
    assert lead_drawing.shade(1, 1) == 5
