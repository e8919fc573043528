"""A case: its summary, and the verbs on the case itself: edit, assign, move."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import actions, charts, figures, queries
from cases.access import case_for
from cases.forms import AssignForm, MarkingForm, MoveForm, SummaryForm
from cases.models import Case
from cases.views import case_frame, shared, versions
from cases.views.claims import strip
from people.policy import requires
from spine.errors import Refused

HEADLINES = (
    "accounts_actor_controlled",
    "exchanges_actor_controlled",
    "output_tokens_actor_controlled",
    "accounts_without_verdict",
)


@requires("cases.read", hidden=True)
@require_safe
@shared.chart_page
def case(request: HttpRequest, ref: str) -> HttpResponse:
    """The summary."""
    return _page(request, case_for(request.user, ref), {})


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case")
@shared.chart_page
def edit_case(request: HttpRequest, ref: str) -> HttpResponse:
    """Change title and allegation, or the marking."""
    found = case_for(request.user, ref, write=True)
    marking = "marking" in request.POST
    fields = ("marking",) if marking else ("title", "summary")
    form: forms.Form = (MarkingForm if marking else SummaryForm)(request.POST, auto_id="edit_%s")
    name = "marking_form" if marking else "summary_form"
    if not form.is_valid():
        return _page(request, found, {name: form}, status=422)
    given = form.cleaned_data
    changes = {field: (given[f"seen_{field}"], given[field]) for field in fields}
    try:
        actions.edit_case(found, actor=shared.person(request), changes=changes)
    except Refused as refusal:
        now = case_for(request.user, ref)
        sent = case_frame.again(request.POST, **{f"seen_{field}": getattr(now, field) for field in fields})
        return _refused(request, now, name, type(form)(sent, auto_id="edit_%s"), refusal)
    messages.success(request, "The marking is set." if marking else "Saved.")
    return _back(request, ref)


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case")
@shared.chart_page
def assign_case(request: HttpRequest, ref: str) -> HttpResponse:
    """Give the case to somebody, or take it."""
    found = case_for(request.user, ref, write=True)
    form = AssignForm(request.POST, auto_id="assign_%s")
    if not form.is_valid():
        return _page(request, found, {"assign_form": form}, status=422)
    to, expected = form.cleaned_data["assignee"], form.cleaned_data["expected"]
    try:
        actions.assign_case(found, actor=shared.person(request), to=to, expected=expected)
    except Refused as refusal:
        now = case_for(request.user, ref)
        sent = case_frame.again(request.POST, expected=now.assignee_id)
        return _refused(request, now, "assign_form", AssignForm(sent, auto_id="assign_%s"), refusal)
    messages.success(request, f"Assigned to {to}." if to else "Assigned to nobody.")
    return _back(request, ref)


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case")
@shared.chart_page
def move_case(request: HttpRequest, ref: str) -> HttpResponse:
    """Move the case to another step."""
    found = case_for(request.user, ref, write=True)
    form = MoveForm(request.POST, auto_id="moved_%s")
    if not form.is_valid():
        return _page(request, found, {"move": form}, status=422)
    try:
        moved = actions.move_case(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        now = case_for(request.user, ref)
        sent = case_frame.again(request.POST, expected_from=now.status)
        return _refused(request, now, "move", MoveForm(sent, auto_id="moved_%s"), refusal)
    messages.success(request, f"{moved.ref} is now {moved.get_status_display()}.")
    return _back(request, ref)


def _back(request: HttpRequest, ref: str) -> HttpResponse:
    """To the tab the form stood on."""
    tab = request.POST.get("tab", "")
    return redirect(tab if tab in case_frame.TABS else "case", ref)


def _refused(request: HttpRequest, now: Case, name: str, form: forms.Form, refusal: Refused) -> HttpResponse:
    case_frame.refuse(form, refusal)
    return _page(request, now, {name: form}, status=shared.status_of(refusal), refusal=refusal)


def _page(
    request: HttpRequest,
    found: Case,
    bound: case_frame.Bound,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    context = case_frame.context(request, found, "case", bound=bound, refusal=refusal)
    evidence = reverse("case_evidence", args=[found.ref])
    claims = reverse("case_claims", args=[found.ref])
    context |= {
        "figures": _figures(found),
        "claims": strip(found),
        "exhibits": [
            {"item": item, "address": f"{evidence}#exhibit-{item.number}"} for item in queries.strongest_exhibits(found)
        ],
        "chart": charts.volume_chart(found),
        "versions": versions.of_case(request, found),
        "alternatives": [
            {"name": name, "answer": answer, "address": f"{claims}#alternative-{slug}"}
            for slug, name, answer in queries.alternatives(found)
        ],
    }
    if case_frame.writable(request, found) and "summary_form" not in bound:
        seen = {"title": found.title, "summary": found.summary}
        initial = {**seen, **{f"seen_{field}": value for field, value in seen.items()}}
        context["summary_form"] = SummaryForm(initial=initial, auto_id="summary_%s")
    return render(request, "cases/case_summary.html", context, status=status)


def _figures(found: Case) -> list[dict[str, str]]:
    accounts = reverse("case_accounts", args=[found.ref])
    computed = {one.figure.key: one for one in figures.compute(found)}
    return [
        {
            "name": computed[key].figure.label,
            "value": _shown(computed[key].value),
            "rule": computed[key].figure.rule,
            "address": f"{accounts}?verdict={computed[key].figure.verdict}",
        }
        for key in HEADLINES
    ]


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.day} {value:%b %Y}"
    return "–" if value is None else f"{value:,}"
