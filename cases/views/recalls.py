"""One version of a detector: how often it was right, whether it is recalled, and everything that leaned on it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import disclosed, leaning, precision, recalls
from cases.access import case_for, visible_leads
from cases.actions.recalls import answer_recall
from cases.forms_detectors import AnswerRecallForm, RecallForm
from cases.models import Case, Lead, RecallDraft, RecallFlag
from cases.paging import page
from cases.views import case_frame, shared
from detection import detector_verbs, measures
from detection.models import DetectorVersion, VersionRecall
from people.policy import requires
from people.rights import may
from spine.errors import Refused

MOST_MEASURES = 20
SHOWN = 50  # of a list at once


@requires("detectors.read")
@require_safe
@shared.refused_page
def version(request: HttpRequest, pk: UUID, version: UUID) -> HttpResponse:
    """The page."""
    return _page(request, _found(pk, version))


@requires("detectors.read", "detectors.write")
def recall(request: HttpRequest, pk: UUID, version: UUID) -> HttpResponse:
    """Declare the version not to be relied on."""
    return _decided(request, _found(pk, version), "recall_form", recalling=True)


@requires("detectors.read", "detectors.write")
def reinstate(request: HttpRequest, pk: UUID, version: UUID) -> HttpResponse:
    """Let it be relied on again."""
    return _decided(request, _found(pk, version), "reinstate_form", recalling=False)


def _decided(request: HttpRequest, found: DetectorVersion, name: str, *, recalling: bool) -> HttpResponse:
    if request.method != "POST":
        return redirect("detector_version", found.detector_id, found.pk)
    form = RecallForm(request.POST, auto_id=f"{name}_%s")
    if not form.is_valid():
        return _page(request, found, {name: form}, status=422)
    actor = shared.person(request).principal
    try:
        if recalling:
            detector_verbs.recall_version(found, actor=actor, **form.cleaned_data)
        else:
            detector_verbs.reinstate_version(_standing(found), actor=actor, **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, {name: form}, refusal=refusal)
    messages.success(
        request, "The version is recalled; what leans on it is being flagged." if recalling else "Reinstated."
    )
    return redirect("detector_version", found.detector_id, found.pk)


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_findings")
def answer(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Say what follows from a recall for a case."""
    case = case_for(request.user, ref, write=True)
    flag = get_object_or_404(case.recall_flags.select_related("recall__detector_version__detector", "case"), pk=pk)
    form = AnswerRecallForm(request.POST, auto_id=f"answer_{pk}_%s")
    if form.is_valid():
        try:
            answer_recall(flag, actor=shared.person(request), **form.cleaned_data)
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, "Written down.")
    else:
        messages.error(request, "Say what follows for the case.")
    return redirect(f"{reverse('case_findings', args=[ref])}#recalls")


def flags_of(request: HttpRequest, case: Any) -> list[dict[str, Any]]:
    """The recalls a case was flagged for, newest first, with a form where one is to be answered."""
    rows = RecallFlag.objects.filter(case=case).select_related(
        "recall__detector_version__detector", "recall__reinstated", "answer__by"
    )
    found = []
    for one in rows.order_by("-at", "-id"):
        answered, taken_back = getattr(one, "answer", None), getattr(one.recall, "reinstated", None)
        asked = case_frame.writable(request, case) and not answered and not taken_back
        found.append(
            {
                "flag": one,
                "answer": answered,
                "reinstated": taken_back,
                "form": AnswerRecallForm(auto_id=f"answer_{one.pk}_%s") if asked else None,
            }
        )
    return found


def _found(detector: UUID, version: UUID) -> DetectorVersion:
    return get_object_or_404(DetectorVersion.objects.select_related("detector"), pk=version, detector=detector)


def _standing(found: DetectorVersion) -> VersionRecall:
    standing = found.recalls.filter(reinstated=None).select_related("detector_version__detector").first()
    if standing is None:
        raise Refused("This version is not recalled.")
    return standing


def _page(
    request: HttpRequest,
    found: DetectorVersion,
    bound: dict[str, forms.Form] | None = None,
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    writes, bound = may(request.user, "detectors.write"), bound or {}
    history = list(found.recalls.select_related("reinstated").order_by("-at", "-id"))
    standing = next((one for one in history if getattr(one, "reinstated", None) is None), None)
    measured = precision.of_versions(found.detector).get(found.pk)
    context = {
        "section": "detectors",
        "page_title": f"{found.detector.name} {found.version}",
        "crumbs": [
            ("Detectors", reverse("detectors")),
            (found.detector.name, reverse("detector", args=[found.detector_id])),
            (found.version, ""),
        ],
        "version": found,
        "precision": measured,
        "precision_words": precision.in_words(measured),
        "rule": precision.RULE,
        "measures": [
            {"measure": one, "rate": f"{one.rate:.2%}", "interval": f"{one.low:.2%} – {one.high:.2%}"}
            for one in found.measures.order_by("-at", "-id")[:MOST_MEASURES]
        ],
        "measure_rule": measures.RULE,
        "recalls": history,
        "standing": standing,
        "findings": recalls.findings(found).count(),
        "writes": writes,
        "refusal": refusal,
        **_leaning(request, found),
        "recall_form": bound.get("recall_form") or RecallForm(auto_id="recall_form_%s"),
        "reinstate_form": bound.get("reinstate_form") or RecallForm(auto_id="reinstate_form_%s"),
    }
    return render(request, "detectors/version.html", context, status=shared.status_of(refusal) if refusal else status)


def _leaning(request: HttpRequest, found: DetectorVersion) -> dict[str, Any]:
    """What leans on it of what this person may know of: the start of every list, or the one of the address by pages."""
    if not may(request.user, "cases.read"):
        return {"reads_cases": False, "clusters": recalls.clusters(found).count(), "lists": []}
    wanted = request.GET.get("list", "")
    chosen = wanted if wanted in leaning.LISTS else ""
    lists = []
    for name, one in leaning.LISTS.items():
        rows = one.rows(found, request.user)
        total = rows.count()
        row: dict[str, Any] = {"name": name, "total": total, "address": shared.address(request, list=name)}
        if chosen in {"", name}:
            here = page(rows, one.order, cursor=request.GET.get("cursor", "") if chosen else "", size=SHOWN)
            row["rows"] = _ROWS[name](request, found, here.rows)
            row["pages"] = shared.pages(request, here, name, total=total, size=SHOWN) if chosen else None
            row["more"] = not chosen and bool(here.next)
        lists.append(row)
    return {
        "reads_cases": True,
        "clusters": next(one["total"] for one in lists if one["name"] == "clusters"),
        "lists": lists,
        "whole_address": shared.address(request, list="") if chosen else "",
    }


def _cluster_rows(request: HttpRequest, _: DetectorVersion, rows: list[Any]) -> list[dict[str, Any]]:
    """Clusters, each with its lead where this person may know of one."""
    known = visible_leads(request.user).filter(sightings__cluster__in=[one.pk for one in rows])
    leads = dict(known.values_list("sightings__cluster", "pk"))
    return [{"cluster": one, "lead": leads.get(one.pk)} for one in rows]


def _lead_rows(_: HttpRequest, __: DetectorVersion, rows: list[Lead]) -> list[Lead]:
    return rows


def _case_rows(_: HttpRequest, found: DetectorVersion, rows: list[Case]) -> list[dict[str, Any]]:
    """Cases with the last flag of the recall that stands."""
    flags = RecallFlag.objects.filter(recall__detector_version=found, recall__reinstated=None, case__in=rows)
    flagged = {one.case_id: one for one in flags.select_related("answer").order_by("at", "id")}
    return [{"case": one, "flag": flagged.get(one.pk)} for one in rows]


def _dossier_rows(_: HttpRequest, __: DetectorVersion, rows: list[Any]) -> list[Any]:
    return rows


def _disclosure_rows(_: HttpRequest, found: DetectorVersion, rows: list[Any]) -> list[dict[str, Any]]:
    """Disclosures with the draft of the recall that stands."""
    mine = RecallDraft.objects.filter(recall__detector_version=found, recall__reinstated=None, ask__in=rows)
    drafts = {one.ask_id: one for one in mine}
    return [{**disclosed.row(one), "draft": drafts.get(one.pk)} for one in rows]


_ROWS: dict[str, Callable[[HttpRequest, DetectorVersion, list[Any]], list[Any]]] = {
    "clusters": _cluster_rows,
    "leads": _lead_rows,
    "cases": _case_rows,
    "dossiers": _dossier_rows,
    "disclosures": _disclosure_rows,
}
