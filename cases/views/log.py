"""The log page: who did what, whether the chain holds, and background work that failed."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from cases import access, paging, sentences
from cases.api.shared import saved_text
from cases.context import failed_jobs
from cases.models import Case
from cases.views import shared
from cases.views.jobs import TITLES
from people.policy import requires
from people.rights import may
from spine import jobs, sequencer, signing, standing
from spine.models import Checkpoint, Job, LogEntry, Outbox, Pending

# Kinds of act by the first word of their code; those that tell of leads and cases need the right to read them.
KINDS = {
    "case": ("case.", "member.", "verdict", "judgement.", "alternative.", "evidence.", "timeline.", "deconfliction."),
    "dossier": ("dossier.",),
    "lead": ("lead.",),
    "detection": ("detector.", "telemetry.", "run.", "findings."),
    "people": ("person.", "token.", "detector_key.", "broker."),
    "log": ("log.",),
    "testers": ("testers.",),
}
OPEN_KINDS = ("detection", "people", "log", "testers")


@requires("log.read")
@require_safe
@shared.refused_page
def log(request: HttpRequest) -> HttpResponse:
    """Entries this person may read, newest first."""
    visible = visible_entries(request)
    kinds = [kind for kind in KINDS if kind in OPEN_KINDS or may(request.user, "cases.read")]
    kind = request.GET.get("kind", "")
    words = shared.searched(request)
    rows = visible.filter(_of_kinds([kind])) if kind in kinds else visible
    if words:
        rows = rows.filter(Q(actor__icontains=words) | Q(data__ref__icontains=words))
    page = paging.page(
        rows.select_related("sequence").defer("row_digests"), ("-at", "-id"), cursor=request.GET.get("cursor", "")
    )
    context: dict[str, Any] = {
        "section": "log",
        "page_title": "Log",
        "entries": entry_rows(page.rows),
        "pages": shared.pages(request, page, "entries"),
        "chips": shared.chips(
            request, "kind", [("", "everything"), *((kind, kind) for kind in kinds)], {}, kind if kind in kinds else ""
        ),
        "q": words,
        "keep": shared.kept(request, "kind"),
        "head": head(),
        "failed": failures(request),
    }
    return render(request, "spine/log.html", context)


def visible_entries(request: HttpRequest) -> QuerySet[LogEntry]:
    """Everything for those who may read cases; for others only what tells of no case and no lead."""
    return access.visible_entries(request.user)


def _of_kinds(kinds: Any) -> Q:
    wanted = Q()
    for prefix in (prefix for kind in kinds for prefix in KINDS[kind]):
        wanted |= Q(action__startswith=prefix)
    return wanted


def entry_rows(entries: list[LogEntry]) -> list[dict[str, Any]]:
    """Entries in the shape of partials/log_rows.html."""
    refs = dict(Case.objects.filter(id__in={e.scope for e in entries if e.scope}).values_list("id", "ref"))
    return [_row(entry, refs.get(entry.scope, "") if entry.scope else "") for entry in entries]


def _row(entry: LogEntry, ref: str) -> dict[str, Any]:
    place = getattr(entry, "sequence", None)
    return {
        "index": place.index if place else None,
        "at": entry.at,
        "actor": entry.actor.partition(":")[2] or entry.actor,
        "sentence": sentences.tell(entry),
        "object_label": ref or entry.about.partition(":")[0].rpartition(".")[2],
        "object_url": f"/cases/{ref}/" if ref else "",
        "leaf": bytes(place.leaf_hash).hex() if place else "",
        "details": [
            (key.replace("_", " "), _shown(value)) for key, value in entry.data.items() if value not in ("", None)
        ],
    }


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')}: {_shown(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " → ".join(_shown(one) for one in value) if len(value) == 2 else ", ".join(_shown(one) for one in value)
    return str(value) if value != "" else "–"


def head() -> dict[str, Any]:
    """Size, root and signature of the log as it stands."""
    last = Checkpoint.objects.order_by("-size").first()
    return {
        "size": sequencer.log_size(),
        "root": bytes(last.root).hex() if last else "",
        "covers": standing.covered_until(last),
        "waiting": Pending.objects.count(),
        "key_fingerprint": signing.current_key().fingerprint,
        "checkpoint_url": "/log/checkpoint/" if last else "",
    }


@requires("log.read")
@require_safe
def download_checkpoint(request: HttpRequest) -> FileResponse:
    """The newest checkpoint as a file, to be kept where nobody here can reach it."""
    last = Checkpoint.objects.order_by("-size").first()
    if last is None:
        raise Http404("There is no checkpoint yet.")
    return saved_text(last.note, name=f"checkpoint-{last.size}.txt")


def failures(request: HttpRequest) -> list[dict[str, Any]]:
    """Jobs and follow-ups that wait for a person, for people who can act on them."""
    if not (may(request.user, "cases.write") or may(request.user, "detectors.write")):
        return []
    found: list[dict[str, Any]] = [
        {
            "title": TITLES.get(job.kind, job.kind),
            "at": job.finished_at or job.created_at,
            "error": job.error,
            "attempts": job.attempts,
            "job": job if may_start_again(request, job) else None,
            "follow_up": False,
        }
        for job in failed_jobs(request.user)[:50]
    ]
    for message in Outbox.objects.filter(handled_at=None, attempts__gt=0).order_by("created_at")[:50]:
        entry = {"at": message.created_at, "error": message.error, "attempts": message.attempts, "job": None}
        entry["follow_up"] = True
        found.append({"title": f"follow-up of {message.topic}", **entry})
    return found


def may_start_again(request: HttpRequest, job: Job) -> bool:
    """Work on a case needs the right to write cases; other work that, or the right to write detectors."""
    if job.scope:
        return may(request.user, "cases.write")
    return may(request.user, "detectors.write") or may(request.user, "cases.write")


@requires("log.read")
@shared.refused_page
def start_again(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Put failed work in the queue anew."""
    if request.method != "POST":
        return redirect("job", pk)
    job = access.visible_jobs(request.user).filter(pk=pk).first()
    if job is None or not may_start_again(request, job):
        raise Http404("There is no such job.")
    with transaction.atomic():
        again = jobs.start_again(job, actor=shared.person(request).principal)
    messages.success(request, f"{TITLES.get(job.kind, job.kind)}: it is in the queue again.")
    return redirect("job", again.pk)
