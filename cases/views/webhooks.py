"""Webhooks, for administrators: set up, changed, paused, tried, removed; and the delivery log of each."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cases import webhook_sending as sending
from cases.actions import webhooks as verbs
from cases.forms_webhooks import RevisionForm, SecretForm, WebhookForm
from cases.models import Webhook, WebhookDelivery
from cases.models.webhooks import DeliveryState
from cases.views import case_frame, shared
from people.policy import requires
from people.reauth import recently_proven
from people.views.shared import shown_once
from spine.errors import Refused

SHOWN = 50
BADGES = {"enabled": "done", "failing": "warn", "paused": "", "disabled": "failed"}
DELIVERY_BADGES = {"waiting": "queued", "delivered": "done", "failed": "failed"}
SECTION = {"section": "webhooks"}


@requires(verbs.RIGHT)
@require_safe
def webhook_list(request: HttpRequest) -> HttpResponse:
    """Every webhook and how it stands."""
    waiting = Count("deliveries", filter=Q(deliveries__state=DeliveryState.WAITING))
    found = Webhook.objects.annotate(waiting=waiting).order_by("name")
    context = {**SECTION, "page_title": "Webhooks", "webhooks": [_shown(one) for one in found]}
    return render(request, "webhooks/list.html", context)


@requires(verbs.RIGHT)
@recently_proven
@never_cache
def new_webhook(request: HttpRequest) -> HttpResponse:
    """Set up a webhook; its secret is in the answer and nowhere else."""
    form = WebhookForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _form_page(request, form, status=422 if request.method == "POST" else 200)
    try:
        made, secret = verbs.create_webhook(actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _form_page(request, form, refusal=refusal)
    return _secret_page(request, made, secret)


@requires(verbs.RIGHT)
def edit_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change address and types."""
    found = get_object_or_404(Webhook, pk=pk)
    form = WebhookForm(request.POST if request.method == "POST" else None, webhook=found)
    if request.method != "POST" or not form.is_valid():
        return _form_page(request, form, found, status=422 if request.method == "POST" else 200)
    given = dict(form.cleaned_data)
    try:
        verbs.change_webhook(found, actor=shared.person(request), revision=given.pop("revision"), changes=given)
    except Refused as refusal:
        return _form_page(request, form, found, refusal=refusal)
    messages.success(request, "The webhook is changed.")
    return redirect("webhook", pk)


@requires(verbs.RIGHT)
@require_safe
def webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One webhook with its delivery log."""
    return _page(request, get_object_or_404(Webhook, pk=pk))


@requires(verbs.RIGHT)
def pause_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pause a webhook, or resume one that is paused or disabled."""
    found = get_object_or_404(Webhook, pk=pk)
    form = RevisionForm(request.POST)
    if request.method != "POST":
        return redirect("webhook", pk)
    if not form.is_valid():
        return _page(request, found, status=422)
    verb = verbs.resume_webhook if request.POST.get("do") == "resume" else verbs.pause_webhook
    try:
        changed = verb(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _page(request, found, refusal=refusal)
    messages.success(request, "The webhook is paused." if changed.paused else "The webhook is resumed.")
    return redirect("webhook", pk)


@requires(verbs.RIGHT)
@recently_proven
@never_cache
def make_secret(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A new secret, in the answer and nowhere else."""
    found = get_object_or_404(Webhook, pk=pk)
    if request.method != "POST":
        return redirect("webhook", pk)
    form = SecretForm(request.POST, auto_id="secret_%s")
    if not form.is_valid():
        return _page(request, found, form, status=422)
    try:
        made, secret = verbs.rotate_secret(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, form, refusal=refusal)
    return _secret_page(request, made, secret)


@requires(verbs.RIGHT)
def test_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a test; the delivery log shows what comes of it."""
    found = get_object_or_404(Webhook, pk=pk)
    if request.method == "POST":
        try:
            verbs.test_webhook(found, actor=shared.person(request))
        except Refused as refusal:
            return _page(request, found, refusal=refusal)
        messages.success(request, "The test is on its way: it stands on top of the deliveries.")
    return redirect("webhook", pk)


@requires(verbs.RIGHT)
def remove_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Forget a webhook and its deliveries."""
    found, form = get_object_or_404(Webhook, pk=pk), RevisionForm(request.POST)
    if request.method != "POST":
        return redirect("webhook", pk)
    if not form.is_valid():
        return _page(request, found, status=422)
    try:
        verbs.remove_webhook(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _page(request, found, refusal=refusal)
    messages.success(request, f"The webhook {found.name} is removed.")
    return redirect("webhooks")


@requires(verbs.RIGHT)
def send_again(request: HttpRequest, pk: UUID, delivery: UUID) -> HttpResponse:
    """Send a delivery once more."""
    found = get_object_or_404(Webhook, pk=pk)
    if request.method == "POST":
        row = get_object_or_404(WebhookDelivery.objects.select_related("webhook"), pk=delivery, webhook=found)
        try:
            verbs.send_again(row, actor=shared.person(request))
        except Refused as refusal:
            return _page(request, found, refusal=refusal)
        messages.success(request, "It is sent again, under the same message id.")
    return redirect("webhook", pk)


def _shown(found: Webhook) -> dict[str, Any]:
    state, words = sending.state_of(found)
    return {"webhook": found, "state": state, "badge": BADGES[state], "words": words}


def _page(
    request: HttpRequest,
    found: Webhook,
    secret_form: SecretForm | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    found = Webhook.objects.get(pk=found.pk)
    rows = sending.with_tries(found.deliveries.order_by("-id"))[:SHOWN]
    seen = {"revision": found.revision}
    context = {
        **SECTION,
        "page_title": found.name,
        "crumbs": [("Webhooks", reverse("webhooks")), (found.name, "")],
        **_shown(found),
        "deliveries": [{"row": row, "badge": DELIVERY_BADGES[row.state]} for row in rows],
        "shown": SHOWN,
        "revision_form": RevisionForm(initial=seen),
        "secret_form": secret_form or SecretForm(initial=seen | {"hours": verbs.OVERLAP}, auto_id="secret_%s"),
        "refusal": refusal,
    }
    return render(request, "webhooks/webhook.html", context, status=shared.status_of(refusal) if refusal else status)


def _form_page(
    request: HttpRequest,
    form: WebhookForm,
    found: Webhook | None = None,
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    if refusal is not None:
        case_frame.refuse(form, refusal)
        status = shared.status_of(refusal)
    here = [(found.name, reverse("webhook", args=[found.pk])), ("Change", "")] if found else [("Set up a webhook", "")]
    context = {
        **SECTION,
        "page_title": f"Change {found.name}" if found else "Set up a webhook",
        "crumbs": [("Webhooks", reverse("webhooks")), *here],
        "form": form,
        "address": reverse("edit_webhook", args=[found.pk]) if found else reverse("new_webhook"),
        "button": "Save" if found else "Set it up",
        "refusal": refusal,
    }
    return render(request, "webhooks/form.html", context, status=status)


def _secret_page(request: HttpRequest, made: Webhook, secret: str) -> HttpResponse:
    return shown_once(
        request,
        title=f"The secret of {made.name}",
        lede="Give it to the receiver now: it is shown this once and kept sealed. With it the receiver checks that a "
        "message is from here and was not changed.",
        label="Secret of the webhook",
        secrets=[secret],
        back=("the webhook", reverse("webhook", args=[made.pk])),
    )
