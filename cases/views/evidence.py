"""The Evidence tab: exhibits with their custody, one added, one given out."""

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from cases import actions, queries
from cases.access import case_for, evidence_for
from cases.api.shared import attachment
from cases.forms import UploadForm
from cases.models import Case
from cases.views import case_frame, shared
from people.policy import requires
from spine import vault
from spine.errors import Refused


@requires("cases.read", hidden=True)
@require_safe
def evidence(request: HttpRequest, ref: str) -> HttpResponse:
    """Every exhibit with its custody log."""
    return _page(request, case_for(request.user, ref), UploadForm(auto_id="upload_%s"))


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_evidence")
def add_evidence(request: HttpRequest, ref: str) -> HttpResponse:
    """Take a file in; it is streamed to the vault."""
    found = case_for(request.user, ref, write=True)
    form = UploadForm(request.POST, request.FILES, auto_id="upload_%s")
    if not form.is_valid():
        return _page(request, found, form, status=422)
    given = dict(form.cleaned_data)
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
    request: HttpRequest, case: Case, form: UploadForm, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    context = {
        **case_frame.context(request, case, "case_evidence", refusal=refusal),
        "exhibits": queries.exhibits(case),
        "upload_form": form if case_frame.writable(request, case) else None,
    }
    return render(request, "cases/case_evidence.html", context, status=status)
