"""Exchange sets: make one from the Evidence tab; its page with facts, proofs and re-runs."""

import json
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from cases.access import case_for, exchange_set_for
from cases.actions import exchange_checks, exchange_sets
from cases.api.exchange_sets import proof_file
from cases.forms_exchange import PlanForm, ProveForm, SetForm
from cases.models import Case, ExchangeSet, ExchangeSetRerun, SampledExchange
from cases.views import case_frame, shared
from people.policy import requires
from people.rights import may
from spine import vault
from spine.errors import Refused
from spine.models import Job

SHOWN_DIFFERENCES, SHOWN_DRAWN = 50, 50


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_evidence")
def make_exchange_set(request: HttpRequest, ref: str) -> HttpResponse:
    """Ask for a set; a job makes it."""
    found = case_for(request.user, ref, write=True)
    form = SetForm(request.POST, case=found, auto_id="set_%s")
    if not form.is_valid():
        return make_page(request, found, form, status=422)
    given = {name: form.cleaned_data[name] for name in ("source", "start", "end", "title", "authority")}
    try:
        choice = exchange_sets.Choice(*form.wanted())
        job = exchange_sets.request_set(found, actor=shared.person(request), choice=choice, **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return make_page(request, found, form, status=shared.status_of(refusal), refusal=refusal)
    return HttpResponseRedirect(f"{reverse('case_evidence', args=[ref])}?job={job.pk}")


@requires("cases.read", hidden=True)
@require_safe
def new_exchange_set(request: HttpRequest, ref: str) -> HttpResponse:
    """The form, with the window in which the case's accounts were active filled in: its end is not included."""
    found = case_for(request.user, ref)
    rail = case_frame.context(request, found, "case_evidence")["rail"]
    last = rail["last_seen"]
    initial = {"start": rail["first_seen"], "end": last and last.replace(microsecond=0) + timedelta(seconds=1)}
    return make_page(request, found, SetForm(case=found, initial=initial, auto_id="set_%s"))


@requires("cases.read", hidden=True)
@require_safe
def exchange_set(request: HttpRequest, ref: str, exhibit: int) -> HttpResponse:
    """One set."""
    return page(request, exchange_set_for(request.user, ref, exhibit))


@requires("cases.read", "cases.write", hidden=True)
@shared.refused_page
def rerun_exchange_set(request: HttpRequest, ref: str, exhibit: int) -> HttpResponse:
    """Ask the source again; a job compares."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("exchange_set", args=[ref, exhibit]))
    held = exchange_set_for(request.user, ref, exhibit, write=True)
    return _watching(ref, exhibit, exchange_checks.request_rerun(held, actor=shared.person(request)))


@requires("cases.read", hidden=True)
def prove_exchange(request: HttpRequest, ref: str, exhibit: int) -> HttpResponseBase:
    """The proof file of one exchange, to be saved."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("exchange_set", args=[ref, exhibit]))
    held = exchange_set_for(request.user, ref, exhibit)
    form = ProveForm(request.POST, auto_id="prove_%s")
    if not form.is_valid():
        return page(request, held, prove=form, status=422)
    try:
        return proof_file(held, exchange_checks.prove_exchange(held, actor=shared.person(request), **form.cleaned_data))
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return page(request, held, prove=form, status=shared.status_of(refusal), refusal=refusal)


def make_page(
    request: HttpRequest, case: Case, form: SetForm, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    """The form on a page of its own."""
    context = {
        **case_frame.context(request, case, "case_evidence", refusal=refusal),
        "set_form": form if case_frame.writable(request, case) else None,
    }
    return render(request, "cases/exchange_set_new.html", context, status=status)


def page(
    request: HttpRequest,
    held: ExchangeSet,
    *,
    prove: ProveForm | None = None,
    plan: PlanForm | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    """A set's page; `prove` and `plan` are forms that were just refused."""
    case = held.case
    writable = case_frame.writable(request, case)
    prove_form = prove or ProveForm(auto_id="prove_%s")
    if not may(request.user, "cases.write"):
        prove_form.fields.pop("columns")
    context = {
        **case_frame.context(request, case, "case_evidence", refusal=refusal),
        "held": held,
        "item": held.item,
        "statement": _statement(held),
        "plans": held.plans.select_related("planned_by").order_by("-number"),
        "reruns": [_rerun(one) for one in held.reruns.select_related("asked_by").order_by("-at", "-id")[:50]],
        "drawn": _drawn(held),
        "prove_form": prove_form,
        "plan_form": (plan or PlanForm(auto_id="plan_%s")) if writable else None,
        "may_rerun": may(request.user, "cases.write"),
    }
    context["page_title"] = f"{case.ref} {held.item.exhibit}"
    return render(request, "cases/exchange_set.html", context, status=status)


def _drawn(held: ExchangeSet) -> list[str]:
    """Request ids of the newest plans' exchanges, in the order in which they were drawn."""
    sampled = SampledExchange.objects.filter(plan__exchange_set=held).order_by("-plan__number", "ordinal")
    return list(dict.fromkeys(sampled.values_list("request_id", flat=True)[:SHOWN_DRAWN]))


def _watching(ref: str, exhibit: int, job: Job) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('exchange_set', args=[ref, exhibit])}?job={job.pk}")


def _statement(held: ExchangeSet) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(vault.read(held.item.sha256))
    except vault.Missing:
        return None
    until = parse_datetime(found["originals"]["expire_at"] or "")
    return found | {"originals_until": until, "originals_gone": until is not None and until < timezone.now()}


def _rerun(made: ExchangeSetRerun) -> dict[str, Any]:
    """A re-run with its first differences, empty when the report is gone from the vault."""
    differs = made.missing or made.added or made.changed
    try:
        examples = json.loads(vault.read(made.report_sha256))["examples"] if differs else []
    except vault.Missing:
        examples = []
    return {"made": made, "differs": differs, "examples": examples[:SHOWN_DIFFERENCES], "more": len(examples)}
