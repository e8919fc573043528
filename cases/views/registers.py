"""The registers: legal bases with what they permit to whom, and recipients with the highest marking they may get."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import forms_destruction
from cases.actions import registers as verbs
from cases.models import LegalBasis, Recipient
from cases.models.disclosure import DisclosedClass, RecipientKind
from cases.views import case_frame, shared
from people.policy import requires
from people.rights import may
from spine.errors import Refused

Forms = dict[str, forms.Form]
NAMES = ("name", "kind", "ceiling", "contact", "note", "active", "revision")


@requires("registers.read")
@require_safe
def registers(request: HttpRequest) -> HttpResponse:
    """Both registers."""
    return _page(request)


@requires("registers.read", "registers.write")
def save_basis(request: HttpRequest) -> HttpResponse:
    """Register a legal basis, or change one."""
    if request.method != "POST":
        return redirect("registers")
    form = forms_destruction.BasisForm(request.POST, auto_id="basis_new_%s")
    if not form.is_valid():
        return _page(request, {"basis_form": form}, status=422)
    try:
        verbs.save_basis(actor=shared.person(request), **form.arguments())
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, {"basis_form": form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Registered.")
    return redirect("registers")


@requires("registers.read", "registers.write")
def save_recipient(request: HttpRequest) -> HttpResponse:
    """Register a recipient, or change one."""
    if request.method != "POST":
        return redirect("registers")
    form = forms_destruction.RecipientForm(request.POST, auto_id="recipient_new_%s")
    if not form.is_valid():
        return _page(request, {"recipient_form": form}, status=422)
    try:
        verbs.save_recipient(actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, {"recipient_form": form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Registered.")
    return redirect("registers")


def _page(
    request: HttpRequest, bound: Forms | None = None, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    writes, given = may(request.user, "registers.write"), bound or {}
    fresh = {
        "basis_form": forms_destruction.BasisForm(auto_id="basis_new_%s"),
        "recipient_form": forms_destruction.RecipientForm(auto_id="recipient_new_%s"),
    }
    context = {
        "section": "registers",
        "page_title": "Registers",
        "bases": [_basis(one, writes) for one in LegalBasis.objects.order_by("name")],
        "recipients": [_recipient(one, writes) for one in Recipient.objects.order_by("name")],
        "refusal": refusal,
        **({**fresh, **given} if writes else {}),
    }
    return render(request, "kept/registers.html", context, status=status)


def _basis(basis: LegalBasis, writes: bool) -> dict[str, Any]:
    today = timezone.now().date()
    alike: dict[str, list[str]] = {}  # kinds of recipient that may get the same stand together
    for kind in [kind for kind in RecipientKind.values if kind in basis.permits]:
        classes = ", ".join(DisclosedClass(one).label for one in basis.permits[kind])
        alike.setdefault(classes, []).append(str(RecipientKind(kind).label))
    permits = [(", ".join(kinds), classes) for classes, kinds in alike.items()]
    return {
        "basis": basis,
        "permits": permits,
        "ended": basis.valid_until is not None and basis.valid_until < today,
        "form": forms_destruction.BasisForm.of(basis) if writes else None,
    }


def _recipient(recipient: Recipient, writes: bool) -> dict[str, Any]:
    initial = {name: getattr(recipient, name) for name in NAMES}
    form = forms_destruction.RecipientForm(initial=initial, auto_id=f"recipient_{recipient.pk}_%s")
    return {"recipient": recipient, "form": form if writes else None}
