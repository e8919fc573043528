"""Deconfliction on a case: ask, see the broker's answer, reply where a broker asks this case."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from cases import deconfliction
from cases.access import case_for
from cases.actions import deconfliction as verbs
from cases.forms_deconfliction import AskForm, ReplyForm
from cases.models import Case
from cases.views import case_frame, shared
from people.policy import requires
from spine.errors import Refused


@requires("cases.read", "cases.write", hidden=True)
@shared.refused_page
def deconflict(request: HttpRequest, ref: str) -> HttpResponse:
    """What was asked from this case and answered, and what brokers asked and told it; a post asks."""
    if request.method != "POST":
        return _page(request, case_for(request.user, ref), AskForm(auto_id="ask_%s"))
    case = case_for(request.user, ref, write=True)
    form = AskForm(request.POST, auto_id="ask_%s")
    if not form.is_valid():
        return _page(request, case, form, status=422)
    try:
        verbs.ask(case, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, case, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Asked. A broker answers, whatever is found.")
    return redirect("case_deconfliction", ref)


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_deconfliction")
def reply(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Reply to a broker who asks this case."""
    case = case_for(request.user, ref, write=True)
    approach = deconfliction.approach_of(case, pk)
    form = ReplyForm(request.POST, auto_id=f"reply_{pk}_%s")
    refusal = None
    if form.is_valid():
        given = form.cleaned_data
        try:
            verbs.reply(approach, actor=shared.person(request), agrees=given["agrees"] == "yes", words=given["words"])
        except Refused as told:
            refusal = told
            case_frame.refuse(form, told)
        else:
            messages.success(request, "The broker is told.")
            return redirect("case_deconfliction", ref)
    status = shared.status_of(refusal) if refusal else 422
    return _page(request, case, AskForm(auto_id="ask_%s"), status=status, refusal=refusal, replying={pk: form})


def _page(
    request: HttpRequest,
    case: Case,
    form: AskForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    replying: dict[UUID, ReplyForm] | None = None,
) -> HttpResponse:
    offered = case_frame.writable(request, case)
    brokers = [term.user for term in deconfliction.terms()]
    context: dict[str, Any] = {
        **case_frame.context(request, case, "case_deconfliction", refusal=refusal),
        "questions": deconfliction.questions(case),
        "introductions": deconfliction.introductions(case),
        "approaches": [
            {
                "approach": one,
                "form": ((replying or {}).get(one.pk) or ReplyForm(auto_id=f"reply_{one.pk}_%s"))
                if offered and not hasattr(one, "reply")
                else None,
            }
            for one in deconfliction.approaches(case)
        ],
        "brokers": brokers,
        "ask_form": form if offered and brokers else None,
        "least": settings.DECONFLICTION_LEAST_ACCOUNTS,
        "per_day": settings.DECONFLICTION_PER_DAY,
    }
    return render(request, "cases/case_deconfliction.html", context, status=status)
