"""The Dossiers tab: the frozen versions of a case, and freezing a new one."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import gate
from cases.access import case_for
from cases.actions import dossiers as verbs
from cases.forms import FreezeForm
from cases.models import Case, DossierVersion
from cases.views import case_frame, shared
from people.policy import requires
from people.rights import may
from spine.errors import Refused

STATES = {"draft": "waits for approval", "approved": "approved, not sealed yet", "sealed": "sealed"}


@requires("cases.read", hidden=True)
@require_safe
def dossiers(request: HttpRequest, ref: str) -> HttpResponse:
    """Every version, newest first."""
    return _page(request, case_for(request.user, ref), FreezeForm(auto_id="freeze_%s"))


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_dossiers")
def freeze_dossier(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask for a new version; a job freezes it."""
    found = case_for(request.user, ref, write=True)
    form = FreezeForm(request.POST, auto_id="freeze_%s")
    if not form.is_valid():
        return _page(request, found, form, status=422)
    try:
        job = verbs.prepare(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, form, status=shared.status_of(refusal), refusal=refusal)
    return HttpResponseRedirect(f"{reverse('case_dossiers', args=[ref])}?job={job.pk}")


def state_of(version: DossierVersion) -> str:
    """`draft`, `approved` while it is rendered, `sealed`; needs approval and seal__proof beside the version."""
    if getattr(getattr(version, "seal", None), "proof", None) is not None:
        return "sealed"
    return "approved" if getattr(version, "approval", None) is not None else "draft"


def _page(
    request: HttpRequest, case: Case, form: FreezeForm, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    beside = ("preparer", "approval__approver", "seal__proof")
    versions = case.dossiers.select_related(*beside).order_by("-frozen_at", "-id")
    writes = may(request.user, "cases.write")
    context = {
        **case_frame.context(request, case, "case_dossiers", refusal=refusal),
        "dossiers": [_row(version) for version in versions],
        "freeze_form": form if writes else None,
        **(gate.offered(timezone.now().date()) if writes else {}),
    }
    return render(request, "cases/case_dossiers.html", context, status=status)


def _row(version: DossierVersion) -> dict[str, Any]:
    approval, state = getattr(version, "approval", None), state_of(version)
    proof = getattr(getattr(version, "seal", None), "proof", None)
    return {
        "version": version,
        "state": state,
        "state_word": STATES[state],
        "approver": approval.approver if approval else "",
        "package_sha256": proof.package_sha256 if proof else "",
    }
