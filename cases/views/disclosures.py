"""Disclosures: the list over all cases, and what one does with a dossier's on its page."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cases import disclosed, forms_destruction, recalls
from cases.access import disclosure_for, dossier_for
from cases.actions import disclosures as verbs
from cases.models import DisclosureAsk, DossierVersion
from cases.paging import page as page_of
from cases.views import case_frame, shared
from people.policy import requires
from people.reauth import recently_proven
from people.rights import may
from spine.errors import Refused

View = Callable[..., HttpResponseBase]


def posted(view: View) -> View:
    """For addresses that only take a post: who comes otherwise is led to the list."""

    @wraps(view)
    def led(request: HttpRequest, pk: UUID) -> HttpResponseBase:
        return view(request, pk) if request.method == "POST" else redirect("disclosures")

    return led


@requires("cases.read")
@require_safe
@shared.refused_page
def disclosure_list(request: HttpRequest) -> HttpResponse:
    """What was asked to go out, went out, and waits for a reply, over every case one may know of."""
    rows = disclosed.visible(request.user)
    found = page_of(rows, ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    context = {
        "section": "disclosures",
        "page_title": "Disclosures",
        "rows": [disclosed.row(one) for one in found.rows],
        "pages": shared.pages(request, found, "disclosures", total=rows.count()),
    }
    return render(request, "kept/disclosures.html", context)


@requires("cases.read", hidden=True)
@require_safe
def dossier_disclosures(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The disclosures of one version."""
    return _page(request, dossier_for(request.user, pk))


@requires("cases.read", "cases.write", hidden=True)
@posted
def ask_disclosure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask that it be handed out."""
    version = dossier_for(request.user, pk, write=True)
    form = forms_destruction.DiscloseForm(request.POST, auto_id="disclose_%s")
    return _sent(
        request,
        version,
        "disclose_form",
        form,
        lambda: verbs.ask_disclosure(version, actor=shared.person(request), **form.cleaned_data),
        "Asked: a second person has to release it.",
    )


@requires("cases.read", "dossiers.approve", hidden=True)
@posted
@recently_proven
def release_disclosure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Release it as the second person."""
    ask = disclosure_for(request.user, pk)
    form = forms_destruction.ReleaseForm(request.POST, auto_id=f"release_{pk}_%s")
    return _sent(
        request,
        ask.version,
        f"release-{pk}",
        form,
        lambda: verbs.release_disclosure(ask, actor=shared.person(request), **form.cleaned_data),
        "Released: it counts as disclosed from now on. Download the package and hand it over.",
    )


@requires("cases.read", "cases.write", hidden=True)
@posted
def note_disclosure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write down what came of it."""
    ask = disclosure_for(request.user, pk)
    form = forms_destruction.OutcomeForm(request.POST, auto_id=f"note_{pk}_%s")
    return _sent(
        request,
        ask.version,
        f"note-{pk}",
        form,
        lambda: verbs.note_disclosure(ask, actor=shared.person(request), **form.cleaned_data),
        "Written down.",
    )


def _sent(
    request: HttpRequest,
    version: DossierVersion,
    name: str,
    form: forms.Form,
    act: Callable[[], object],
    done: str,
) -> HttpResponse:
    if not form.is_valid():
        return _page(request, version, {name: form}, status=422)
    try:
        act()
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, version, {name: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, done)
    return redirect("dossier_disclosures", version.pk)


def _page(
    request: HttpRequest,
    version: DossierVersion,
    bound: dict[str, forms.Form] | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    given, rows = bound or {}, list(disclosed.of_version(version))
    waits = disclosed.objections(version)
    offered = may(request.user, "cases.write") and not waits
    name = f"{version.get_edition_display()} v{version.number}"
    fresh = forms_destruction.DiscloseForm(auto_id="disclose_%s")
    context = {
        "section": "disclosures",
        "page_title": f"{version.case.ref} {name}: disclosures",
        "crumbs": [("Disclosures", "/disclosures/"), (version.case.ref, f"/cases/{version.case.ref}/"), (name, "")],
        "version": version,
        "waits": waits,
        "unconfirmed": disclosed.unconfirmed(version),
        "leaned": recalls.leaned(version),
        "rows": [_row(request, one, given) for one in rows],
        "disclose_form": given.get("disclose_form", fresh) if offered or "disclose_form" in given else None,
        "refusal": refusal,
    }
    return render(request, "kept/dossier_disclosures.html", context, status=status)


def _row(request: HttpRequest, ask: DisclosureAsk, given: dict[str, forms.Form]) -> dict[str, Any]:
    shown = disclosed.row(ask)
    release, note = f"release-{ask.pk}", f"note-{ask.pk}"
    may_release = (
        shown["state"] == "asked" and ask.asker_id != request.user.pk and may(request.user, "dossiers.approve")
    )
    may_note = shown["state"] != "withdrawn" and may(request.user, "cases.write")
    fresh_release = forms_destruction.ReleaseForm(auto_id=f"release_{ask.pk}_%s")
    fresh_note = forms_destruction.OutcomeForm(auto_id=f"note_{ask.pk}_%s")
    return {
        **shown,
        "release_form": given.get(release, fresh_release) if may_release else None,
        "note_form": given.get(note, fresh_note) if may_note else None,
    }
