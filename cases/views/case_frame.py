"""What every tab of a case shows around itself: head, steps, rail, tabs, running work; and how a refusal is shown."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from cases import counsel, deconfliction, figures, history, lifecycle, preservation, queries, timeline, versions
from cases.access import readers_of, visible_cases
from cases.context import failed_jobs
from cases.forms import AssignForm, MarkingForm, MoveForm
from cases.lifecycle import CLOSING_REASONS, Missing
from cases.models import Case
from cases.models.case import CaseStatus
from cases.views import jobs
from cases.vocabulary import VerdictValue
from detection.models import AssessmentLabel, Cluster
from people.rights import may
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry

TABS = {
    "case": "Summary",
    "case_claims": "Claims",
    "case_accounts": "Accounts",
    "case_findings": "Findings",
    "case_timeline": "Timeline",
    "case_preservation": "Preservation",
    "case_evidence": "Evidence",
    "case_dossiers": "Dossiers",
    "case_access": "Access",
    "case_deconfliction": "Deconfliction",
    "case_log": "Log",
}
Bound = dict[str, forms.Form]
View = Callable[..., HttpResponseBase]

SUSPECTED = AssessmentLabel.COORDINATED_EXTRACTION


def posted(tab: str) -> Callable[[View], View]:
    """For views that only take a post: who comes to their address otherwise is led to the tab."""

    def decorate(view: View) -> View:
        @wraps(view)
        def led(request: HttpRequest, ref: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(request, ref, *args, **kwargs) if request.method == "POST" else redirect(tab, ref)

        return led

    return decorate


def context(
    request: HttpRequest, case: Case, tab: str, *, bound: Bound | None = None, refusal: Refused | None = None
) -> dict[str, Any]:
    """The context of cases/case_base.html. `bound` are forms that were just refused, by their name in the template."""
    missing = missing_rows(case)
    moves = _moves(request, case, (bound or {}).get("move"))
    return {
        "section": "cases",
        "page_title": f"{case.ref} {TABS[tab]}",
        "case": case,
        "tab": tab,
        "readers": readers_of(case).count(),
        "list_place": _place(request, case, tab),
        "missing": missing,
        "moves": moves,
        "steps": _steps(case, {move["slug"]: move["meaning"] for move in moves}),
        "why_now": _why_now(case, missing),
        **_kept(case),
        "newer": _newer(case),
        "rail": _rail(case),
        "tabs": _tabs(case, tab),
        "running": running(request, case),
        "counsel_member": counsel.door(request.user, case.ref) is not None,
        "refusal": refusal,
        **(_offered(request, case) if writable(request, case) else {}),
        **{name: form for name, form in (bound or {}).items() if name != "move"},
    }


def writable(request: HttpRequest, case: Case) -> bool:
    """Whether forms are offered: to who may write, while the case is not closed."""
    return may(request.user, "cases.write") and case.status != CaseStatus.CLOSED


def refuse(form: forms.Form, refusal: Refused) -> None:
    """Put a refusal at its field; on top of the page it stands too, with a link to that field."""
    known = refusal.field in form.fields
    form.add_error(refusal.field if known else None, refusal.message)
    if known and not form[refusal.field].is_hidden:
        refusal.place = form[refusal.field].id_for_label or form[refusal.field].auto_id


def again(data: QueryDict, **seen: object) -> QueryDict:
    """What was sent, with what the page shows now: whoever sends it again decides about that."""
    fresh = data.copy()
    for name, value in seen.items():
        fresh[name] = "" if value is None else str(value)
    return fresh


def some_id(text: str | None) -> UUID | None:
    """An id from an address; None for anything else."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def opened(request: HttpRequest, value: object) -> str:
    """The query of this very page with a drawer opened, or closed with an empty value."""
    query = request.GET.copy()
    query.pop("open", None)
    query.pop("job", None)
    if value:
        query["open"] = str(value)
    return query.urlencode()


def missing_rows(case: Case) -> list[dict[str, str]]:
    """What escalation still needs, each with the address where it is mended."""
    if case.status == CaseStatus.CLOSED:
        return []
    found = lifecycle.missing_for_escalation(case)
    return [{"text": one.text, "address": _mended_at(case, one), "anchor": one.anchor} for one in found]


def running(request: HttpRequest, case: Case) -> list[dict[str, Any]]:
    """Work on this case that goes on or failed, and the job the address names."""
    asked, failed = some_id(request.GET.get("job")), failed_jobs().filter(scope=case.id).order_by().values("pk")
    going = Q(state__in=[JobState.QUEUED, JobState.RUNNING])
    found = Job.objects.filter(going | Q(pk=asked) | Q(pk__in=failed), scope=case.id).order_by("-created_at")[:5]
    return [{"job": job, **jobs.progress(job)} for job in found]


def _offered(request: HttpRequest, case: Case) -> dict[str, Any]:
    return {
        "marking_form": MarkingForm(
            initial={"marking": case.marking, "seen_marking": case.marking}, auto_id="marking_%s"
        ),
        "assign_form": AssignForm(
            initial={"assignee": case.assignee_id, "expected": case.assignee_id}, auto_id="assign_%s"
        ),
        "taken_by_me": case.assignee_id == request.user.pk,
    }


def _moves(request: HttpRequest, case: Case, refused: forms.Form | None) -> list[dict[str, Any]]:
    """The moves this person may make from here; one that was refused keeps its input, its note goes to the others."""
    note = refused["note"].value() if refused else ""
    rows = []
    for move in lifecycle.moves_from(case.status):
        if not may(request.user, move.right):
            continue
        initial = {"to": move.to, "expected_from": case.status, "note": note}
        form = MoveForm(initial=initial, auto_id=f"move_{move.to}_%s").shown_for(move)
        if isinstance(refused, MoveForm) and refused["to"].value() == move.to:
            form = refused.shown_for(move)
        meaning, danger = move.meaning, move.code == "close"
        rows.append({"slug": move.to, "label": move.label, "meaning": meaning, "form": form, "danger": danger})
    return rows


def _steps(case: Case, offered: dict[str, str]) -> list[dict[str, str]]:
    order = list(CaseStatus)
    here = order.index(CaseStatus(case.status))
    return [
        {
            "label": step.label.capitalize(),
            "state": _step_state(place, here, step.value in offered),
            "meaning": offered.get(step.value, ""),
            "address": f"#move-{step.value}" if step.value in offered else "",
        }
        for place, step in enumerate(order)
    ]


def _step_state(place: int, here: int, offered: bool) -> str:
    if place == here:
        return "current"
    if place < here:
        return "done"
    return "next" if offered else "later"


def _why_now(case: Case, missing: list[dict[str, str]]) -> str:
    if case.status == CaseStatus.CLOSED:
        return f"closed – {CLOSING_REASONS.get(case.closing_reason, case.closing_reason)}"
    if case.status == CaseStatus.ESCALATED:
        answers = [row["text"] for row in missing if row["anchor"] == "recalls"]
        return f"escalated: it waits for {' and '.join(answers) or 'those who decide what to do about it'}"
    if not missing:
        return "nothing is missing: it can be escalated"
    return f"{len(missing)} {'thing is' if len(missing) == 1 else 'things are'} missing before escalation"


def _newer(case: Case) -> str:
    """What the newest run sees otherwise and nobody has answered, in a sentence; empty when nothing waits."""
    version = None if case.status == CaseStatus.CLOSED else versions.standing(case).first()
    return versions.sentence(version) if version else ""


def _kept(case: Case) -> dict[str, Any]:
    """The preservation clock of row 2 and of the rail, and how many holds stand."""
    found = preservation.clocks(case)
    return {
        "expiry": None if case.status == CaseStatus.CLOSED else preservation.headline(found),
        "clocks": found,
        "standing_holds": case.holds.filter(release=None).count(),
    }


def _rail(case: Case) -> dict[str, Any]:
    totals = figures.totals(case)
    whole = totals.of()
    clusters = list(history.clusters_at(case))
    strongest: Cluster | None = max(clusters, key=lambda cluster: cluster.score, default=None)
    reasons = strongest.assessment_detail.get("reasons_for", []) if strongest else []
    return {
        "score": strongest.score if strongest and strongest.assessment == SUSPECTED else None,  # else it only ranks
        "assessment": strongest.get_assessment_display() if strongest else "",
        "reasons": [reason["text"] for reason in reasons[:4]],
        "models": queries.models_hit(case)[:6],
        "first_seen": whole.first_seen,
        "last_seen": whole.last_seen,
        "exchanges": whole.exchanges,
        "input_tokens": whole.input_tokens,
        "output_tokens": whole.output_tokens,
        "accounts": whole.accounts,
        "verdicts": _verdicts(case, totals, whole.accounts),
    }


def _verdicts(case: Case, totals: figures.Totals, accounts: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    start, address = 0.0, reverse("case_accounts", args=[case.ref])
    for slug, label in [*VerdictValue.choices, ("", "not judged")]:
        count = totals.of(slug).accounts
        share = count / accounts if accounts else 0.0
        query = f"{address}?verdict={slug or 'none'}"
        rows.append({"slug": slug, "label": label, "count": count, "address": query, "start": start, "share": share})
        start += share
    return rows


def _tabs(case: Case, tab: str) -> list[dict[str, Any]]:
    counts = {
        "case_accounts": case.accounts.count(),
        "case_findings": history.findings_at(case).count(),
        "case_timeline": sum(timeline.counts(case).values()),
        "case_preservation": case.preservation_requests.count() + case.holds.count(),
        "case_evidence": case.evidence.count(),
        "case_dossiers": case.dossiers.count(),
        "case_deconfliction": deconfliction.of_case(case),
        "case_log": LogEntry.objects.filter(scope=case.id).count(),
    }
    return [
        {"label": label, "address": reverse(name, args=[case.ref]), "count": counts.get(name), "current": name == tab}
        for name, label in TABS.items()
    ]


def _place(request: HttpRequest, case: Case, tab: str) -> dict[str, Any] | None:
    """Where the case stands in the list, last changed first."""
    rows = visible_cases(request.user)
    total = rows.count()
    if total < 2:
        return None
    same = Q(updated_at=case.updated_at)
    newer = rows.filter(Q(updated_at__gt=case.updated_at) | same & Q(id__gt=case.id)).order_by("updated_at", "id")
    older = rows.filter(Q(updated_at__lt=case.updated_at) | same & Q(id__lt=case.id)).order_by("-updated_at", "-id")
    previous, following = (found.values_list("ref", flat=True).first() for found in (newer, older))
    return {
        "previous_url": reverse(tab, args=[previous]) if previous else "",
        "next_url": reverse(tab, args=[following]) if following else "",
        "place": newer.count() + 1,
        "total": total,
    }


def _mended_at(case: Case, one: Missing) -> str:
    name = "case" if one.tab == "summary" else f"case_{one.tab}"
    return reverse(name, args=[case.ref]) + (f"#{one.anchor}" if one.anchor else "")
