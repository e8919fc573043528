"""Telemetry sources: how long each keeps its data, stated by administrators and read by the clocks of cases."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from cases.forms import SeenId
from cases.views import case_frame, shared
from detection import retention
from detection.models import DataClass, SourceRetention, TelemetrySource
from people.policy import requires
from people.rights import may
from spine.errors import Refused


class RetentionForm(forms.Form):
    """State how long a source keeps a kind of data."""

    data_class = forms.ChoiceField(choices=DataClass.choices, widget=forms.HiddenInput)
    days = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=retention.LONGEST,
        label="Days kept",
        help_text="0: not kept at all. Empty: kept without end.",
    )
    custodian = forms.CharField(required=False, max_length=200, label="Log owner", help_text="Takes the requests.")
    contact = forms.CharField(required=False, max_length=300)
    note = forms.CharField(required=False, max_length=500, help_text="Where this is written down.")
    supersedes = SeenId()


@requires("detectors.read")
@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source with what is stated of it."""
    return _page(request)


@requires("detectors.read", "detectors.write")
def set_source_retention(request: HttpRequest, pk: UUID) -> HttpResponse:
    """State it anew for one kind of data."""
    if request.method != "POST":
        return redirect("sources")
    source = get_object_or_404(TelemetrySource, pk=pk)
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return _page(request, source, form, status=422)
    try:
        retention.set_retention(source, actor=shared.person(request).principal, **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, source, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"Stated for {source.name}: clocks of cases count by it from now on.")
    return redirect("sources")


def _page(
    request: HttpRequest,
    bad: TelemetrySource | None = None,
    form: RetentionForm | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    stated = {(row.source_id, row.data_class): row for row in retention.current()}
    writes = may(request.user, "detectors.write")
    wrong = form["data_class"].value() if form else ""
    rows = [
        {
            "source": source,
            "classes": [
                _row(
                    source,
                    value,
                    label,
                    stated.get((source.pk, value)),
                    form if _is(bad, source, wrong, value) else None,
                    writes,
                )
                for value, label in DataClass.choices
            ],
        }
        for source in TelemetrySource.objects.order_by("name")
    ]
    context = {"section": "sources", "page_title": "Sources", "sources": rows, "refusal": refusal}
    return render(request, "kept/sources.html", context, status=status)


def _is(bad: TelemetrySource | None, source: TelemetrySource, wrong: str, value: str) -> bool:
    return bad is not None and bad.pk == source.pk and wrong == value


def _row(
    source: TelemetrySource,
    value: str,
    label: str,
    stated: SourceRetention | None,
    refused: RetentionForm | None,
    writes: bool,
) -> dict[str, Any]:
    given = {name: getattr(stated, name) for name in ("days", "custodian", "contact", "note")} if stated else {}
    suggested = {"days": retention.SUGGESTED.get(DataClass(value))}
    initial = {"data_class": value, "supersedes": stated.pk if stated else None, **(given or suggested)}
    fresh = RetentionForm(initial=initial, auto_id=f"keep_{source.pk}_{value}_%s")
    return {"value": value, "label": label, "stated": stated, "form": (refused or fresh) if writes else None}
