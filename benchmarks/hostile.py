"""The parts of bench_hostile.py, which runs this file as tests to have their people, cases and servers."""

import copy
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from benchmarks.bench_hostile import Tally
from cases.actions.uploads import start_upload
from cases.api import testers
from cases.models import Case
from tests import conftest, test_roles_api
from tests.cases.api import client_of
from tests.factories import START, Cast
from tests.hostile_documents import VALUES, documents
from tests.test_hostile_documents import Endpoint, described, role_for
from tests.test_roles_api import filled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
callers, stage = test_roles_api.callers, test_roles_api.stage  # fixtures
committed_cast, no_broker, forgetful = conftest.committed_cast, conftest.no_broker, conftest.signer_without_memory
CASES = 50_000
# Lines of findings are read as such; every other body is JSON.
LINES = "application/x-ndjson"
WHOLE = {"date-time": "2026-05-04T00:00:00Z", "date": "2026-05-04", "uuid": "01a2138c-a5f5-7006-aec2-37202736b53f"}


@dataclass(frozen=True)
class Door:
    """One write, with the client and the address to send to."""

    endpoint: Endpoint
    client: APIClient
    address: str

    def send(self, body: bytes) -> Any:
        kind = LINES if LINES in self.endpoint.kinds else "application/json"
        return self.client.generic(self.endpoint.method, self.address, body, content_type=kind)


def doors(cast: Cast, callers: dict[str, APIClient], stage: dict[str, str]) -> list[Door]:
    """Every write; what a deletion ends is something that no other write here names."""
    case = Case.objects.get(ref=stage["ref"])
    given = {"title": "Spare", "source": "Gateway", "acquired_at": START, "file_name": "b", "size": 9}
    ended = {**stage, "upload_id": str(start_upload(case, actor=cast.analyst, **given).pk)}
    return [
        Door(
            one,
            callers[role_for(one) or "case_lead"],
            filled(one.path, ended if one.method == "delete" else stage),
        )
        for one in described(cast)
    ]


def test_every_hostile_document_at_every_write(
    committed_cast: Cast, callers: dict[str, APIClient], stage: dict[str, str], tally: Tally
) -> None:
    every = doors(committed_cast, callers, stage)
    tally.writes = len(every)
    count(tally, "documents", sent_documents(every))
    assert not tally.failed, "\n".join(tally.failed[:50])


def test_changed_documents_spread_over_all_writes(
    committed_cast: Cast, callers: dict[str, APIClient], stage: dict[str, str], tally: Tally
) -> None:
    every = doors(committed_cast, callers, stage)
    schema = client_of(committed_cast.reader).get("/api/v1/schema/?format=json").json()
    before = len(tally.failed)
    count(tally, "changed", sent_changes(every, schema, stage))
    assert not tally.failed[before:], "\n".join(tally.failed[before:][:50])


def test_an_endpoint_that_fails_is_seen(
    committed_cast: Cast,
    callers: dict[str, APIClient],
    stage: dict[str, str],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: a verb that raises where it should not has to show as failures, or the other parts prove nothing."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(testers.LookUpTesters, "post", broken)
    [door] = [one for one in doors(committed_cast, callers, stage) if one.endpoint.path.endswith("testers/lookup/")]
    seen = Tally(seconds=60)
    count(seen, "broken", sent_documents([door]))
    tally.control = seen.answers["broken"]
    assert set(tally.control) == {500}
    assert len(seen.failed) == tally.control[500]


def count(tally: Tally, part: str, bodies: Iterator[tuple[Door, str, bytes]]) -> None:
    """Send until the time of a part is over; a body that the server failed at can be made again from its name."""
    answers = tally.answers.setdefault(part, Counter())
    begun = time.monotonic()
    for door, name, body in bodies:
        answer = door.send(body)
        answers[answer.status_code] += 1
        if answer.status_code >= 500:
            tally.failed.append(f"{answer.status_code} {door.endpoint.line}, {name}: {body[:200]!r}")
        if time.monotonic() - begun > tally.seconds / 2:
            return


def sent_documents(every: list[Door]) -> Iterator[tuple[Door, str, bytes]]:
    """Document by document over all writes, so that a run cut short has been everywhere."""
    streams = [(door, documents(list(door.endpoint.fields))) for door in every]
    while streams:
        left = []
        for door, stream in streams:
            one = next(stream, None)
            if one is not None:
                yield door, one[0], one[1]
                left.append((door, stream))
        streams = left


def sent_changes(every: list[Door], schema: Any, stage: dict[str, str]) -> Iterator[tuple[Door, str, bytes]]:
    """Valid documents, each changed one to four times, in an order drawn from a fixed seed."""
    wholes = [(door, example(schema, door.endpoint, stage)) for door in every]
    for number in range(CASES):
        draw = random.Random(number)
        door, whole = wholes[number % len(wholes)]
        yield door, f"case {number}", changed(draw, whole)


def example(schema: Any, endpoint: Endpoint, stage: dict[str, str]) -> Any:
    """A body as the description of a write promises to take it, with the things of the stage by name."""
    address = "/api/v1/" + endpoint.path.replace("<", "{").replace(">", "}")
    content = schema["paths"][address][endpoint.method].get("requestBody", {}).get("content", {})
    for media in content.values():
        for shown in media.get("examples", {}).values():
            return shown["value"]
        if made := filled_in(schema, media.get("schema", {}), stage):
            return made
    return dict.fromkeys(endpoint.fields, "a")


def filled_in(schema: Any, part: Any, stage: dict[str, str], name: str = "", depth: int = 0) -> Any:
    if depth > 8:
        return None
    if "$ref" in part:
        named = part["$ref"].rpartition("/")[2]
        return filled_in(schema, schema["components"]["schemas"].get(named, {}), stage, name, depth + 1)
    for several in ("allOf", "oneOf", "anyOf"):
        if part.get(several):
            return filled_in(schema, part[several][0], stage, name, depth + 1)
    if "properties" in part:
        return {key: filled_in(schema, one, stage, key, depth + 1) for key, one in part["properties"].items()}
    return scalar(schema, part, stage, name, depth)


def scalar(schema: Any, part: Any, stage: dict[str, str], name: str, depth: int) -> Any:
    kinds = part.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if part.get("enum"):
        return part["enum"][0]
    if kind == "array":
        return [filled_in(schema, part.get("items", {}), stage, name, depth + 1)]
    simple: dict[str, Any] = {"boolean": True, "integer": part.get("minimum", 1), "number": 0.5, "object": {"a": "b"}}
    if kind in simple:
        return simple[kind]
    known = stage.get(name) or stage.get(f"{name}_id") or stage.get("ref" if name == "case" else "")
    return known or WHOLE.get(part.get("format", ""), "Words of somebody")


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in pairs for found in ((value, key), *places(inner))]


def changed(draw: random.Random, whole: Any) -> bytes:
    """A copy with one to four changes of its structure or values; every third one has bytes changed too."""
    root = {"": json.loads(json.dumps(whole))}
    for _ in range(draw.randint(1, 4)):
        container, key = draw.choice(places(root))
        draw.choice(CHANGES)(draw, container, key)
    body = bytearray(json.dumps(root.get("")).encode())
    for _ in range(draw.randint(1, 3) if draw.random() < 1 / 3 else 0):
        draw.choice(OF_BYTES)(draw, body, draw.randint(0, len(body)))
    return bytes(body)


def replaced(draw: random.Random, container: Any, key: Any) -> None:
    container[key] = copy.deepcopy(draw.choice(list(VALUES.values())))


def dropped(_: random.Random, container: Any, key: Any) -> None:
    container[key] = None
    if isinstance(container, dict) and key:
        del container[key]


def wrapped(draw: random.Random, container: Any, key: Any) -> None:
    container[key] = [container[key]] if draw.random() < 0.5 else {"id": container[key]}


def stretched(draw: random.Random, container: Any, key: Any) -> None:
    value = container[key]
    if isinstance(value, bool | int | float):
        container[key] = draw.choice([-value, value + 2**31, value + 2**63, value * 1e9, str(value)])
    elif isinstance(value, str | list):
        container[key] = value * draw.choice([0, 2, 300 if len(value) < 100 else 2])


def spotted(draw: random.Random, container: Any, key: Any) -> None:
    value = container[key]
    if isinstance(value, str):
        at = draw.randint(0, len(value))
        container[key] = (
            value[:at] + draw.choice(["\x00", "\ud800", "\u202e", "\u200b", "'", "%", "\n", "\U0010ffff"]) + value[at:]
        )


def cut(_: random.Random, body: bytearray, at: int) -> None:
    del body[at:]


def put_in(draw: random.Random, body: bytearray, at: int) -> None:
    body[at:at] = draw.randbytes(draw.randint(1, 4))


def doubled(draw: random.Random, body: bytearray, at: int) -> None:
    body[at:at] = body[at : at + draw.randint(1, 40)]


CHANGES: tuple[Callable[[random.Random, Any, Any], None], ...] = (replaced, dropped, wrapped, stretched, spotted)
OF_BYTES: tuple[Callable[[random.Random, bytearray, int], None], ...] = (cut, put_in, doubled)
