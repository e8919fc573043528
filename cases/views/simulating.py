"""Simulated telemetry: a form that asks for it, how far its making is, and the sources that were made so."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from cases.forms_simulating import SimulateForm
from cases.views import case_frame, shared
from cases.views.jobs import progress
from detection import contents, simulating
from detection.models import SIMULATED, TelemetrySource
from people.policy import requires
from people.rights import may
from spine.errors import Refused
from spine.models import JobState

SHOWN = 10


@requires("detectors.read", "detectors.write")
def simulate(request: HttpRequest) -> HttpResponse:
    """The form and what was asked for; sent, it asks a worker for the telemetry."""
    if request.method != "POST":
        return _page(request)
    form = SimulateForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    before = simulating.jobs_of_simulations().count()
    try:
        simulating.request_simulation(
            actor=shared.person(request).principal, name=form.cleaned_data["name"], scale=form.scale()
        )
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, form, status=shared.status_of(refusal), refusal=refusal)
    if simulating.jobs_of_simulations().count() > before:
        messages.success(request, "The simulated telemetry is asked for.")
    else:
        messages.info(request, "This very telemetry is being made, or was made already.")
    return redirect("simulate")


def _page(
    request: HttpRequest, form: SimulateForm | None = None, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    newest = list(simulating.jobs_of_simulations()[:SHOWN])
    shown = [job for place, job in enumerate(newest) if not job.is_finished or place == 0]
    made = TelemetrySource.objects.filter(name__startswith=SIMULATED).order_by("-created_at", "-id")
    totals = contents.totals(made)
    context = {
        "section": "sources",
        "page_title": "Simulated telemetry",
        "crumbs": [("Sources", reverse("sources")), ("Simulated telemetry", "")],
        "jobs": [{"job": job, **progress(job)} for job in shown],
        "arrives": any(job.state in {JobState.QUEUED, JobState.RUNNING} for job in shown),
        "made": [{"source": one, "totals": totals.get(one.pk, contents.Totals())} for one in made[:SHOWN]],
        "form": (form or SimulateForm()) if may(request.user, "detectors.write") else None,
        "refusal": refusal,
    }
    return render(request, "sources/simulate.html", context, status=status)
