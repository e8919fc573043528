"""Second factors by the pages: set up, asked for, good once, counted, taken away; what is stored of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from people import actions, encryption, second_factors
from people.models import Attempts
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.cases.pages import client_of, text_of
from tests.factories import Cast
from tests.people.signing import code, is_in, post, with_app

pytestmark = pytest.mark.django_db


def half_way(username: str) -> Client:
    """A browser past the password."""
    client = Client()
    assert post(client, username)["Location"] == "/sign-in/second-factor/"
    return client


def acts(start: str = "person.") -> list[tuple[str, str, Any]]:
    entries = LogEntry.objects.filter(action__startswith=start).order_by("at")
    return [(one.actor, one.action, one.data) for one in entries]


def test_an_app_is_set_up_by_its_first_code_and_gives_recovery_codes_once(cast: Cast) -> None:
    client = client_of(cast.lead)
    page = text_of(client.get("/me/second-factor/app/"))
    secret = re.findall(r'secret-key">([A-Z2-7]{32})<', page)[0]
    assert "data:image/svg" in page
    assert client.post("/me/second-factor/app/", {"code": "000000"}).status_code == 422
    shown = client.post("/me/second-factor/app/", {"code": code(secret)})
    codes = re.findall(r"<code>(\d{8})</code>", text_of(shown))
    assert (shown.status_code, "no-store" in shown["Cache-Control"], len(set(codes))) == (200, True, 10)
    assert not any(one in text_of(client.get(place)) for one in codes for place in ("/me/", "/me/second-factor/"))
    assert acts() == [("user:lead", "person.second_factor_added", {"kind": "totp"})]


def test_the_secret_is_encrypted_in_the_database_and_in_the_session(cast: Cast) -> None:
    client = client_of(cast.lead)
    page = text_of(client.get("/me/second-factor/app/"))
    secret = re.findall(r'secret-key">([A-Z2-7]{32})<', page)[0]
    assert secret not in str(dict(client.session.items()))
    client.post("/me/second-factor/app/", {"code": code(secret)})
    stored = " ".join(str(one.data) for one in Authenticator.objects.all())
    assert secret not in stored
    assert encryption.decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret


def test_the_password_alone_opens_nothing_any_more(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    client = half_way("lead")
    assert not is_in(client)
    answer = client.post("/sign-in/second-factor/", {"code": code(secret)})
    assert (answer["Location"], is_in(client)) == ("/", True)
    assert acts("person.signed_in") == [("user:lead", "person.signed_in", {"how": "password and code from an app"})]


def test_one_is_led_on_to_where_one_wanted_to_go(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    client = Client()
    post(client, "lead", next="/cases/?status=open")
    answer = client.post("/sign-in/second-factor/", {"code": code(secret)})
    assert answer["Location"] == "/cases/?status=open"


def test_a_code_is_good_once_and_an_earlier_one_never_after_a_later_one(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    assert second_factors.accept(cast.lead, code(secret)) is not None
    for one in (code(secret), code(secret, -1)):
        assert second_factors.accept(cast.lead, one) is None


def test_a_recovery_code_stands_in_once(cast: Cast) -> None:
    _, codes = with_app(cast.lead)
    client = half_way("lead")
    assert client.post("/sign-in/second-factor/", {"code": codes[3]}).status_code == 302
    again = half_way("lead").post("/sign-in/second-factor/", {"code": codes[3]})
    assert again.status_code == 422
    assert second_factors.of(cast.lead).recovery_left == 9
    assert ("user:lead", "person.recovery_code_used", {"left": 9}) in acts()


def test_new_recovery_codes_take_the_place_of_the_old_ones(cast: Cast) -> None:
    _, codes = with_app(cast.lead)
    shown = client_of(cast.lead).post("/me/second-factor/recovery-codes/")
    fresh = re.findall(r"<code>(\d{8})</code>", text_of(shown))
    assert (len(fresh), set(fresh) & set(codes)) == (10, set())
    assert second_factors.accept(cast.lead, codes[0]) is None
    assert second_factors.accept(cast.lead, fresh[0]) is not None


def test_ten_wrong_codes_close_the_second_step_also_to_the_right_one(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    client = half_way("lead")
    for _ in range(10):
        assert client.post("/sign-in/second-factor/", {"code": "123"}).status_code == 422
    closed = client.post("/sign-in/second-factor/", {"code": code(secret)})
    assert (closed.status_code, "Too many attempts" in text_of(closed), is_in(client)) == (422, True, False)
    assert acts("person.locked_out")[0][2] == {"username": "lead", "what": "second factor"}
    Attempts.objects.all().delete()
    assert client.post("/sign-in/second-factor/", {"code": code(secret)}).status_code == 302


def test_the_second_step_is_for_who_has_made_the_first(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    answer = Client().post("/sign-in/second-factor/", {"code": code(secret)})
    assert answer["Location"] == "/sign-in/"


def test_a_person_switched_off_between_the_steps_is_not_let_in(cast: Cast) -> None:
    secret, _ = with_app(cast.lead)
    client = half_way("lead")
    actions.disable(cast.lead, actor="user:admin")
    client.post("/sign-in/second-factor/", {"code": code(secret)})
    assert not is_in(client)


def test_taking_the_last_factor_away_takes_the_recovery_codes_too(cast: Cast) -> None:
    with_app(cast.lead)
    client = client_of(cast.lead)
    client.post("/me/second-factor/remove/", {"factor": "app"})
    assert not Authenticator.objects.exists()
    with pytest.raises(Conflict):
        actions.remove_app(actor=cast.lead)
    with pytest.raises(Refused, match="set one up first"):
        actions.make_recovery_codes(actor=cast.lead)


def test_a_secret_under_another_key_is_a_wrong_code_and_no_crash(cast: Cast, settings: Any, tmp_path: Any) -> None:
    secret, _ = with_app(cast.lead)
    settings.SECOND_FACTOR_KEY_FILE = str(tmp_path / "other")
    (tmp_path / "other").write_text("ab" * 32)
    assert second_factors.accept(cast.lead, code(secret)) is None


class TestRequired:
    """A role that needs one: nothing else is reached before."""

    @pytest.fixture(autouse=True)
    def needed(self, settings: Any) -> Iterator[None]:
        settings.REQUIRE_SECOND_FACTOR = ["case_lead"]
        yield

    def test_who_has_none_is_led_to_set_one_up_and_then_goes_on(self, cast: Cast) -> None:
        client = client_of(cast.lead)
        for place in ("/", "/cases/", "/log/", "/me/"):
            assert client.get(place)["Location"].startswith("/me/second-factor/?next=")
        assert client.post("/cases/")["Location"] == "/me/second-factor/"
        secret = second_factors.fresh_secret()
        session = client.session
        session["retort_app_secret"] = encryption.encrypt(secret)
        session.save()
        client.post("/me/second-factor/app/", {"code": code(secret)})
        assert client.get("/cases/").status_code == 200

    def test_the_api_says_so_to_a_session(self, cast: Cast) -> None:
        answer = client_of(cast.lead).get("/api/v1/cases/")
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
        assert "second factor" in answer.json()["detail"]

    def test_other_roles_and_who_has_one_are_not_asked(self, cast: Cast) -> None:
        assert client_of(cast.analyst).get("/cases/").status_code == 200
        with_app(cast.lead)
        assert client_of(cast.lead).get("/cases/").status_code == 200

    def test_the_last_one_is_not_taken_away(self, cast: Cast) -> None:
        with_app(cast.lead)
        client_of(cast.lead).post("/me/second-factor/remove/", {"factor": "app"})
        assert second_factors.has_any(cast.lead)

    def test_what_leads_out_stays_open(self, cast: Cast) -> None:
        client = client_of(cast.lead)
        assert client.get("/me/second-factor/").status_code == 200
        assert client.post("/sign-out/")["Location"] == "/sign-in/"
