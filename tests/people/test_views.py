"""Signing in and out: where one lands, what the log keeps, and what a guesser learns (nothing)."""

import re
from typing import Any

import pytest
from django.test import Client

from people.models import User
from spine.models import LogEntry
from tests.cases.pages import client_of, text_of
from tests.factories import PASSWORD, Cast

pytestmark = pytest.mark.django_db


def sign_in(username: str, password: str = PASSWORD, target: str = "", client: Client | None = None) -> Any:
    return (client or Client()).post("/sign-in/", {"username": username, "password": password, "next": target})


def test_everybody_lands_where_their_work_is(cast: Cast) -> None:
    for person in cast.all():
        client = Client()
        landed = client.get(sign_in(person.username, client=client)["Location"], follow=True)
        expected = "/log/" if person == cast.admin else "/"
        assert (person.username, landed.status_code, landed.request["PATH_INFO"]) == (person.username, 200, expected)


def test_signing_in_and_out_stands_in_the_log(cast: Cast) -> None:
    client = Client()
    sign_in("lead", client=client)
    response = client.post("/sign-out/")
    acts = [(entry.actor, entry.action) for entry in LogEntry.objects.order_by("at")]
    assert acts == [("user:lead", "person.signed_in"), ("user:lead", "person.signed_out")]
    assert (response["Location"], client.get("/")["Location"]) == ("/sign-in/", "/sign-in/?next=/")


def test_who_opens_the_sign_out_address_stays_signed_in(cast: Cast) -> None:
    client = client_of(cast.reader)
    assert client.get("/sign-out/")["Location"] == "/"
    assert client.get("/cases/").status_code == 200


def test_an_unknown_name_a_wrong_password_and_a_person_switched_off_look_the_same(cast: Cast) -> None:
    User.objects.filter(pk=cast.reader.pk).update(is_active=False)
    pages = set()
    for username, password in (("ghost", "x"), ("lead", "x"), ("reader", PASSWORD)):
        response = sign_in(username, password)
        assert (response.status_code, "sessionid" in response.cookies) == (200, False)
        pages.add(re.sub(r'value="[^"]*"', "", text_of(response)))
    assert (len(pages), LogEntry.objects.count()) == (1, 0)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:///evil.example"],
)
def test_nobody_is_led_to_another_site(cast: Cast, target: str) -> None:
    assert sign_in("lead", target=target)["Location"] == "/"
    signed_in = client_of(cast.lead)
    assert signed_in.get("/sign-in/", {"next": target})["Location"] == "/"


def test_one_is_led_back_to_where_one_wanted_to_go(cast: Cast) -> None:
    client = Client()
    address = client.get("/cases/?status=open")["Location"]
    assert address == "/sign-in/?next=/cases/%3Fstatus%3Dopen"
    assert sign_in("lead", target="/cases/?status=open", client=client)["Location"] == "/cases/?status=open"


@pytest.mark.parametrize("door", ["/sign-in/", "/sign-in/?next=/sign-in/", "/sign-out/"])
def test_the_doors_themselves_lead_to_the_pages(cast: Cast, door: str) -> None:
    assert client_of(cast.lead).get("/sign-in/", {"next": door})["Location"] == "/"


def test_odd_input_is_an_answer_in_words(cast: Cast) -> None:
    for username in ("", "a\x00b", "n" * 5000, "‮lead"):
        response = sign_in(username)
        assert (response.status_code, 'role="alert"' in text_of(response)) == (200, True)


def test_a_new_password_ends_the_sessions_of_the_old_one(cast: Cast) -> None:
    client = Client()
    sign_in("lead", client=client)
    cast.lead.refresh_from_db()
    cast.lead.set_password("another long passphrase")
    cast.lead.save(update_fields=["password"])
    assert client.get("/cases/")["Location"].startswith("/sign-in/")
