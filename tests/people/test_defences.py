"""What every page of signing in and of people has: a token in each form, cookies and headers that hold under https."""

import re
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.exceptions import ValidationError
from django.test import Client

from people.models import User
from people.strength import StrengthValidator
from tests.cases.pages import client_of, text_of
from tests.factories import PASSWORD, Cast
from tests.people.signing import post

pytestmark = pytest.mark.django_db
OWN = ("/me/", "/me/password/", "/me/second-factor/", "/me/second-factor/app/", "/confirm/")
FORM = re.compile(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", re.DOTALL)


def test_every_form_carries_a_token_and_none_is_taken_without(cast: Cast) -> None:
    client = client_of(cast.admin)
    places = (*OWN, "/people/", f"/people/{cast.lead.pk}/", "/people/detector-keys/")
    forms = [form for place in places for form in FORM.findall(text_of(client.get(place)))]
    forms += FORM.findall(text_of(Client().get("/sign-in/")))
    assert len(forms) > 25
    assert [form for form in forms if "csrfmiddlewaretoken" not in form] == []
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.admin)
    for place in ("/people/", "/me/tokens/", "/me/password/", "/sign-out/", f"/people/{cast.lead.pk}/disable/"):
        assert (place, strict.post(place).status_code) == (place, 403)
    stranger = Client(enforce_csrf_checks=True)
    for place in ("/sign-in/",):
        assert stranger.post(place, {"username": "lead", "password": PASSWORD}).status_code == 403


def test_no_page_may_be_framed_and_none_with_something_private_is_kept(cast: Cast) -> None:
    client = client_of(cast.admin)
    for place in OWN:
        answer = client.get(place)
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "same-origin"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(cast: Cast) -> None:
    cookie = post(Client(), "lead").cookies[configured.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")


def test_under_https_the_cookies_are_secure_and_bound_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    ask = (
        "from config import settings as s; print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, "
        "s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0)"
    )
    monkeypatch.setenv("RETORT_PUBLIC_URL", "https://retort.example.com")
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["__Host-session", "__Host-csrf", "True", "True", "True"]


@pytest.mark.parametrize("password", ["retort-retort-retort", "ninaninanina12", "qwertyuiop[]"])
def test_a_password_that_would_be_guessed_soon_is_refused_with_why(password: str) -> None:
    with pytest.raises(ValidationError, match="would be guessed too soon") as refused:
        StrengthValidator().validate(password, User(username="nina", display_name="Nina Example"))
    assert len(refused.value.messages[0]) > 40


def test_a_password_of_several_words_and_a_very_long_one_are_taken() -> None:
    for password in ("seven unlikely herons at noon", "x9!" * 400 + "seven unlikely herons at noon"):
        StrengthValidator().validate("seven unlikely herons at noon" + password, User(username="nina"))


def test_nothing_is_asked_of_any_other_server(cast: Cast) -> None:
    pages = [text_of(client_of(cast.admin).get(place)) for place in (*OWN, "/people/")]
    addresses = {found for page in pages for found in re.findall(r"(?:src|href|action)=\"([^\"]+)\"", page)}
    assert [one for one in addresses if not one.startswith(("/", "#", "?", "data:image/"))] == []


@pytest.mark.parametrize("place", ["/me/", "/people/"])
def test_a_stranger_learns_nothing(place: str) -> None:
    answer: Any = Client().get(place)
    assert answer["Location"] == f"/sign-in/?next={place}"
