"""Every write of the judging API against hostile documents: refused with a problem document, and nothing written."""

import json
import re
from typing import Any

import pytest
from django.urls import get_resolver
from rest_framework.test import APIClient

from cases import actions
from cases.models import Case
from spine import jobs
from spine.models import Job, LogEntry
from tests.cases.api import client_of, places
from tests.factories import START, Cast, make_case, make_lead, provider_ids
from tests.test_roles_api import BAD, FIELDS, addresses, filled, frozen

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_broker")]
NESTED = b'{"title":' + b"[" * 3000 + b"]" * 3000 + b"}"
DOCUMENTS = {
    "NUL": b'{"title": "a\\u0000b"}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "depth": NESTED,
    "a key twice": b'{"title": "a", "title": "b"}',
    "NaN": b'{"expected_count": NaN}',
    "infinite": b'{"expected_count": 1e999}',
    "giant number": b'{"expected_count": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"title": "\xff\xfe"}',
    "cut short": b'{"title": "a',
    "mark before it": b"\xef\xbb\xbf{}",
    "scalars": b'[1, "a", null]',
    "one scalar": b'"a"',
    "too large": b'{"title": "' + b"a" * (3 * 1024 * 1024) + b'"}',
}
NONE: dict[str, Any] = {"supersedes": None}
# Writes that take free text, each whole but for the words that are tried in turn.
NOBODY = "01990000-0000-7000-8000-000000000001"  # an id of nothing: refused at its own field, whatever the text is
TEXTS: dict[str, dict[str, Any]] = {
    "leads/<lead_id>/open/": {"title": "words", "summary": "words"},
    "leads/<lead_id>/join/": {"case": "words"},
    "leads/<lead_id>/assign/": {"to": "words", "expected": None},
    "leads/<lead_id>/snooze/": {"until": "2027-01-01T00:00:00Z", "note": "words"},
    "leads/<lead_id>/reject/": {"reason": "other", "note": "words"},
    "leads/<lead_id>/reopen/": {"note": "words"},
    "leads/<lead_id>/kept-apart/": {"accounts": [NOBODY], "reason": "words"},
    "cases/<ref>/": {"title": "words", "summary": "words"},
    "cases/<ref>/claims/": {"claim": "a", "likelihood": "likely", "confidence": "low", **NONE}
    | {"rationale": "words", "alternatives": "words"},
    "cases/<ref>/alternatives/": {"alternative": "academic", "state": "ruled_out", "reason": "words", **NONE},
    "cases/<ref>/timeline/": {"lane": "decisions", "starts_at": "2026-05-04T00:00:00Z", "confidence": "low"}
    | {"text": "words", "source": "words"},
    "cases/<ref>/timeline/<note_id>/withdraw/": {"reason": "words"},
    "cases/<ref>/detachments/": {"cluster": NOBODY, "reason": "words"},
    "cases/<ref>/dossiers/": {"recipient": "words", "basis": "words"},
    "dossiers/<version_id>/approve/": {"snapshot_sha256": "ab" * 32, "note": "words"},
    "cases/<ref>/move/": {
        "to": "closed",
        "expected_from": "investigating",
        "closing_reason": "benign",
        "note": "words",
    },
}
WITHOUT_BODY = {"dossiers/<version_id>/render/", "cases/<ref>/jobs/<job_id>/stop/"}  # read none


JUDGING = ("leads/", "cases/<ref>/", "dossiers/")


def writes() -> list[tuple[str, str]]:
    """Each address of judging with each method that changes something; uploads have a test of their own.

    Addresses that name something else than a case and what `stage` has are met in tests/test_hostile_documents.py.
    """
    found = addresses(get_resolver("cases.api.urls"))
    served = [(method, path) for path, methods in found for method in sorted(methods - {"GET"})]
    known = {"ref", "note_id", "lead_id", "job_id", "version_id"}
    named = [(method, path) for method, path in served if set(re.findall(r"<(\w+)>", path)) <= known]
    passed_over = {*WITHOUT_BODY, "cases/<ref>/evidence/"}
    return [
        (method, path)
        for method, path in named
        if path not in passed_over
        and path.startswith(("leads/", "cases/<ref>/", "dossiers/"))
        and "counsel" not in path
    ]


@pytest.fixture
def api(cast: Cast) -> APIClient:
    return client_of(cast.lead)


@pytest.fixture
def stage(cast: Cast) -> dict[str, str]:
    case: Case = make_case(cast, stage="investigating")
    note = actions.add_timeline_note(
        case, actor=cast.analyst, lane="decisions", starts_at=START, text="Told", source="Mail", confidence="high"
    )
    named = {
        "ref": case.ref,
        "note_id": note.id,
        "lead_id": make_lead(provider_ids(3, "other")).id,
        "job_id": jobs.enqueue("verdicts.set", actor="user:analyst", key="hostile", scope=case.id).id,
        "version_id": frozen(case, cast.analyst).id,
    }
    return {name: str(value) for name, value in named.items()}


def answers_to(api: APIClient, stage: dict[str, str], body: bytes) -> dict[str, tuple[int, str]]:
    found = {}
    for method, path in writes():
        answer = api.generic(method, filled(path, stage), body, content_type="application/json")
        found[f"{method} {path}"] = (answer.status_code, answer["Content-Type"])
    return found


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_hostile_document_is_refused_everywhere_and_nothing_is_written(
    api: APIClient, stage: dict[str, str], kind: str
) -> None:
    before = (LogEntry.objects.count(), Job.objects.count())
    answers = answers_to(api, stage, DOCUMENTS[kind])
    expected = (413 if kind == "too large" else 400, "application/problem+json")
    assert answers == dict.fromkeys(answers, expected)
    assert (LogEntry.objects.count(), Job.objects.count()) == before


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "", "x" * 50_000, [], [[]], {}, {"a": {"b": []}}])
def test_any_field_may_be_anything_and_the_server_stands(api: APIClient, stage: dict[str, str], value: Any) -> None:
    body = json.dumps(dict.fromkeys(FIELDS, value) | {"expected_count": -1}).encode()
    statuses = {status for status, _ in answers_to(api, stage, body).values()}
    assert statuses <= {200, 201, 202, 400, 403, 404, 409, 413}


@pytest.mark.parametrize(
    "text", ["\x7f\x1b[2J", "\u202egnp.exe", "\U0001f9ea" * 9000, "{{ 7*7 }}%s%(a)s{0}", "\n\t \r"]
)
def test_any_text_that_is_text_is_taken_or_refused_at_its_field(
    api: APIClient, stage: dict[str, str], text: str
) -> None:
    for path, body in TEXTS.items():
        method = "PATCH" if path == "cases/<ref>/" else "POST"
        for field in [field for field, value in body.items() if value == "words"]:
            answer = getattr(api, method.lower())(filled(path, stage), body | {field: text})
            assert answer.status_code in {200, 201, 202, 400, 409}, (path, field, answer.content)
            unknown = [f"/{name}" for name, value in body.items() if NOBODY in (value or ())]
            assert places(answer) in ([], [f"/{field}"], unknown)


def test_other_content_types_are_refused(api: APIClient, stage: dict[str, str]) -> None:
    for method, path in writes():
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/xml"):
            answer = api.generic(method, filled(path, stage), b"title=a", content_type=kind)
            assert (method, path, answer.status_code) == (method, path, 415)


def test_a_place_is_named_by_a_pointer_into_what_was_sent(api: APIClient, stage: dict[str, str]) -> None:
    address = filled("leads/<lead_id>/open/", stage)
    answer = api.generic("POST", address, b'{"a/b~": {"x": ["\\u0000"]}}', content_type="application/json")
    assert places(answer) == ["/a~1b~0/x/0"]
    assert places(api.post(filled("cases/<ref>/verdicts/bulk/", stage), BAD)) == [
        "/filter",
        "/value",
        "/reason",
        "/expected_count",
    ]
