"""Deconfliction on pages and over the API: the asker, the broker, the other side, strangers: each sees their part."""

import re
from typing import Any

import pytest
from django.urls import reverse

from cases.actions import deconfliction as verbs
from cases.models import BrokerTerm, Case, Introduction, Match, Question, Reply
from detection.models import Account
from people.models import User
from tests.cases.api import client_of as api_of
from tests.cases.deconflicting import ask, asking_case, compared, hidden_case, make_broker
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import Cast, make_case, provider_ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]
TITLE = "QX9TITLE of the operation"


@pytest.fixture
def broker(cast: Cast) -> User:
    return make_broker(cast)


@pytest.fixture
def hidden(cast: Cast) -> Case:
    case = hidden_case(cast)
    Case.objects.filter(pk=case.pk).update(title=TITLE)
    return case


@pytest.fixture
def case(cast: Cast, broker: User, hidden: Case) -> Case:
    return asking_case(cast)


def test_asked_answered_and_put_in_touch_on_the_pages(cast: Cast, broker: User, hidden: Case, case: Case) -> None:
    at = reverse("case_deconfliction", args=[case.ref])
    analyst, desk, lead = client_of(cast.analyst), client_of(broker), client_of(cast.lead)
    asked = analyst.post(at, {"about": "all", "reason": "They moved."}, follow=True)
    assert "asked, waits for the broker" in text_of(asked)
    question = Question.objects.get()
    [match] = compared(question)
    assert "waits for a broker" in text_of(desk.get("/deconfliction/"))
    page = reverse("desk_question", args=[question.pk])
    assert "Ask it first" in text_of(desk.get(page))
    desk.post(f"{page}matches/{match.pk}/ask/", {"words": "May I name you?"})
    told = lead.get(reverse("case_deconfliction", args=[hidden.ref]))
    assert "May I name you?" in text_of(told)
    reply = told.context["approaches"][0]["approach"]
    where = reverse("deconfliction_reply", args=[hidden.ref, reply.pk])
    assert lead.post(where, {}).status_code == 422
    lead.post(where, {"agrees": "yes", "words": "Gladly."})
    assert "Gladly." in text_of(desk.get(page))
    answered = {"value": "hit", "introduce": [str(match.pk)], "words": "Please talk."}
    assert desk.post(page, {**answered, "value": ""}).status_code == 422
    assert "Those whom you put in touch are told." in text_of(desk.post(page, answered, follow=True))
    assert desk.post(page, answered).status_code == 409
    assert "Hit: the broker will put you in touch" in text_of(analyst.get(at))
    assert "Talk to analyst." in text_of(analyst.get(at))  # who has the hidden case too
    assert "Talk to analyst." in text_of(lead.get(reverse("case_deconfliction", args=[hidden.ref])))
    assert "No question waits" in text_of(desk.get("/deconfliction/"))
    assert "No question waits" not in text_of(desk.get("/deconfliction/?state=all"))


def test_the_broker_is_shown_no_case_and_no_account(cast: Cast, broker: User, hidden: Case, case: Case) -> None:
    question = ask(case, cast.counsel)
    compared(question)
    Case.objects.filter(pk=case.pk).update(title=TITLE)
    names = [case.ref, hidden.ref, TITLE, "acct-000", str(case.pk), str(hidden.pk)]
    names += Account.objects.values_list("pseudonym", flat=True)
    page, api = client_of(broker), api_of(broker)
    bodies = [page.get("/deconfliction/"), page.get(f"/deconfliction/{question.pk}/"), page.get("/log/?q=deconf")]
    bodies += [api.get("/api/v1/deconfliction/"), api.get(f"/api/v1/deconfliction/{question.pk}/")]
    texts = [body.content.decode() for body in bodies]

    assert [body.status_code for body in bodies] == [200] * 5
    assert [name for name in names for text in (texts[0], texts[1], texts[3], texts[4]) if name in text] == []
    assert "analyst" in texts[1]  # whom to put in touch


def test_answer_without_an_introduction_says_that_the_asker_alone_sees_it(cast: Cast, broker: User, case: Case) -> None:
    asked = {"about": "all", "reason": "They moved."}
    client_of(cast.analyst).post(reverse("case_deconfliction", args=[case.ref]), asked)
    question = Question.objects.get()
    compared(question)
    page = reverse("desk_question", args=[question.pk])
    assert ('value="hit"' in text_of(client_of(broker).get(page))) == Match.objects.exists()
    said = text_of(client_of(broker).post(page, {"value": "no_hit", "why": "Too little."}, follow=True))
    assert f"Answered. {cast.analyst} sees it on their case." in said
    assert "put in touch are told" not in said


def test_before_the_answer_a_hit_and_no_hit_look_the_same_to_the_asker(cast: Cast, broker: User, case: Case) -> None:
    alone = make_case(cast, accounts=provider_ids(8, prefix="alone"))
    page, api = client_of(cast.analyst), api_of(cast.analyst)
    seen = []
    for one in (case, alone):
        compared(ask(one, cast.analyst))
        tab = re.sub(
            r'value="\w{64}"|<time.*?</time>', "", text_of(page.get(reverse("case_deconfliction", args=[one.ref])))
        )
        row = re.findall(r"<tbody>.*?</tbody>", tab, re.DOTALL)[-1]
        told = api.get(f"/api/v1/cases/{one.ref}/deconfliction/").json()["results"]
        log = [entry["sentence"] for entry in api.get(f"/api/v1/cases/{one.ref}/log/").json()["results"]][:1]
        seen.append((row, [{**line, "id": "", "at": ""} for line in told], log))

    assert seen[0] == seen[1]
    assert Match.objects.count() == 1


def test_strangers_find_no_desk_and_no_approach(cast: Cast, broker: User, hidden: Case, case: Case) -> None:
    question = ask(case, cast.analyst)
    [match] = compared(question)
    approach = verbs.approach(match, actor=broker, words="May I?")
    for person in cast.all():
        client = client_of(person)
        for path in ("/deconfliction/", f"/deconfliction/{question.pk}/"):
            assert client.get(path).status_code == 404
        assert client.post(f"/deconfliction/{question.pk}/matches/{match.pk}/ask/", {"words": "x"}).status_code == 404
        assert "Deconfliction</a>" not in text_of(client.get("/log/"))
    assert "Deconfliction</a>" in text_of(client_of(broker).get("/log/"))
    wrong = reverse("deconfliction_reply", args=[case.ref, approach.pk])  # of another case
    assert client_of(cast.analyst).post(wrong, {"agrees": "yes"}).status_code == 404
    assert not Reply.objects.exists()


def test_a_reader_sees_the_answer_and_no_form(cast: Cast, broker: User, case: Case) -> None:
    compared(ask(case, cast.analyst))
    page = client_of(cast.reader).get(reverse("case_deconfliction", args=[case.ref]))

    assert "asked, waits for the broker" in text_of(page)
    assert forms_of(page) == set()


def test_without_a_broker_the_tab_says_who_can_help(cast: Cast) -> None:
    page = client_of(cast.analyst).get(reverse("case_deconfliction", args=[asking_case(cast).ref]))

    assert "An administrator designates a broker" in text_of(page)


def test_an_administrator_keeps_the_register_on_the_page(cast: Cast) -> None:
    client = client_of(cast.admin)
    assert "No broker" in text_of(client.get("/brokers/"))
    assert client.post("/brokers/", {"person": cast.admin.pk, "reason": "x"}).status_code == 422
    client.post("/brokers/", {"person": cast.reader.pk, "reason": "Knows both teams."})
    assert "Knows both teams." in text_of(client.get("/brokers/"))
    term = BrokerTerm.objects.get()
    assert client.post(f"/brokers/{term.pk}/end/", {"reason": ""}).status_code == 422
    client.post(f"/brokers/{term.pk}/end/", {"reason": "Moved on"})
    assert "No broker" in text_of(client.get("/brokers/"))
    assert client_of(cast.lead).get("/brokers/").status_code == 403


def test_the_api_does_what_the_pages_do(cast: Cast, hidden: Case) -> None:
    admin, asker, lead = api_of(cast.admin), api_of(cast.counsel), api_of(cast.lead)
    case = asking_case(cast)
    term = admin.post("/api/v1/brokers/", {"person": "reader", "reason": "Knows both."}).json()
    assert [one["person"] for one in admin.get("/api/v1/brokers/").json()["results"]] == ["reader"]
    desk = api_of(cast.reader)
    asked = asker.post(f"/api/v1/cases/{case.ref}/deconfliction/", {"about": "all", "reason": "They moved."}).json()
    assert asked["answer"] is None
    assert asker.post(f"/api/v1/cases/{case.ref}/deconfliction/", {"about": "all", "reason": "x"}).status_code == 409
    compared(Question.objects.get())
    at = f"/api/v1/deconfliction/{asked['id']}/"
    [match] = desk.get(at).json()["matches"]
    assert (match["contact"], match["shared_accounts"], match["approached"]) == ("analyst", 3, False)
    assert desk.post(f"{at}matches/{match['id']}/ask/", {"words": "May I?"}).json()["approached"] is True
    told = lead.get(f"/api/v1/cases/{hidden.ref}/deconfliction/told/").json()
    reply = f"/api/v1/cases/{hidden.ref}/deconfliction/told/{told['approaches'][0]['id']}/reply/"
    assert [lead.post(reply, {"agrees": True}).status_code for _ in range(2)] == [201, 409]
    body: dict[str, Any] = {"value": "hit", "words": "Talk.", "introduce": [match["id"]]}
    assert [desk.post(f"{at}answer/", body).status_code for _ in range(2)] == [201, 409]
    [row] = asker.get(f"/api/v1/cases/{case.ref}/deconfliction/").json()["results"]
    assert (row["answer"]["value"], row["answer"]["broker"]) == ("hit", "reader")
    for client, ref in ((asker, case.ref), (lead, hidden.ref)):
        told = client.get(f"/api/v1/cases/{ref}/deconfliction/told/").json()["introductions"]
        assert len(told) == 1
    assert Introduction.objects.count() == 2
    assert len(desk.get("/api/v1/deconfliction/").json()["results"]) == 1
    assert asker.get("/api/v1/deconfliction/").status_code == 404
    assert admin.post(f"/api/v1/brokers/{term['id']}/end/", {"reason": "Moved"}).json()["ended"] is True
    assert desk.get("/api/v1/deconfliction/").status_code == 404
