"""A job's progress: asked for every two seconds by the page that waits, or opened as a page without JavaScript."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat, pluralize
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases.access import visible_jobs
from cases.actions import work
from cases.models import Case, EvidenceItem
from people.policy import requires
from spine import pace
from spine.models import Job

# What each kind of work is called while one waits for it.
TITLES = {
    "log.verify": "Verifying the log",
    "telemetry.add": "Reading telemetry",
    "telemetry.simulate": "Making simulated telemetry",
    "detectors.run": "Running detectors and clustering accounts",
    "detectors.measure": "Measuring detectors on a benign reference",
    "clusters.draw": "Drawing clusters: hours of use, what requests ask for, templates, links",
    "feed.pull": "Pulling a feed",
    "feed.backfill": "Pulling a feed's past",
    "verdicts.set": "Setting verdicts",
    "evidence.redact": "Making a redacted exhibit",
    "evidence.list": "Listing what is in an archive",
    "vault.compare": "Comparing stored files with their digests",
    "evidence.take_in": "Taking an uploaded file in as an exhibit",
    "exchange_set.make": "Making an exchange set",
    "exchange_set.rerun": "Asking an exchange set's source again",
    "exchange_set.sample": "Drawing a sample",
    "deconfliction.compare": "Comparing for a broker",
    "destruction.carry_out": "Destroying what two people ordered",
    "dossier.freeze": "Freezing the dossier",
    "dossier.render": "Rendering the dossier",
    "findings.group": "Joining findings into leads",
    "recall.flag": "Flagging what leans on a recalled detector version",
    "mail.confirm": "Mailing a link that confirms an address",
    "notice.mail": "Mailing a notice",
    "notice.digest": "Mailing a digest",
    "webhook.send": "Sending to a webhook",
}

TELL_THEMSELVES = {"telemetry.simulate"}  # work whose note has rate and remaining time already


@requires("detectors.read")
@require_safe
def job(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One job: the fragment for htmx, a page otherwise. A job of a case is only there for those who may read it."""
    found = visible_jobs(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404("There is no such job.")
    context = {"job": found, **progress(found)}
    if request.htmx:  # type: ignore[attr-defined]
        response = render(request, "partials/job_progress.html", context)
        if found.is_finished:  # what shows its result on the page around it fetches itself: partials/fresh_parts.html
            response["HX-Trigger"] = "job-finished"
        return response
    return render(request, "spine/job.html", {"section": "log", "page_title": context["job_title"], **context})


def progress(found: Job) -> dict[str, Any]:
    """What partials/job_progress.html needs beside the job: title, pace, what came of it, where, if it can be ended."""
    return {
        "job_title": TITLES.get(found.kind, found.kind),
        "pace": "" if found.kind in TELL_THEMSELVES else pace.in_words(found, pace.pace_of(found)),
        "outcome": _outcome(found.kind, found.result or {}),
        "done_url": _result(found),
        "stoppable": work.may_be_stopped(found),
    }


def _outcome(kind: str, result: dict[str, Any]) -> str:
    """What some kinds of work came to, in a sentence; empty for other work and while it goes on."""
    if kind == "vault.compare" and "compared" in result:
        files, failed = result["compared"], result["failed"]
        read = f"Read {files:,} file{pluralize(files)} to the end, {filesizeformat(result['bytes'])}."
        if failed:
            return f"{read} {failed:,} failed: not the bytes that were hashed, or gone."
        return f"{read} {'It has' if files == 1 else 'Each has'} the bytes that were hashed." if files else ""
    if kind == "log.verify" and "problem_count" in result:
        wrong = result["problem_count"]
        return f"{wrong:,} problem{pluralize(wrong)} found." if wrong else "The log verifies."
    if kind == "evidence.redact" and result.get("number"):
        return f"Made Exhibit {result['number']}."
    if kind == "detectors.measure" and "measured" in result:
        return _measured(result["measured"], result["untold"])
    if kind == "telemetry.simulate" and "exchanges" in result:
        return _simulated(result)
    return ""


def _measured(count: int, untold: list[str]) -> str:
    told = f"{count:,} detector{pluralize(count)} measured"
    return f"{told}; {len(untold):,} could not tell: {', '.join(untold)}." if untold else f"{told}."


def _simulated(result: dict[str, Any]) -> str:
    rows, accounts, count = (result[name] for name in ("exchanges", "accounts", "campaigns"))
    made = f"{rows:,} exchange{pluralize(rows)} of {accounts:,} account{pluralize(accounts)} were made and read"
    return f"{made}, with {count:,} suspected campaign{pluralize(count)} among them."


def _result(found: Job) -> str:
    ref = Case.objects.filter(pk=found.scope).values_list("ref", flat=True).first() if found.scope else None
    version = (found.result or {}).get("version") or found.args.get("version")
    if version and found.kind.startswith("dossier."):
        return reverse("dossier", args=[version])
    exhibit = (found.result or {}).get("exhibit")
    listed = (found.result or {}).get("number")
    if ref and listed and found.kind in {"evidence.list", "evidence.take_in", "evidence.redact"}:
        return reverse("exhibit", args=[ref, listed])
    if found.kind == "vault.compare":
        return _compared(found, ref) if ref else reverse("vault")
    if ref and exhibit and found.kind.startswith("exchange_set."):
        return reverse("exchange_set", args=[ref, exhibit])
    if ref:
        return reverse("case_accounts" if found.kind == "verdicts.set" else "case", args=[ref])
    if found.kind.startswith("feed."):
        return reverse("feed", args=[found.args["feed"]])
    if found.kind == "log.verify":
        return reverse("verification", args=[found.pk])
    if found.kind == "detectors.measure":
        return f"{reverse('source_runs', args=[found.args['source']])}#measures"
    made = (found.result or {}).get("source")
    if made and found.kind == "telemetry.simulate":
        return reverse("source", args=[made])
    run = (found.result or {}).get("run")
    return reverse("run", args=[run]) if run and found.kind == "detectors.run" else ""


def _compared(found: Job, ref: str) -> str:
    """The exhibit whose bytes a job of a case compared."""
    of_case = EvidenceItem.objects.filter(case__ref=ref, sha256__in=found.args.get("digests", []))
    number = of_case.order_by("number").values_list("number", flat=True).first()
    return f"{reverse('exhibit', args=[ref, number])}#checks" if number else reverse("case_evidence", args=[ref])
