"""The Evidence tab: exhibits with their custody, one added, one given out."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from cases import actions, queries
from cases.access import case_for, evidence_for
from cases.api.shared import attachment
from cases.forms_evidence import ExhibitForm
from cases.kinds import ADDABLE, ADDABLE_CHOICES, KIND_MEANINGS
from cases.models import Case, Upload
from cases.models.upload import UploadState
from cases.views import case_frame, shared
from people.models import User
from people.policy import requires
from spine import vault
from spine.errors import Refused

REFUSED_DAYS = 3


@requires("cases.read", hidden=True)
@require_safe
def evidence(request: HttpRequest, ref: str) -> HttpResponse:
    """Every exhibit with its custody log."""
    asked = request.GET.get("kind", "")
    form = ExhibitForm(kind=asked if asked in ADDABLE else "file", auto_id="upload_%s")
    return _page(request, case_for(request.user, ref), form, opened=asked in ADDABLE)


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_evidence")
def add_evidence(request: HttpRequest, ref: str) -> HttpResponse:
    """Take a file in; it is streamed to the vault."""
    found = case_for(request.user, ref, write=True)
    form = ExhibitForm(request.POST, request.FILES, auto_id="upload_%s")
    if not form.is_valid():
        return _page(request, found, form, status=422)
    given = form.given()
    file = given.pop("file")
    try:
        item = actions.add_evidence(
            found,
            actor=shared.person(request),
            file=file,
            file_name=file.name,
            declared_type=file.content_type or "",
            **given,
        )
    except Refused as refusal:
        refusal.field = f"detail_{refusal.field}" if f"detail_{refusal.field}" in form.fields else refusal.field
        case_frame.refuse(form, refusal)
        return _page(request, found, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Added {item.exhibit}.")
    return HttpResponseRedirect(f"{reverse('case_evidence', args=[ref])}#exhibit-{item.number}")


@requires("cases.read", hidden=True)
@require_GET
@shared.refused_page
def download_evidence(request: HttpRequest, ref: str, number: int) -> FileResponse:
    """The bytes as they were added, to be saved; a custody event and a log entry before the first of them leaves."""
    item = evidence_for(request.user, ref, number)
    try:
        actions.record_copy(item, actor=shared.person(request))
        stream = vault.open_blob(item.sha256)
    except vault.Missing as missing:
        raise Refused(f"{item.exhibit} cannot be given out: {missing}.") from None
    return attachment(stream, name=item.file_name, media_type="application/octet-stream", size=item.size)


def _page(
    request: HttpRequest,
    case: Case,
    form: ExhibitForm,
    *,
    opened: bool = False,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    kind = str(form["kind"].value() or "file")
    writes = case_frame.writable(request, case)
    context = {
        **case_frame.context(request, case, "case_evidence", refusal=refusal),
        "exhibits": queries.exhibits(case),
        "upload_form": form if writes else None,
        "upload_kinds": _kinds(case, kind),
        "upload_meaning": KIND_MEANINGS.get(kind, ""),
        "upload_opened": opened,
        "upload_hours": settings.UPLOAD_HOURS,
        "no_job": UUID(int=0),
        "own_uploads": own_uploads(case, shared.person(request)) if writes else [],
    }
    return render(request, "cases/case_evidence.html", context, status=status)


def own_uploads(case: Case, person: User) -> list[Upload]:
    """This person's uploads to the case that go on, or were refused in the last days; newest first."""
    since = timezone.now() - timedelta(days=REFUSED_DAYS)
    going = Q(state__in=[UploadState.OPEN, UploadState.TAKING_IN])
    refused = Q(state=UploadState.REFUSED, created_at__gt=since)
    return list(Upload.objects.filter(going | refused, case=case, owner=person).order_by("-created_at")[:20])


def _kinds(case: Case, kind: str) -> list[dict[str, Any]]:
    """The kinds as links that bring the fields of each; see partials/chips.html."""
    address = reverse("case_evidence", args=[case.ref])
    return [
        {"label": label, "count": None, "address": f"{address}?kind={slug}#add", "current": slug == kind}
        for slug, label in ADDABLE_CHOICES
    ]
