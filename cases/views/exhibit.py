"""The page of one exhibit: its chain and the gaps in it, its text, its comparisons, and the custody form on paper."""

from io import BytesIO
from typing import Any

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from cases import actions, exhibits
from cases.access import case_for, evidence_for
from cases.actions import listings, verifying
from cases.actions.evidence import derive
from cases.api.shared import attachment
from cases.dossier import custody_form
from cases.exhibits import Whole
from cases.forms_evidence import CustodyForm, DeriveForm
from cases.media import is_text
from cases.models import EvidenceItem
from cases.views import case_frame, listed, shared
from people.policy import requires
from people.rights import may
from spine import vault
from spine.errors import Refused

SHOWN = 64 * 1024


@requires("cases.read", hidden=True)
@require_safe
def exhibit(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """One exhibit with everything about it but its content."""
    return _page(request, exhibits.whole(evidence_for(request.user, ref, number)))


@requires("cases.read", hidden=True)
@require_GET
@shared.refused_page
def view_evidence(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """The beginning of a text exhibit, as text. A custody event and a log entry before the first of it is shown."""
    item = evidence_for(request.user, ref, number)
    if not is_text(item.media_type):
        raise Refused(f"{item.exhibit} is {item.media_type}: it can be downloaded, and is not shown here.")
    try:
        actions.record_view(item, actor=shared.person(request))
        head = vault.head(item.sha256, SHOWN)
    except vault.Missing as missing:
        raise Refused(f"{item.exhibit} cannot be shown: {missing}.") from None
    context = {
        **case_frame.context(request, item.case, "case_evidence"),
        "item": item,
        "text": head.decode("utf-8", "replace").replace("\r\n", "\n").expandtabs(4),
        "shown": len(head),
        "cut": item.size > len(head),
    }
    return render(request, "cases/exhibit_text.html", context)


@requires("cases.read", hidden=True)
def record_custody(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """Record a custody event that happened outside Retort."""
    if request.method != "POST":
        return redirect("exhibit", ref, number)
    case_for(request.user, ref, write=True)
    found = exhibits.whole(evidence_for(request.user, ref, number))
    form = _form(found, request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    given = {**form.cleaned_data}
    given["answers"] = case_frame.some_id(given.get("answers"))
    try:
        event = actions.record_custody(found.item, actor=shared.person(request), **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, form=form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Recorded: {event.get_action_display()}.")
    return HttpResponseRedirect(f"{reverse('exhibit', args=[ref, number])}#custody")


@requires("cases.read", hidden=True)
def verify_evidence(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """Have the stored bytes compared with the digest now."""
    if request.method != "POST":
        return redirect("exhibit", ref, number)
    item = evidence_for(request.user, ref, number)
    job = verifying.verify_item(item, actor=shared.person(request))
    return HttpResponseRedirect(f"{reverse('exhibit', args=[ref, number])}?job={job.id}")


@requires("cases.read", hidden=True)
def derive_evidence(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """Take in what was made from the exhibit outside Retort."""
    if request.method != "POST":
        return redirect("exhibit", ref, number)
    case_for(request.user, ref, write=True)
    found = exhibits.whole(evidence_for(request.user, ref, number))
    form = DeriveForm(request.POST, request.FILES, auto_id="derive_%s")
    if not form.is_valid():
        return _page(request, found, derived=form, status=422)
    given = dict(form.cleaned_data)
    file = given.pop("file")
    try:
        made = derive(
            found.item,
            actor=shared.person(request),
            file=file,
            file_name=file.name,
            declared_type=file.content_type or "",
            **given,
        )
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, derived=form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Added {made.exhibit}, made from {found.item.exhibit}.")
    return redirect("exhibit", ref, made.number)


@requires("cases.read", hidden=True)
@shared.refused_page
def list_archive(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """Have what is in an archive listed by a worker, anew if it was before."""
    if request.method != "POST":
        return redirect("exhibit", ref, number)
    case_for(request.user, ref, write=True)
    job = listings.request_listing(evidence_for(request.user, ref, number), actor=shared.person(request))
    return HttpResponseRedirect(f"{reverse('exhibit', args=[ref, number])}?job={job.id}#listing")


@requires("cases.read", hidden=True)
@require_safe
def custody_sheet(request: HttpRequest, ref: str, number: int) -> HttpResponse:
    """The custody form as a page to print."""
    item = evidence_for(request.user, ref, number)
    context = {
        "page_title": f"{item.case.ref}, {item.exhibit}: chain of custody",
        "section": "cases",
        "crumbs": [
            (item.case.ref, reverse("case_evidence", args=[ref])),
            (item.exhibit, reverse("exhibit", args=[ref, number])),
            ("Chain of custody", ""),
        ],
        "item": item,
        "made_at": timezone.now(),
        "form": exhibits.whole(item),
    }
    return render(request, "cases/custody_form.html", context)


@requires("cases.read", hidden=True)
@require_GET
def custody_pdf(request: HttpRequest, ref: str, number: int) -> FileResponse:
    """The custody form as a PDF."""
    item = evidence_for(request.user, ref, number)
    return pdf_of(item, by=str(shared.person(request)))


def pdf_of(item: EvidenceItem, *, by: str) -> FileResponse:
    """The custody form as a file to be saved."""
    document = exhibits.custody_document(exhibits.whole(item))
    content = custody_form.pdf(document, at=timezone.now(), by=by)
    name = f"{item.case.ref}-exhibit-{item.number:03d}-custody.pdf"
    return attachment(BytesIO(content), name=name, media_type="application/pdf", size=len(content))


def _form(found: Whole, data: Any = None) -> CustodyForm:
    return CustodyForm(data, open_transfers=found.open_transfers, auto_id="custody_%s")


def _page(
    request: HttpRequest,
    found: Whole,
    *,
    form: CustodyForm | None = None,
    derived: DeriveForm | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    item = found.item
    context = {
        **case_frame.context(request, item.case, "case_evidence", refusal=refusal),
        "page_title": f"{item.case.ref} {item.exhibit}",
        "item": item,
        "exhibit": found,
        "archive": listed.for_page(item, request.GET),
        "shows_text": is_text(item.media_type),
        "may_erase": may(request.user, "destruction.write") and item.salt is not None,
        "derive_form": (derived or DeriveForm(auto_id="derive_%s"))
        if case_frame.writable(request, item.case)
        else None,
        "custody_form": (form or _form(found)) if may(request.user, "cases.write") else None,
    }
    return render(request, "cases/exhibit.html", context, status=status)
