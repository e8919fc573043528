"""/healthz answers while the process lives; /readyz names what is not as it must be."""

from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from config import health
from spine import conditions

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def test_healthz_asks_nothing(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_is_ok_on_a_migrated_installation(client: Client) -> None:
    answer = client.get("/readyz")
    parts = dict.fromkeys(["status", "database", "broker", "migrations", "evidence"], "ok")
    assert answer.json() == {**parts, "conditions": []}
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]


def test_readyz_names_what_lasts_and_stays_ready(client: Client) -> None:
    conditions.tell("log.signer", "The log's signer does not answer.")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["conditions"]) == (200, ["log.signer"])


def test_readyz_names_a_broker_that_does_not_answer(client: Client, settings: Any, tmp_path: Any) -> None:
    settings.BROKER_URL = f"redis+socket://{tmp_path}/nobody.sock"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["broker"], answer.json()["database"]) == (503, "not reached", "ok")


def test_readyz_names_a_database_that_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert [answer.json()[name] for name in health.CHECKS] == ["not reached", "ok", "not reached", "ok"]


@pytest.mark.parametrize("path", ["/", "/api/v1/cases/"])
def test_a_database_that_does_not_answer_is_503_and_not_a_mistake(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32  # looked up in the database
    answer = client.get(path, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "database cannot be reached just now" in answer.content.decode()


def test_readyz_counts_migrations_that_are_missing(client: Client) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = 'detection' ORDER BY name DESC LIMIT 1")
        newest = cursor.fetchone()[0]
        cursor.execute("DELETE FROM django_migrations WHERE app = 'detection' AND name = %s", [newest])
        try:
            answer = client.get("/readyz")
        finally:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('detection', %s, now())", [newest]
            )
    assert (answer.status_code, answer.json()["migrations"]) == (503, "1 to be applied")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_for_reading(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
