"""Samples of an exchange set: draw by a plan, go through what was drawn, say what each is, see what that says."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases.access import exchange_set_for, plan_for, sampled_for, visible_jobs
from cases.actions import exchange_checks, work
from cases.actions import sampling as verbs
from cases.api.exchange_sets import proof_file
from cases.exchange_sets import proving, results
from cases.forms_exchange import PlanForm, ResultForm
from cases.models import SampledExchange, SampleResult
from cases.views import case_frame, exchange_sets, shared
from people.policy import requires
from spine.errors import Refused

SIZE = 100
# What of a drawn exchange is shown beside its content, when the source has it.
SHOWN = (
    "model",
    "surface",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "temperature",
    "finish_reason",
    "status",
)
CONTENT = ("prompt", "response", "tools")


@requires("cases.read", "cases.write", hidden=True)
def draw_sample(request: HttpRequest, ref: str, exhibit: int) -> HttpResponse:
    """Ask for a sample; a job draws it."""
    if request.method != "POST":
        return redirect("exchange_set", ref, exhibit)
    held = exchange_set_for(request.user, ref, exhibit, write=True)
    form = PlanForm(request.POST, auto_id="plan_%s")
    if not form.is_valid():
        return exchange_sets.page(request, held, plan=form, status=422)
    try:
        job = verbs.request_sample(held, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return exchange_sets.page(request, held, plan=form, status=shared.status_of(refusal), refusal=refusal)
    return HttpResponseRedirect(f"{reverse('exchange_set', args=[ref, exhibit])}?job={job.pk}")


@requires("cases.read", hidden=True)
@require_safe
def plan(request: HttpRequest, ref: str, exhibit: int, plan_number: int) -> HttpResponse:
    """One plan: what it drew, what was said of it, and what that says of the set."""
    found = plan_for(request.user, ref, exhibit, plan_number)
    at = shared.whole(request.GET.get("at"))
    rows = found.sample.select_related("account").order_by("ordinal")
    total = rows.count()
    standing = SampleResult.objects.filter(sampled__plan=found, superseded_by=None).select_related("reviewer")
    said: dict[UUID, list[SampleResult]] = {}
    for one in standing.order_by("reviewer__username"):
        said.setdefault(one.sampled_id, []).append(one)
    case = found.exchange_set.case
    context = {
        **case_frame.context(request, case, "case_evidence"),
        "held": found.exchange_set,
        "plan": found,
        "results": results.of_plan(found),
        "rule": results.RULE,
        "rows": [{"sampled": row, "results": said.get(row.id, [])} for row in rows[at : at + SIZE]],
        "pages": {
            "first": at + 1,
            "last": min(at + SIZE, total),
            "total": total,
            "previous_url": shared.address(request, at=max(0, at - SIZE) or "") if at else "",
            "next_url": shared.address(request, at=at + SIZE) if at + SIZE < total else "",
            "noun": "exchanges",
        },
    }
    context["page_title"] = f"{case.ref} plan {found.number}"
    return render(request, "cases/sampling_plan.html", context)


@requires("cases.read", "cases.write", hidden=True)
def sampled(request: HttpRequest, ref: str, exhibit: int, plan_number: int, ordinal: int) -> HttpResponse:
    """One drawn exchange; a post says what it is, or asks for its content."""
    write = request.method == "POST"
    found = sampled_for(request.user, ref, exhibit, plan_number, ordinal, write=write)
    if not write:
        return _page(request, found)
    if "read" in request.POST:
        try:
            return _page(request, found, content=verbs.read_sampled(found, actor=shared.person(request)))
        except Refused as refusal:
            return _page(request, found, status=shared.status_of(refusal), refusal=refusal)
    form = ResultForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    given = form.cleaned_data
    own = SampleResult.objects.filter(pk=given["supersedes"], sampled=found).first() if given["supersedes"] else None
    try:
        actor = shared.person(request)
        verbs.judge_sampled(found, actor=actor, value=given["value"], note=given["note"], supersedes=own)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, form=form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Exchange {ordinal} of plan {plan_number} is judged.")
    after = found.plan.sample.filter(ordinal__gt=ordinal).exclude(results__reviewer=actor).order_by("ordinal").first()
    if after is None:
        return redirect("sampling_plan", ref, exhibit, plan_number)
    return redirect("sampled_exchange", ref, exhibit, plan_number, after.ordinal)


@requires("cases.read", hidden=True)
@shared.refused_page
def prove_sampled(request: HttpRequest, ref: str, exhibit: int, plan_number: int, ordinal: int) -> HttpResponseBase:
    """The proof file of a drawn exchange, which does not need the source."""
    if request.method != "POST":
        return redirect("sampled_exchange", ref, exhibit, plan_number, ordinal)
    found = sampled_for(request.user, ref, exhibit, plan_number, ordinal)
    held = found.plan.exchange_set
    content = proving.proof_of_sampled(found)
    purpose = f"exchange {ordinal} of sampling plan {plan_number}"
    exchange_checks.record_proof(held, actor=shared.person(request), content=content, purpose=purpose)
    return proof_file(held, content)


@requires("detectors.read")
@shared.refused_page
def stop_job(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Stop work of a case, or over a source, that waits or goes on; the verb asks for the right to that."""
    if request.method == "POST":
        found = visible_jobs(request.user).filter(pk=pk).first()
        if found is None:
            raise Http404("There is no such job.")
        work.stop_job(found, actor=shared.person(request))
    return redirect("job", pk)


def _page(
    request: HttpRequest,
    found: SampledExchange,
    *,
    form: ResultForm | None = None,
    content: dict[str, Any] | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    case = found.plan.exchange_set.case
    writable = case_frame.writable(request, case)
    own = found.results.filter(reviewer=shared.person(request), superseded_by=None).first()
    initial = {"value": own.value, "note": own.note, "supersedes": own.pk} if own else {}
    context = {
        **case_frame.context(request, case, "case_evidence", refusal=refusal),
        "held": found.plan.exchange_set,
        "plan": found.plan,
        "sampled": found,
        "others": found.results.filter(superseded_by=None).select_related("reviewer").order_by("reviewer__username"),
        "form": (form or ResultForm(initial=initial)) if writable else None,
        "facts": _facts(content) if content else [],
        "content": [(name, content[name]) for name in CONTENT if content.get(name) is not None] if content else [],
        "shown": content is not None,
    }
    context["page_title"] = f"{case.ref} plan {found.plan.number}, exchange {found.ordinal}"
    return render(request, "cases/sampled_exchange.html", context, status=status)


def _facts(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    known = [(name, content[name]) for name in SHOWN if content.get(name) is not None]
    return [(name.replace("_", " ").capitalize(), str(value), "") for name, value in known]
