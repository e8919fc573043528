"""The page of the chain: how log, checkpoints, time stamps and copies outside stand, and a verification on demand."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cases import paging
from cases.api.shared import saved_text
from cases.dossier.bag import PACKAGE_FILES
from cases.views import shared
from cases.views.jobs import progress
from people.policy import requires, signed_in
from people.rights import may
from spine import checking, proofs, standing
from spine.errors import Refused
from spine.models import Checkpoint, Job


class ConsistencyForm(forms.Form):
    """Two sizes at which checkpoints were signed."""

    old = forms.IntegerField(label="Older checkpoint, entries", min_value=1, max_value=10**17)
    new = forms.IntegerField(label="Newer checkpoint, entries", min_value=1, max_value=10**17)


@requires("log.read")
@require_safe
@shared.refused_page
def chain(request: HttpRequest) -> HttpResponse:
    """Chain status, past verifications, checkpoints, and a consistency proof when two sizes are asked for."""
    asked = {"old", "new"} & request.GET.keys()
    form = ConsistencyForm(request.GET if asked else None)
    page = paging.page(Checkpoint.objects.all(), ("-size",), cursor=request.GET.get("cursor", ""))
    at = standing.covered([one.size for one in page.rows])
    context: dict[str, Any] = {
        "section": "log",
        "page_title": "Chain",
        "crumbs": [("Log", "/log/"), ("Chain", "")],
        "now": standing.standing(),
        "attempts": standing.recent_departures(),
        "past": [_told(job) for job in checking.past()],
        "checkpoints": [{"size": one.size, "covers": at.get(one.size)} for one in page.rows],
        "pages": shared.pages(request, page, "checkpoints"),
        "form": form,
        "proof": _proof(form) if asked else None,
        "may_verify": may(request.user, "log.verify"),
    }
    return render(request, "spine/chain.html", context)


def _proof(form: ConsistencyForm) -> proofs.Consistency | None:
    if not form.is_valid():
        return None
    try:
        return proofs.consistency(form.cleaned_data["old"], form.cleaned_data["new"])
    except Refused as refused:
        form.add_error(None, refused.message)
        return None


def _told(job: Job) -> dict[str, Any]:
    return {"job": job, **(job.result or {})}


@requires("log.verify")
@shared.refused_page
def verify_now(request: HttpRequest) -> HttpResponse:
    """Ask for a verification of the whole log."""
    if request.method != "POST":
        return redirect("chain")
    job = checking.ask(actor=shared.person(request).principal)
    messages.success(request, "The verification is in the queue.")
    return redirect("verification", job.pk)


@requires("log.read")
@require_safe
def verification(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One verification: its progress while it runs, then what it read and what it found."""
    job = Job.objects.filter(pk=pk, kind=checking.KIND).first()
    if job is None:
        raise Http404("There is no such verification.")
    context = {
        "section": "log",
        "page_title": "Verification of the log",
        "crumbs": [("Log", "/log/"), ("Chain", "/log/chain/"), ("Verification", "")],
        "job": job,
        "found": job.result,
        **progress(job),
    }
    return render(request, "spine/verification.html", context)


@requires("log.read")
@require_safe
def checkpoint_note(request: HttpRequest, size: int) -> FileResponse:
    """One checkpoint as a file."""
    found = Checkpoint.objects.filter(size=size).first()
    if found is None:
        raise Http404("No checkpoint was signed at this size.")
    return saved_text(found.note, name=f"checkpoint-{found.size}.txt")


@signed_in
@require_safe
def verifier(request: HttpRequest) -> FileResponse:
    """`verify.py`, which checks packages, proofs and exports with Python alone; the one that packages carry."""
    return saved_text((PACKAGE_FILES / "verify.py").read_text(encoding="utf-8"), name="verify.py")
