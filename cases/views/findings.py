"""The Findings tab: what the held clusters rest on, and one finding as it was received, under pseudonyms."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases import history, queries
from cases.access import case_for
from cases.models import Case
from cases.views import case_frame, recalls, shared
from cases.views.masking import masked
from cases.views.stated import told
from detection.models import Finding
from people.policy import requires


@dataclass(frozen=True)
class Row:
    """A finding of the list, its title with pseudonyms, and the query that opens its drawer."""

    finding: Finding
    title: str
    drawer_query: str


@requires("cases.read", hidden=True)
@require_safe
@shared.refused_page
def findings(request: HttpRequest, ref: str) -> HttpResponse:
    """The list, strongest first, and one finding beside it."""
    case = case_for(request.user, ref)
    counts = queries.signal_counts(case)
    signal = request.GET.get("signal", "")
    signal = signal if signal in counts else ""
    words = shared.searched(request)
    page = queries.finding_page(case, signal=signal, text=words, cursor=request.GET.get("cursor", ""))
    clean = masked(finding.title for finding in page.rows)
    choices = [("", "all"), *((name, name.replace("_", " ")) for name in counts)]
    total = None if words else counts.get(signal, sum(counts.values()))
    context = {
        **case_frame.context(request, case, "case_findings"),
        "chips": shared.chips(request, "signal", choices, {**counts, "": sum(counts.values())}, signal),
        "q": words,
        "keep": shared.kept(request, "signal"),
        "findings": [Row(one, clean(one.title), case_frame.opened(request, one.pk)) for one in page.rows],
        "pages": shared.pages(request, page, "findings", total=total),
        "drawer": _drawer(request, case),
        "recalls": recalls.flags_of(request, case),
        "writable": case_frame.writable(request, case),
    }
    return render(request, "cases/case_findings.html", context)


def _drawer(request: HttpRequest, case: Case) -> dict[str, Any] | None:
    wanted = case_frame.some_id(request.GET.get("open"))
    finding = history.marked(history.findings_at(case)).filter(pk=wanted).first() if wanted else None
    if finding is None:
        return None
    return told(finding, close=f"?{case_frame.opened(request, '')}")
