"""Retention and erasure: policies with exact previews, orders that a second person grants, certificates."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cases import erasing, forms_destruction, holds, retention
from cases.actions import destruction as verbs
from cases.destruction import Preview
from cases.models import DestructionOrder, Hold, RetentionPolicy
from cases.models.destruction import Kept
from cases.paging import page as page_of
from cases.views import case_frame, shared
from detection.models import Account
from people.models import Role
from people.policy import requires
from people.reauth import recently_proven
from people.rights import RIGHTS, may
from spine.errors import Refused
from spine.models import Destruction

Forms = dict[str, forms.Form]
CERTIFICATES_SHOWN = 50


@requires("destruction.read", hidden=True)
@require_safe
@shared.refused_page
def retention_page(request: HttpRequest) -> HttpResponse:
    """Policies, the preview that was asked for, orders, certificates."""
    return _page(request)


@requires("destruction.read", "destruction.write", hidden=True)
def set_policy(request: HttpRequest) -> HttpResponse:
    """Set a policy, new or over the one that was shown."""
    if request.method != "POST":
        return redirect("retention")
    form = forms_destruction.PolicyForm(request.POST, auto_id="policy_%s")
    if not form.is_valid():
        return _page(request, {"policy_form": form}, status=422)
    try:
        verbs.set_policy(actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, {"policy_form": form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Set. It destroys nothing by itself: look at its preview.")
    return redirect("retention")


@requires("destruction.read", "destruction.write", hidden=True)
@shared.refused_page
def order_retention(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask that what a policy's preview showed be destroyed."""
    if request.method != "POST":
        return redirect("retention")
    policy = _policy(pk)
    form = forms_destruction.OrderForm(request.POST)
    if not form.is_valid():
        raise Refused("The preview's count is missing: look at the preview first.")
    verbs.order_retention(policy, actor=shared.person(request), expected=form.cleaned_data["expected"])
    messages.success(request, "Asked: a second person has to grant it.")
    return redirect("retention")


@requires("destruction.read", "destruction.write", hidden=True)
@recently_proven
def decide_order(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Grant an order or decline it."""
    if request.method != "POST":
        return redirect("retention")
    order = DestructionOrder.objects.select_related("asker").filter(pk=pk).first()
    if order is None:
        raise Http404("There is no such order.")
    form = forms_destruction.DecideForm(request.POST, auto_id=f"decide_{pk}_%s")
    if not form.is_valid():
        return _page(request, {f"decide-{pk}": form}, status=422)
    try:
        verbs.decide(order, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, {f"decide-{pk}": form}, status=shared.status_of(refusal), refusal=refusal)
    granted = form.cleaned_data["granted"]
    messages.success(request, "Granted: a worker carries it out, past every hold." if granted else "Declined.")
    return redirect("retention")


@requires("destruction.read", hidden=True)
@require_safe
def erasure_page(request: HttpRequest) -> HttpResponse:
    """What an erasure would take."""
    form = forms_destruction.SubjectForm(request.GET if request.GET else None, auto_id="subject_%s")
    if not request.GET or not form.is_valid():
        return _erasure(request, form)
    try:
        subject = erasing.subject_of(form.cleaned_data["kind"], _key(form))
        found = erasing.preview_of(subject)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _erasure(request, form, status=422, refusal=refusal)
    initial = {"kind": form.cleaned_data["kind"], "key": subject.pk, "expected": found.count}
    return _erasure(request, form, found, forms_destruction.EraseForm(initial=initial, auto_id="erase_%s"))


@requires("destruction.read", "destruction.write", hidden=True)
def order_erasure(request: HttpRequest) -> HttpResponse:
    """Ask for it, on a legal basis."""
    if request.method != "POST":
        return redirect("erasure")
    form = forms_destruction.EraseForm(request.POST, auto_id="erase_%s")
    subject = forms_destruction.SubjectForm(initial=request.POST.dict(), auto_id="subject_%s")
    if not form.is_valid():
        return _erasure(request, subject, form=form, status=422)
    try:
        verbs.order_erasure(actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _erasure(request, subject, form=form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Asked: a second person has to grant it.")
    return redirect("retention")


def _key(form: forms_destruction.SubjectForm) -> UUID:
    """The id that was typed, or that of the account with this pseudonym."""
    typed = form.cleaned_data["key"]
    known = forms_destruction.some_uuid(typed)
    if known is None and form.cleaned_data["kind"] == "account":
        known = Account.objects.filter(pseudonym=typed).values_list("pk", flat=True).first()
    if known is None:
        raise Refused("There is no such record.", field="key")
    return known


def _policy(pk: UUID) -> RetentionPolicy:
    policy = RetentionPolicy.objects.select_related("source").filter(pk=pk).first()
    if policy is None:
        raise Http404("There is no such policy.")
    return policy


def _page(
    request: HttpRequest, bound: Forms | None = None, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    given, writes = bound or {}, may(request.user, "destruction.write")
    wanted = case_frame.some_id(request.GET.get("preview"))
    editing = case_frame.some_id(request.GET.get("change"))
    orders = DestructionOrder.objects.select_related("asker", "policy__source", "decision__decider")
    found = page_of(orders, ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    context = {
        "section": "retention",
        "page_title": "Retention",
        "policies": [_policy_row(request, one, wanted, writes) for one in retention.current()],
        "orders": [_order_row(request, one, given, writes) for one in found.rows],
        "pages": shared.pages(request, found, "orders", total=orders.count()),
        "certificates": Destruction.objects.order_by("-at", "-id")[:CERTIFICATES_SHOWN],
        "destroyed": Destruction.objects.count(),
        "setters": " or ".join(role.label.lower() for role in Role if "destruction.write" in RIGHTS[role.value]),
        "policy_form": given.get("policy_form", _policy_form(editing)) if writes else None,
        "refusal": refusal,
    }
    return render(request, "kept/retention.html", context, status=status)


def _policy_form(editing: UUID | None) -> forms_destruction.PolicyForm:
    policy = RetentionPolicy.objects.filter(pk=editing, superseded_by=None).first() if editing else None
    if policy is None:
        return forms_destruction.PolicyForm(auto_id="policy_%s")
    names = ("data_class", "source", "days", "basis", "active")
    initial = {name: getattr(policy, name) for name in names} | {"supersedes": policy.pk}
    return forms_destruction.PolicyForm(initial=initial, auto_id="policy_%s")


def _policy_row(request: HttpRequest, policy: RetentionPolicy, wanted: UUID | None, writes: bool) -> dict[str, Any]:
    found = retention.preview_of(policy) if policy.pk == wanted else None
    form = None
    if found is not None and found.count and writes:
        form = forms_destruction.OrderForm(initial={"expected": found.count}, auto_id=f"order_{policy.pk}_%s")
    label = Kept(policy.data_class).label
    return {"policy": policy, "label": label, "preview": _shown(request, found), "form": form}


def _shown(request: HttpRequest, found: Preview | None) -> dict[str, Any] | None:
    """A preview as the page shows it; holds of cases the reader may not know of have no name."""
    if found is None:
        return None
    known: dict[UUID, Hold] = {one.pk: one for one in holds.visible(request.user).filter(pk__in=list(found.kept))}
    kept = [{"hold": known.get(key), "count": len(targets)} for key, targets in found.kept.items()]
    return {"count": found.count, "size": found.size, "kept": kept, "kept_count": found.kept_count}


def _order_row(request: HttpRequest, order: DestructionOrder, given: Forms, writes: bool) -> dict[str, Any]:
    decision = getattr(order, "decision", None)
    offered = writes and decision is None and order.asker_id != request.user.pk
    fresh = forms_destruction.DecideForm(auto_id=f"decide_{order.pk}_%s")
    return {
        "order": order,
        "decision": decision,
        "done": order.certificates().count() if decision is not None and decision.granted else 0,
        "kept": sum(order.kept.values()),
        "form": given.get(f"decide-{order.pk}", fresh) if offered else None,
    }


def _erasure(
    request: HttpRequest,
    subject: forms_destruction.SubjectForm,
    found: Preview | None = None,
    form: forms_destruction.EraseForm | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    by_kind: dict[str, int] = {}
    for one in found.targets if found else []:
        by_kind[Destruction.Kind(one.kind).label] = by_kind.get(Destruction.Kind(one.kind).label, 0) + 1
    context = {
        "section": "retention",
        "page_title": "Erasure",
        "crumbs": [("Retention", "/retention/"), ("Erasure", "")],
        "subject_form": subject,
        "preview": _shown(request, found),
        "by_kind": list(by_kind.items()),
        "erase_form": form if may(request.user, "destruction.write") else None,
        "refusal": refusal,
    }
    return render(request, "kept/erasure.html", context, status=status)
