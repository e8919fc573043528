"""Runs: those of a source with its schedule, starting one or a measuring, and one run with every detector's answer."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import paging, precision
from cases.access import visible_leads
from cases.actions.runs import export_changes
from cases.api.runs import changed_accounts, clusters_of
from cases.forms_runs import ScheduleForm, StartForm
from cases.models import VersionPrecision
from cases.views import case_frame, shared
from cases.views.jobs import progress
from detection import measures, measuring, run_reading, run_schedule, runs, standing
from detection import run_changes as changing
from detection.models import Answer, DetectorMeasure, Run, TelemetrySource
from detection.records import Status
from people.policy import requires
from people.rights import may
from spine.errors import Refused
from spine.models import Job, JobState

BADGES = {Status.FOUND: "done", Status.NOTHING_FOUND: "", Status.COULD_NOT_TELL: "warn"}
KIND_BADGES = {
    changing.ChangeKind.MERGED: "warn",
    changing.ChangeKind.SPLIT: "warn",
    changing.ChangeKind.REGROUPED: "warn",
    changing.ChangeKind.NEW: "running",
}
SHOWN = 100
WORDS = {Status.FOUND: "found", Status.NOTHING_FOUND: "nothing found", Status.COULD_NOT_TELL: "could not tell"}


@requires("detectors.read")
@require_safe
@shared.refused_page
def source_runs(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The runs of a source, how often they come, and the one that goes on."""
    return _page(request, get_object_or_404(TelemetrySource, pk=pk))


@requires("detectors.read", "detectors.write")
def set_run_schedule(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say how often detectors run over the source."""
    if request.method != "POST":
        return redirect("source_runs", pk)
    source = get_object_or_404(TelemetrySource, pk=pk)
    form = ScheduleForm(source, request.POST)
    if not form.is_valid():
        return _page(request, source, schedule=form, status=422)
    try:
        run_schedule.set_run_schedule(source, actor=shared.person(request).principal, **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, source, schedule=form, refusal=refusal)
    messages.success(request, "The schedule is set.")
    return redirect("source_runs", pk)


@requires("detectors.read", "detectors.write")
def start_run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Run every detector over the source; the page shows how far it is."""
    if request.method != "POST":
        return redirect("source_runs", pk)
    source, form = get_object_or_404(TelemetrySource, pk=pk), StartForm(request.POST, auto_id="start_%s")
    if not form.is_valid():
        return _page(request, source, start=form, status=422)
    try:
        runs.request_run(actor=shared.person(request).principal, source=source, days=form.cleaned_data["days"])
    except Refused as refusal:
        return _page(request, source, start=form, refusal=refusal)
    messages.success(request, "The run is asked for.")
    return redirect("source_runs", pk)


@requires("detectors.read", "detectors.write")
def measure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Measure every detector on the source, all of whose accounts are taken to be benign."""
    if request.method == "POST":
        source = get_object_or_404(TelemetrySource, pk=pk)
        before = measuring.jobs_of(source).count()
        measuring.request_measure(actor=shared.person(request).principal, source=source)
        if measuring.jobs_of(source).count() > before:
            messages.success(request, "The measuring is asked for.")
        else:
            messages.info(request, "A measuring on this source waits or goes on already.")
    return redirect("source_runs", pk)


@requires("detectors.read")
@require_safe
def run(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One run with what every detector answered, what was set aside, and its clusters."""
    found = get_object_or_404(run_reading.runs(), pk=pk)
    named = may(request.user, "leads.read")
    answers = run_reading.answers(found)
    versions = [one.detector_version_id for one in answers]
    judged = {one.detector_version_id: one for one in VersionPrecision.objects.filter(detector_version__in=versions)}
    measured = measures.newest_of(versions)
    context = {
        "section": "sources",
        "page_title": f"Run of {found.finished_at:%d %b %Y %H:%M}",
        "crumbs": [*_crumbs(found.source), (f"{found.finished_at:%d %b %Y %H:%M} UTC", "")],
        "run": found,
        "lasted": (found.finished_at - found.started_at).total_seconds(),
        "answers": [
            _answer(one, judged.get(one.detector_version_id), measured.get(one.detector_version_id)) for one in answers
        ],
        "named": named,
        "hubs": found.hubs[:100],
        "hub_count": len(found.hubs),
        "clusters": _clusters(request, found) if named else [],
        "shown": SHOWN,
        "identify": may(request.user, "accounts.identify"),
        "before": run_reading.before(found),
    }
    return render(request, "runs/run.html", context)


@requires("leads.read")
@require_safe
@shared.refused_page
def run_changes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What changed since another run of the source, by default the one before."""
    found = get_object_or_404(Run.objects.select_related("source"), pk=pk)
    since = changing.compared_with(found, case_frame.some_id(request.GET.get("since")))
    rows = changing.changes(found, since) if since else []
    counted = changing.counts(rows)
    others = Run.objects.filter(source=found.source).exclude(pk=found.pk)
    title = f"{found.finished_at:%d %b %Y %H:%M} UTC"
    context = {
        "section": "sources",
        "page_title": "What changed",
        "crumbs": [*_crumbs(found.source), (title, reverse("run", args=[found.pk])), ("What changed", "")],
        "run": found,
        "since": since,
        "runs": others.order_by("-finished_at", "-id")[:SHOWN],
        "kinds": [(kind.label, counted[kind.value]) for kind in changing.ChangeKind if counted[kind.value]],
        "joined": counted["accounts_joined"],
        "left": counted["accounts_left"],
        "changes": [
            {"change": one, "label": one.kind.label, "badge": KIND_BADGES.get(one.kind, "")} for one in rows[:SHOWN]
        ],
        "total": len(rows),
        "shown": SHOWN,
        "identify": may(request.user, "accounts.identify"),
    }
    return render(request, "runs/changes.html", context)


@requires("leads.read", "accounts.identify")
@shared.refused_page
def download_run_changes(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The accounts that joined or left, by the provider's ids."""
    if request.method != "POST":
        return redirect("run_changes", pk)
    found = get_object_or_404(Run.objects.select_related("source"), pk=pk)
    since = changing.compared_with(found, case_frame.some_id(request.POST.get("since")))
    if since is None:
        raise Refused("This is the first run of its source: there is none to compare it with.")
    export_changes(found, since, actor=shared.person(request))
    return changed_accounts(found, since)


@requires("leads.read", "accounts.identify")
def download_run_clusters(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Every cluster of a run with its accounts by the provider's ids."""
    if request.method != "POST":
        return redirect("run", pk)
    return clusters_of(get_object_or_404(Run.objects.select_related("source"), pk=pk), actor=shared.person(request))


def _clusters(request: HttpRequest, found: Run) -> list[dict[str, Any]]:
    """The strongest clusters of a run, each with its lead where this person may know of one."""
    rows = list(found.clusters.order_by("-worth_a_look", "-score", "-account_count", "id")[:SHOWN])
    known = visible_leads(request.user).filter(sightings__cluster__in=[one.pk for one in rows])
    leads = dict(known.values_list("sightings__cluster", "pk"))
    marks = standing.marks([one.pk for one in rows])
    return [{"cluster": one, "lead": leads.get(one.pk), "marks": marks.get(one.pk)} for one in rows]


def _answer(answer: Answer, judged: VersionPrecision | None, measured: DetectorMeasure | None) -> dict[str, Any]:
    status = Status(answer.status)
    return {
        "answer": answer,
        "badge": BADGES[status],
        "words": WORDS[status],
        "counts": [(name.replace("_", " "), count) for name, count in answer.counts.items()],
        "precision": precision.in_words(judged),
        "false_positives": measures.in_words(measured),
    }


def _page(
    request: HttpRequest,
    source: TelemetrySource,
    *,
    schedule: forms.Form | None = None,
    start: forms.Form | None = None,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    source = TelemetrySource.objects.get(pk=source.pk)
    page = paging.page(run_reading.runs().filter(source=source), ["-id"], cursor=request.GET.get("cursor", ""))
    newest = run_schedule.jobs_of(source).order_by("-created_at").first()
    writes = may(request.user, "detectors.write")
    context = {
        "section": "sources",
        "page_title": f"Runs over {source.name}",
        "crumbs": _crumbs(source),
        "source": source,
        "runs": [{"run": one, "lasted": (one.finished_at - one.started_at).total_seconds()} for one in page.rows],
        "pages": shared.pages(request, page, "runs"),
        "job": _shown(newest),
        **_measures(source),
        "writes": writes,
        "files": source.files.count(),
        "behind": run_schedule.is_behind(source),
        "next_at": run_schedule.next_at(source),
        "schedule_form": (schedule or ScheduleForm(source)) if writes else None,
        "start_form": (start or StartForm(initial={"days": source.run_days}, auto_id="start_%s")) if writes else None,
        "refusal": refusal,
    }
    return render(request, "runs/list.html", context, status=shared.status_of(refusal) if refusal else status)


def _measures(source: TelemetrySource) -> dict[str, Any]:
    """What was measured on the source: the newest of each detector, and the newest measuring with what it came to."""
    newest = measuring.jobs_of(source).order_by("-created_at").first()
    return {
        "measure_job": _shown(newest),
        "measured": progress(newest)["outcome"] if newest and newest.state == JobState.DONE else "",
        "measured_at": newest.finished_at if newest else None,
        "measures": [
            {
                "measure": one,
                "version": one.detector_version,
                "rate": f"{one.rate:.1%}",
                "interval": f"{one.low:.1%} – {one.high:.1%}",
            }
            for one in measures.newest_by_detector(source)
        ],
        "measure_rule": measures.RULE,
        "doubt": measuring.doubt(source),
    }


def _shown(job: Job | None) -> dict[str, Any] | None:
    """The newest work on the source while it waits or goes on, and when it came to nothing."""
    return None if job is None or job.state == JobState.DONE else {"job": job, **progress(job)}


def _crumbs(source: TelemetrySource) -> list[tuple[str, str]]:
    return [("Sources", reverse("sources")), (source.name, reverse("source_runs", args=[source.pk]))]
