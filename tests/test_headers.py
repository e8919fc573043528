"""What every answer tells a browser: nothing kept, nothing sniffed, nothing framed, nothing run but our own files."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from rest_framework.test import APIClient

from tests import test_roles_api, test_roles_pages
from tests.e2e.browsing import is_strict
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
api_callers, api_stage = test_roles_api.callers, test_roles_api.stage  # fixtures
page_callers, page_stage = test_roles_pages.callers, test_roles_pages.stage
EXACTLY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}
FOREIGN = "https://elsewhere.example"


def faults(answer: Any) -> Iterator[str]:
    """What is missing or wrong in the headers of an answer."""
    for name, value in EXACTLY.items():
        if answer.headers.get(name) != value:
            yield f"{name}: {answer.headers.get(name)}"
    if "no-store" not in answer.headers.get("Cache-Control", ""):
        yield f"Cache-Control: {answer.headers.get('Cache-Control')}"
    if "camera=()" not in answer.headers.get("Permissions-Policy", ""):
        yield f"Permissions-Policy: {answer.headers.get('Permissions-Policy')}"
    if not is_strict(answer.headers.get("Content-Security-Policy", "")):
        yield f"Content-Security-Policy: {answer.headers.get('Content-Security-Policy')}"
    kind = answer.headers.get("Content-Type", "")
    if kind.startswith("text/") and "charset=utf-8" not in kind:
        yield f"Content-Type: {kind}"
    yield from (f"{name}: not to be told" for name in ("X-Powered-By", "Access-Control-Allow-Origin") if name in answer)


def test_every_page_carries_them(page_callers: dict[str, Client], page_stage: dict[str, str]) -> None:
    wrong = []
    for line in test_roles_pages.LADDER:
        method, _, path = line.partition(" ")
        for role in ("anonymous", "case_lead"):
            send = getattr(page_callers[role], method.lower())
            answer = send(test_roles_pages.filled(path, page_stage), headers={"Origin": FOREIGN})
            answer.getvalue()
            wrong += [f"{line} as {role}: {fault}" for fault in faults(answer)]
    assert wrong == []


def test_every_address_of_the_api_carries_them(api_callers: dict[str, APIClient], api_stage: dict[str, str]) -> None:
    wrong = []
    for line in test_roles_api.LADDER:
        method, path = line.split()
        for role in ("anonymous", "case_lead", "detector"):
            body = None if method == "GET" else test_roles_api.BAD
            answer = getattr(api_callers[role], method.lower())(test_roles_api.filled(path, api_stage), body)
            answer.getvalue()
            wrong += [f"{line} as {role}: {fault}" for fault in faults(answer)]
    assert wrong == []


def test_refusals_and_failures_carry_them(cast: Cast, settings: Any) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    settings.ALLOWED_HOSTS = ["testserver"]
    wrong = []
    for status, answer in (
        (400, client.get("/", headers={"Host": "evil.example"})),
        (403, client.post("/sign-in/", {"username": "a"})),
        (404, client.get("/nothing-here/")),
    ):
        assert answer.status_code in {status, 302}, (status, answer.status_code)
        wrong += [f"{status}: {fault}" for fault in faults(answer)]
    assert wrong == []


def test_a_failure_tells_a_request_id_and_nothing_else(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret-of-the-house in /srv/retort/keys")

    monkeypatch.setattr("cases.queries.cases", broken, raising=False)
    monkeypatch.setattr("cases.access.visible_cases", broken)
    client = Client(raise_request_exception=False)
    client.force_login(cast.lead)
    for address in ("/cases/RT-2026-K7Q4M/", "/api/v1/cases/"):
        answer = client.get(address, headers={"X-Request-Id": "known-to-the-test"})
        assert answer.status_code == 500
        assert "known-to-the-test" in answer.text
        assert [
            word for word in ("secret-of", "Traceback", "/srv/", "RuntimeError", "Django") if word in answer.text
        ] == []
        assert list(faults(answer)) == []


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PROPFIND", "CONNECT"])
def test_other_methods_give_nothing_back(cast: Cast, method: str) -> None:
    client = Client()
    client.force_login(cast.lead)
    for address in ("/cases/", "/api/v1/cases/", "/sign-in/"):
        answer = client.generic(method, address, headers={"X-Echo": "echoed-back"})
        assert "echoed-back" not in answer.text
        assert answer.status_code in {200, 302, 403, 405}


def test_behind_https_cookies_and_transport_are_held_to_it() -> None:
    """What config/settings.py makes of RETORT_PUBLIC_URL=https://…, seen in a process of its own."""
    import json
    import os
    import subprocess
    import sys

    names = (
        *("SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE"),
        *("CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY", "CSRF_COOKIE_SAMESITE", "DEBUG"),
        *("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SESSION_COOKIE_DOMAIN"),
    )
    code = (
        f"import json; from django.conf import settings as s; print(json.dumps({{n: getattr(s, n) for n in {names}}}))"
    )
    variables = {
        **os.environ,
        "RETORT_PUBLIC_URL": "https://retort.example",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    told = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(told) == {
        "SESSION_COOKIE_NAME": "__Host-session",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "CSRF_COOKIE_SECURE": True,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "DEBUG": False,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SESSION_COOKIE_DOMAIN": None,
    }


@override_settings(SECURE_SSL_REDIRECT=True)
def test_the_api_refuses_what_comes_in_the_clear_and_is_not_redirected(db: None) -> None:
    for method in ("get", "post"):
        answer = getattr(Client(), method)("/api/v1/cases/")
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json")
        assert "HTTPS alone" in answer.json()["detail"]
        assert answer["Cache-Control"] == "no-store, private"
    assert Client().get("/api/v1/cases/", secure=True).status_code == 401


@override_settings(SECURE_SSL_REDIRECT=True)
def test_health_alone_answers_without_https(db: None) -> None:
    assert Client().get("/healthz").status_code == 200
    assert Client().get("/sign-in/")["Location"].startswith("https://")
    assert Client().get("/metrics").status_code == 404  # its token is taken in the clear on this machine alone
    assert settings.SECURE_REDIRECT_EXEMPT == [r"^healthz$", r"^readyz$", r"^metrics$"]
