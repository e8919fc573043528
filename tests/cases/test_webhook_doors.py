"""Webhooks by page and by API, for administrators: the secret is shown once, the log of deliveries tells of no case."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from cases import actions
from cases.models import Webhook, WebhookDelivery
from spine.models import LogEntry
from tests.cases.api import client_of as token_of
from tests.cases.api import places
from tests.cases.pages import client_of, forms_of, text_of
from tests.cases.webhooks import allow_too, hurry, received, send_all
from tests.factories import Cast, make_case
from tests.lying_server import Lying, running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


@pytest.fixture(scope="module")
def server() -> Iterator[Lying]:
    with running() as lying:
        yield lying


@pytest.fixture
def lying(server: Lying, settings: Any) -> Lying:
    server.control(fresh=True)
    allow_too(settings, server.url)
    return server


@pytest.fixture
def admin(committed_cast: Cast) -> Client:
    return client_of(committed_cast.admin)


@pytest.fixture
def api(committed_cast: Cast) -> APIClient:
    return token_of(committed_cast.admin)


def typed(lying: Lying, **changes: Any) -> dict[str, Any]:
    return {"name": "Ticketing", "url": f"{lying.url}/hook?way=in", "types": ["lead.raised", "case.opened"], **changes}


def test_webhook_is_set_up_tried_and_removed_on_pages(admin: Client, lying: Lying) -> None:
    assert "No webhook yet" in text_of(admin.get("/webhooks/"))
    answer = admin.post("/webhooks/new/", typed(lying))
    webhook = Webhook.objects.get()
    assert (answer.status_code, "whsec_" in text_of(answer)) == (200, True)
    assert "no-store" in answer["Cache-Control"]
    at = f"/webhooks/{webhook.pk}/"
    assert all("whsec_" not in text_of(admin.get(path)) for path in ("/webhooks/", at, f"{at}edit/", "/log/"))
    assert f"{lying.url}/hook" not in text_of(admin.get("/log/"))
    admin.post(f"{at}test/")
    send_all()
    [delivery] = WebhookDelivery.objects.all()
    page = admin.get(at)
    assert "delivered" in text_of(page)
    verbs = ("pause", "test", "secret", "remove", f"deliveries/{delivery.pk}/send-again")
    assert forms_of(page) == {f"{at}{verb}/" for verb in verbs}
    admin.post(f"{at}deliveries/{delivery.pk}/send-again/")
    send_all()
    assert len(received(lying)) == 2
    answer = admin.post(f"{at}secret/", {"revision": 1, "hours": 3})
    assert ("no-store" in answer["Cache-Control"], "whsec_" in text_of(answer)) == (True, True)
    assert "the one before it signs until" in text_of(admin.get(at))
    assert admin.post(f"{at}edit/", {"revision": 1, **typed(lying)}).status_code == 409
    assert admin.post(f"{at}edit/", {"revision": 2, **typed(lying, types=["hold.placed"])}).status_code == 302
    assert Webhook.objects.get().types == ["hold.placed"]
    admin.post(f"{at}pause/", {"revision": 3, "do": "pause"})
    assert "Paused" in text_of(admin.get("/webhooks/"))
    assert "paused: resume it first" in text_of(admin.post(f"{at}test/"))
    admin.post(f"{at}pause/", {"revision": 4, "do": "resume"})
    assert admin.post(f"{at}remove/", {"revision": 5}).status_code == 302
    assert (Webhook.objects.count(), WebhookDelivery.objects.count()) == (0, 0)
    acts = LogEntry.objects.filter(action__startswith="webhook.").values_list("action", flat=True)
    assert sorted(set(acts)) == [
        *("webhook.changed", "webhook.created", "webhook.paused", "webhook.removed", "webhook.resumed"),
        *("webhook.secret_made", "webhook.sent_again", "webhook.tested"),
    ]


def test_refused_form_keeps_what_was_typed(admin: Client, lying: Lying) -> None:
    answer = admin.post("/webhooks/new/", typed(lying, url="https://elsewhere.example.com/in"))
    page = text_of(answer)
    assert (answer.status_code, "not on the list of allowed ones" in page) == (422, True)
    assert 'value="https://elsewhere.example.com/in"' in page
    assert not Webhook.objects.exists()


def test_failing_webhook_says_why_and_when_it_is_tried_again(admin: Client, lying: Lying) -> None:
    lying.control(mood="500")
    admin.post("/webhooks/new/", typed(lying))
    at = f"/webhooks/{Webhook.objects.get().pk}/"
    admin.post(f"{at}test/")
    send_all()
    page = text_of(admin.get(at))
    assert "failing" in page
    assert "it answers with status 500" in page


def test_whole_life_over_the_api(api: APIClient, lying: Lying) -> None:
    made = api.post("/api/v1/webhooks/", typed(lying), format="json")
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    at = f"/api/v1/webhooks/{made.json()['webhook']['id']}/"
    assert made.json()["secret"].startswith("whsec_")
    assert "secret" not in api.get(at).json()
    asked = api.post(f"{at}test/")
    assert asked.status_code == 202
    lying.control(mood="503")
    send_all()
    [delivery] = api.get(f"{at}deliveries/").json()["results"]
    assert (delivery["state"], delivery["status"], delivery["attempts"]) == ("waiting", 503, 1)
    assert [(one["status"], one["error"]) for one in delivery["tries"]] == [(503, "it answers with status 503")]
    lying.control(mood="")
    again = api.post(f"{at}deliveries/{delivery['id']}/send-again/")
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    hurry()
    send_all()
    [delivery] = api.get(f"{at}deliveries/").json()["results"]
    assert (delivery["state"], len(delivery["tries"])) == ("delivered", 2)
    assert {one["headers"]["webhook-id"] for one in received(lying)} == {delivery["message_id"]}
    changed = api.patch(at, {"revision": 1, "paused": True}, format="json")
    assert (changed.status_code, changed.json()["state"]) == (200, "paused")
    assert api.patch(at, {"revision": 1, "paused": False}, format="json").status_code == 409
    both = {"revision": 2, "types": ["hold.placed"], "paused": False}
    assert api.patch(at, both, format="json").json()["types"] == ["hold.placed"]
    fresh = api.post(f"{at}secret/", {"revision": 4}, format="json")
    assert (fresh.status_code, fresh.json()["webhook"]["old_until"] is not None) == (200, True)
    assert api.post(f"{at}remove/", {"revision": 5}, format="json").status_code == 204
    assert api.get(at).status_code == 404


def test_bad_address_is_named_with_its_place(api: APIClient, lying: Lying) -> None:
    refused = api.post("/api/v1/webhooks/", typed(lying, url="ftp://x"), format="json")
    assert (refused.status_code, places(refused)) == (400, ["/url"])
    assert "no plain address" in refused.json()["errors"][0]["detail"]


def test_types_say_what_they_mean(api: APIClient) -> None:
    rows = {one["type"]: one for one in api.get("/api/v1/webhooks/types/").json()["results"]}
    assert rows["exhibit.added"]["data_names"] == ["case", "exhibit"]
    assert rows["feed.stalled"]["data_names"] == ["feed"]


def test_delivery_log_names_no_case_even_of_an_open_one(
    admin: Client, api: APIClient, lying: Lying, committed_cast: Cast
) -> None:
    admin.post("/webhooks/new/", typed(lying))
    case = make_case(committed_cast)
    actions.assign_case(case, actor=committed_cast.lead, to=None, expected=committed_cast.analyst)
    send_all()
    at = Webhook.objects.get().pk
    seen = text_of(admin.get(f"/webhooks/{at}/")) + text_of(api.get(f"/api/v1/webhooks/{at}/deliveries/"))
    assert "case.opened" in seen
    assert case.ref not in seen
    assert str(case.pk) not in seen


def test_list_asks_as_much_for_three_as_for_one(admin: Client, lying: Lying, django_assert_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    admin.post("/webhooks/new/", typed(lying))
    admin.get("/webhooks/")
    with CaptureQueriesContext(connection) as one:
        admin.get("/webhooks/")
    for name in ("B", "C"):
        admin.post("/webhooks/new/", typed(lying, name=name))
    with CaptureQueriesContext(connection) as three:
        admin.get("/webhooks/")
    assert len(three) == len(one)
