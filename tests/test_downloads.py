"""Files that are given out are saved and never shown: each address in one table, with one set of headers."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from cases.actions import dossiers
from cases.models import DossierVersion
from spine import sequencer
from spine.models import Checkpoint, Job
from tests import test_roles_api, test_roles_pages
from tests.cases import api, pages
from tests.factories import Cast, make_case, run_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
api_stage, page_stage = test_roles_api.stage, test_roles_pages.stage  # fixtures
HEADERS = {
    "X-Content-Type-Options": {"nosniff"},
    "Content-Security-Policy": {"sandbox; default-src 'none'"},
    "Cache-Control": {"private", "no-store"},
}
NAMED = re.compile(r"attachment; filename=\"[^\"/\\]+\"(?:; filename\*=\S+)?|attachment; filename\*=\S+")
PLANS = "cases/<ref>/sets/<exhibit>/plans/<plan_number>/<ordinal>"
# Lines of the ladders that give a file to the case lead, as these ladders stand; the rest of the downloads below.
PAGES = {
    "GET verify.py",
    "GET log/checkpoint/",
    "GET cases/<ref>/evidence/<number>/download/",
    "GET cases/<ref>/evidence/<number>/custody/pdf/",
    "GET cases/<ref>/preservation/<pk>/letter/",
    f"POST {PLANS}/prove/",
    "POST cases/<ref>/accounts/download/",
    "POST runs/<pk>/clusters/download/",
    "POST leads/<pk>/accounts/download/",
    "POST findings/<pk>/accounts/download/",
}
API = {
    "GET cases/<ref>/evidence/<number>/content/",
    "GET cases/<ref>/evidence/<number>/custody/form/",
    "GET findings/<finding_id>/received/",
    "GET cases/<ref>/accounts/download/",
    "GET runs/<run_id>/changes/accounts/",
    "GET runs/<run_id>/clusters/download/",
    "GET leads/<lead_id>/accounts/download/",
    "GET findings/<finding_id>/accounts/download/",
}
TEXTS = {"GET healthz", "GET readyz", "GET schema/"}  # plain words and a description for machines, no file of anybody's


def faults(answer: Any) -> list[str]:
    given = {name: set((answer.headers.get(name) or "").split(", ")) for name in HEADERS}
    wrong = [f"{name}: {sorted(given[name])}" for name, value in HEADERS.items() if given[name] != value]
    if not NAMED.fullmatch(answer.headers.get("Content-Disposition", "")):
        wrong.append(f"Content-Disposition: {answer.headers.get('Content-Disposition')}")
    return wrong


def is_file(answer: Any) -> bool:
    """Whether an answer with content is neither a page nor JSON."""
    kind = answer.headers.get("Content-Type", "")
    shown = ("text/html", "application/json", "application/problem+json", "application/vnd.oai.openapi")
    return answer.status_code == 200 and not kind.startswith(shown) and bool(answer.getvalue())


def given_out(module: Any, stage: dict[str, str], caller: Any) -> tuple[set[str], list[str]]:
    """Every line of a ladder that gives a file or says so, and what is wrong with its headers."""
    found, wrong = set(), []
    for line in module.LADDER:
        method, _, path = line.partition(" ")
        body = {} if method == "GET" else getattr(module, "BAD", {})
        answer = getattr(caller, method.lower())(module.filled(path, stage), body)
        if line not in TEXTS and (is_file(answer) or "Content-Disposition" in answer.headers):
            found.add(line)
            wrong += [f"{line}: {fault}" for fault in faults(answer)]
    return found, wrong


def test_pages_give_files_at_these_addresses_alone(committed_cast: Cast, page_stage: dict[str, str]) -> None:
    found, wrong = given_out(test_roles_pages, page_stage, pages.client_of(committed_cast.lead))
    assert (wrong, found) == ([], PAGES)


def test_the_api_gives_files_at_these_addresses_alone(committed_cast: Cast, api_stage: dict[str, str]) -> None:
    found, wrong = given_out(test_roles_api, api_stage, api.client_of(committed_cast.lead))
    assert (wrong, found) == ([], API)


def test_packages_and_checkpoints_are_given_out_alike(committed_cast: Cast, tmp_path: Path) -> None:
    cast = committed_cast
    case = make_case(cast, stage="escalated")
    sequencer.sequence()
    run_job(dossiers.prepare(case, actor=cast.analyst, edition="counsel"))
    version = DossierVersion.objects.get()
    dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    run_job(Job.objects.filter(kind="dossier.render").latest("created_at"))
    size = Checkpoint.objects.latest("size").size
    browser, program = pages.client_of(cast.lead), api.client_of(cast.lead)
    asked: list[tuple[Client | APIClient, str]] = [
        (browser, f"/dossiers/{version.pk}/download/"),
        (browser, "/log/checkpoint/"),
        (browser, f"/log/checkpoints/{size}/"),
        (program, f"/api/v1/dossiers/{version.pk}/download/"),
        (program, f"/api/v1/log/checkpoints/{size}/note/"),
    ]
    for client, address in asked:
        answer = client.get(address)
        assert (address, answer.status_code, faults(answer)) == (address, 200, [])
        answer.getvalue()
