"""Confirming who one is: before acts with consequences, with what was typed kept, and counted against guessing."""

from typing import Any

import pytest
from django.test import Client

from cases.actions import dossiers
from people import sessions
from people.models import ApiToken
from spine.models import LogEntry
from tests.cases.pages import client_of, text_of
from tests.factories import PASSWORD, Cast, make_case, make_person
from tests.people.signing import code, with_app

pytestmark = pytest.mark.django_db
TOKEN = {"name": "notebook", "expires_in_days": "30", "scopes": ["cases.read", "leads.read"]}


def stale(client: Client) -> Client:
    """The same browser, some while after the sign-in."""
    session = client.session
    session[sessions.PROVED] = 0
    session.save()
    return client


def hidden(response: Any) -> list[tuple[str, str]]:
    return list(response.context["kept"])


def test_what_was_typed_goes_along_and_the_act_happens_on_the_confirming_request(cast: Cast) -> None:
    client = stale(client_of(cast.lead))
    asked = client.post("/me/tokens/", TOKEN)
    assert (asked.status_code, asked.templates[0].name, ApiToken.objects.count()) == (422, "people/confirm.html", 0)
    assert hidden(asked) == [
        *(("name", "notebook"), ("expires_in_days", "30")),
        *(("scopes", "cases.read"), ("scopes", "leads.read")),
    ]
    done = client.post("/me/tokens/", {**TOKEN, "confirm_password": PASSWORD})
    assert (done.status_code, ApiToken.objects.get().rights) == (200, ["cases.read", "leads.read"])
    assert client.post("/me/tokens/", TOKEN).status_code == 200  # within the next minutes nothing is asked
    assert LogEntry.objects.filter(action="person.proved", actor="user:lead").count() == 1


def test_a_wrong_password_does_nothing_and_ten_close_it(cast: Cast) -> None:
    client = stale(client_of(cast.lead))
    for _ in range(10):
        answer = client.post("/me/tokens/", {**TOKEN, "confirm_password": "wrong"})
        assert (answer.status_code, "not your password" in text_of(answer)) == (422, True)
    closed = client.post("/me/tokens/", {**TOKEN, "confirm_password": PASSWORD})
    assert ("Too many attempts" in text_of(closed), ApiToken.objects.count()) == (True, 0)


def test_the_password_is_never_shown_again_nor_kept_in_the_session(cast: Cast) -> None:
    client = stale(client_of(cast.lead))
    answer = client.post("/me/tokens/", {**TOKEN, "confirm_password": "a wrong secret"})
    assert "a wrong secret" not in text_of(answer) + str(dict(client.session.items()))


def test_a_code_will_do(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    client = stale(client_of(cast.lead))
    assert client.post("/me/tokens/", {**TOKEN, "confirm_code": code(secret)}).status_code == 200


def test_looking_is_never_asked(cast: Cast) -> None:
    client = stale(client_of(cast.admin))
    for place in ("/people/", f"/people/{cast.lead.pk}/", "/people/roles/", "/me/", "/people/detector-keys/"):
        assert client.get(place).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        *("/people/", "/people/detector-keys/", "/people/{}/role/", "/people/{}/disable/", "/people/{}/enable/"),
        *("/people/{}/one-time-password/", "/people/{}/second-factor/reset/"),
    ],
)
def test_every_act_of_an_administrator_on_people_and_keys_asks(cast: Cast, address: str) -> None:
    spare = make_person("spare", "reader")
    answer = stale(client_of(cast.admin)).post(address.format(spare.pk), {"role": "analyst", "expected": "reader"})
    assert answer.templates[0].name == "people/confirm.html"
    assert not LogEntry.objects.exists()


@pytest.mark.usefixtures("no_broker", "checkpoints_apart")
@pytest.mark.django_db(transaction=True)
def test_approving_a_dossier_asks_on_the_page_and_by_a_session_of_the_api(committed_cast: Cast) -> None:
    cast = committed_cast
    case = make_case(cast, stage="judged")
    version = dossiers.freeze(case, actor=cast.analyst, edition="counsel")
    given = {"snapshot_sha256": version.snapshot_sha256, "note": "read it"}
    client = stale(client_of(cast.counsel))
    by_api = client.post(f"/api/v1/dossiers/{version.pk}/approve/", given, content_type="application/json")
    assert (by_api.status_code, by_api["Content-Type"]) == (403, "application/problem+json")
    assert "/confirm/" in by_api.json()["detail"]
    assert client.post(f"/dossiers/{version.pk}/approve/", given).templates[0].name == "people/confirm.html"
    version.refresh_from_db()
    assert not hasattr(version, "approval")
    assert client.post("/confirm/", {"confirm_password": PASSWORD}).status_code == 302
    by_api = client.post(f"/api/v1/dossiers/{version.pk}/approve/", given, content_type="application/json")
    assert by_api.status_code == 201


def test_a_fragment_request_gets_the_page_in_place_of_the_content(cast: Cast) -> None:
    answer = stale(client_of(cast.lead)).post("/me/tokens/", TOKEN, headers={"HX-Request": "true"})
    assert (answer["HX-Retarget"], answer.status_code) == ("#main", 422)
