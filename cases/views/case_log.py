"""The Log tab: who did what in one case."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases import queries
from cases.access import case_for
from cases.views import case_frame, shared
from cases.views.log import entry_rows
from people.policy import requires
from spine.models import LogEntry


@requires("cases.read", hidden=True)
@require_safe
@shared.refused_page
def case_log(request: HttpRequest, ref: str) -> HttpResponse:
    """The entries of the case, newest first."""
    case = case_for(request.user, ref)
    page = queries.log_page(case, cursor=request.GET.get("cursor", ""))
    total = LogEntry.objects.filter(scope=case.id).count()
    context = {
        **case_frame.context(request, case, "case_log"),
        "entries": entry_rows(page.rows),
        "pages": shared.pages(request, page, "entries", total=total),
    }
    return render(request, "cases/case_log.html", context)
