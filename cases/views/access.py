"""The Access tab: who may know of a case and why; restricting it, its members; breaking the glass; notices."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from cases import actions, notices
from cases.access import case_for, readers_of
from cases.forms_access import BreakGlassForm, MemberForm, ReasonForm, RestrictForm
from cases.models import Case
from cases.models.access import MemberVia
from cases.views import case_frame, shared
from people.models import User
from people.policy import requires, signed_in
from people.rights import may
from spine.errors import Refused


@requires("cases.read", hidden=True)
@require_safe
def access_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """Who can read the case, why, and how that came about."""
    return _page(request, case_for(request.user, ref), {})


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_access")
def restrict_case(request: HttpRequest, ref: str) -> HttpResponse:
    """Let only members know of the case."""
    form = RestrictForm(request.POST, auto_id="restrict_%s")
    return _act(request, ref, "restrict_form", form, actions.restrict_case, "Only its members know of this case now.")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_access")
def open_case_up(request: HttpRequest, ref: str) -> HttpResponse:
    """Let everybody who may read cases know of it again."""
    form = ReasonForm(request.POST, auto_id="open_up_%s")
    return _act(request, ref, "open_up_form", form, actions.open_case_up, "Everybody who may read cases reads it now.")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_access")
def add_member(request: HttpRequest, ref: str) -> HttpResponse:
    """Add a member."""
    form = MemberForm(request.POST, auto_id="member_%s")
    return _act(request, ref, "member_form", form, actions.add_member, "Added.")


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_access")
def remove_member(request: HttpRequest, ref: str, username: str) -> HttpResponse:
    """End a membership; who removes themselves is led to the list, since the case is not there for them any more."""
    found = case_for(request.user, ref, write=True)
    person = User.objects.filter(username=username).first()
    form = ReasonForm(request.POST, auto_id=f"remove_{username}_%s")
    if person is None:
        raise Http404("There is no such person.")
    if not form.is_valid():
        return _page(request, found, {"remove_form": form, "removed": username}, status=422)
    try:
        actions.remove_member(found, actor=shared.person(request), person=person, **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        bound = {"remove_form": form, "removed": username}
        return _page(request, found, bound, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Removed {person.username}.")
    return redirect("cases") if person == request.user else redirect("case_access", ref)


def _act(
    request: HttpRequest, ref: str, name: str, form: forms.Form, verb: Callable[..., object], done: str
) -> HttpResponse:
    found = case_for(request.user, ref, write=True)
    if not form.is_valid():
        return _page(request, found, {name: form}, status=422)
    try:
        verb(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        found = case_for(request.user, ref)
        return _page(request, found, {name: form}, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, done)
    return redirect("case_access", ref)


@requires("cases.break_glass")
def break_glass(request: HttpRequest) -> HttpResponse:
    """Read a restricted case without being a member."""
    form = BreakGlassForm(request.POST if request.method == "POST" else None, auto_id="glass_%s")
    refusal, status = None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                case = actions.break_glass(actor=shared.person(request), **form.cleaned_data)
            except Refused as refused:
                case_frame.refuse(form, refused)
                refusal, status = refused, shared.status_of(refused)
            else:
                messages.success(request, f"You may read {case.ref} now. Its members have been told.")
                return redirect("case", case.ref)
    context = {
        "section": "cases",
        "page_title": "Break the glass",
        "crumbs": [("Cases", "/cases/"), ("Break the glass", "")],
        "form": form,
        "hours": settings.BREAK_GLASS_HOURS,
        "refusal": refusal,
    }
    return render(request, "cases/break_glass.html", context, status=status)


def _see_notice(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one has seen a notice, and go back to where one was."""
    if request.method == "POST":
        notices.see(shared.person(request), pk)
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if safe else "queue")


see_notice = signed_in(_see_notice)


def _page(
    request: HttpRequest, case: Case, bound: dict[str, Any], *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    context = {
        **case_frame.context(request, case, "case_access", refusal=refusal),
        "people": _people(case, bound),
        "changes": case.membership_changes.select_related("person", "by").order_by("-at", "-id")[:200],
        **(_offered(case) if may(request.user, "cases.write") and _belongs(case, request.user) else {}),
        **{name: form for name, form in bound.items() if name not in {"remove_form", "removed"}},
    }
    return render(request, "cases/case_access.html", context, status=status)


def _people(case: Case, bound: dict[str, Any]) -> list[dict[str, Any]]:
    """Everybody who can read the case, with the reason in words."""
    members = {member.person_id: member for member in case.members.all()} if case.restricted else {}
    rows = []
    for person in readers_of(case):
        member = members.get(person.pk)
        form = None
        if member is not None:
            mine = bound.get("removed") == person.username
            form = bound["remove_form"] if mine else ReasonForm(auto_id=f"remove_{person.username}_%s")
        rows.append({"person": person, "member": member, "why": _why(person, member), "remove_form": form})
    return rows


def _why(person: User, member: Any) -> str:
    if member is None:
        return f"the role {person.get_role_display()} reads every case that is not restricted"
    if member.via == MemberVia.BREAK_GLASS:
        return f"broke the glass; ends {member.until:%d %b %Y %H:%M} UTC"
    return f"member since {member.since:%d %b %Y %H:%M} UTC"


def _belongs(case: Case, user: Any) -> bool:
    """Whether one is more than who broke the glass, who decides nothing about who reads."""
    return not case.restricted or case.members.filter(person=user, via=MemberVia.INVITED).exists()


def _offered(case: Case) -> dict[str, forms.Form]:
    if case.restricted:
        return {"member_form": MemberForm(auto_id="member_%s"), "open_up_form": ReasonForm(auto_id="open_up_%s")}
    return {"restrict_form": RestrictForm(auto_id="restrict_%s")}
