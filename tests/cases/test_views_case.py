"""The case's head and summary: who sees what, edit, assign, move, refusals and lost races."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cases import actions
from cases.models import Case
from spine.models import LogEntry
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.factories import Cast, make_case, provider_ids

pytestmark = pytest.mark.django_db
TABS = ("case", "case_claims", "case_accounts", "case_findings", "case_timeline", "case_evidence", "case_dossiers")
READ = (*TABS, "case_log")
WRITES = ("edit_case", "assign_case", "move_case", "add_evidence", "freeze_dossier", "case_accounts", "case_timeline")


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def post(client: Client, name: str, case: Case, **data: Any) -> Any:
    return client.post(reverse(name, args=[case.ref]), data)


def newest(case: Case) -> tuple[str, str]:
    entry = LogEntry.objects.filter(scope=case.id).latest("at")
    return entry.actor, entry.action


def test_a_tab_is_there_for_whoever_reads_cases_and_for_nobody_else(cast: Cast) -> None:
    case, clients = make_case(cast, stage="judged"), [client_of(person) for person in cast.all()]
    for tab in READ:
        address = reverse(tab, args=[case.ref])
        assert (tab, [client.get(address).status_code for client in clients]) == (tab, [404, 200, 200, 200, 200])
        assert Client().get(address)["Location"] == f"{reverse('sign_in')}?next={address}"
        assert clients[2].get(reverse(tab, args=["RT-2026-00000"])).status_code == 404


def test_no_tab_offers_a_reader_a_form(cast: Cast) -> None:
    case, reader, analyst = make_case(cast, stage="judged"), client_of(cast.reader), client_of(cast.analyst)
    for tab in READ:
        address = reverse(tab, args=[case.ref])
        assert (tab, forms_of(reader.get(address))) == (tab, set())
        assert forms_of(analyst.get(address)) >= {f"/cases/{case.ref}/{verb}/" for verb in ("edit", "assign", "move")}


def test_a_reader_may_not_write_and_a_stranger_finds_nothing(cast: Cast) -> None:
    case, clients = make_case(cast), [client_of(person) for person in cast.all()]
    before = LogEntry.objects.count()
    for name in WRITES:
        # An empty form: whoever may write is told that it is not whole.
        answers = [post(client, name, case).status_code for client in clients]
        told = 409 if name == "assign_case" else 422  # nobody to nobody, while the analyst has it
        assert (name, answers) == (name, [404, told, told, told, 403])
        assert post(Client(), name, case)["Location"].startswith(reverse("sign_in"))
    assert LogEntry.objects.count() == before


def test_an_address_that_takes_a_post_leads_to_its_tab_otherwise(cast: Cast) -> None:
    case, reader = make_case(cast), client_of(cast.reader)
    for name in ("edit_case", "assign_case", "move_case", "add_evidence", "freeze_dossier"):
        response = reader.get(reverse(name, args=[case.ref]))
        assert (response.status_code, response["Location"].startswith(f"/cases/{case.ref}/")) == (302, True)


def test_the_summary_shows_figures_by_rule_and_what_is_missing(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, accounts=3)
    context = analyst.get(reverse("case", args=[case.ref])).context
    values = {one["name"]: (one["value"], one["address"]) for one in context["figures"]}
    accounts = f"/cases/{case.ref}/accounts/"
    assert values["accounts without a verdict"] == ("3", f"{accounts}?verdict=none")
    assert values["accounts assessed as actor-controlled"] == ("0", f"{accounts}?verdict=actor_controlled")
    assert (len(context["missing"]), len(context["alternatives"]), len(context["claims"])) == (17, 10, 6)
    assert context["missing"][2]["address"] == f"/cases/{case.ref}/claims/#claim-a"


def test_the_head_says_who_may_read_where_it_stands_and_why_now(analyst: Client, cast: Cast) -> None:
    older, case = make_case(cast), make_case(cast, stage="judged", accounts=provider_ids(2, "other"))
    context = analyst.get(reverse("case_claims", args=[case.ref])).context
    assert (context["readers"], context["why_now"]) == (4, "nothing is missing: it can be escalated")
    place = {"previous_url": "", "next_url": f"/cases/{older.ref}/claims/", "place": 1, "total": 2}
    assert context["list_place"] == place
    assert [step["state"] for step in context["steps"]] == ["done", "current", "next", "next"]
    assert [tab["label"] for tab in context["tabs"] if tab["current"]] == ["Claims"]


def test_the_rail_adds_up(analyst: Client, cast: Cast) -> None:
    rail = analyst.get(reverse("case_log", args=[make_case(cast, stage="judged").ref])).context["rail"]
    counts = {row["slug"]: row["count"] for row in rail["verdicts"] if row["count"]}
    assert (counts, rail["accounts"], rail["exchanges"]) == ({"actor_controlled": 4}, 4, 400)
    assert rail["models"] == [("aster-2", 240), ("aster-1", 160)]


@pytest.mark.parametrize(
    ("label", "score"), [("coordinated_extraction", 0.975), ("cannot_tell", None), ("reseller_pool", None)]
)
def test_the_rail_shows_a_score_where_it_was_counted_alone(
    label: str, score: float | None, analyst: Client, cast: Cast
) -> None:
    case = make_case(cast, assessment=label, score=0.975)
    page = analyst.get(reverse("case", args=[case.ref]))
    assert page.context["rail"]["score"] == score
    assert ("0.975" in text_of(page)) == (score is not None)


def test_the_summary_form_edits_what_its_reader_saw(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    sent = sent_by(analyst.get(reverse("case", args=[case.ref])).context["summary_form"])
    response = post(analyst, "edit_case", case, **{**sent, "summary": "One suspicion.\r\nTwo lines of it."})
    case.refresh_from_db()
    assert (response["Location"], case.summary) == (f"/cases/{case.ref}/", "One suspicion.\nTwo lines of it.")
    sent = sent_by(analyst.get(reverse("case", args=[case.ref])).context["summary_form"])
    again = post(
        analyst, "edit_case", case, **{**sent, "seen_summary": "One suspicion.\r\nTwo lines of it.", "title": "B"}
    )
    assert (again.status_code, newest(case)) == (302, ("user:analyst", "case.edited"))


def test_an_edit_that_lost_a_race_names_the_other_and_keeps_the_input(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    sent = sent_by(analyst.get(reverse("case", args=[case.ref])).context["summary_form"])
    actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, "Renamed meanwhile")})
    refused = post(analyst, "edit_case", case, **{**sent, "title": "My own title"})
    form = refused.context["summary_form"]
    assert (refused.status_code, form["title"].value(), form["seen_title"].value()) == (
        409,
        "My own title",
        "Renamed meanwhile",
    )
    assert "by lead" in refused.context["refusal"].message and "by lead" in text_of(refused)
    assert post(analyst, "edit_case", case, **sent_by(form)).status_code == 302


def test_words_that_accuse_are_refused_beside_their_field(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    sent = sent_by(analyst.get(reverse("case", args=[case.ref])).context["summary_form"])
    refused = post(analyst, "edit_case", case, **{**sent, "title": "The thieves"})
    assert (refused.status_code, list(refused.context["summary_form"].errors)) == (422, ["title"])


def test_the_marking_is_set_and_leads_back_to_the_tab(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    sent = sent_by(analyst.get(reverse("case_log", args=[case.ref])).context["marking_form"])
    response = post(analyst, "edit_case", case, **{**sent, "marking": "TLP:RED", "tab": "case_log"})
    case.refresh_from_db()
    assert (response["Location"], case.marking) == (f"/cases/{case.ref}/log/", "TLP:RED")


def test_a_case_is_taken_and_the_slower_is_told_who_has_it(cast: Cast) -> None:
    case, lead, counsel = make_case(cast), client_of(cast.lead), client_of(cast.counsel)
    seen = {"expected": str(cast.analyst.pk)}
    assert post(lead, "assign_case", case, assignee=str(cast.lead.pk), **seen).status_code == 302
    slower = post(counsel, "assign_case", case, assignee=str(cast.counsel.pk), **seen)
    case.refresh_from_db()
    assert (slower.status_code, case.assignee, newest(case)) == (409, cast.lead, ("user:lead", "case.assigned"))
    assert "now assigned to lead" in text_of(slower)
    assert slower.context["assign_form"]["expected"].value() == str(cast.lead.pk)


def test_only_people_who_may_work_on_a_case_are_offered(analyst: Client, cast: Cast) -> None:
    form = analyst.get(reverse("case", args=[make_case(cast).ref])).context["assign_form"]
    assert [person.username for person in form.fields["assignee"].queryset] == ["analyst", "counsel", "lead"]


def test_escalation_is_refused_with_the_list_of_what_is_missing(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, stage="investigating")
    moves = {one["slug"]: one["form"] for one in analyst.get(reverse("case", args=[case.ref])).context["moves"]}
    refused = post(analyst, "move_case", case, **{**sent_by(moves["escalated"]), "note": "now"})
    kept = {one["slug"]: one["form"] for one in refused.context["moves"]}["escalated"]
    assert (refused.status_code, len(refused.context["refusal"].missing)) == (422, 17)
    assert (kept["note"].value(), text_of(refused).count("a judgement on claim (a) the activity happened") >= 1) == (
        "now",
        True,
    )


def test_a_move_is_made_once_and_the_slower_is_told_by_whom(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    moves = {one["slug"]: one["form"] for one in analyst.get(reverse("case", args=[case.ref])).context["moves"]}
    sent = sent_by(moves["escalated"])
    assert post(client_of(cast.lead), "move_case", case, **sent).status_code == 302
    slower = post(analyst, "move_case", case, **{**sent, "note": "kept"})
    assert (slower.status_code, newest(case)) == (409, ("user:lead", "case.moved"))
    assert "by lead" in text_of(slower)
    assert [one["form"]["note"].value() for one in slower.context["moves"]] == ["kept", "kept"]


def test_a_closed_case_can_be_reopened_and_nothing_else(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, stage="closed")
    response = analyst.get(reverse("case", args=[case.ref]))
    assert forms_of(response) == {f"/cases/{case.ref}/move/"}
    assert response.context["why_now"] == "closed – handed over: a dossier went to those who decide"
    assert post(analyst, "move_case", case, to="investigating", expected_from="closed").status_code == 302


@pytest.mark.parametrize("tab", ["case", "case_timeline"])
def test_only_pages_with_a_chart_may_style_attributes(tab: str, analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    assert "style-src-attr 'unsafe-inline'" in analyst.get(reverse(tab, args=[case.ref]))["Content-Security-Policy"]
    plain = analyst.get(reverse("case_claims", args=[case.ref]))["Content-Security-Policy"]
    assert "unsafe-inline" not in plain
