"""The Preservation tab: what sources still have, requests with their receipts, and the holds of the case."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import actions, forms_kept, holds, preservation
from cases.access import case_for, preservation_for
from cases.actions.preservation import letter
from cases.api.shared import saved_text
from cases.models import Case, PreservationRequest
from cases.views import case_frame, shared
from people.policy import requires
from people.rights import may
from spine.errors import Refused

Forms = dict[str, forms.Form]


@requires("cases.read", hidden=True)
@require_safe
def preservation_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """Clocks, requests with answers, holds."""
    return page(request, case_for(request.user, ref))


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_preservation")
def request_preservation(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask a log owner to keep what expires."""
    case = case_for(request.user, ref, write=True)
    form = forms_kept.PreserveForm(request.POST, sources=forms_kept.sources_of(case), auto_id="preserve_%s")
    return sent(
        request,
        case,
        "preserve_form",
        form,
        lambda: actions.request_preservation(case, actor=shared.person(request), **form.cleaned_data),
        "Written down. Send the letter to the log owner, and write down the answer when it comes.",
    )


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_preservation")
def explain_absence(request: HttpRequest, ref: str) -> HttpResponse:
    """Say why nothing is asked of a source."""
    case = case_for(request.user, ref, write=True)
    form = forms_kept.AbsenceForm(request.POST, sources=forms_kept.sources_of(case), auto_id="absence_%s")
    return sent(
        request,
        case,
        "absence_form",
        form,
        lambda: actions.explain_absence(case, actor=shared.person(request), **form.cleaned_data),
        "Explained.",
    )


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_preservation")
def answer_preservation(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Write down what the log owner answered."""
    asked = preservation_for(request.user, ref, pk, write=True)
    form = forms_kept.AnswerForm(request.POST, auto_id=f"answer_{asked.pk}_%s")
    return sent(
        request,
        asked.case,
        f"answer-{asked.pk}",
        form,
        lambda: actions.answer_preservation(asked, actor=shared.person(request), **form.cleaned_data),
        "Written down.",
    )


@requires("cases.read", hidden=True)
@require_safe
def preservation_letter(request: HttpRequest, ref: str, pk: UUID) -> FileResponse:
    """The request as text, to send."""
    asked = preservation_for(request.user, ref, pk)
    return saved_text(letter(asked), name=f"{asked.case.ref}-preservation.txt")


@requires("cases.read", "holds.write", hidden=True)
@case_frame.posted("case_preservation")
def place_hold(request: HttpRequest, ref: str) -> HttpResponse:
    """Place a hold; a closed case can be held too."""
    case = case_for(request.user, ref)
    form = forms_kept.HoldForm(request.POST, sources=forms_kept.sources_of(case), auto_id="hold_%s")
    return sent(
        request,
        case,
        "hold_form",
        form,
        lambda: actions.place_hold(case, actor=shared.person(request), **form.arguments()),
        "Placed: nothing it covers is deleted from now on.",
        anchor="#holds",
    )


def sent(
    request: HttpRequest,
    case: Case,
    name: str,
    form: forms.Form,
    act: Callable[[], object],
    done: str,
    anchor: str = "",
) -> HttpResponse:
    """Act on a form and lead back to the tab; a refused form stands on it with what was typed."""
    if not form.is_valid():
        return page(request, case, {name: form}, status=422)
    try:
        act()
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return page(request, case, {name: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, done)
    return HttpResponseRedirect(reverse("case_preservation", args=[case.ref]) + anchor)


def page(
    request: HttpRequest, case: Case, bound: Forms | None = None, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    """The tab, with forms that were just refused by their names."""
    writable, given = case_frame.writable(request, case), bound or {}
    context: dict[str, Any] = {
        **case_frame.context(request, case, "case_preservation", refusal=refusal),
        "requests": _requests(case, writable, given),
        "absences": case.preservation_absences.select_related("source", "explained_by").order_by("-at", "-id"),
        "holds": [
            {"hold": one, "words": holds.scope_words(one), "standing": holds.standing(one)}
            for one in holds.of_case(case)
        ],
        **_offered(request, case, writable),
        **{name: form for name, form in given.items() if not name.startswith("answer-")},
    }
    return render(request, "cases/case_preservation.html", context, status=status)


def _offered(request: HttpRequest, case: Case, writable: bool) -> Forms:
    sources = forms_kept.sources_of(case)
    found: Forms = {}
    if writable and sources:
        found["preserve_form"] = forms_kept.PreserveForm(sources=sources, auto_id="preserve_%s")
        found["absence_form"] = forms_kept.AbsenceForm(sources=sources, auto_id="absence_%s")
    if may(request.user, "holds.write"):
        found["hold_form"] = forms_kept.HoldForm(sources=sources, auto_id="hold_%s")
    return found


def _requests(case: Case, writable: bool, given: Forms) -> list[dict[str, Any]]:
    rows = case.preservation_requests.select_related("source", "requested_by").prefetch_related("answers")
    return [
        {
            "request": one,
            "answer": (answer := preservation.newest_answer(one)),
            "earlier": max(0, len(one.answers.all()) - 1),
            "form": given.get(f"answer-{one.pk}", _answer_form(one, answer)) if writable else None,
        }
        for one in rows.order_by("-at", "-id")
    ]


def _answer_form(asked: PreservationRequest, answer: Any) -> forms_kept.AnswerForm:
    initial = {"supersedes": answer.pk if answer else None}
    return forms_kept.AnswerForm(initial=initial, auto_id=f"answer_{asked.pk}_%s")
