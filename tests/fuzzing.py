"""Cases that schemathesis makes from the whole OpenAPI file, sent as every role, and what was answered.

Addresses name things of the stage, save where the address itself is tried. A case is sent by Django's test client in
this process: what is behind the door is the real thing.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from django.http.response import HttpResponseBase
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some
from rest_framework.test import APIClient
from schemathesis import GenerationMode

from tests.test_roles_api import ROLES

OURS = {"authorization", "content-length", "content-type", "cookie", "host"}
HERE = "http://testserver"


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def as_line(_: Any, value: Any) -> bytes:
    """One line of NDJSON."""
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


@schemathesis.serializer("application/offset+octet-stream")
def as_bytes(_: Any, value: Any) -> bytes:
    """Bytes of an upload."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@dataclass
class Answers:
    """How often each role got each status, what failed, and statuses that the description does not know."""

    by_role: dict[str, Counter[int]] = field(default_factory=lambda: {role: Counter() for role in ROLES})
    failed: list[str] = field(default_factory=list)
    untold: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(answers.total() for answers in self.by_role.values())


@dataclass(frozen=True)
class Way:
    """How cases are made: as the description has them or against it, and whether their address is of the stage."""

    mode: GenerationMode
    at_home: bool


AS_DESCRIBED, AGAINST_IT, ANYWHERE = WAYS = (
    Way(GenerationMode.POSITIVE, at_home=True),
    Way(GenerationMode.NEGATIVE, at_home=True),
    Way(GenerationMode.NEGATIVE, at_home=False),
)


def operations() -> list[Any]:
    """Every operation of the OpenAPI file."""
    described = json.loads(json.dumps(SchemaGenerator().get_schema(public=True)))
    return [one.ok() for one in schemathesis.openapi.from_dict(described).get_all_operations()]


def ways(operation: Any) -> tuple[Way, ...]:
    """The ways that make a difference: what takes nothing but its address is tried by its address."""
    told = operation.definition.raw
    takes = "requestBody" in told or any(one["in"] != "path" for one in told.get("parameters", []))
    return WAYS if takes else (AS_DESCRIBED, ANYWHERE)


def send_cases(
    operation: Any,
    way: Way,
    clients: Mapping[str, APIClient],
    stage: Mapping[str, str],
    answers: Answers,
    *,
    number: int,
    start: int,
) -> None:
    """Send so many cases, to each role in turn. The same cases whenever `start` is the same.

    Where the description allows few cases, they come again to other roles (`another` is a draw that nobody looks at).
    """
    names = [one["name"] for one in operation.definition.raw.get("parameters", []) if one["in"] == "path"]
    turns = islice(cycle(ROLES), start % len(ROLES), None)
    here = {"path_parameters": {name: stage[name] for name in names}} if way.at_home and names else {}

    @seed(start)
    @settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=way.mode, **here), another=some.integers())
    def each(case: Any, another: int) -> None:
        role = next(turns)
        note(answers, operation, case, role, sent(case, clients[role]))

    each()


def sent(case: Any, client: APIClient) -> HttpResponseBase:
    """The answer to a case, read to its end."""
    made = requests.Request(**_of_requests(case)).prepare()
    given = {name: value for name, value in made.headers.items() if name.lower() not in OURS}
    parts = urlsplit(str(made.url))
    answer: HttpResponseBase = client.generic(
        str(made.method),
        f"{parts.path}?{parts.query}" if parts.query else parts.path,
        made.body or b"",
        content_type=made.headers.get("Content-Type") or "application/json",
        headers={name: value if isinstance(value, str) else value.decode("latin-1") for name, value in given.items()},
    )
    answer.getvalue()  # type: ignore[attr-defined]
    return answer


def _of_requests(case: Any) -> dict[str, Any]:
    kwargs = case.as_transport_kwargs(base_url=HERE)
    names = ("method", "url", "headers", "files", "data", "params", "cookies", "json")
    return {name: kwargs[name] for name in names if name in kwargs}


def note(answers: Answers, operation: Any, case: Any, role: str, answer: HttpResponseBase) -> None:
    """Count the answer; one of 5xx is kept with what it was an answer to."""
    status = answer.status_code
    answers.by_role[role][status] += 1
    if status >= 500:
        told = {name: getattr(case, name) for name in ("path_parameters", "query", "headers", "body")}
        answers.failed.append(f"{status} {operation.label} as {role}: {str(told)[:1000]}")
    elif str(status) not in operation.definition.raw["responses"]:
        answers.untold[f"{status} {operation.label}"] += 1
