"""The OpenAPI file is valid, says something of every address, and its page works under the strict policy."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from people.actions import create_token
from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema(client: Client, cast: Cast) -> Any:
    key = create_token(actor="user:admin", username="reader")
    answer = client.get("/api/v1/schema/?format=json", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    return answer.json()


def operations(schema: Any) -> Any:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_schema_is_valid_and_warns_of_nothing(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_schema_is_openapi_3_1_with_both_ways_to_sign_in(schema: Any) -> None:
    assert schema["openapi"].startswith("3.1.")
    assert set(schema["components"]["securitySchemes"]) == {"key", "session"}


def test_every_operation_has_a_summary_a_tag_and_its_refusals(schema: Any) -> None:
    bare = [
        name
        for name, operation in operations(schema)
        if not operation.get("summary")
        or not operation.get("tags")
        or not {"401", "403"} <= set(operation["responses"])
    ]
    assert bare == []


def test_every_body_of_a_finding_has_an_example_that_is_accepted(schema: Any) -> None:
    from detection.finding_schema import NativeFinding, check
    from detection.ocsf import check_ocsf

    found = 0
    for name, operation in operations(schema):
        if not name.startswith("POST /api/v1/findings/"):
            continue
        accepts = check_ocsf if name.endswith("/ocsf/") else check
        for content in operation["requestBody"]["content"].values():
            for example in content["examples"].values():
                documents = example["value"] if isinstance(example["value"], list) else [example["value"]]
                for document in documents:
                    assert isinstance(accepts(document, detector="reasoning-elicitation"), NativeFinding)
                    found += 1
    assert found == 7


def test_schema_and_page_are_for_those_who_are_known(client: Client) -> None:
    assert client.get("/api/v1/schema/").status_code == 401
    assert client.get("/api/v1/docs/").headers["Location"] == "/sign-in/?next=/api/v1/docs/"


@pytest.mark.parametrize("path", ["nothing/", "findings", "findings/abc/", "cases"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_other_address_under_the_api_is_a_problem_document(client: Client, cast: Cast, path: str, method: str) -> None:
    key = create_token(actor="user:admin", username="reader")
    answer = getattr(client, method)(f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_refusal_of_django_itself_is_a_problem_document_under_the_api(rf: Any) -> None:
    from config import errors

    for path, content_type in (("/api/v1/cases/", "application/problem+json"), ("/queue/", "text/html; charset=utf-8")):
        assert errors.server_error(rf.get(path)).headers["Content-Type"] == content_type
        assert errors.bad_request(rf.get(path), ValueError("x")).headers["Content-Type"].startswith(content_type[:9])
