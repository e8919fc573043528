"""Keys: what a token may do and until when, where a key may be used from, and that a revoked one opens nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from people import actions
from people.models import ApiToken, DetectorKey
from people.rights import RIGHTS
from spine.errors import Refused
from tests.cases.pages import client_of, text_of
from tests.factories import Cast

pytestmark = pytest.mark.django_db


def bearing(value: str, **about: str) -> APIClient:
    client = APIClient(**about)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client


def opens(value: str) -> bool:
    """Whether the API knows this key, used from the network it was made for."""
    return bool(bearing(value, REMOTE_ADDR="192.0.2.1").get("/api/v1/schema/").status_code == 200)


def token(rights: list[str] | None = None, days: int = 90, username: str = "lead") -> str:
    return actions.create_token(actor="system:test", username=username, rights=rights, days=days)


def test_form_ticks_nothing_and_the_api_names_the_token_that_lacks_a_right(cast: Cast) -> None:
    page = client_of(cast.lead)
    shown = page.get("/me/")
    assert shown.context["token_form"]["scopes"].value() is None
    assert "checked" not in text_of(shown)
    none = page.post("/me/tokens/", {"name": "a program", "expires_in_days": 9})
    assert "Tick at least one right" in text_of(none)
    answers = [
        bearing(token(["cases.read"])).post("/api/v1/sanctioned-testers/", {}),
        bearing(token()).get("/api/v1/people/"),
    ]
    assert [one.json()["detail"] for one in answers] == [
        "This token was made without the right testers.write: keep the list of sanctioned testers.",
        "Your role does not allow this.",
    ]


def test_a_token_does_what_it_was_made_for_and_no_more(cast: Cast) -> None:
    client = bearing(token(["leads.read"]))
    assert client.get("/api/v1/leads/").status_code == 200
    for address in ("/api/v1/cases/", "/api/v1/log/"):
        answer = client.get(address)
        assert (address, answer.status_code, answer["Content-Type"]) == (address, 403, "application/problem+json")
    assert client.get("/api/v1/cases/RT-2026-AAAAA/").status_code == 404


def test_a_token_never_has_more_than_its_person(cast: Cast) -> None:
    value = token(["cases.read", "leads.write"])
    type(cast.lead).objects.filter(pk=cast.lead.pk).update(role="administrator")
    assert bearing(value).get("/api/v1/cases/").status_code == 403
    with pytest.raises(Refused, match=r"not among them: people\.write"):
        token(["cases.read", "people.write"], username="analyst")


def test_made_without_a_choice_it_has_all_rights_of_its_person_for_ninety_days(cast: Cast) -> None:
    token()
    made = ApiToken.objects.get()
    assert made.rights == sorted(RIGHTS["case_lead"])
    assert timedelta(days=89) < made.expires_at - timezone.now() <= timedelta(days=90)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_token_ends_within_a_year(cast: Cast, days: int) -> None:
    with pytest.raises(Refused) as refused:
        token(days=days)
    assert refused.value.field == "expires_in_days"


def test_an_ended_and_a_revoked_one_open_nothing_and_say_so(cast: Cast) -> None:
    ended, revoked = bearing(token()), bearing(token())
    first, second = ApiToken.objects.order_by("created_at")
    ApiToken.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    actions.revoke_token(second, actor="user:lead")
    answers = [client.get("/api/v1/cases/") for client in (ended, revoked)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert "has run out" in answers[0].json()["detail"]


def test_a_key_is_used_from_its_networks_only(cast: Cast) -> None:
    value = actions.create_detector_key(actor="system:test", detector="d", networks=["192.0.2.0/25", "2001:db8::/48"])
    for address, status in (("192.0.2.9", 200), ("192.0.2.200", 403), ("2001:db8::1", 200), ("198.51.100.1", 403)):
        answer = bearing(value, REMOTE_ADDR=address).get("/api/v1/schema/")
        assert (address, answer.status_code) == (address, status)
    with pytest.raises(Refused) as refused:
        actions.create_detector_key(actor="system:test", detector="d", networks=["anywhere"])
    assert refused.value.field == "networks"


def test_a_token_made_by_a_token_has_neither_more_rights_nor_a_longer_life(cast: Cast) -> None:
    client = bearing(token(["tokens.write", "cases.read"], days=3))
    asked = {"name": "child", "scopes": ["cases.read"], "expires_in_days": 300}
    made = client.post("/api/v1/tokens/", asked, format="json")
    assert made.status_code == 201
    child = ApiToken.objects.get(name="child")
    assert child.expires_at - timezone.now() <= timedelta(days=3)
    more = client.post("/api/v1/tokens/", {**asked, "scopes": ["cases.write"]}, format="json")
    assert (more.status_code, more.json()["errors"][0]["pointer"]) == (400, "/scopes")


def test_the_page_shows_a_token_once_and_never_again(cast: Cast) -> None:
    client = client_of(cast.lead)
    given = {"name": "notebook", "expires_in_days": "30", "scopes": ["cases.read"]}
    shown = client.post("/me/tokens/", given)
    value = text_of(shown).partition("<code>")[2].partition("</code>")[0]
    assert ("no-store" in shown["Cache-Control"], bearing(value).get("/api/v1/cases/").status_code) == (True, 200)
    assert value not in text_of(client.get("/me/"))
    made = ApiToken.objects.get()
    assert made.prefix in text_of(client.get("/me/"))
    client.post(f"/me/tokens/{made.pk}/revoke/")
    assert bearing(value).get("/api/v1/cases/").status_code == 401


def test_nobody_revokes_anybody_elses_by_the_page(cast: Cast) -> None:
    token()
    assert client_of(cast.analyst).post(f"/me/tokens/{ApiToken.objects.get().pk}/revoke/").status_code == 404


def test_a_detector_key_is_made_on_the_page_for_a_detector_that_is_registered_by_it(cast: Cast) -> None:
    client = client_of(cast.admin)
    given = {"detector": "gateway", "expires_in_days": "30", "networks": "192.0.2.0/24\n2001:db8::/48", "name": "edge"}
    shown = client.post("/people/detector-keys/", given)
    value = text_of(shown).partition("<code>")[2].partition("</code>")[0]
    key = DetectorKey.objects.get()
    assert (key.detector, key.networks, key.name) == ("gateway", ["192.0.2.0/24", "2001:db8::/48"], "edge")
    assert opens(value)
    client.post(f"/people/detector-keys/{key.pk}/revoke/")
    assert not opens(value)
    refused = client.post("/people/detector-keys/", {**given, "detector": "shared-attribute"})
    assert (refused.status_code, "built-in" in text_of(refused)) == (422, True)


def test_the_commands_take_scopes_ends_and_networks(cast: Cast, capsys: Any) -> None:
    call_command("create_token", "lead", "--scope", "cases.read", "--scope", "leads.read", "--expires-in", "7")
    assert ApiToken.objects.get().rights == ["cases.read", "leads.read"]
    assert bearing(capsys.readouterr().out.strip()).get("/api/v1/cases/").status_code == 200
    call_command("create_detector", "gateway", "--network", "192.0.2.0/24", "--expires-in", "7")
    assert DetectorKey.objects.get().networks == ["192.0.2.0/24"]
    with pytest.raises(CommandError, match="not among them"):
        call_command("create_token", "reader", "--scope", "cases.write")
