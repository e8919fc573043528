"""Holds: the list of those one may see, one hold with its custodians, and its release by two people."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import actions, forms_kept, holds
from cases.access import custodian_for, hold_for
from cases.models import Hold, HoldCustodian, HoldReleaseAsk
from cases.paging import page as page_of
from cases.views import case_frame, shared
from people.policy import requires
from people.rights import may
from spine.canonical import canonical_json
from spine.errors import Refused

STATES = (("standing", "hold"), ("released", "released"), ("all", "all"))
Forms = dict[str, forms.Form]
View = Callable[..., HttpResponseBase]


def posted(view: View) -> View:
    """For addresses that only take a post: who comes otherwise is led to the list."""

    @wraps(view)
    def led(request: HttpRequest, pk: UUID) -> HttpResponseBase:
        return view(request, pk) if request.method == "POST" else redirect("holds")

    return led


@requires("cases.read")
@require_safe
@shared.refused_page
def hold_list(request: HttpRequest) -> HttpResponse:
    """Every hold of the cases one may know of; first what one has to acknowledge oneself."""
    state = request.GET.get("state", "standing")
    state = state if state in dict(STATES) else "standing"
    rows = holds.visible(request.user, state="" if state == "all" else state)
    found = page_of(holds.counted(rows), ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    now = timezone.now()
    for row in found.rows:
        row.words = holds.scope_words(row)  # type: ignore[attr-defined]
        row.overdue = bool(row.waiting and row.first_due <= now)  # type: ignore[attr-defined]
    context = {
        "section": "holds",
        "page_title": "Holds",
        "rows": found.rows,
        "pages": shared.pages(request, found, "holds", total=rows.count()),
        "chips": shared.chips(request, "state", STATES, holds.counts(request.user), state),
        "mine": list(holds.mine(shared.person(request))),
    }
    return render(request, "kept/holds.html", context)


@requires("cases.read", hidden=True)
@require_safe
def hold(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One hold."""
    return _page(request, hold_for(request.user, pk))


@requires("cases.read", "holds.write", hidden=True)
@posted
def add_custodian(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Name a custodian more."""
    found = hold_for(request.user, pk)
    form = forms_kept.KeeperForm(request.POST, auto_id="keeper_%s")

    def act() -> object:
        days = form.cleaned_data["days"]
        return actions.add_custodian(found, actor=shared.person(request), keeper=form.keeper(), days=days)

    return _sent(request, found, "keeper_form", form, act, "Named.")


@requires("cases.read", hidden=True)
@posted
@shared.refused_page
def acknowledge_hold(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Acknowledge as the custodian one is."""
    custodian = custodian_for(request.user, pk)
    actions.acknowledge(custodian, actor=shared.person(request))
    messages.success(request, f"Acknowledged {custodian.hold.name} of {custodian.hold.case.ref}.")
    return redirect("holds")


@requires("cases.read", "holds.write", hidden=True)
@posted
def acknowledge_hold_for(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record a custodian's acknowledgement from a document."""
    custodian = custodian_for(request.user, pk)
    form = forms_kept.DocumentForm(request.POST, auto_id=f"document_{pk}_%s")
    return _sent(
        request,
        custodian.hold,
        f"document-{pk}",
        form,
        lambda: actions.acknowledge_on_behalf(custodian, actor=shared.person(request), **form.cleaned_data),
        "Recorded.",
    )


@requires("cases.read", "holds.write", hidden=True)
@posted
def remind_custodian(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Write down a reminder."""
    custodian = custodian_for(request.user, pk)
    form = forms_kept.NoteForm(request.POST, auto_id=f"remind_{pk}_%s")
    return _sent(
        request,
        custodian.hold,
        f"remind-{pk}",
        form,
        lambda: actions.remind(custodian, actor=shared.person(request), **form.cleaned_data),
        "Written down.",
    )


@requires("cases.read", "holds.write", hidden=True)
@posted
def ask_hold_release(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask that it be released."""
    found = hold_for(request.user, pk)
    form = forms_kept.ReasonForm(request.POST, auto_id="ask_%s")
    return _sent(
        request,
        found,
        "ask_form",
        form,
        lambda: actions.ask_release(found, actor=shared.person(request), **form.cleaned_data),
        "Asked: somebody else has to release it.",
    )


@requires("cases.read", "holds.write", hidden=True)
@posted
def release_hold(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Release it, as the second person."""
    found = hold_for(request.user, pk)
    form = forms_kept.ReleaseForm(request.POST, auto_id="release_%s")

    def act() -> object:
        given = form.cleaned_data
        return actions.release_hold(found, actor=shared.person(request), ask=given["ask"] or pk, note=given["note"])

    return _sent(request, found, "release_form", form, act, "Released.")


def _sent(
    request: HttpRequest, found: Hold, name: str, form: forms.Form, act: Callable[[], object], done: str
) -> HttpResponse:
    if not form.is_valid():
        return _page(request, found, {name: form}, status=422)
    try:
        act()
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, {name: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, done)
    return redirect("hold", found.pk)


def _page(
    request: HttpRequest, found: Hold, bound: Forms | None = None, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    standing, given = holds.standing(found), bound or {}
    writes = standing.holds and may(request.user, "holds.write")
    asks = list(found.release_asks.all())
    asked = any(ask.asker_id == request.user.pk for ask in asks)
    context = {
        "section": "holds",
        "page_title": f"{found.name} of {found.case.ref}",
        "crumbs": [("Holds", "/holds/"), (found.name, "")],
        "hold": found,
        "words": holds.scope_words(found),
        "stored": canonical_json(found.query).decode(),
        "standing": standing,
        "refusal": refusal,
        "custodians": [_custodian(request, one, standing, writes, given) for one in found.custodians.all()],
        "asks": [{"ask": ask, "form": _release(request, ask, given) if writes else None} for ask in asks],
        "keeper_form": given.get("keeper_form", forms_kept.KeeperForm(auto_id="keeper_%s")) if writes else None,
        "ask_form": given.get("ask_form", forms_kept.ReasonForm(auto_id="ask_%s")) if writes and not asked else None,
    }
    return render(request, "kept/hold.html", context, status=status)


def _custodian(
    request: HttpRequest, one: HoldCustodian, standing: holds.Standing, writes: bool, given: Forms
) -> dict[str, Any]:
    waits = one in standing.unacknowledged
    document, remind = f"document-{one.pk}", f"remind-{one.pk}"
    offered = writes and waits
    return {
        "one": one,
        "mine": waits and one.person_id == request.user.pk,
        "overdue": one in standing.overdue,
        "document_form": given.get(document, forms_kept.DocumentForm(auto_id=f"document_{one.pk}_%s"))
        if offered
        else None,
        "remind_form": given.get(remind, forms_kept.NoteForm(auto_id=f"remind_{one.pk}_%s")) if offered else None,
    }


def _release(request: HttpRequest, ask: HoldReleaseAsk, given: Forms) -> forms.Form | None:
    if ask.asker_id == request.user.pk:
        return None
    return given.get("release_form", forms_kept.ReleaseForm(initial={"ask": ask.pk}, auto_id=f"release_{ask.pk}_%s"))
