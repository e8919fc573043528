"""One dossier version: what it says, its approval by a second person, its package, and what came after its cut."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_safe

from cases import disclosed, history, recalls, timeline
from cases.access import visible_cases
from cases.actions import dossiers as verbs
from cases.api.shared import attachment
from cases.dossier.build import rendered
from cases.dossier.document import document
from cases.forms import ApproveForm
from cases.models import DossierApproval, DossierProof, DossierSeal, DossierVersion
from cases.views import jobs, shared
from cases.views.claims import SHORT
from cases.views.log import entry_rows
from cases.vocabulary import Likelihood
from people.policy import requires
from people.reauth import recently_proven
from people.rights import may
from spine import vault
from spine.errors import Refused
from spine.models import Job, JobState, LogEntry

SLUGS = {label: slug for slug, label in Likelihood.choices}
LATER_SHOWN = 20
STEPS = (
    ("Frozen", "the case at one moment, under one hash"),
    ("Approved", "by a second person, by that hash"),
    ("Rendered", "the files, always the same bytes"),
    ("Sealed", "its digests are a leaf of the log, under a signed checkpoint"),
)


@requires("cases.read", hidden=True)
@require_safe
def dossier(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The version's page."""
    return _page(request, _version(request, pk))


@requires("cases.read", "dossiers.approve", hidden=True)
@recently_proven
def approve_dossier(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Approve the snapshot as a second person; a job then renders and seals it."""
    if request.method != "POST":
        return redirect("dossier", pk)
    version = _version(request, pk)
    form = ApproveForm(request.POST, auto_id="approve_%s")
    if not form.is_valid():
        return _page(request, version, form, status=422)
    try:
        verbs.approve(version, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
        return _page(request, _version(request, pk), form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Approved. It is being rendered and will then be sealed.")
    return redirect("dossier", pk)


@requires("cases.read", "cases.write", hidden=True)
def render_dossier(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Build the package again from its snapshot: for when the rendered files were removed."""
    if request.method == "POST":
        verbs.render(_version(request, pk), actor=shared.person(request).principal)
    return redirect("dossier", pk)


@requires("cases.read", hidden=True)
@require_GET
@shared.refused_page
def download_dossier(request: HttpRequest, pk: UUID) -> FileResponse:
    """The sealed package, or the draft, which says so in its name; each download is logged."""
    version = _version(request, pk)
    package = rendered(version)
    if package is None:
        raise Refused("No package of this version lies ready: it is being rendered, or has to be rendered again.")
    stream = package.open("rb")
    verbs.record_download(version, actor=shared.person(request), sha256=_digest(package))
    return attachment(stream, name=package.name, media_type="application/zip", size=package.stat().st_size)


def _digest(package: Path) -> str:
    """The package's digest, from the file that was written beside it."""
    return package.with_name(f"{package.name}.sha256").read_text(encoding="ascii").split()[0]


def _version(request: HttpRequest, pk: UUID) -> DossierVersion:
    beside = ("case", "preparer", "approval__approver", "seal__proof", "seal__entry__sequence")
    known = DossierVersion.objects.select_related(*beside).filter(case__in=visible_cases(request.user))
    version = known.filter(pk=pk).first()
    if version is None:
        raise Http404("There is no such dossier.")
    return version


def _page(
    request: HttpRequest,
    version: DossierVersion,
    form: ApproveForm | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    case, dossiers = version.case, reverse("case_dossiers", args=[version.case.ref])
    approval: DossierApproval | None = getattr(version, "approval", None)
    seal: DossierSeal | None = getattr(version, "seal", None)
    proof: DossierProof | None = getattr(seal, "proof", None)
    name = f"{version.get_edition_display()} v{version.number}"
    place = getattr(seal.entry, "sequence", None) if seal else None
    ready = rendered(version) is not None
    context: dict[str, Any] = {
        "section": "cases",
        "page_title": f"{case.ref} {name}",
        "crumbs": [
            ("Cases", reverse("cases")),
            (case.ref, reverse("case", args=[case.ref])),
            ("Dossiers", dossiers),
            (name, ""),
        ],
        "version": version,
        "approval": approval,
        "seal": seal,
        "proof": proof,
        "steps": _steps(approval, seal, proof),
        **_work(version, ready),
        **_approving(request, version, approval, form),
        **_said(version),
        "later": _later(version),
        "unregistered": disclosed.unregistered(version),
        "leaned": recalls.leaned(version),
        "download_url": reverse("download_dossier", args=[version.pk]) if ready else "",
        "log_index": place.index if place else None,
        "refusal": refusal,
    }
    return render(request, "cases/dossier.html", context, status=status)


def _steps(
    approval: DossierApproval | None, seal: DossierSeal | None, proof: DossierProof | None
) -> list[dict[str, str]]:
    """The last step that was made is the present one, the one after it is waited for."""
    reached = 3 if proof else 2 if seal else 1 if approval else 0
    states = ["done"] * reached + ["current"] + (["next"] + ["later"] * 3 if reached < 3 else [])
    return [
        {"label": label, "meaning": meaning, "state": state, "address": ""}
        for (label, meaning), state in zip(STEPS, states, strict=False)
    ]


def _work(version: DossierVersion, ready: bool) -> dict[str, Any]:
    """The last job for this version, unless it is done and its package lies ready."""
    made = Job.objects.filter(scope=version.case_id, kind=verbs.RENDER, args__version=str(version.pk))
    job = made.order_by("-created_at").first()
    done = job is None or job.state == JobState.DONE
    return {
        "job": None if done else job,
        "job_title": jobs.TITLES[verbs.RENDER],
        "render_again": done and not ready,
    }


def _approving(
    request: HttpRequest, version: DossierVersion, approval: DossierApproval | None, form: ApproveForm | None
) -> dict[str, Any]:
    """The form for a second person, or why there is none."""
    if approval is not None:
        return {"approve_form": None, "why_not": ""}
    if request.user.pk == version.preparer_id:
        return {
            "approve_form": None,
            "why_not": "You prepared this version: a case lead or counsel other than you approves it.",
        }
    if not may(request.user, "dossiers.approve"):
        return {
            "approve_form": None,
            "why_not": f"A case lead or counsel other than {version.preparer} approves it.",
        }
    fresh = ApproveForm(initial={"snapshot_sha256": version.snapshot_sha256}, auto_id="approve_%s")
    return {"approve_form": form or fresh, "why_not": ""}


def _said(version: DossierVersion) -> dict[str, Any]:
    """What the frozen snapshot says; a snapshot that is gone or altered is said so."""
    try:
        snapshot = document(version)["snapshot"]
    except vault.Missing as missing:
        return {"figures": [], "claims": [], "damaged": str(missing), "key_fingerprint": ""}
    return {
        "figures": [
            {"name": one["label"], "value": _value(one["value"]), "rule": one["rule"]} for one in snapshot["figures"]
        ],
        "claims": [_claim(one) for one in snapshot["claims"]],
        "damaged": "",
        "key_fingerprint": snapshot["cut"]["key_fingerprint"],
    }


def _value(value: int | str | None) -> str:
    if isinstance(value, str):
        moment = parse_datetime(value)
        return f"{moment.day} {moment:%b %Y}" if moment else value
    return "–" if value is None else f"{value:,}"


def _claim(row: dict[str, Any]) -> dict[str, str]:
    judgement = row["judgement"]
    word = judgement["likelihood"]["word"] if judgement else ""
    return {
        "letter": row["claim"],
        "short": SHORT[row["claim"]],
        "likelihood": SLUGS.get(word, ""),
        "likelihood_word": word,
        "confidence": judgement["confidence"] if judgement else "",
    }


def _later(version: DossierVersion) -> dict[str, Any]:
    """What was done in the case after the cut: how many acts, and the newest of them."""
    acts = LogEntry.objects.filter(scope=version.case_id).exclude(action__in=timeline.QUIET)
    acts = acts.exclude(history.not_told())
    after = acts.filter(Q(sequence__isnull=True) | Q(sequence__index__gte=version.log_size))
    newest = after.select_related("sequence").defer("row_digests").order_by("-at", "-id")[:LATER_SHOWN]
    return {"count": after.count(), "entries": entry_rows(list(newest))}
