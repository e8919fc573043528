"""A lead: why these accounts, what they could be instead, and the decision about it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import actions, charts, kept_apart, matching, queries, testers
from cases.access import case_for, decision_for, lead_for
from cases.forms_lead import (
    AssignLeadForm,
    JoinAgainForm,
    JoinForm,
    KeepApartForm,
    OpenForm,
    RejectForm,
    ReopenForm,
    SnoozeForm,
)
from cases.models import Lead
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.views import case_frame, lead_drawing, shared
from cases.views.masking import masked
from detection import drawing, measures, rarity, standing
from detection.models import ClusterMember
from detection.surprise import NO_CHANCE
from people.policy import requires
from people.rights import may
from spine.errors import Refused

Forms = dict[str, forms.Form]
Clean = Callable[[str], str]  # text under pseudonyms
View = Callable[..., HttpResponseBase]
REASONS_SHOWN, JOINS_SHOWN, TWO = 2, 5, 2
# Whatever of a form carries what its reader saw; a form that lost a race is shown again over what is there now.
SEEN: dict[str, Callable[[Lead], UUID | None]] = {
    "cluster": lambda lead: lead.cluster_id,
    "expected": lambda lead: lead.assignee_id,
}


def posted(view: View) -> View:
    """For views that only take a post: who comes to their address otherwise is led to the lead."""

    @wraps(view)
    def led(request: HttpRequest, pk: UUID) -> HttpResponseBase:
        return view(request, pk) if request.method == "POST" else redirect("lead", pk)

    return led


@requires("leads.read")
@require_safe
@shared.chart_page
@shared.refused_page
def lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The lead's page."""
    return _page(request, lead_for(request.user, pk), {})


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def open_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Open a case from the lead."""
    found = lead_for(request.user, pk, write=True)
    form = OpenForm(request.POST, auto_id="open_%s")
    if not form.is_valid():
        return _page(request, found, {"open_form": form}, status=422)
    try:
        case = actions.open_case(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _refused(request, found, "open_form", form, refusal)
    messages.success(request, f"Opened {case.ref}.")
    return redirect("case", case.ref)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def join_case(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Join the lead to a case."""
    found = lead_for(request.user, pk, write=True)
    form = _join_form(request, request.POST)
    if not form.is_valid():
        return _page(request, found, {"join_form": form}, status=422)
    case = case_for(request.user, form.cleaned_data["case"].ref, write=True)
    try:
        actions.join_case(found, case, actor=shared.person(request), cluster=form.cleaned_data["cluster"])
    except Refused as refusal:
        return _refused(request, found, "join_form", form, refusal)
    messages.success(request, f"Joined to {case.ref}.")
    return redirect("case", case.ref)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def reject_lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Reject the lead with a reason."""
    found = lead_for(request.user, pk, write=True)
    form = RejectForm(request.POST, auto_id="reject_%s")
    if not form.is_valid():
        return _page(request, found, {"reject_form": form}, status=422)
    try:
        actions.reject_lead(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _refused(request, found, "reject_form", form, refusal)
    messages.success(request, "Rejected. The reason is remembered: the same accounts do not come back as a new lead.")
    return redirect("lead", found.pk)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def snooze_lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take the lead out of the queue for some time, or until it has grown."""
    found = lead_for(request.user, pk, write=True)
    form = SnoozeForm(request.POST, auto_id="snooze_%s")
    if not form.is_valid():
        return _page(request, found, {"snooze_form": form}, status=422)
    given = dict(form.cleaned_data)
    until = timezone.now() + timedelta(days=given.pop("days"))
    try:
        actions.snooze_lead(found, actor=shared.person(request), until=until, **given)
    except Refused as refusal:
        return _refused(request, found, "snooze_form", form, refusal)
    messages.success(request, f"Snoozed until {until:%d %B %Y}. It comes back by itself.")
    return redirect("lead", found.pk)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def reopen_lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put a rejected lead back in the queue."""
    found = lead_for(request.user, pk, write=True)
    form = ReopenForm(request.POST, auto_id="reopen_%s")
    if not form.is_valid():
        return _page(request, found, {"reopen_form": form}, status=422)
    try:
        actions.reopen_lead(found, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        return _refused(request, found, "reopen_form", form, refusal)
    messages.success(request, "Back in the queue.")
    return redirect("lead", found.pk)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def draw_lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Have drawn what the page draws of the cluster; the page shows how far it is."""
    found = lead_for(request.user, pk, write=True)
    try:
        drawing.request_drawing(found.cluster, actor=shared.person(request).principal)
    except Refused as refusal:
        return _page(request, found, {}, status=shared.status_of(refusal), refusal=refusal)
    return redirect(f"{reverse('lead', args=[found.pk])}#drawing")


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def assign_lead(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give the lead to somebody, or take it."""
    found = lead_for(request.user, pk, write=True)
    form = AssignLeadForm(request.POST, auto_id="assign_%s")
    if not form.is_valid():
        return _page(request, found, {"assign_form": form}, status=422)
    to, expected = form.cleaned_data["assignee"], form.cleaned_data["expected"]
    try:
        actions.assign_lead(found, actor=shared.person(request), to=to, expected=expected)
    except Refused as refusal:
        return _refused(request, found, "assign_form", form, refusal)
    messages.success(request, f"Assigned to {to}." if to else "Assigned to nobody.")
    return redirect("lead", found.pk)


@requires("leads.read", "leads.write")
@posted
@shared.chart_page
def keep_apart(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that picked accounts are not the same operation as the rest of the lead, or as each other."""
    found = lead_for(request.user, pk, write=True)
    form = KeepApartForm(request.POST, auto_id="apart_%s")
    if not form.is_valid():
        return _page(request, found, {"apart_form": form}, status=422)
    picked = [one for text in request.POST.getlist("account") if (one := case_frame.some_id(text))]
    given = {"cluster": form.cleaned_data["cluster"], "reason": form.cleaned_data["reason"]}
    try:
        if form.cleaned_data["against"] == "rest":
            made = actions.keep_apart(found, picked, actor=shared.person(request), **given)
        elif len(picked) == TWO:
            made = actions.keep_apart(found, picked[:1], against=picked[1:], actor=shared.person(request), **given)
        else:
            raise Refused("Pick the two accounts that are not the same.", field="against")
    except Refused as refusal:
        return _refused(request, found, "apart_form", form, refusal)
    messages.success(request, f"Kept apart: {made.picked:,} from {made.others:,}. It is remembered.")
    return redirect(f"{reverse('lead', args=[found.pk])}#apart")


@requires("leads.read", "leads.write")
def join_again(request: HttpRequest, pk: UUID, decision: UUID) -> HttpResponse:
    """Take such a decision back."""
    if request.method != "POST":
        return redirect("lead", pk)
    found = lead_for(request.user, pk, write=True)
    said = decision_for(request.user, found, decision)
    form = JoinAgainForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else request.POST.get("reason", "")
    try:
        actions.join_again(said, actor=shared.person(request), reason=reason)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Taken back. Whatever correlates next may join them again.")
    return redirect(f"{reverse('lead', args=[found.pk])}#apart")


def _refused(request: HttpRequest, found: Lead, name: str, form: forms.Form, refusal: Refused) -> HttpResponse:
    """The page again with the sentence, the input, and the lead as it is now; sent again, it decides about that."""
    now = lead_for(request.user, found.pk)
    sent = request.POST.copy()
    for field in SEEN.keys() & form.fields.keys():
        sent[field] = str(SEEN[field](now) or "")
    form.data = sent
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    return _page(request, now, {name: form}, status=shared.status_of(refusal), refusal=refusal)


def _page(
    request: HttpRequest, found: Lead, bound: Forms, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    cluster = found.cluster
    page = queries.member_page(cluster, cursor=request.GET.get("cursor", ""))
    drawn = drawing.standing(cluster)
    values = queries.shared_values(cluster, drawn.drawing)
    reasons = [reason for member in page.rows for reason in member.reasons[:REASONS_SHOWN]]
    decisions = kept_apart.on_lead(request.user, found)
    kept_out = [join.attribute.value for one in decisions for join in one.joins[:JOINS_SHOWN]]
    examples = drawing.examples(drawn.drawing) if drawn.drawing else []
    texts = [*(one.value for one in values), *(one.reason for one in values), *(one["frame"] for one in examples)]
    clean = masked([*texts, *reasons, *kept_out])
    context: dict[str, Any] = {
        "section": "queue",
        "page_title": cluster.title,
        "crumbs": [("Queue", "/"), ("Lead", "")],
        "lead": found,
        "detail": _detail(cluster.assessment_detail),
        "graph": lead_drawing.graph(drawn, values, clean),
        "links": [_link(one, clean) for one in values],
        "members": _members(page.rows, decisions, clean),
        "pages": shared.pages(request, page, "accounts", total=cluster.account_count),
        "chart": charts.cluster_chart(cluster),
        "untold": lead_drawing.untold(cluster),
        "detectors": [
            {"version": one, "false_positives": measures.in_words(measures.newest(one))}
            for one in measures.leaned_on(cluster)
        ],
        "measure_rule": measures.RULE,
        **lead_drawing.context(drawn, examples, clean),
        "sanctioned": testers.members(cluster).count(),
        "hubs": cluster.run.hubs,
        "marks": standing.marks([cluster.pk]).get(cluster.pk),
        "matches": matching.matches_of(found, request.user),
        "snooze": found.snoozes.select_related("by").order_by("-at", "-pk").first(),
        "decisions": found.decisions.select_related("decided_by", "case").order_by("-at", "-pk"),
        "kept_apart": [
            {"one": one, "joins": [(join, clean(join.attribute.value)) for join in one.joins[:JOINS_SHOWN]]}
            for one in decisions
        ],
        "picked": set(request.POST.getlist("account")),
        "refusal": refusal,
        **(_offered(request, found) if may(request.user, "leads.write") else {}),
        **bound,
    }
    return render(request, "cases/lead.html", context, status=status)


def _link(one: queries.SharedValue, clean: Clean) -> dict[str, Any]:
    """A value that accounts share, under pseudonyms, with how rare it is."""
    shown = {"value": clean(one.value), "reason": clean(one.reason), "share": one.strength}
    return {**vars(one), **shown, "rare": rarity.one_in(one.holders, one.population)}


def _members(rows: Sequence[ClusterMember], decisions: list[kept_apart.Effect], clean: Clean) -> list[dict[str, Any]]:
    """The accounts of a page of them, each with its marks and its first reasons."""
    marks = testers.marks(rows)
    apart = kept_apart.marks(decisions, [one.account_id for one in rows])
    return [
        {
            "member": one,
            "account": one.account,
            "mark": marks.get(one.account_id),
            "apart": apart.get(one.account_id),
            "reasons": [clean(text) for text in one.reasons[:REASONS_SHOWN]],
        }
        for one in rows
    ]


def _offered(request: HttpRequest, found: Lead) -> dict[str, Any]:
    """The forms for what can be decided now."""
    seen = {"cluster": found.cluster_id}
    always: dict[str, Any] = {"apart_form": KeepApartForm(initial=seen, auto_id="apart_%s")}
    if found.state == LeadState.WAITING:
        holder = {"assignee": found.assignee_id, "expected": found.assignee_id}
        return always | {
            "open_form": OpenForm(initial={**seen, "title": found.cluster.title}, auto_id="open_%s"),
            "join_form": _join_form(request, None, seen),
            "reject_form": RejectForm(initial=seen, auto_id="reject_%s"),
            "snooze_form": SnoozeForm(initial={**seen, "days": 7, "factor": 2}, auto_id="snooze_%s"),
            "assign_form": AssignLeadForm(initial=holder, auto_id="assign_%s"),
            "taken_by_me": found.assignee_id == request.user.pk,
        }
    if found.state in (LeadState.REJECTED, LeadState.SNOOZED) and not found.later.exists():
        return always | {"reopen_form": ReopenForm(auto_id="reopen_%s")}
    return always


def _join_form(request: HttpRequest, data: Any, seen: dict[str, Any] | None = None) -> JoinForm:
    form = JoinForm(data, initial=seen, auto_id="join_%s")
    open_cases = queries.cases(request.user).exclude(status=CaseStatus.CLOSED).order_by("-updated_at")
    form.fields["case"].queryset = open_cases  # type: ignore[attr-defined]
    return form


def _detail(detail: dict[str, Any]) -> dict[str, Any]:
    """The stored assessment: each reason with its weight as a share of the weightiest, and what chance would do."""
    reasons = [*detail.get("reasons_for", []), *detail.get("reasons_against", [])]
    most = max((abs(reason["weight"]) for reason in reasons), default=0) or 1
    shared_out = {
        side: [{**one, "share": abs(one["weight"]) / most, "chance": _chance(one)} for one in detail.get(side, [])]
        for side in ("reasons_for", "reasons_against")
    }
    return {**detail, **shared_out}


def _chance(reason: dict[str, Any]) -> str:
    """How rare it is by chance what a test found; empty for reasons whose figure is no bound on a probability."""
    kind, _, question = str(reason.get("feature", "")).partition(".")
    return rarity.by_chance(reason["value"]) if kind == "test" and question not in NO_CHANCE else ""
