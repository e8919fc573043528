"""The queue: what needs a person now, and why now."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases import lifecycle, preservation, queries, recalls
from cases.models import Case
from cases.models.case import CaseStatus
from cases.models.lead import LeadState
from cases.views import shared
from detection import standing
from detection.models import AssessmentLabel, VersionRecall
from people.policy import requires

WAITING_CASES = 20


@requires("leads.read", elsewhere="log")
@require_safe
@shared.refused_page
def queue(request: HttpRequest) -> HttpResponse:
    """Leads first, newest on top; then cases that wait for somebody. The front door: who has no leads gets the log."""
    state = _known(request.GET.get("state"), [*LeadState.values, "all"], LeadState.WAITING.value)
    kind = _known(request.GET.get("kind"), AssessmentLabel.values, "")
    words = shared.searched(request)
    wanted = queries.leads(request.user, state="" if state == "all" else state, text=words)
    rows = wanted.filter(cluster__assessment=kind) if kind else wanted
    page = queries.lead_page(rows, cursor=request.GET.get("cursor", ""))
    marks = standing.marks([one.cluster_id for one in page.rows])
    counts, kinds = queries.lead_counts(request.user), queries.assessment_counts(wanted)
    first = not request.GET.get("cursor") and state == LeadState.WAITING
    context: dict[str, Any] = {
        "section": "queue",
        "page_title": "Queue",
        "leads": [{"lead": one, "marks": marks.get(one.cluster_id)} for one in page.rows],
        "pages": shared.pages(request, page, "leads", total=kinds.get(kind, 0) if kind else sum(kinds.values())),
        "chips": shared.chips(
            request,
            "state",
            [*LeadState.choices, ("all", "all")],
            {**counts, "all": sum(counts.values())},
            state,
        ),
        "kinds": shared.chips(
            request,
            "kind",
            [("", "any"), *((v, label) for v, label in AssessmentLabel.choices if v in kinds)],
            kinds,
            kind,
        ),
        "q": words,
        "keep": shared.kept(request, "state", "kind"),
        "waiting_cases": _waiting_cases(request) if first and not words else [],
        "newest": page.rows[0].raised_at if page.rows and not request.GET.get("cursor") else None,
    }
    return render(request, "cases/queue.html", context)


def _waiting_cases(request: HttpRequest) -> list[dict[str, Any]]:
    """Cases that are not closed, with the one thing each waits for: first those whose evidence is about to expire."""
    found, headlines = _urgent_first(queries.cases(request.user).exclude(status=CaseStatus.CLOSED))
    recalled = recalls.unanswered(found)
    asked = [case for case in found if case.id not in headlines and not recalled[case.id] and _may_be_ready(case)]
    # of the others the sentence says something else
    missing = lifecycle.missing_by_case(asked, recalled) if asked else {}
    return [
        {"case": case, "why_now": _why_now(case, missing, headlines, recalled), "expiring": case.id in headlines}
        for case in found
    ]


def _why_now(
    case: Case,
    missing: Mapping[UUID, Sequence[lifecycle.Missing]],
    headlines: Mapping[UUID, preservation.Headline],
    recalled: Mapping[UUID, Sequence[VersionRecall]],
) -> str:
    names = [str(one.detector_version) for one in recalled[case.id]]
    return why_now(case, len(missing.get(case.id, ())), headlines.get(case.id), names)


def _may_be_ready(case: Case) -> bool:
    """Whether somebody is at work on it who may escalate it next."""
    return case.assignee_id is not None and case.status == CaseStatus.INVESTIGATING


def _urgent_first(open_ones: QuerySet[Case]) -> tuple[list[Case], dict[UUID, preservation.Headline]]:
    """The cases to show, soonest loss first and then last changed, and the clocks that put some of them first.

    Clocks are made for those that may lose something soon and for the last changed: no others can be among them.
    """
    newest = list(open_ones.order_by("-updated_at", "-id")[:WAITING_CASES])
    urgent = open_ones.filter(pk__in=preservation.losing_soon(open_ones)).exclude(pk__in=[one.pk for one in newest])
    candidates = [*newest, *urgent]
    clocks = preservation.clocks_of(candidates)
    found = {case.pk: preservation.headline(clocks[case.pk]) for case in candidates}
    soon = {key: line for key, line in found.items() if line is not None and line.soon}
    losses = {key: line.next_loss.timestamp() for key, line in soon.items() if line.next_loss is not None}
    ordered = sorted(candidates, key=lambda case: (losses.get(case.pk, math.inf), -case.updated_at.timestamp()))
    return ordered[:WAITING_CASES], soon


def why_now(case: Case, missing: int, expiry: preservation.Headline | None = None, recalled: Sequence[str] = ()) -> str:
    """What a case waits for, in one sentence; evidence about to expire comes before everything else.

    `missing` is how many things are missing before it can be escalated, where somebody works on it; `recalled` names
    the detector versions that it leans on, that are recalled, and of which nobody has said what follows.
    """
    if expiry is not None:
        return f"{expiry.text[:1].upper()}{expiry.text[1:]}."
    if recalled:
        are = "is" if len(recalled) == 1 else "are"
        return f"Leans on {' and '.join(recalled)}, which {are} recalled: somebody has to say what follows."
    if case.assignee_id is None:
        return "Nobody has taken it."
    if case.status == CaseStatus.OPEN:
        return "Waits for somebody to start."
    if case.status == CaseStatus.ESCALATED:
        return "Escalated: a dossier, or closing, comes next."
    if missing:
        return f"{missing} thing{'' if missing == 1 else 's'} missing before it can be escalated."
    return "Ready to be escalated."


def _known(value: str | None, accepted: list[str], default: str) -> str:
    return value if value in accepted else default
