"""Telemetry sources: what each holds and lacks, files to read, and how long it keeps its data."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import paging
from cases.forms import SeenId
from cases.views import case_frame, shared
from cases.views.jobs import progress
from detection import contents, fetching, retention, simulating, sources
from detection.models import DataClass, FileKind, SourceRetention, TelemetryFile, TelemetrySource
from detection.telemetry.adapters import ADAPTERS
from people.policy import requires
from people.rights import may
from spine.errors import Refused

SHOWN = 50
MOST_SENT = 1024**3


class AddForm(forms.Form):
    """Name files that the server can reach, or send one."""

    name = forms.CharField(max_length=60, label="Source", help_text="One that is new is made.")
    path = forms.CharField(
        required=False,
        max_length=1000,
        label="Path or address",
        help_text="A file, a folder or a pattern in a folder on the list of destinations, or s3://bucket/prefix/.",
    )
    file = forms.FileField(required=False, label="Or a file from here", help_text="At most 1 GiB; by path any size.")
    kind = forms.ChoiceField(choices=FileKind.choices, initial=FileKind.EXCHANGES, label="What it carries")
    format = forms.ChoiceField(
        required=False,
        choices=[("", "recognised from its first bytes"), *((key, one.title) for key, one in ADAPTERS.items())],
        help_text="Of exchanges; the other tables are NDJSON.",
    )

    def clean(self) -> dict[str, Any]:
        """One of the two, and not both."""
        given = super().clean() or self.cleaned_data
        sent = given.get("file")
        if bool(given.get("path")) == bool(sent):
            self.add_error("path", "Name a path, or choose a file: one of the two.")
        if sent and sent.size > MOST_SENT:
            self.add_error("file", "This file is larger than 1 GiB: put it where the server reads, and name its path.")
        return given


class StopForm(forms.Form):
    """Which work to end."""

    job = forms.UUIDField(widget=forms.HiddenInput)


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


@requires("detectors.read")
@require_safe
def source(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One source: what it holds, what it lacks and what that leaves open, its files, the work under way."""
    return _source_page(request, get_object_or_404(TelemetrySource, pk=pk))


@requires("detectors.read")
@require_safe
@shared.refused_page
def source_file(request: HttpRequest, pk: UUID, file: UUID) -> HttpResponse:
    """One file of a source, and the lines that were not kept."""
    found = get_object_or_404(TelemetryFile.objects.select_related("source"), pk=file, source=pk)
    page = paging.page(found.bad_lines.all(), ("line",), cursor=request.GET.get("cursor", ""))
    context = {
        "section": "sources",
        "page_title": found.name,
        "crumbs": [
            ("Sources", reverse("sources")),
            (found.source.name, reverse("source", args=[pk])),
            (found.name, ""),
        ],
        "file": found,
        "bad_lines": page.rows,
        "pages": shared.pages(request, page, "lines"),
        "kept": sources.KEPT_BAD_LINES,
        "unknown": sorted(found.unknown_columns.items()),
    }
    return render(request, "sources/file.html", context)


@requires("detectors.read", "detectors.write")
def add_to_source(request: HttpRequest) -> HttpResponse:
    """Ask for files to be read; a source that is new is made."""
    if request.method != "POST":
        return redirect("sources")
    form = AddForm(request.POST, request.FILES, auto_id="add_%s")
    if not form.is_valid():
        return _page(request, add=form, status=422)
    try:
        into, asked = _asked(form.cleaned_data, shared.person(request).principal)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, add=form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"{asked:,} file{pluralize(asked)} will be read.")
    return redirect("source", into.pk)


def _asked(given: dict[str, Any], actor: str) -> tuple[TelemetrySource, int]:
    """Ask for what the form names; gives the source and how many files it is."""
    with transaction.atomic():
        into = sources.source_named(given["name"], _namespace(given["name"]))
        how = {"actor": actor, "source": into, "kind": given["kind"], "adapter": given["format"]}
        if not given["file"]:
            return into, len(sources.request_all(uri=given["path"], **how))
        sources.request_telemetry(path=fetching.take_in(given["file"].name, given["file"].chunks()), **how)
        return into, 1


def _namespace(name: str) -> str:
    known = TelemetrySource.objects.filter(name=name).values_list("namespace", flat=True).first()
    return known or "default"


@requires("detectors.read", "detectors.write")
def stop_reading(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End the reading of a file."""
    if request.method != "POST":
        return redirect("source", pk)
    found = get_object_or_404(TelemetrySource, pk=pk)
    form = StopForm(request.POST)
    if not form.is_valid():
        return _source_page(request, found, status=422)
    try:
        sources.stop(actor=shared.person(request).principal, source=found, job=form.cleaned_data["job"])
    except Refused as refusal:
        return _source_page(request, found, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Stopped: nothing of that file is kept.")
    return redirect("source", pk)


def _source_page(
    request: HttpRequest, found: TelemetrySource, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    held = contents.contents(found)
    most = max((one.rows for one in held.days), default=0)
    files = found.files.order_by("-added_at", "-id")
    adds = may(request.user, "detectors.write") and not found.is_simulated
    context = {
        "section": "sources",
        "page_title": found.name,
        "crumbs": [("Sources", reverse("sources")), (found.name, "")],
        "source": found,
        "held": held,
        "days": [{"day": one.day, "rows": one.rows, "share": one.rows / most if most else 0} for one in held.days],
        "files": files[:SHOWN],
        "more_files": max(0, files.count() - SHOWN),
        "jobs": [{"job": job, **progress(job)} for job in contents.unfinished(found)[:SHOWN]],
        "lost": [
            {"name": fetching.name_of(str(job.args.get("path", ""))), "job": job} for job in contents.failed(found)
        ],
        "add_form": AddForm(initial={"name": found.name}, auto_id="add_%s") if adds else None,
        "simulated": _simulated(found),
        "refusal": refusal,
    }
    return render(request, "sources/source.html", context, status=status)


def _simulated(found: TelemetrySource) -> dict[str, Any] | None:
    """Of what a simulated source was made; None for any other."""
    scale = simulating.made_as(found)
    if scale is None:
        return None
    kinds = simulating.campaigns_of(scale)
    return {
        "scale": scale,
        "campaigns": sum(kinds.values()),
        "kinds": [(kind.replace("_", " "), count) for kind, count in kinds.items()],
        "command": simulating.command(scale),
    }


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
    add: AddForm | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    stated = {(row.source_id, row.data_class): row for row in retention.current()}
    writes = may(request.user, "detectors.write")
    wrong = form["data_class"].value() if form else ""
    counts = contents.totals(TelemetrySource.objects.all())
    rows = [
        {
            "source": source,
            "totals": counts.get(source.pk, contents.Totals()),
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
    context = {
        "section": "sources",
        "page_title": "Sources",
        "sources": rows,
        "add_form": (add or AddForm(auto_id="add_%s")) if writes else None,
        "refusal": refusal,
    }
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
