"""Mass assignment: every write of the API is sent fields that the database has and the write does not accept.

Each write is a valid one, so that something is written; what was sent along has values found nowhere else, and no row
of any table may have one of them after it.
"""

import uuid
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from cases.models import Case, EvidenceItem
from detection.models import Account
from people.models import User
from tests import test_roles_api as api
from tests.factories import Cast
from tests.test_fields import components, schema

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
api_stage, callers = api.stage, api.callers
DAY, PAST = "2026-06-01T00:00:00Z", "1999-09-09T09:09:09Z"
INJECTED = {
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
    "POST telemetry/<source_id>/retention/": ("administrator", {"data_class": "flagged", "days": 400}),
    "POST tokens/": ("reader", {"name": "t", "scopes": ["cases.read"]}),
    "POST people/": ("administrator", {"username": "fresh", "role": "reader"}),
    "PATCH people/<person_id>/": ("administrator", {"display_name": "Spare"}),
    "POST detectors/": ("administrator", {"name": "another"}),
    "POST brokers/": ("administrator", {"person": "counsel", "reason": "r"}),
    "POST vault/verify/": ("administrator", {}),
    "POST cases/<ref>/evidence/": ("analyst", {"file": b"QX-bytes", "title": "t", "source": "s", "acquired_at": DAY}),
}
# Writes that are not tried with a valid body here, and why.
READS = "it reads: nothing is written"
STATE = "it needs a state this stage does not have; its verb takes named arguments, its serializer is in the file"
NO_BODY = "it takes no body"
NOT_TRIED = {
    "POST cases/<ref>/evidence/<number>/listing/": NO_BODY,
    "POST cases/<ref>/evidence/<number>/derivatives/": "it takes a file as an exhibit is added, which is tried",
    **dict.fromkeys(("POST accounts/lookup/", "POST sanctioned-testers/lookup/", "POST erasure/preview/"), READS),
    f"POST {api.SET}proof/": READS,
    **dict.fromkeys(
        ("POST findings/", "POST findings/bulk/", "POST findings/ocsf/"),
        "unknown fields are kept in the payload, as the contract says",
    ),
    **dict.fromkeys(
        (
            *("POST break-glass/", "POST cases/<ref>/counsel/", "POST cases/<ref>/move/", "POST erasure/"),
            *("POST brokers/<term_id>/end/", "POST cases/<ref>/deconfliction/", "POST holds/<hold_id>/release/"),
            "POST cases/<ref>/deconfliction/told/<approach_id>/reply/",
            "POST cases/<ref>/preservation/<request_id>/answers/",
            *("POST cases/<ref>/verdicts/bulk/", "POST cases/<ref>/verdicts/bulk/<job_id>/undo/"),
            *("POST deconfliction/<question_id>/answer/", "POST destruction/orders/<order_id>/decide/"),
            "POST deconfliction/<question_id>/matches/<match_id>/ask/",
            *("POST disclosures/<ask_id>/notes/", "POST disclosures/<ask_id>/release/"),
            *("POST dossiers/<version_id>/approve/", "POST dossiers/<version_id>/disclosures/"),
            *(
                "POST custodians/<custodian_id>/acknowledge/",
                "POST leads/<lead_id>/join/",
                "POST leads/<lead_id>/open/",
            ),
            "POST retention/policies/<policy_id>/order/",
        ),
        STATE,
    ),
    **dict.fromkeys(
        (
            *("PATCH cases/<ref>/uploads/<upload_id>/", "DELETE cases/<ref>/uploads/<upload_id>/"),
            *("POST cases/<ref>/uploads/<upload_id>/complete/", "POST cases/<ref>/jobs/<job_id>/stop/"),
            *("DELETE detector-keys/<key_id>/", "DELETE tokens/<token_id>/", "DELETE people/<person_id>/sessions/"),
            *("POST people/<person_id>/one-time-password/", "POST people/<person_id>/second-factor/reset/"),
            *("POST dossiers/<version_id>/render/", "POST log/verifications/", "POST notices/<notice_id>/seen/"),
        ),
        NO_BODY,
    ),
}


def accepted(line: str) -> set[str]:
    """The fields a write accepts, by the OpenAPI file."""
    method, path = line.split()
    described = schema()["paths"][f"/api/v1/{path.replace('<', '{').replace('>', '}')}"][method.lower()]
    forms = described.get("requestBody", {}).get("content", {}).values()
    names = {str(one["schema"].get("$ref", "")).rpartition("/")[2] for one in forms}
    return {field for name in names if name for field in components()[name].get("properties", {})}


def traces() -> list[str]:
    """Where a value that was sent along stands now."""
    found = []
    for model in apps.get_models():
        for row in model._default_manager.values():
            text = str({name: bytes(one).hex() if isinstance(one, memoryview) else one for name, one in row.items()})
            found += [f"{model._meta.label} {trace}" for trace in TRACES if trace in text]
    return found


def test_every_write_is_tried_or_has_its_reason() -> None:
    writes = {line for line in api.LADDER if not line.startswith("GET ")}
    assert writes == set(WRITES) | set(NOT_TRIED)
    assert set(WRITES) & set(NOT_TRIED) == set()


def test_fields_that_no_write_accepts_change_nothing(
    callers: dict[str, APIClient], api_stage: dict[str, str], committed_cast: Cast
) -> None:
    case = Case.objects.get(ref=api_stage["ref"])
    put = {"<title>": case.title, "<account>": str(case.accounts.first().account_id), "<alternative>": "academic"}
    status = case.status
    roles = {person.username: person.role for person in User.objects.all()}
    wrong = []
    for line, (role, given) in WRITES.items():
        method, path = line.split()
        body: dict[str, Any]
        body = {name: put.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
        if "expected" in body and isinstance(body["expected"], dict):
            body["expected"] = {"title": case.title}
        injected = {name: value for name, value in INJECTED.items() if name not in accepted(line)}
        sent = {**injected, **body}
        if isinstance(sent.get("file"), bytes):
            sent["file"] = SimpleUploadedFile("a.txt", sent["file"], "text/plain")
            answer = callers[role].post(api.filled(path, api_stage), sent, format="multipart")
        else:
            answer = getattr(callers[role], method.lower())(api.filled(path, api_stage), sent, format="json")
        if not 200 <= answer.status_code < 300:
            wrong.append(f"{line}: {answer.status_code} {answer.getvalue()[:200]!r}")
    assert not wrong, "\n".join(wrong)
    assert traces() == []
    after = {person.username: person.role for person in User.objects.all()}
    assert {name: after[name] for name in roles} == roles
    assert after["fresh"] == "reader"
    assert not User.objects.filter(is_active=False).exists()
    case.refresh_from_db()
    assert (case.status, case.restricted) == (status, False)
    assert Account.objects.filter(pk=put["<account>"]).exists()
    assert EvidenceItem.objects.filter(number=api_stage["number"], case=case).exists()
