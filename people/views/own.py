"""One's own page: password, second factor, sessions and API tokens, and what one's role may do."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from people import actions as verbs
from people import lockout, reauth, second_factors, sessions
from people.actions.sign_in import note_lockout
from people.forms import OwnPasswordForm, TokenForm
from people.models import ApiToken, MailAddress
from people.policy import requires, signed_in, while_unfinished
from people.rights import MEANINGS, rights_of
from people.views.shared import person, refuse, shown_once
from spine.errors import Refused


@signed_in
@require_safe
@never_cache
def me(request: HttpRequest) -> HttpResponse:
    """The page."""
    return _page(request)


def _page(request: HttpRequest, form: TokenForm | None = None, *, status: int = 200) -> HttpResponse:
    who = person(request)
    held = rights_of(who)
    context: dict[str, Any] = {
        "page_title": "You",
        "person": who,
        "rights": [(right, meaning) for right, meaning in MEANINGS.items() if right in held],
        "factors": second_factors.of(who),
        "factor_required": second_factors.is_required(who),
        "passkeys_possible": bool(second_factors.passkey_domain(request)),
        "sessions": session_rows(sessions.of(who), request.session.session_key),
        "mail": MailAddress.objects.filter(user=who).first(),
        "tokens": ApiToken.objects.filter(user=who, revoked_at=None).order_by("-created_at"),
        "token_form": form or TokenForm(rights=held, auto_id="token_%s"),
    }
    return render(request, "people/me.html", context, status=status)


def session_rows(listed: list[Any], current: str | None) -> list[dict[str, Any]]:
    """Sessions in the shape of people/_sessions.html."""
    return [
        {
            "id": sessions.id_of(one),
            "device": device(one.user_agent),
            "agent": one.user_agent,
            "address": one.ip,
            "since": one.created_at,
            "seen": one.last_seen_at,
            "current": one.session_key == current,
        }
        for one in listed
    ]


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def device(agent: str) -> str:
    """Browser and system, as the browser itself says; a hint for the eye and no proof."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "another program")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


@signed_in
@while_unfinished
@sensitive_post_parameters()
@never_cache
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password. Every other session ends."""
    who = person(request)
    if not who.has_usable_password():
        raise Http404("Who signs in through the identity provider has no password here.")
    form = OwnPasswordForm(request.POST or None, auto_id="password_%s")
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid() and _may_try(form, who.username):
            given = form.cleaned_data
            try:
                changed = verbs.change_own_password(
                    actor=who, old=given["old"], new=given["new"], session_key=request.session.session_key
                )
            except Refused as refusal:
                status = refuse(form, refusal)
                if refusal.field != "old":
                    lockout.take_back("account", who.username)
            else:
                lockout.forget("account", who.username)
                return _changed(request, changed)
    context = {
        "page_title": "Change your password",
        "crumbs": [("You", reverse("me")), ("Password", "")],
        "form": form,
        "one_time": who.one_time_until is not None,
    }
    return render(request, "people/own_password.html", context, status=status)


def _may_try(form: OwnPasswordForm, username: str) -> bool:
    failures = lockout.count("account", username)
    if lockout.allowed("account", failures):
        return True
    if lockout.is_last("account", failures - 1):
        note_lockout(username=username, what="change of password")
    form.add_error(None, lockout.sentence())
    return False


def _changed(request: HttpRequest, changed: Any) -> HttpResponse:
    """The session stays, under a new key."""
    sessions.end([one for one in sessions.of(changed) if one.session_key == request.session.session_key])
    update_session_auth_hash(request, changed)
    request.session.pop(sessions.SEEN, None)
    sessions.note(request)
    sessions.prove(request)
    messages.success(request, "Your password is changed. Every other session of yours has ended.")
    return redirect("me")


@signed_in
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of one's sessions, or all others."""
    if request.method == "POST":
        who, current = person(request), request.session.session_key
        wanted = request.POST.get("session", "")
        others = [one for one in sessions.of(who) if one.session_key != current]
        these = [one for one in others if wanted in {"others", str(sessions.id_of(one))}]
        ended = verbs.end_sessions(who, actor=who.principal, these=these)
        if ended:
            messages.success(request, f"{ended} session{'s' if ended > 1 else ''} ended.")
        else:
            messages.info(request, "That session had ended already.")
    return redirect("me")


@requires("tokens.write")
@reauth.recently_proven
def make_token(request: HttpRequest) -> HttpResponse:
    """Make an API token; it is shown in the answer and never again."""
    if request.method != "POST":
        return redirect("me")
    who = person(request)
    form = TokenForm(request.POST, rights=rights_of(who), auto_id="token_%s")
    if not form.is_valid():
        return _page(request, form, status=422)
    given = form.cleaned_data
    try:
        value = verbs.create_token(
            actor=who.principal,
            username=who.username,
            name=given["name"],
            rights=given["scopes"],
            days=given["expires_in_days"],
        )
    except Refused as refusal:
        return _page(request, form, status=refuse(form, refusal))
    return shown_once(
        request,
        title="Your new API token",
        lede="Copy it now: it is shown this once and kept nowhere. Whoever has it can do what you ticked.",
        label="API token",
        secrets=[value],
        back=("You", reverse("me")),
    )


@requires("tokens.write")
def revoke_token(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Revoke one of one's tokens."""
    if request.method == "POST":
        who = person(request)
        token = ApiToken.objects.select_related("user").filter(pk=pk, user=who).first()
        if token is None:
            raise Http404("There is no such token.")
        verbs.revoke_token(token, actor=who.principal)
        messages.success(request, "The token is revoked.")
    return redirect("me")


@signed_in
@while_unfinished
@never_cache
def confirm(request: HttpRequest) -> HttpResponse:
    """Confirm that it is you: for the API, which cannot ask in between."""
    who = person(request)
    if request.method == "POST":
        refusal = reauth.confirm(request, who)
        if refusal is None:
            minutes = reauth.minutes()
            messages.success(request, f"Confirmed, for {minutes} minutes.")
            return redirect("me")
        return reauth.confirmation(request, who, refusal)
    return reauth.confirmation(request, who, status=200)
