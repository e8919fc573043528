"""Mass assignment: every write of the API is sent fields that the database has and the write does not accept.

Each write is a valid one, so that something is written, in a state of its own where it needs one
(tests/cases/staged_writes.py); what was sent along has values found nowhere else, and no row
of any table may have one of them after it.
"""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from cases.models import Case, EvidenceItem
from detection.models import Account
from people.models import User
from tests import test_roles_api as api
from tests.cases.api import client_of_detector
from tests.cases.staged_writes import STAGED, Story
from tests.factories import Cast
from tests.test_fields import components, schema

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
api_stage, callers = api.stage, api.callers
DAY, PAST = "2026-06-01T00:00:00Z", "1999-09-09T09:09:09Z"
INJECTED: dict[str, Any] = {
    **{
        name: str(uuid.UUID(int=0x51395139513951395139513951390000 + place))
        for place, name in enumerate(("id", "pk", "entry", "entry_id", "case_id", "job_id", "user_id"))
    },
    **{
        name: f"QX9{name}"
        for name in (
            "created_by",
            "actor",
            "author",
            "added_by",
            "decided_by",
            "opened_by",
            "placed_by",
            "asker",
            "approver",
            "releaser",
            "preparer",
            "proposer",
            "reviewer",
            "made_by",
            "listed_by",
            "set_by",
            "confirmed_by",
            "user",
            "owner",
            "salt",
            "password",
            "prefix",
            "principal",
            "username",
            "pseudonym",
            "case",
            "ref",
            "root",
            "who",
        )
    },
    **dict.fromkeys(
        (
            "sha256",
            "snapshot_sha256",
            "payload_sha256",
            "content_sha256",
            "package_sha256",
            "manifest_sha256",
            "row_digest",
        ),
        "f9" * 32,
    ),
    **dict.fromkeys(
        ("at", "created_at", "updated_at", "added_at", "decided_at", "expires_at", "revoked_at", "frozen_at", "until"),
        PAST,
    ),
    **dict.fromkeys(("place", "number", "index", "log_size", "ordinal", "version"), 9876543219),
    "role": "administrator",
    "is_active": False,
    "is_superuser": True,
    "is_staff": True,
    "status": "closed",
    "state": "closed",
    "restricted": True,
    "approved": True,
    "withdrawn": True,
    "rights": ["people.write"],
    "active": False,
    "received_at": PAST,
}
TRACES = ("QX9", "f9" * 32, "1999-09-09", "9876543219", "51395139", "5139-5139")
# Each write with who does it and a body that is accepted, in this order: some need what an earlier one made.
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "PATCH cases/<ref>/": ("case_lead", {"title": "Another", "expected": {"title": "<title>"}}),
    "POST cases/<ref>/assign/": ("case_lead", {"to": "lead", "expected": "analyst"}),
    "POST cases/<ref>/access/restrict/": ("case_lead", {"reason": "r", "people": ["analyst", "counsel"]}),
    "POST cases/<ref>/access/members/": ("case_lead", {"reason": "r", "person": "reader"}),
    "POST cases/<ref>/access/members/remove/": ("case_lead", {"reason": "r", "person": "reader"}),
    "POST cases/<ref>/access/open-up/": ("case_lead", {"reason": "r"}),
    "POST cases/<ref>/alternatives/": (
        "analyst",
        {"alternative": "<alternative>", "state": "ruled_out", "reason": "r", "supersedes": None},
    ),
    "POST cases/<ref>/claims/": (
        "analyst",
        {
            "claim": "a",
            "likelihood": "likely",
            "confidence": "low",
            "rationale": "r",
            "alternatives": "x",
            "supersedes": None,
        },
    ),
    "POST cases/<ref>/timeline/": (
        "analyst",
        {"lane": "decisions", "starts_at": DAY, "text": "t", "source": "s", "confidence": "low"},
    ),
    "POST cases/<ref>/timeline/<note_id>/withdraw/": ("analyst", {"reason": "r"}),
    "POST cases/<ref>/verdicts/": (
        "analyst",
        {"account": "<account>", "value": "benign", "reason": "r", "expected": None},
    ),
    "POST cases/<ref>/evidence/<number>/custody/": (
        "analyst",
        {"action": "analysed", "at": DAY, "where": "w", "why": "y", "how": "h"},
    ),
    "POST cases/<ref>/evidence/<number>/redactions/": ("analyst", {"texts": ["model"], "code": "secret"}),
    "POST cases/<ref>/redactions/<proposal_id>/decide/": ("counsel", {"approve": False, "note": "n"}),
    "POST cases/<ref>/evidence/<number>/verify/": ("reader", {}),
    "POST cases/<ref>/uploads/": (
        "analyst",
        {"title": "t", "source": "s", "acquired_at": DAY, "file_name": "f", "size": 3},
    ),
    "POST cases/<ref>/holds/": (
        "counsel",
        {
            "matter": "m",
            "trigger": "t",
            "triggered_at": DAY,
            "scope": "case",
        },
    ),
    "POST cases/<ref>/preservation/": (
        "analyst",
        {"source": "api-logs", "data_classes": ["content"], "scope": "s", "custodian": "c", "authority": "a"},
    ),
    "POST cases/<ref>/preservation/explanations/": ("analyst", {"source": "api-logs", "reason": "r"}),
    "POST cases/<ref>/exchange-sets/": (
        "analyst",
        {"source": "api-logs", "start": "2026-05-01T00:00:00Z", "end": "2026-05-09T00:00:00Z"},
    ),
    f"POST {api.SET}rerun/": ("analyst", {}),
    f"POST {api.SET}plans/": ("analyst", {"question": "q", "seed": "8", "per_stratum": 2}),
    f"POST {api.SET}plans/<plan>/sample/<ordinal>/results/": ("case_lead", {"value": "benign", "note": "n"}),
    "POST cases/<ref>/dossiers/": ("analyst", {"edition": "counsel"}),
    "POST cases/<ref>/counsel/notes/": ("counsel", {"topic": "t", "text": "x"}),
    "POST cases/<ref>/counsel/notes/<counsel_note_id>/withdraw/": ("counsel", {}),
    "POST cases/<ref>/counsel/members/": ("counsel", {"person": "lead", "reason": "r"}),
    "POST cases/<ref>/counsel/members/<member_id>/end/": ("counsel", {"reason": "r"}),
    "POST cases/<ref>/counsel/export/": ("counsel", {"recipient": "r", "purpose": "p"}),
    "POST holds/<hold_id>/custodians/": ("counsel", {"name": "Another team"}),
    "POST holds/<hold_id>/ask-release/": ("counsel", {"reason": "r"}),
    "POST custodians/<custodian_id>/remind/": ("counsel", {"note": "n"}),
    "POST leads/<lead_id>/reopen/": ("analyst", {"note": "n"}),
    "POST leads/<lead_id>/assign/": ("analyst", {"to": "lead", "expected": None}),
    "POST leads/<lead_id>/reject/": ("analyst", {"reason": "evaluation"}),
    "POST legal-bases/": ("counsel", {"code": "b-1", "name": "n", "law": "l", "permits": {}}),
    "POST recipients/": ("counsel", {"name": "Court", "kind": "court", "ceiling": "TLP:RED"}),
    "POST retention/policies/": ("counsel", {"data_class": "unreferenced", "days": 400, "basis": "b"}),
    "POST sanctioned-testers/": (
        "case_lead",
        {
            "organisation": "o",
            "purpose": "p",
            "authorised_by": "a",
            "authorisation": "z",
            "starts_at": DAY,
            "ends_at": "2026-07-01T00:00:00Z",
            "accounts": ["acct-7777"],
        },
    ),
    "POST sanctioned-testers/<test_id>/end/": ("case_lead", {"reason": "r"}),
    "POST cases/<ref>/newer-versions/<newer_id>/answer/": ("analyst", {"kind": "stays", "words": "w"}),
    "POST telemetry/<source_id>/runs/": ("administrator", {"days": 45}),
    "PUT telemetry/<source_id>/runs/schedule/": ("administrator", {"every": "hourly", "days": 30, "revision": 1}),
    "POST telemetry/<source_id>/retention/": ("administrator", {"data_class": "flagged", "days": 400}),
    "POST telemetry/": ("administrator", {"name": "another-log"}),
    "PATCH feeds/<feed_id>/": ("administrator", {"revision": 1, "schedule_minutes": 30}),
    "PATCH notices/settings/": ("reader", {"ways": {"moved": "off"}, "digest_hour": 5}),
    "PATCH webhooks/<webhook_id>/": ("administrator", {"revision": 1, "types": ["case.opened"]}),
    "POST accounts/known/": ("reader", {"ids": ["acct-9999"]}),
    "POST tokens/": ("reader", {"name": "t", "scopes": ["cases.read"]}),
    "POST people/": ("administrator", {"username": "fresh", "role": "reader"}),
    "PATCH people/<person_id>/": ("administrator", {"display_name": "Spare"}),
    "POST detectors/": ("administrator", {"name": "another"}),
    "PATCH detectors/<detector_id>/": ("administrator", {"revision": 1, "owner": "o", "cadence_minutes": 5}),
    "POST attributes/excluded/": ("analyst", {"type": "ip", "value": "203.0.113.9", "reason": "r"}),
    "POST detectors/<detector_id>/canaries/": ("administrator", {"provider_id": "acct-8888", "every_minutes": 60}),
    "PATCH detector-keys/<key_id>/": ("administrator", {"requests_per_minute": 1000}),
    "POST detector-keys/<key_id>/replace/": ("administrator", {"overlap_days": 3}),
    "POST brokers/": ("administrator", {"person": "counsel", "reason": "r"}),
    "POST vault/verify/": ("administrator", {}),
    "POST cases/<ref>/evidence/": ("analyst", {"file": b"QX-bytes", "title": "t", "source": "s", "acquired_at": DAY}),
}


def accepted(line: str) -> set[str]:
    """The fields a write accepts, by the OpenAPI file."""
    method, path = line.split()
    described = schema()["paths"][f"/api/v1/{path.replace('<', '{').replace('>', '}')}"][method.lower()]
    forms = described.get("requestBody", {}).get("content", {}).values()
    names = {str(one["schema"].get("$ref", "")).rpartition("/")[2] for one in forms}
    return {field for name in names if name for field in components()[name].get("properties", {})}


# What was received stays as it was received, fields nobody knows included, as the contract says.
AS_RECEIVED = {("detection.Finding", "payload")}


def traces() -> list[str]:
    """Where a value that was sent along stands now."""
    found = []
    for model in apps.get_models():
        for row in model._default_manager.values():
            kept = {name for label, name in AS_RECEIVED if label == model._meta.label}
            shown = {name: one for name, one in row.items() if name not in kept}
            text = str({name: bytes(one).hex() if isinstance(one, memoryview) else one for name, one in shown.items()})
            found += [f"{model._meta.label} {trace}" for trace in TRACES if trace in text]
    return found


def test_every_write_is_tried() -> None:
    writes = {line for line in api.LADDER if not line.startswith("GET ")}
    assert writes == set(WRITES) | set(STAGED)
    assert set(WRITES) & set(STAGED) == set()


def sent(client: APIClient, line: str, address: str, body: dict[str, Any] | None) -> Any:
    """The answer to a write with all that it does not accept beside what it accepts."""
    method = line.split()[0].lower()
    known = accepted(line)
    whole = {name: value for name, value in INJECTED.items() if name not in known} | (body or {})
    if line.startswith("PATCH") and line.endswith("uploads/<upload_id>/"):
        query = "&".join(f"{name}={value}" for name, value in INJECTED.items())
        kind = "application/offset+octet-stream"
        return client.generic("PATCH", f"{address}?{query}", b"nine byte", content_type=kind, HTTP_UPLOAD_OFFSET="0")
    if line == "POST findings/bulk/":
        lines = json.dumps(whole["lines"] | {name: INJECTED[name] for name in TOLD_IN_VAIN})
        return client.generic("POST", address, lines.encode(), content_type="application/x-ndjson")
    if line in {"POST findings/", "POST findings/ocsf/"}:
        whole = (body or {}) | {name: INJECTED[name] for name in TOLD_IN_VAIN}
    if "file" in whole:
        return client.post(address, whole, format="multipart")
    answer = getattr(client, method)(address, whole, format="json")
    if answer.status_code == 400 and body is not None:  # a write that is exact refuses all of it by name
        places = {one["pointer"] for one in answer.json().get("errors", [])}
        if places == {f"/{name}" for name in whole.keys() - body.keys()}:
            return getattr(client, method)(address, body, format="json")
    return answer


# What a finding has no field for: it stays in the bytes as they were received, and nowhere else.
TOLD_IN_VAIN = ("created_by", "sha256", "received_at", "number", "case_id", "state", "password")


def test_fields_that_no_write_accepts_change_nothing(
    callers: dict[str, APIClient], api_stage: dict[str, str], committed_cast: Cast
) -> None:
    case = Case.objects.get(ref=api_stage["ref"])
    put = {"<title>": case.title, "<account>": str(case.accounts.first().account_id), "<alternative>": "academic"}
    status = case.status
    roles = {person.username: person.role for person in User.objects.all()}
    wrong = []
    for line, (role, given) in WRITES.items():
        body: dict[str, Any]
        body = {name: put.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
        if "expected" in body and isinstance(body["expected"], dict):
            body["expected"] = {"title": case.title}
        if isinstance(body.get("file"), bytes):
            body["file"] = SimpleUploadedFile("a.txt", body["file"], "text/plain")
        answer = sent(callers[role], line, api.filled(line.split()[1], api_stage), body)
        if not 200 <= answer.status_code < 300:
            wrong.append(f"{line}: {answer.status_code} {answer.getvalue()[:200]!r}")
    assert not wrong, "\n".join(wrong)
    unchanged(roles)
    assert User.objects.get(username="fresh").role == "reader"
    case.refresh_from_db()
    assert (case.status, case.restricted) == (status, False)
    assert Account.objects.filter(pk=put["<account>"]).exists()
    assert EvidenceItem.objects.filter(number=api_stage["number"], case=case).exists()


def test_fields_that_no_write_with_a_state_of_its_own_accepts_change_nothing(
    callers: dict[str, APIClient], api_stage: dict[str, str], committed_cast: Cast, tmp_path: Path
) -> None:
    roles = {person.username: person.role for person in User.objects.all()}
    story, wrong = Story(committed_cast, dict(api_stage), tmp_path), []
    clients = {**callers, "watch": client_of_detector("example-watch")}
    for line, (role, prepare) in STAGED.items():
        body = prepare(story)
        answer = sent(clients[role], line, api.filled(line.split()[1], story.named), body)
        if not 200 <= answer.status_code < 300:
            wrong.append(f"{line}: {answer.status_code} {answer.getvalue()[:300]!r}")
    assert not wrong, "\n".join(wrong)
    unchanged(roles)
    assert not Case.objects.filter(status="closed").exclude(closing_reason="handed_over").exists()


def unchanged(roles: dict[str, str]) -> None:
    """Nothing that was sent along stands anywhere, and nobody is more or less than before."""
    assert traces() == []
    assert {name: User.objects.get(username=name).role for name in roles} == roles
    assert not User.objects.filter(is_active=False).exists()
