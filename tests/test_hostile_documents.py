"""Every write of the API, as its own description lists them, against every hostile document: refused in one form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from spine.models import LogEntry
from tests import test_roles_api
from tests.cases.api import client_of
from tests.factories import Cast
from tests.hostile_documents import BROKEN, VALUES, documents
from tests.test_roles_api import LADDER, ROLES, filled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
callers, stage = test_roles_api.callers, test_roles_api.stage  # fixtures
WRITES = {"post", "put", "patch", "delete"}
PROBLEM = "application/problem+json"
# Each endpoint meets every 24th document, each document every 24th endpoint; benchmarks/bench_hostile.py: more.
EVERY = 24
# Only the broker who is asked gets in, and one of the writes before ends that.
BROKERED = ("deconfliction/", "cases/<ref>/deconfliction/told/")
# What an endpoint that reads lines answers to broken ones: which of them, with what reason.
COUNTED = {400, 413, 415, 422}


@dataclass(frozen=True)
class Endpoint:
    """A write as the OpenAPI file describes it."""

    method: str
    path: str
    kinds: tuple[str, ...]
    fields: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"{self.method.upper()} {self.path}"


def endpoints(schema: Any) -> Iterator[Endpoint]:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if method in WRITES:
                content = operation.get("requestBody", {}).get("content", {})
                named = [name for one in content.values() for name in fields(schema, one.get("schema", {}))]
                short = re.sub(r"\{(\w+)\}", r"<\1>", path.removeprefix("/api/v1/"))
                yield Endpoint(method, short, tuple(content), tuple(dict.fromkeys(named)))


def fields(schema: Any, part: Any) -> list[str]:
    if "$ref" in part:
        named = part["$ref"].rpartition("/")[2]
        return fields(schema, schema["components"]["schemas"].get(named) or part.get("$defs", {}).get(named, {}))
    inner = [name for one in (*part.get("allOf", ()), *part.get("oneOf", ())) for name in fields(schema, one)]
    return [*part.get("properties", {}), *inner]


def described(cast: Cast) -> list[Endpoint]:
    return sorted(endpoints(client_of(cast.reader).get("/api/v1/schema/?format=json").json()), key=lambda one: one.line)


def role_for(endpoint: Endpoint) -> str | None:
    """Somebody whom this endpoint lets in; None where it needs a person of the case (a named broker, who was asked)."""
    answers = dict(zip(ROLES, LADDER[endpoint.line].split(), strict=True))
    return next((role for role in ("case_lead", *ROLES) if answers[role] not in {"401", "403", "404"}), None)


def faults(answer: Any, broken: bool, endpoint: Endpoint) -> Iterator[str]:
    kind = answer.headers.get("Content-Type", "")
    text = "" if answer.streaming else answer.text
    if answer.status_code >= 500:
        yield f"{answer.status_code}"
    elif answer.status_code >= 400 and kind != PROBLEM and "errors" not in text:
        yield f"{answer.status_code} as {kind}"
    elif answer.status_code == 404 and endpoint.path.startswith(BROKERED):
        return  # the door closed before the body was read
    elif broken and "application/json" in endpoint.kinds and answer.status_code not in COUNTED:
        yield f"{answer.status_code} to what must be refused"
    if "Traceback" in text or "psycopg" in text:
        yield "tells of the inside"


def tried(endpoint: Endpoint, client: APIClient, stage: dict[str, str], start: int, every: int) -> list[str]:
    wrong = []
    for name, body, broken in documents(list(endpoint.fields), start, every):
        answer = client.generic(endpoint.method, filled(endpoint.path, stage), body, content_type="application/json")
        wrong += [f"{endpoint.line}, {name}: {fault}" for fault in faults(answer, broken, endpoint)]
    return wrong


def test_the_corpus_is_large_and_the_description_lists_every_write(committed_cast: Cast) -> None:
    assert len(BROKEN) + len(VALUES) >= 80
    named = {endpoint.line for endpoint in described(committed_cast)}
    assert named == {line for line in LADDER if not line.startswith("GET ")}


def test_no_document_is_too_much_for_any_write(
    committed_cast: Cast,
    callers: dict[str, APIClient],
    stage: dict[str, str],
) -> None:
    wrong = []
    for place, endpoint in enumerate(described(committed_cast)):
        wrong += tried(endpoint, callers[role_for(endpoint) or "case_lead"], stage, place, EVERY)
    assert not wrong, "\n".join(wrong)


def test_what_is_broken_writes_nothing(
    committed_cast: Cast,
    callers: dict[str, APIClient],
    stage: dict[str, str],
) -> None:
    writes = described(committed_cast)
    before = set(LogEntry.objects.values_list("id", flat=True))
    for place, endpoint in enumerate(writes):
        sent = [body for _, body, broken in documents(list(endpoint.fields), place, EVERY) if broken]
        client = callers[role_for(endpoint) or "case_lead"]
        for body in sent:
            if "application/json" in endpoint.kinds:
                client.generic(endpoint.method, filled(endpoint.path, stage), body, content_type="application/json")
    written = LogEntry.objects.exclude(id__in=before)
    assert list(written.values_list("action", "actor")) == []
