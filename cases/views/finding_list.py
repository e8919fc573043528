"""Findings: everything that detectors stated, newest first, narrowed by what stands in the address, and in groups."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases.forms_findings import FindingFilterForm
from cases.paging import Page, page
from cases.views import case_frame, shared
from cases.views.masking import masked
from cases.views.stated import told
from detection import finding_groups, queries
from detection.finding_groups import NEWEST, Group
from detection.models import Attribute, Finding
from people.policy import requires

NEWEST_FIRST = ("-id",)
GROUPINGS = [("", "one by one"), *((by, f"by {by}") for by in finding_groups.BY)]
# Which part of the address leads from a group to what is in it.
INTO = {"signal": "signal", "detector": "detector", "account": "account", "template": "attribute"}


@dataclass(frozen=True)
class Row:
    """A finding of the list, its title under pseudonyms, and the query that opens its drawer."""

    finding: Any
    title: str
    drawer_query: str


@requires("leads.read")
@require_safe
@shared.refused_page
def findings(request: HttpRequest) -> HttpResponse:
    """The list or its groups, and one finding beside it. A condition that is none is shown beside its field."""
    form = FindingFilterForm(request.GET)
    understood = form.is_valid()
    by = form.cleaned_data.get("by", "")
    context: dict[str, Any] = {
        "section": "findings",
        "page_title": "Findings",
        "form": form,
        "narrowed": any(request.GET.get(name) for name in form.fields if name != "by"),
        "chips": shared.chips(request, "by", GROUPINGS, {}, by),
        "template": _template(form),
        "by": by,
        "drawer": _drawer(request),
    }
    if not understood:
        return render(request, "cases/findings.html", {**context, "rows": [], "pages": {}, "groups": []})
    found = queries.findings(**form.wanted())
    if by:
        return render(request, "cases/findings.html", {**context, "groups": _groups(request, found, by)})
    shown: Page[Finding] = page(found, NEWEST_FIRST, cursor=request.GET.get("cursor", ""))
    clean = masked(one.title for one in shown.rows)
    rows = [Row(one, clean(one.title), case_frame.opened(request, one.pk)) for one in shown.rows]
    return render(
        request, "cases/findings.html", {**context, "rows": rows, "pages": shared.pages(request, shown, "findings")}
    )


def _groups(request: HttpRequest, found: Any, by: str) -> dict[str, Any]:
    rows: list[Group] = finding_groups.groups(found, by)
    return {
        "rows": [{"group": one, "address": shared.address(request, by="", **{INTO[by]: one.key})} for one in rows],
        "newest": NEWEST,
        "most": finding_groups.MOST_GROUPS,
    }


def _template(form: FindingFilterForm) -> Attribute | None:
    """The value that the list is narrowed to, when it is."""
    wanted = form.cleaned_data.get("attribute")
    return Attribute.objects.filter(pk=wanted).first() if wanted else None


def _drawer(request: HttpRequest) -> dict[str, Any] | None:
    wanted = case_frame.some_id(request.GET.get("open"))
    finding = queries.findings().defer(None).filter(pk=wanted).first() if wanted else None
    return told(finding, close=f"?{case_frame.opened(request, '')}") if finding else None
