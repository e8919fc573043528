"""The description of the API: valid, without a warning; every operation of judging says what it does and refuses."""

from typing import Any

import pytest
from django.core.management import call_command
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator

from spine.problems import PROBLEM
from tests.test_roles_api import addresses


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-any-return]


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    paths = {
        path.replace("{", "<").replace("}", ">").removeprefix("/api/v1/"): item
        for path, item in schema["paths"].items()
    }
    return {
        f"{method} {path}": paths[path][method.lower()]
        for path, methods in addresses(get_resolver("cases.api.urls"))
        for method in methods
    }


def test_the_description_is_valid_and_warns_of_nothing(db: None, tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_every_operation_says_what_it_does(schema: dict[str, Any]) -> None:
    silent = [name for name, one in operations(schema).items() if not (one.get("summary") and one.get("description"))]
    assert silent == []


def test_every_operation_says_how_it_refuses(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema).items():
        refusals = {code for code, answer in operation["responses"].items() if PROBLEM in answer.get("content", {})}
        expected = {"401", "403"} | ({"404"} if "<" in name else set())
        assert refusals >= expected, name


# What is asked for by the address alone.
WITHOUT_A_BODY = {
    "DELETE cases/<ref>/uploads/<upload_id>/",
    "POST cases/<ref>/uploads/<upload_id>/complete/",
    "POST cases/<ref>/evidence/<number>/listing/",
    "POST cases/<ref>/counsel/notes/<counsel_note_id>/withdraw/",
    "POST dossiers/<version_id>/render/",
    "POST log/verifications/",
    "POST notices/<notice_id>/seen/",
    "POST vault/verify/",
    "POST webhooks/<webhook_id>/test/",
    "POST webhooks/<webhook_id>/deliveries/<delivery_id>/send-again/",
    "POST cases/<ref>/evidence/<number>/verify/",
    "POST cases/<ref>/jobs/<job_id>/stop/",
    "POST jobs/<job_id>/stop/",
    "POST cases/<ref>/exchange-sets/<exhibit>/rerun/",
}


def test_every_write_describes_its_body_unless_the_address_says_all(schema: dict[str, Any]) -> None:
    without = {name for name, one in operations(schema).items() if name[:3] != "GET" and "requestBody" not in one}
    assert without == WITHOUT_A_BODY
