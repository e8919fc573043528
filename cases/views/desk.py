"""The brokers' desk: every question with counts and names, no case and no account. To others it is not there."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import deconfliction, paging
from cases.actions import brokers as broker_verbs
from cases.actions import deconfliction as verbs
from cases.forms_deconfliction import AnswerQuestionForm, ApproachForm, DesignateForm, EndTermForm
from cases.models import BrokerTerm, Question
from cases.views import case_frame, shared
from cases.views.log import entry_rows
from people.policy import requires
from spine.errors import Refused


@requires("cases.read", hidden=True)
@require_safe
@shared.refused_page
def desk(request: HttpRequest) -> HttpResponse:
    """The questions, newest first; those that wait can be told apart."""
    rows = deconfliction.desk(request.user)
    waits = request.GET.get("state", "waiting") != "all"
    shown = rows.filter(answer__isnull=True) if waits else rows
    page = paging.page(shown, ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    counts = {"waiting": rows.filter(answer__isnull=True).count(), "all": rows.count()}
    choices = [("waiting", "waiting"), ("all", "all")]
    context = {
        "section": "deconfliction",
        "page_title": "Deconfliction",
        "questions": page.rows,
        "chips": shared.chips(request, "state", choices, counts, "waiting" if waits else "all"),
        "pages": shared.pages(request, page, "questions", total=counts["waiting" if waits else "all"]),
    }
    return render(request, "deconfliction/desk.html", context)


@requires("cases.read", hidden=True)
def question(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One question with what was found; a post answers it."""
    found = deconfliction.question_for(request.user, pk)
    if request.method != "POST":
        return _question(request, found)
    form = AnswerQuestionForm(request.POST, found=list(deconfliction.matches(found)), auto_id="answer_%s")
    if not form.is_valid():
        return _question(request, found, form=form, status=422)
    given = dict(form.cleaned_data)
    introduce = [UUID(text) for text in given.pop("introduce", [])]
    try:
        verbs.answer(found, actor=shared.person(request), introduce=introduce, **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        now = deconfliction.question_for(request.user, pk)
        return _question(request, now, form=form, status=shared.status_of(refusal), refusal=refusal)
    told = " Those whom you put in touch are told." if introduce else ""
    messages.success(request, f"Answered. {found.asker} sees it on their case.{told}")
    return redirect("desk_question", pk)


@requires("cases.read", hidden=True)
def approach(request: HttpRequest, pk: UUID, match: UUID) -> HttpResponse:
    """Ask the other side first."""
    found = deconfliction.question_for(request.user, pk)
    if request.method != "POST":
        return redirect("desk_question", pk)
    one = deconfliction.match_for(found, match)
    form = ApproachForm(request.POST, auto_id=f"approach_{match}_%s")
    if not form.is_valid():
        return _question(request, found, status=422, approaching={match: form})
    try:
        verbs.approach(one, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _question(request, found, status=shared.status_of(refusal), refusal=refusal, approaching={match: form})
    messages.success(request, "The other side is asked.")
    return redirect("desk_question", pk)


def _question(
    request: HttpRequest,
    found: Question,
    *,
    form: AnswerQuestionForm | None = None,
    status: int = 200,
    refusal: Refused | None = None,
    approaching: dict[UUID, ApproachForm] | None = None,
) -> HttpResponse:
    verbs.record_look(found, actor=shared.person(request))
    matches = list(deconfliction.matches(found))
    mine = found.asker_id == request.user.pk
    offered = hasattr(found, "comparison") and not hasattr(found, "answer") and not mine
    rows: list[dict[str, Any]] = []
    for match in matches:
        asks = offered and not hasattr(match, "approach")
        fresh = (approaching or {}).get(match.pk) or ApproachForm(auto_id=f"approach_{match.pk}_%s")
        rows.append({"match": match, "form": fresh if asks else None})
    context = {
        "section": "deconfliction",
        "page_title": "A question",
        "crumbs": [("Deconfliction", reverse("desk")), ("Question", "")],
        "question": found,
        "mine": mine,
        "matches": rows,
        "answer_form": (form or AnswerQuestionForm(found=matches, auto_id="answer_%s")) if offered else None,
        "entries": entry_rows(list(deconfliction.desk_entries(found)[:50])),
        "refusal": refusal,
    }
    return render(request, "deconfliction/question.html", context, status=status)


@requires("people.write")
def brokers(request: HttpRequest) -> HttpResponse:
    """Who brokers, and since when; a post designates one."""
    if request.method != "POST":
        return _brokers(request, DesignateForm(auto_id="designate_%s"))
    form = DesignateForm(request.POST, auto_id="designate_%s")
    if not form.is_valid():
        return _brokers(request, form, status=422)
    try:
        broker_verbs.designate(actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _brokers(request, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"{form.cleaned_data['person']} is a broker now.")
    return redirect("brokers")


@requires("people.write")
def end_term(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a broker's term."""
    term = BrokerTerm.objects.filter(pk=pk, ended=False).select_related("user").first()
    if request.method != "POST" or term is None:
        return redirect("brokers")
    form = EndTermForm(request.POST, auto_id=f"end_{pk}_%s")
    refusal = None
    if form.is_valid():
        try:
            broker_verbs.end_term(term, actor=shared.person(request), **form.cleaned_data)
        except Refused as told:
            refusal = told
            case_frame.refuse(form, told)
        else:
            messages.success(request, f"{term.user} is no broker any more.")
            return redirect("brokers")
    status = shared.status_of(refusal) if refusal else 422
    fresh = DesignateForm(auto_id="designate_%s")
    return _brokers(request, fresh, status=status, refusal=refusal, ending={pk: form})


def _brokers(
    request: HttpRequest,
    form: DesignateForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    ending: dict[UUID, EndTermForm] | None = None,
) -> HttpResponse:
    rows = [
        {"term": term, "form": (ending or {}).get(term.pk) or EndTermForm(auto_id=f"end_{term.pk}_%s")}
        for term in deconfliction.terms()
    ]
    context = {
        "section": "brokers",
        "page_title": "Brokers",
        "terms": rows,
        "designate_form": form,
        "refusal": refusal,
    }
    return render(request, "deconfliction/brokers.html", context, status=status)
