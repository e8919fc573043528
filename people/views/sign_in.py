"""Signing in and out: the password, the second factor, a passkey alone; each leaves its entry in the log."""

import json
from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.account.stages import LoginStageController
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal.flows import perform_passwordless_login
from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from people import addresses, lockout, proving, second_factors
from people.actions import note_sign_out
from people.forms import CodeForm, SignInForm
from people.models import User
from people.policy import public, signed_in, while_unfinished
from spine.errors import Refused

RUN_OUT = "This one-time password has run out. An administrator can give you another one."


@public("nobody is signed in yet")
@transaction.non_atomic_requests
@sensitive_post_parameters("password")
@csrf_protect
@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page. An unknown name and a wrong password look the same and take the same time."""
    if request.user.is_authenticated:
        return redirect(_target(request))
    form = SignInForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.get_user()
        if isinstance(person, User) and not _has_run_out(person):
            return _enter(request, person)
        form.add_error(None, RUN_OUT)
    context = {
        "page_title": "Sign in",
        "form": form,
        "next": asked_target(request),
        "passkeys": bool(second_factors.passkey_domain(request)),
        "provider": settings.OIDC,
    }
    return render(request, "registration/login.html", context)


@transaction.atomic
def _enter(request: HttpRequest, person: User) -> HttpResponse:
    """Past the password: in, or on to the second factor."""
    record_authentication(request, person, "password")
    answer: HttpResponse = perform_login(request, Login(user=person, redirect_url=_target(request)))
    return answer


def _has_run_out(person: User) -> bool:
    return person.one_time_until is not None and person.one_time_until < timezone.now()


@public("somebody has given their password and is on the way in")
@transaction.non_atomic_requests
@sensitive_post_parameters()
@csrf_protect
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of a sign-in: a code, or a passkey."""
    stage = None if request.user.is_authenticated else LoginStageController.enter(request, AuthenticateStage.key)
    person = stage.login.user if stage else None
    if not isinstance(person, User) or stage is None:
        return redirect("sign_in")
    refusal = ""
    if request.method == "POST":
        try:
            one = _second_proof(request, person)
        except Refused as refused:
            refusal = refused.message
        else:
            with transaction.atomic():
                post_authentication(request, one)
                answer: HttpResponse = stage.exit()
            return answer
    factors = second_factors.of(person)
    options = None
    if factors.passkeys and second_factors.passkey_domain(request):
        options = webauthn.begin_authentication(person)
    context = {
        "page_title": "Second step",
        "form": CodeForm(auto_id="second_%s"),
        "refusal_text": refusal,
        "has_app": factors.app is not None,
        "passkey_options": options,
    }
    return render(request, "people/second_factor.html", context, status=422 if refusal else 200)


def _second_proof(request: HttpRequest, person: User) -> Any:
    credential = request.POST.get("credential", "")
    if credential:
        return proving.by_passkey(person, read_json(credential))
    form = CodeForm(request.POST)
    if not form.is_valid():
        raise Refused("Give the code from your app, or a recovery code.")
    return proving.by_code(person, form.cleaned_data["code"])


@public("who has a passkey signs in by it alone")
@transaction.non_atomic_requests
@csrf_protect
@never_cache
def passkey(request: HttpRequest) -> HttpResponse:
    """Sign in by a passkey alone: GET gives the challenge, POST takes the answer. The device checks who holds it."""
    if request.user.is_authenticated or not second_factors.passkey_domain(request):
        return redirect("sign_in")
    if request.method != "POST":
        return JsonResponse({"options": _plain(webauthn.begin_authentication(None))})
    address = addresses.address_of(request)
    allowed = lockout.allowed("address", lockout.count("address", address))
    person = _named_by(read_json(request.POST.get("credential", ""))) if allowed else None
    try:
        if person is None:
            raise Refused(proving.WRONG_PASSKEY if allowed else lockout.sentence())
        one = proving.by_passkey(person, read_json(request.POST["credential"]))
    except Refused as refusal:
        context = {"page_title": "Not signed in", "sentence": refusal.message}
        return render(request, "people/not_let_in.html", context, status=422)
    lockout.take_back("address", address)
    with transaction.atomic():
        login = Login(user=person, redirect_url=_target(request))
        answer: HttpResponse = perform_passwordless_login(request, one, login)
    return answer


def _named_by(credential: Any) -> User | None:
    """Who the passkey says it is of; its signature has still to show it."""
    try:
        found = webauthn.extract_user_from_response(credential)
    except (ValidationError, ValueError, TypeError, AttributeError):
        return None
    return found if isinstance(found, User) and found.is_active else None


def read_json(text: str) -> Any:
    """What a form field holds as JSON; None when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _plain(options: Any) -> Any:
    """Challenge and ids in base64url, as browsers' own helpers read them."""
    return json.loads(json.dumps(options))


@signed_in
@while_unfinished
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session. Who merely opens its address, after a sign-in in between say, is led to the pages."""
    if request.method != "POST":
        return redirect("queue")
    if isinstance(request.user, User):
        note_sign_out(actor=request.user)
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


def asked_target(request: HttpRequest) -> str:
    """Where one wanted to go, if it is here."""
    target = request.POST.get("next", request.GET.get("next", ""))
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else ""


def _target(request: HttpRequest) -> str:
    """Where to go once signed in; never to the doors themselves, which would lead back at once."""
    target = asked_target(request)
    doors = (reverse("sign_in"), reverse("sign_out"))
    is_door = urlsplit(target).path.startswith(doors)
    return target if target and not is_door else resolve_url(settings.LOGIN_REDIRECT_URL)
