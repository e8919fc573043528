"""Preservation, holds and sources as people click them; and the same through the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cases import actions
from cases.models import Case, Hold, PreservationAnswer, PreservationRequest
from detection.models import SourceRetention, TelemetrySource
from detection.retention import set_retention
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.factories import START, Cast, make_case

ASKED = {
    "data_classes": ["request_logs", "content"],
    "scope": "All of it",
    "custodian": "Gateway team",
    "authority": "The case",
}
PLACED = {"matter": "A dispute", "trigger": "A letter", "triggered_at": "2026-05-01T00:00:00Z", "scope": "case"}


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def source(case: Case) -> TelemetrySource:
    return TelemetrySource.objects.get()


def expire_in(source: TelemetrySource, days: int) -> None:
    kept = (timezone.now() - START).days + days
    set_retention(source, actor="user:admin", data_class="request_logs", days=kept)


def test_clock_stands_in_the_head_in_the_rail_and_on_its_tab(case: Case, cast: Cast, source: TelemetrySource) -> None:
    expire_in(source, 9)
    shown = text_of(client_of(cast.reader).get(f"/cases/{case.ref}/preservation/"))

    assert shown.count("request logs expire in") == 3


def test_analyst_asks_and_writes_the_answer_down(case: Case, cast: Cast, source: TelemetrySource) -> None:
    client = client_of(cast.analyst)
    tab = f"/cases/{case.ref}/preservation/"
    assert client.post(f"{tab}request/", {**ASKED, "source": source.pk}).status_code == 302
    asked = PreservationRequest.objects.filter(data_class="content").get()
    letter = client.get(f"{tab}{asked.pk}/letter/")
    page = client.get(tab)
    form = next(one["form"] for one in page.context["requests"] if one["request"] == asked)
    given = {**sent_by(form), "kind": "receipt", "number": "P-7", "answered_by": "Gateway", "what": "All"}
    answered = client.post(f"{tab}{asked.pk}/answer/", {**given, "answered_at": "2026-05-20T10:00:00"})

    assert letter.getvalue().startswith(b"Request to preserve, RT-") and answered.status_code == 302
    assert PreservationAnswer.objects.get().number == "P-7"


def test_refused_form_keeps_what_was_typed(case: Case, cast: Cast, source: TelemetrySource) -> None:
    answer = client_of(cast.analyst).post(
        f"/cases/{case.ref}/preservation/request/", {**ASKED, "authority": "", "source": source.pk}
    )

    assert answer.status_code == 422
    assert "Gateway team" in text_of(answer)


def test_a_reader_is_offered_no_form_and_counsel_the_hold(case: Case, cast: Cast) -> None:
    tab = f"/cases/{case.ref}/preservation/"

    assert forms_of(client_of(cast.reader).get(tab)) == set()
    assert f"/cases/{case.ref}/holds/place/" in forms_of(client_of(cast.counsel).get(tab))


def test_hold_from_placing_to_release_by_two_people(case: Case, cast: Cast) -> None:
    counsel, lead, analyst = client_of(cast.counsel), client_of(cast.lead), client_of(cast.analyst)
    given = {**PLACED, "triggered_at": "2026-05-01T00:00:00", "days": 7, "keepers": [str(cast.analyst.pk)]}
    assert counsel.post(f"/cases/{case.ref}/holds/place/", given).status_code == 302
    hold = Hold.objects.get()
    assert "You are asked to keep" in text_of(analyst.get("/holds/"))
    analyst.post(f"/custodians/{hold.custodians.get().pk}/acknowledge/")
    counsel.post(f"/holds/{hold.pk}/ask-release/", {"reason": "It is settled"})
    ask = hold.release_asks.get()
    own = counsel.post(f"/holds/{hold.pk}/release/", {"ask": str(ask.pk)})
    released = lead.post(f"/holds/{hold.pk}/release/", {"ask": str(ask.pk)})

    assert (own.status_code, released.status_code) == (422, 302)
    assert "released" in text_of(lead.get("/holds/?state=released"))
    assert "No hold here" in text_of(lead.get("/holds/"))


def test_badge_of_a_standing_hold_is_in_the_head(case: Case, cast: Cast) -> None:
    actions.place_hold(case, actor=cast.counsel, matter="m", trigger="t", triggered_at=START, scope="case")

    assert "1 hold</a>" in text_of(client_of(cast.reader).get(f"/cases/{case.ref}/"))


@pytest.mark.parametrize("rows", [1, 3])
def test_holds_page_takes_one_number_of_queries(cast: Cast, rows: int, django_assert_num_queries: Any) -> None:
    for _ in range(rows):
        actions.place_hold(
            make_case(cast, accounts=[f"a-{_}"]),
            actor=cast.counsel,
            matter="m",
            trigger="t",
            triggered_at=START,
            scope="case",
            keepers=[actions.Keeper(name="G")],
        )
    client = client_of(cast.lead)
    client.get("/holds/")
    with django_assert_num_queries(16):
        client.get("/holds/")


def test_case_whose_evidence_expires_next_comes_first_in_the_queue(cast: Cast) -> None:
    expiring = make_case(cast)
    newer = make_case(cast, accounts=["z-1", "z-2"], first_seen=timezone.now(), last_seen=timezone.now())
    set_retention(
        TelemetrySource.objects.get(),
        actor="user:admin",
        data_class="request_logs",
        days=(timezone.now() - START).days + 3,
    )
    rows = client_of(cast.lead).get("/").context["waiting_cases"]

    assert [row["case"].pk for row in rows] == [expiring.pk, newer.pk]
    assert rows[0]["why_now"].startswith("Request logs expire in ")
    assert (rows[0]["expiring"], rows[1]["expiring"]) == (True, False)


def test_administrator_states_how_long_a_source_keeps_its_data(cast: Cast, source: TelemetrySource) -> None:
    client = client_of(cast.admin)
    form = client.get("/sources/").context["sources"][0]["classes"][0]["form"]
    assert form.initial["days"] == 30
    given = {**sent_by(form), "custodian": "Gateway team"}
    first, again = (client.post(f"/sources/{source.pk}/retention/", given) for _ in range(2))

    assert (first.status_code, again.status_code) == (302, 409)
    assert SourceRetention.objects.get().days == 30


def test_api_asks_answers_explains_and_lists_clocks(case: Case, cast: Cast, source: TelemetrySource) -> None:
    expire_in(source, 3)
    api, base = api_of(cast.analyst), f"/api/v1/cases/{case.ref}/preservation/"
    asked = api.post(base, {**ASKED, "source": source.name})
    given = {"kind": "refused", "answered_by": "G", "answered_at": "2026-05-20T10:00:00Z", "what": "Not ours"}
    answered = api.post(f"{base}{asked.json()[0]['id']}/answers/", given)
    explained = api.post(f"{base}explanations/", {"source": source.name, "reason": "By telephone"})
    whole, clocks = api.get(base).json(), api.get("/api/v1/preservation/").json()["results"]

    assert [one.status_code for one in (asked, answered, explained)] == [201, 201, 201]
    assert {one["data_class"] for one in whole["requests"]} == {"request_logs", "content"}
    assert (clocks[0]["case"], clocks[0]["soon"], clocks[0]["clocks"][0]["state"]) == (case.ref, True, "held")


def test_api_places_and_releases_a_hold(case: Case, cast: Cast) -> None:
    counsel, lead = api_of(cast.counsel), api_of(cast.lead)
    placed = counsel.post(f"/api/v1/cases/{case.ref}/holds/", {**PLACED, "custodians": ["counsel"]}).json()
    address = f"/api/v1/holds/{placed['id']}/"
    done = counsel.post(f"/api/v1/custodians/{placed['custodians'][0]['id']}/acknowledge/", {}).json()
    ask = counsel.post(f"{address}ask-release/", {"reason": "Settled"}).json()["release_asks"][0]["id"]
    own = counsel.post(f"{address}release/", {"ask": ask})
    released = lead.post(f"{address}release/", {"ask": ask}).json()

    assert done["custodians"][0]["acknowledgement"]["by"] == "counsel"
    assert (own.status_code, own["Content-Type"]) == (409, "application/problem+json")
    assert (released["state"], released["release"]["releaser"]) == ("released", "lead")
    assert lead.get("/api/v1/holds/", {"state": "standing"}).json()["results"] == []


def test_api_states_retention_once_for_who_saw_it(cast: Cast, source: TelemetrySource) -> None:
    api, address = api_of(cast.admin), f"/api/v1/telemetry/{source.pk}/retention/"
    first = api.post(address, {"data_class": "flagged", "days": 730})
    blind = api.post(address, {"data_class": "flagged", "days": 7})
    over = api.post(address, {"data_class": "flagged", "days": None, "supersedes": first.json()["id"]})

    assert [one.status_code for one in (first, blind, over)] == [201, 409, 201]
    assert [one["days"] for one in api.get(address).json()] == [None]


def test_expiry_of_long_ago_is_said_as_gone(case: Case, cast: Cast, source: TelemetrySource) -> None:
    set_retention(source, actor="user:admin", data_class="request_logs", days=7)
    shown = text_of(client_of(cast.reader).get(f"/cases/{case.ref}/"))

    assert f"request logs are gone since {(START + timedelta(days=16)):%-d %b %Y}" in shown
