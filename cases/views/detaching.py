"""What a case holds and what was taken out of it: clusters and single accounts, each with its undo."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from cases import actions, history, kept_apart
from cases.access import case_for, visible_leads
from cases.forms import DetachForm, UndoForm, VerdictForm
from cases.models import Case, CaseCluster, Detachment, LeadSighting
from cases.views import accounts, case_frame, shared
from people.policy import requires
from people.rights import may
from spine.errors import Refused

NAMED, SHOWN = 10, 50


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_accounts")
def detach_cluster(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Take a held cluster out."""
    case = case_for(request.user, ref, write=True)
    held = get_object_or_404(case.clusters.select_related("cluster"), cluster=pk)
    form = DetachForm(request.POST, auto_id=f"detach_{pk}_%s")
    if not form.is_valid():
        return accounts.page(request, case, VerdictForm(), bound={str(pk): form}, status=422)
    try:
        left = actions.detach_cluster(case, held.cluster, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _refused(request, ref, {str(pk): form}, refusal)
    messages.success(request, f"Taken out of the case; {left.accounts_left:,} accounts left with it.")
    return redirect(f"{reverse('case_accounts', args=[ref])}#held")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_accounts")
def detach_accounts(request: HttpRequest, ref: str) -> HttpResponse:
    """Take out the accounts that were picked in the list."""
    case = case_for(request.user, ref, write=True)
    form = VerdictForm(request.POST)
    picked = [pk for text in request.POST.getlist("account") if (pk := case_frame.some_id(text))]
    reason = str(request.POST.get("reason", ""))
    try:
        left = actions.detach_accounts(case, picked, actor=shared.person(request), reason=reason)
    except Refused as refusal:
        form.errors.clear()  # what is wrong is said by the refusal: no verdict was asked for
        case_frame.refuse(form, refusal)
        return accounts.page(
            request, case_for(request.user, ref), form, status=shared.status_of(refusal), refusal=refusal
        )
    messages.success(request, f"{left.accounts_left:,} accounts are taken out of the case.")
    return redirect(f"{reverse('case_accounts', args=[ref])}#held")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_accounts")
def attach_again(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Put back what was taken out."""
    case = case_for(request.user, ref, write=True)
    gone = get_object_or_404(case.detachments.select_related("case", "held__cluster"), pk=pk)
    form = UndoForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else request.POST.get("reason", "")
    try:
        actions.attach_again(gone, actor=shared.person(request), reason=reason)
    except Refused as refusal:
        return _refused(request, ref, {}, refusal)
    messages.success(request, "It is part of the case again.")
    return redirect(f"{reverse('case_accounts', args=[ref])}#held")


def _refused(request: HttpRequest, ref: str, bound: case_frame.Bound, refusal: Refused) -> HttpResponse:
    for form in bound.values():
        case_frame.refuse(form, refusal)
    case = case_for(request.user, ref)
    status = shared.status_of(refusal)
    return accounts.page(request, case, VerdictForm(), bound=bound, status=status, refusal=refusal)


def held(request: HttpRequest, case: Case, bound: case_frame.Bound) -> dict[str, Any]:
    """The held clusters with their leads and the form that takes each out, and what was taken out."""
    writable = case_frame.writable(request, case)
    of_clusters = writable and may(request.user, "leads.write")
    places = list(history.held_at(case).select_related("cluster__run").order_by("cluster__run__finished_at", "pk"))
    gone = list(_detachments(case)[:SHOWN])
    leads = _leads(request, [*places, *(one.held for one in gone if one.held)])
    return {
        "held": [
            {
                "cluster": one.cluster,
                "lead": leads.get(one.cluster_id),
                "form": (bound.get(str(one.cluster_id)) or DetachForm(auto_id=f"detach_{one.cluster_id}_%s"))
                if of_clusters
                else None,
            }
            for one in places
        ],
        "apart": kept_apart.in_case(request.user, case),
        "detachments": [
            {
                "one": one,
                "lead": leads.get(one.held.cluster_id) if one.held else None,
                "undone": getattr(one, "undone", None),
                "undoable": of_clusters if one.held else writable,
                "names": [row.account.pseudonym for row in one.accounts.all()][:NAMED],
            }
            for one in gone
        ],
    }


def _detachments(case: Case) -> QuerySet[Detachment]:
    rows = Detachment.objects.filter(case=case).select_related("by", "held__cluster", "undone__by")
    return rows.prefetch_related("accounts__account").order_by("-at", "-pk")


def _leads(request: HttpRequest, places: list[CaseCluster]) -> dict[UUID, UUID]:
    seen = LeadSighting.objects.filter(cluster__in=[one.cluster_id for one in places])
    return dict(seen.filter(lead__in=visible_leads(request.user).values("pk")).values_list("cluster_id", "lead_id"))
