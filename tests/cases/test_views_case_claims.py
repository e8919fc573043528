"""The Claims tab: judging with citations, answering, refusals at their field, two people at once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cases import actions
from cases.models import Case, Citation, EvidenceItem, Judgement
from detection.models import Finding
from spine.models import LogEntry
from tests.cases.pages import client_of, sent_by, text_of
from tests.factories import Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db
WORDS: dict[str, Any] = {
    "likelihood": "likely",
    "confidence": "low",
    "rationale": "One payment fingerprint ties them.",
    "alternatives": "A company that pays for its staff.",
}


@pytest.fixture
def analyst(cast: Cast) -> Client:
    return client_of(cast.analyst)


def claims(client: Client, case: Case, query: str = "") -> Any:
    return client.get(reverse("case_claims", args=[case.ref]) + query)


def form_of(response: Any, letter: str) -> Any:
    return next(claim["form"] for claim in response.context["claims"] if claim["letter"] == letter)


def judge(client: Client, case: Case, letter: str = "b", **data: Any) -> Any:
    return client.post(reverse("judge", args=[case.ref, letter]), {**WORDS, **data})


def test_a_claim_is_judged_with_evidence_for_and_against(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    exhibit, finding = add_exhibit(case, cast.analyst), Finding.objects.get()
    cited = {
        f"side-evidence-{exhibit.pk}": "for",
        f"side-finding-{finding.pk}": "against",
        f"note-finding-{finding.pk}": "a family card would look alike",
    }
    response = judge(analyst, case, **cited)
    assert response["Location"] == f"/cases/{case.ref}/claims/#claim-b"
    rows = Citation.objects.order_by("side").values_list("side", "evidence", "finding", "note")
    assert list(rows) == [
        ("against", None, finding.pk, "a family card would look alike"),
        ("for", exhibit.pk, None, ""),
    ]
    entry = LogEntry.objects.filter(scope=case.id).latest("at")
    assert (entry.actor, entry.action, entry.data["citations"]) == ("user:analyst", "judgement.made", 2)
    shown = next(claim for claim in claims(analyst, case).context["claims"] if claim["letter"] == "b")
    assert shown["citations_for"][0]["address"] == f"/cases/{case.ref}/evidence/#exhibit-1"
    assert shown["citations_against"][0]["address"] == f"/cases/{case.ref}/findings/?open={finding.pk}"


def test_judging_again_starts_from_what_stands_and_keeps_the_earlier(analyst: Client, cast: Cast) -> None:
    case = make_case(cast, stage="judged")
    sent = sent_by(form_of(claims(analyst, case), "b"))
    exhibit = EvidenceItem.objects.get()
    assert (sent["likelihood"], sent[f"side-evidence-{exhibit.pk}"]) == ("likely", "for")
    assert judge(analyst, case, **{**sent, "likelihood": "very_likely"}).status_code == 302
    shown = next(claim for claim in claims(analyst, case).context["claims"] if claim["letter"] == "b")
    assert (shown["judgement"].likelihood, [old.likelihood for old in shown["history"]]) == ("very_likely", ["likely"])


def test_the_slower_of_two_sees_who_judged_and_may_decide_again(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    actions.judge(case, actor=cast.counsel, claim="b", **{**WORDS, "likelihood": "unlikely"})
    refused = judge(analyst, case, rationale="My own words.")
    form = form_of(refused, "b")
    assert (refused.status_code, form["rationale"].value()) == (409, "My own words.")
    assert "is now: unlikely (by counsel" in text_of(refused)
    assert form["supersedes"].value() == str(Judgement.objects.get().pk)
    assert judge(analyst, case, **sent_by(form)).status_code == 302
    assert Judgement.objects.count() == 2


def test_words_off_the_ladder_are_refused_beside_their_field(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    refused = judge(analyst, case, rationale="They probably share a card.")
    assert (refused.status_code, list(form_of(refused, "b").errors)) == (422, ["rationale"])
    assert form_of(refused, "b")["rationale"].value() == "They probably share a card."
    assert Judgement.objects.count() == 0


def test_a_finding_is_brought_from_its_drawer_and_one_of_another_case_is_not(analyst: Client, cast: Cast) -> None:
    case, other = make_case(cast), make_case(cast, accounts=["else-0001", "else-0002"])
    foreign = Finding.objects.get(clusters__cluster__cases__case=other)
    offered = form_of(claims(analyst, case, f"?cite=finding-{foreign.pk}&cite=x"), "a").items
    assert [item.kind for item in offered] == ["cluster", "finding"]
    assert judge(analyst, case, **{f"side-finding-{foreign.pk}": "for"}).status_code == 302
    assert Citation.objects.count() == 0


def test_an_explanation_is_answered_once_and_the_slower_is_told(analyst: Client, cast: Cast) -> None:
    case = make_case(cast)
    address = reverse("answer_alternative", args=[case.ref, "reseller"])
    data = {"state": "ruled_out", "reason": "The prompts do not fit it."}
    assert analyst.post(address, data)["Location"] == f"/cases/{case.ref}/claims/#alternative-reseller"
    entry = LogEntry.objects.filter(scope=case.id).latest("at")
    assert (entry.action, entry.data["state"]) == ("alternative.answered", "ruled_out")
    slower = client_of(cast.lead).post(address, {**data, "state": "supported"})
    row = next(one for one in slower.context["alternatives"] if one["slug"] == "reseller")
    assert (slower.status_code, row["form"]["state"].value(), "by analyst" in row["conflict"]) == (
        409,
        "supported",
        True,
    )


def test_readers_and_strangers_judge_nothing_and_odd_letters_are_not_there(cast: Cast) -> None:
    case = make_case(cast)
    assert [judge(client_of(one), case).status_code for one in (cast.reader, cast.admin)] == [403, 404]
    assert judge(client_of(cast.analyst), case, "z").status_code == 404
    odd = reverse("answer_alternative", args=[case.ref, "magic"])
    assert client_of(cast.analyst).post(odd).status_code == 404
    assert all(claim["form"] is None for claim in claims(client_of(cast.reader), case).context["claims"])
