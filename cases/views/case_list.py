"""The list of cases this person may know of."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases import queries
from cases.models.case import CaseStatus
from cases.views import shared
from people.policy import requires
from people.rights import may


@requires("cases.read")
@require_safe
@shared.refused_page
def cases(request: HttpRequest) -> HttpResponse:
    """Cases, last changed first; filters stand in the address."""
    status = request.GET.get("status", "")
    status = status if status in CaseStatus.values else ""
    words = shared.searched(request)
    rows = queries.cases(request.user, status=status, text=words)
    page = queries.case_page(rows, cursor=request.GET.get("cursor", ""))
    counts = queries.case_counts(request.user)
    context = {
        "section": "cases",
        "page_title": "Cases",
        "case_rows": queries.case_rows(page.rows),
        "pages": shared.pages(request, page, "cases", total=rows.count()),
        "chips": shared.chips(
            request, "status", [("", "all"), *CaseStatus.choices], {**counts, "": sum(counts.values())}, status
        ),
        "q": words,
        "may_break_glass": may(request.user, "cases.break_glass"),
        "keep": shared.kept(request, "status"),
    }
    return render(request, "cases/case_list.html", context)
