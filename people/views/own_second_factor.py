"""One's own second factor: codes from an app, passkeys, recovery codes."""

import json
from typing import Any

from allauth.mfa.webauthn.internal import auth as webauthn
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from people import actions as verbs
from people import encryption, reauth, second_factors, sessions
from people.forms import CodeForm, PasskeyForm
from people.policy import signed_in, while_unfinished
from people.views.shared import person, refuse, shown_once
from spine.errors import Refused

SECRET = "retort_app_secret"  # noqa: S105 - the name of a place in the session, where it lies encrypted
CRUMBS = [("You", "/me/")]
RECOVERY_LEDE = (
    "Each of these codes stands in once for your app or passkey. Print them or put them into a safe: they are shown "
    "this once. New ones can be made at any time."
)


@signed_in
@while_unfinished
@require_safe
@never_cache
def choose(request: HttpRequest) -> HttpResponse:
    """What is set up, and what can be."""
    who = person(request)
    context = {
        "page_title": "Your second factor",
        "crumbs": [*CRUMBS, ("Second factor", "")],
        "factors": second_factors.of(who),
        "factor_required": second_factors.is_required(who),
        "passkeys_possible": bool(second_factors.passkey_domain(request)),
    }
    return render(request, "people/own_second_factor.html", context)


@signed_in
@while_unfinished
@reauth.proven_before_showing
@sensitive_post_parameters()
@never_cache
def add_app(request: HttpRequest) -> HttpResponse:
    """Set up codes from an app: a square code to read, and a first code to show that it works."""
    who = person(request)
    secret = _secret(request)
    form = CodeForm(request.POST if request.method == "POST" and "code" in request.POST else None, auto_id="app_%s")
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                codes = verbs.add_app(actor=who, secret=secret, code=form.cleaned_data["code"])
            except Refused as refusal:
                status = refuse(form, refusal)
            else:
                request.session.pop(SECRET, None)
                return _set_up(request, codes, "Codes from your app are asked for from the next sign-in on.")
    context = {
        "page_title": "Set up an app",
        "crumbs": [*CRUMBS, ("Second factor", reverse("own_second_factor")), ("App", "")],
        "form": form,
        "secret": secret,
        "square": second_factors.square(second_factors.setup_address(who, secret)),
    }
    return render(request, "people/add_app.html", context, status=status)


def _secret(request: HttpRequest) -> str:
    """The secret of this setting up, which lies encrypted in the session until the first code."""
    kept = request.session.get(SECRET)
    if kept:
        try:
            return encryption.decrypt(kept)
        except encryption.Unreadable:
            pass  # the key changed since: no code was given yet, so nothing is lost by a fresh secret
    fresh = second_factors.fresh_secret()
    request.session[SECRET] = encryption.encrypt(fresh)
    return fresh


def _set_up(request: HttpRequest, codes: list[str], said: str) -> HttpResponse:
    request.session[sessions.SECOND] = True
    messages.success(request, said)
    if not codes:
        return redirect("me")
    return _codes(request, codes)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return shown_once(
        request,
        title="Your recovery codes",
        lede=RECOVERY_LEDE,
        label="Recovery codes",
        secrets=codes,
        back=("You", reverse("me")),
    )


@signed_in
@while_unfinished
@reauth.proven_before_showing
@never_cache
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Set up a passkey: a phone, a computer or a key that checks who holds it."""
    who = person(request)
    if not second_factors.passkey_domain(request):
        raise Http404("Passkeys need a host name; this address is an IP address.")
    form = PasskeyForm(request.POST if "credential" in request.POST else None, auto_id="passkey_%s")
    refusal = ""
    if form.is_bound:
        credential = _verified(form.cleaned_data["credential"]) if form.is_valid() else None
        if credential is not None:
            codes = verbs.add_passkey(actor=who, name=form.cleaned_data["name"], credential=credential)
            return _set_up(request, codes, "The passkey can be used from now on.")
        refusal = "The browser's answer was not accepted. Nothing was set up; try again."
    context = {
        "page_title": "Set up a passkey",
        "crumbs": [*CRUMBS, ("Second factor", reverse("own_second_factor")), ("Passkey", "")],
        "form": PasskeyForm(initial={"name": ""}, auto_id="passkey_%s"),
        "refusal_text": refusal,
        "options": json.loads(json.dumps(webauthn.begin_registration(who, True))),
    }
    return render(request, "people/add_passkey.html", context, status=422 if refusal else 200)


def _verified(credential: Any) -> dict[str, Any] | None:
    """The credential, when it answers this session's challenge and the device has checked who holds it."""
    try:
        webauthn.parse_registration_response(credential)
        made = webauthn.complete_registration(credential)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return dict(credential) if made.is_user_verified() else None


@signed_in
@reauth.recently_proven
def remove_factor(request: HttpRequest) -> HttpResponse:
    """Take the app, or one passkey, away."""
    if request.method == "POST":
        wanted = request.POST.get("factor", "")
        try:
            if wanted == "app":
                verbs.remove_app(actor=person(request))
            else:
                verbs.remove_passkey(actor=person(request), number=int(wanted) if wanted.isdigit() else 0)
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            request.session.pop(sessions.SECOND, None)
            messages.success(request, "It is taken away.")
    return redirect("own_second_factor")


@signed_in
@reauth.recently_proven
@never_cache
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes; the old ones are good for nothing any more."""
    if request.method != "POST":
        return redirect("own_second_factor")
    try:
        codes = verbs.make_recovery_codes(actor=person(request))
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("own_second_factor")
    return _codes(request, codes)
