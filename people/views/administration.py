"""Administration of people: who there is, their roles, second factors and sessions. No case is in sight of it."""

import secrets
from typing import Any
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.db.models import Count
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from people import actions as verbs
from people import second_factors, sessions
from people.actions import provider as provider_verbs
from people.forms import NameForm, PersonForm, RoleForm, SubjectForm
from people.models import ApiToken, MailAddress, Role, User
from people.policy import requires
from people.reauth import recently_proven
from people.rights import MEANINGS, RIGHTS
from people.views.own import session_rows
from people.views.shared import person as signed_in_person
from people.views.shared import refuse, shown_once
from spine.errors import Conflict, Refused

ONE_TIME = (
    "Hand it over by a way you trust: it is shown this once and kept nowhere. It opens one sign-in, in which it is "
    "changed, and runs out after {hours} hours."
)


@requires("people.write")
@recently_proven
@never_cache
def people(request: HttpRequest) -> HttpResponse:
    """Everybody, and a form for one more."""
    form = PersonForm(request.POST if request.method == "POST" else None, auto_id="person_%s")
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                made, password = _create(request, form)
            except Refused as refusal:
                status = refuse(form, refusal)
            else:
                return _one_time(request, made, password)
    everybody = list(User.objects.order_by("-is_active", "username"))
    factors = second_factors.of_all(everybody)
    counts = dict(sessions.open_ones().values_list("user").annotate(Count("pk")))
    context = {
        "section": "people",
        "page_title": "People",
        "rows": [
            {
                "person": one,
                "factor": factors[one.pk].words if one.pk in factors else "none",
                "sessions": counts.get(one.pk, 0),
            }
            for one in everybody
        ],
        "form": form,
    }
    return render(request, "people/people.html", context, status=status)


def _create(request: HttpRequest, form: PersonForm) -> tuple[User, str]:
    password = secrets.token_urlsafe(15)
    made = verbs.create_user(
        actor=signed_in_person(request).principal, **form.cleaned_data, password=password, one_time=True
    )
    return made, password


def _one_time(request: HttpRequest, made: User, password: str) -> HttpResponse:
    hours = settings.ONE_TIME_PASSWORD_SECONDS // 3600
    return shown_once(
        request,
        title=f"One-time password of {made.username}",
        lede=ONE_TIME.format(hours=hours),
        label="One-time password",
        secrets=[password],
        back=(str(made), reverse("person", args=[made.pk])),
    )


@requires("people.write")
@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    """What each role may do, from the table that decides it."""
    columns = [(role, label) for role, label in Role.choices]
    rows = [
        {"right": right, "meaning": meaning, "held": [right in RIGHTS[role] for role, _ in columns]}
        for right, meaning in MEANINGS.items()
    ]
    context = {
        "section": "people",
        "page_title": "Roles",
        "crumbs": [("People", reverse("people")), ("Roles", "")],
        "columns": columns,
        "rows": rows,
        "required": settings.REQUIRE_SECOND_FACTOR,
    }
    return render(request, "people/roles.html", context)


@requires("people.write")
@require_safe
@never_cache
def person(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One person."""
    return _page(request, _person(pk))


def _person(pk: UUID) -> User:
    found = User.objects.filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such person.")
    return found


def _page(request: HttpRequest, who: User, bound: Form | None = None, status: int = 200) -> HttpResponse:
    forms: dict[str, Form] = {
        "role_form": RoleForm(initial={"role": who.role, "expected": who.role}, auto_id="role_%s"),
        "name_form": NameForm(initial={"display_name": who.display_name}, auto_id="name_%s"),
    }
    if settings.OIDC:
        linked = SocialAccount.objects.filter(user=who, provider=settings.OIDC_PROVIDER_ID).first()
        forms["subject_form"] = SubjectForm(initial={"subject": linked.uid if linked else ""}, auto_id="subject_%s")
    for name, form in forms.items():
        if bound is not None and type(form) is type(bound):
            forms[name] = bound
    context: dict[str, Any] = {
        "section": "people",
        "page_title": who.username,
        "crumbs": [("People", reverse("people")), (who.username, "")],
        "person": who,
        "is_self": who == request.user,
        "factors": second_factors.of(who),
        "factor_required": second_factors.is_required(who),
        "sessions": session_rows(sessions.of(who), request.session.session_key),
        "tokens": ApiToken.objects.filter(user=who, revoked_at=None).order_by("-created_at"),
        "provider": settings.OIDC,
        "mail": MailAddress.objects.filter(user=who).first(),
        **forms,
    }
    return render(request, "people/person.html", context, status=status)


@requires("people.write")
@recently_proven
def set_role(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give somebody else another role."""
    return _by_form(
        request,
        pk,
        RoleForm(request.POST, auto_id="role_%s"),
        lambda who, actor, given: verbs.set_role(who, actor=actor, **given),
        "The role is changed; their sessions have ended.",
    )


@requires("people.write")
def rename(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Set the shown name."""
    return _by_form(
        request,
        pk,
        NameForm(request.POST, auto_id="name_%s"),
        lambda who, actor, given: verbs.rename(who, actor=actor, **given),
        "The name is changed.",
    )


@requires("people.write")
@recently_proven
def link(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Link somebody to an identity at the provider."""
    if not settings.OIDC:
        raise Http404("No identity provider is configured.")
    return _by_form(
        request,
        pk,
        SubjectForm(request.POST, auto_id="subject_%s"),
        lambda who, actor, given: provider_verbs.link(who, actor=actor, provider=settings.OIDC_PROVIDER_ID, **given),
        "The link is changed.",
    )


def _by_form(request: HttpRequest, pk: UUID, form: Form, verb: Any, said: str) -> HttpResponse:
    who = _person(pk)
    if request.method != "POST":
        return redirect("person", pk)
    if not form.is_valid():
        return _page(request, who, form, status=422)
    try:
        verb(who, signed_in_person(request).principal, form.cleaned_data)
    except Refused as refusal:
        return _page(request, _person(pk), form, status=refuse(form, refusal))
    messages.success(request, said)
    return redirect("person", pk)


@requires("people.write")
@recently_proven
def disable(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Switch somebody off."""
    return _plainly(request, pk, verbs.disable, "Switched off: sessions ended, API tokens revoked.")


@requires("people.write")
@recently_proven
def enable(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Switch somebody on again."""
    return _plainly(request, pk, verbs.enable, "Switched on again. Revoked tokens stay revoked.")


@requires("people.write")
@recently_proven
def reset_second_factor(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take somebody's second factors away, who has lost them."""
    said = "Every second factor is taken away; their sessions have ended."
    return _plainly(request, pk, verbs.reset_second_factor, said)


def _plainly(request: HttpRequest, pk: UUID, verb: Any, said: str) -> HttpResponse:
    who = _person(pk)
    if request.method == "POST":
        try:
            verb(who, actor=signed_in_person(request).principal)
        except Refused as refusal:
            return _refused(request, who, refusal)
        messages.success(request, said)
    return redirect("person", pk)


def _refused(request: HttpRequest, who: User, refusal: Refused) -> HttpResponse:
    messages.error(request, refusal.message)
    return _page(request, _person(who.pk), status=409 if isinstance(refusal, Conflict) else 422)


@requires("people.write")
@recently_proven
@never_cache
def one_time_password(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give somebody a one-time password; it is shown in the answer and never again."""
    who = _person(pk)
    if request.method != "POST":
        return redirect("person", pk)
    try:
        password = verbs.give_one_time_password(who, actor=signed_in_person(request).principal)
    except Refused as refusal:
        return _refused(request, who, refusal)
    return _one_time(request, who, password)


@requires("people.write")
def end_sessions(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End one of somebody's sessions, or all."""
    who = _person(pk)
    if request.method == "POST":
        wanted = request.POST.get("session", "")
        these = [one for one in sessions.of(who) if wanted in {"all", str(sessions.id_of(one))}]
        ended = verbs.end_sessions(who, actor=signed_in_person(request).principal, these=these)
        messages.success(request, f"{ended} session{'' if ended == 1 else 's'} ended.")
    return redirect("person", pk)


@requires("people.write")
def revoke_token_of(request: HttpRequest, pk: UUID, token_id: UUID) -> HttpResponse:
    """Revoke somebody's API token."""
    who = _person(pk)
    if request.method == "POST":
        token = ApiToken.objects.select_related("user").filter(pk=token_id, user=who).first()
        if token is None:
            raise Http404("There is no such token.")
        verbs.revoke_token(token, actor=signed_in_person(request).principal)
        messages.success(request, "The token is revoked.")
    return redirect("person", pk)


@requires("people.write")
@recently_proven
def clear_mail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have nothing mailed to somebody any more; only they can give another address."""
    who = _person(pk)
    if request.method == "POST":
        try:
            verbs.clear_mail_address(who, actor=signed_in_person(request).principal)
        except Refused as refusal:
            messages.info(request, refusal.message)
        else:
            messages.success(request, "The mail address is cleared.")
    return redirect("person", pk)
