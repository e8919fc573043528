"""Signing in through an OpenID Connect provider: a real one, in a process of its own on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from config import oidc
from people import actions
from people.actions import provider as verbs
from people.models import User
from spine.errors import Refused
from spine.models import LogEntry
from tests.cases.pages import text_of
from tests.factories import Cast
from tests.people.signing import code, is_in, with_app

PEOPLE = [
    {"sub": "s-1", "name": "Mira Example", "preferred_username": "mira@example.com", "groups": ["staff", "law"]},
    {"sub": "s-2", "name": "Nobody Special", "preferred_username": "lead"},
]


@dataclass(frozen=True)
class Provider:
    """A running provider, and a browser's way through its page."""

    issuer: str

    def authorise(self, address: str, subject: str = "s-1", action: str = "") -> str:
        """Where the provider sends the browser after the person has said yes there."""
        with requests.Session() as browser:
            browser.trust_env = False
            given = {"action": action} if action else {"sub": subject}
            answer = browser.post(address, data=given, allow_redirects=False, timeout=20)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])


def started(*more: str) -> Iterator[Provider]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *more]
    for person in PEOPLE:
        argv += ["--user-claims", json.dumps(person)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(argv, start_new_session=True, **quiet)
    try:
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Provider(f"http://127.0.0.1:{port}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """One provider for all."""
    yield from started()


def configure(settings: Any, issuer: str, **changed: Any) -> None:
    values = {
        "issuer": issuer,
        "client_id": "retort",
        "client_secret": "s",
        "name": "Example ID",
        "role_claim": "groups",
        "roles": {"law": "counsel"},
        "create": False,
        **changed,
    }
    settings.OIDC = oidc.Provider(**values)
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [settings.OIDC.app]}}


@pytest.fixture
def provider(running: Provider, settings: Any, db: None) -> Provider:
    configure(settings, running.issuer)
    return running


def begin(client: Client, **asked: str) -> str:
    """Where the sign-in page's link leads to."""
    answer = client.get("/sign-in/company/", asked)
    assert answer.status_code == 302, text_of(answer)
    return str(answer["Location"])


def finish(client: Client, address: str) -> Any:
    """Come back to us."""
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}")


def changed(address: str, **values: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **values})))


def come_in(provider: Provider, subject: str = "s-1", **asked: str) -> tuple[Client, Any]:
    client = Client()
    return client, finish(client, provider.authorise(begin(client, **asked), subject))


def link(person: User, subject: str = "s-1") -> None:
    verbs.link(person, actor="user:admin", provider=oidc.PROVIDER_ID, subject=subject)


def test_the_request_has_state_nonce_and_a_challenge(provider: Provider) -> None:
    asked = [dict(parse_qsl(urlsplit(begin(Client())).query)) for _ in range(2)]
    assert (asked[0]["code_challenge_method"], asked[0]["response_type"], asked[0]["client_id"]) == (
        *("S256", "code"),
        "retort",
    )
    assert set(asked[0]["scope"].split()) == {"openid", "profile"}
    assert all(asked[0][name] != asked[1][name] for name in ("state", "nonce", "code_challenge"))


def test_a_linked_person_comes_in_and_lands_where_they_wanted_to_go(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    client, answer = come_in(provider, next="/cases/?status=open")
    assert (answer["Location"], is_in(client)) == ("/cases/?status=open", True)
    entry = LogEntry.objects.get(action="person.signed_in")
    assert (entry.actor, entry.data) == ("user:counsel", {"how": "identity provider"})
    kept = SocialAccount.objects.get()
    assert (kept.uid, kept.extra_data) == ("s-1", {})


def test_the_sign_in_page_offers_it(provider: Provider) -> None:
    assert "Sign in with Example ID" in text_of(Client().get("/sign-in/"))


def test_who_is_linked_to_nobody_is_refused_with_the_id_to_link(provider: Provider, cast: Cast) -> None:
    client, answer = come_in(provider, "s-2")  # whose name there is that of somebody here
    assert (answer.status_code, "s-2" in text_of(answer), is_in(client)) == (403, True, False)
    assert User.objects.count() == 5


def test_where_it_is_allowed_an_account_is_made_with_the_mapped_role(provider: Provider, settings: Any) -> None:
    configure(settings, provider.issuer, create=True)
    client, _ = come_in(provider, "s-1")
    made = User.objects.get()
    assert (made.username, made.role, made.display_name) == ("mira", "counsel", "Mira Example")
    assert (made.has_usable_password(), is_in(client)) == (False, True)
    come_in(provider, "s-1")
    assert User.objects.count() == 1
    assert LogEntry.objects.filter(action="person.admitted", actor="system:sign-in").count() == 1


def test_a_name_that_somebody_has_is_not_theirs(provider: Provider, settings: Any, cast: Cast) -> None:
    configure(settings, provider.issuer, create=True)
    client, _ = come_in(provider, "s-2")
    made = SocialAccount.objects.get().user
    assert (made.username.startswith("lead-"), made.role, is_in(client)) == (True, "reader", True)


def test_a_person_switched_off_does_not_come_in(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    actions.disable(cast.counsel, actor="user:admin")
    client, answer = come_in(provider)
    assert ("switched off" in text_of(answer), is_in(client)) == (True, False)


def test_a_second_factor_here_is_asked_for_after_the_provider(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    secret, _ = with_app(cast.counsel)
    client, answer = come_in(provider)
    assert (answer["Location"], is_in(client)) == ("/sign-in/second-factor/", False)
    client.post("/sign-in/second-factor/", {"code": code(secret)})
    assert is_in(client)


def test_a_token_with_another_nonce_is_refused(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    client = Client()
    answer = finish(client, provider.authorise(changed(begin(client), nonce="of-another-sign-in")))
    assert (answer.status_code, is_in(client)) == (403, False)


def test_another_state_an_answer_to_another_browser_and_one_used_twice_are_refused(
    provider: Provider, cast: Cast
) -> None:
    link(cast.counsel)
    client, other = Client(), Client()
    back = provider.authorise(begin(client))
    for browser, address in ((client, changed(back, state="made-up")), (other, back)):
        assert finish(browser, address).status_code == 403
        assert not is_in(browser)
    assert finish(client, back).status_code == 302
    assert finish(client, back).status_code == 403


def test_who_says_no_there_and_a_made_up_code_do_not_come_in(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    client = Client()
    assert finish(client, changed(provider.authorise(begin(client), action="deny"), state="x")).status_code == 403
    back = provider.authorise(begin(client))
    assert finish(client, changed(back, code="made-up")).status_code == 403
    assert not is_in(client)


def test_an_ended_token_is_refused(settings: Any, cast: Cast) -> None:
    for provider in started("--token-max-age", "-5"):
        configure(settings, provider.issuer)
        link(cast.counsel)
        client, answer = come_in(provider)
        assert (answer.status_code, is_in(client)) == (403, False)


def test_a_provider_that_calls_itself_otherwise_and_one_that_is_gone_are_said_so(
    provider: Provider, settings: Any, cast: Cast
) -> None:
    configure(settings, provider.issuer.replace("127.0.0.1", "localhost"))
    settings.OIDC = oidc.Provider(**{**vars(settings.OIDC), "issuer": "https://id.example.com"})
    assert Client().get("/sign-in/company/").status_code == 403
    configure(settings, "http://127.0.0.1:9")
    answer = Client().get("/sign-in/company/")
    assert (answer.status_code, "did not say who you are" in text_of(answer)) == (403, True)


def test_nobody_is_led_to_another_site_by_it(provider: Provider, cast: Cast) -> None:
    link(cast.counsel)
    _, answer = come_in(provider, next="https://evil.example/")
    assert answer["Location"] == "/"


@pytest.mark.django_db
def test_one_subject_is_one_person(cast: Cast) -> None:
    link(cast.counsel)
    with pytest.raises(Refused, match="Somebody else is linked"):
        link(cast.lead)
    link(cast.counsel, "")
    link(cast.lead)
    assert SocialAccount.objects.get().user == cast.lead


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RETORT_OIDC_CLIENT_ID": "x"}, "set without RETORT_OIDC_ISSUER"),
        ({"RETORT_OIDC_ISSUER": "http://id.example.com"}, "https://id.example.com/realm is accepted"),
        ({"RETORT_OIDC_ISSUER": "https://id.example.com"}, "RETORT_OIDC_CLIENT_ID is not set"),
        ({"RETORT_OIDC_ISSUER": "https://id.example.com", "RETORT_OIDC_CLIENT_ID": "x"}, "RETORT_OIDC_CLIENT_SECRET"),
        ({"RETORT_OIDC_ROLES": "law=judge", "RETORT_OIDC_ROLE_CLAIM": "groups"}, "'law=judge' is not accepted"),
        ({"RETORT_OIDC_ROLES": "law=counsel"}, "without RETORT_OIDC_ROLE_CLAIM"),
        ({"RETORT_OIDC_CREATE": "perhaps"}, "accepted are yes, no"),
    ],
)
def test_settings_that_cannot_be_used_are_said_by_name(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {"RETORT_OIDC_ISSUER": "https://id.example.com", "RETORT_OIDC_CLIENT_ID": "x"}
    whole |= {"RETORT_OIDC_CLIENT_SECRET": "s"}
    alone = {"RETORT_OIDC_CLIENT_ID", "RETORT_OIDC_ISSUER"} & set(variables)
    for name, value in (variables if alone else {**whole, **variables}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=said):
        oidc.provider(["counsel", "reader"])
