"""Detectors: who answers for each, where it stands, what it promised, what came back, and what is set aside."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import precision
from cases.forms_detectors import (
    CanaryForm,
    DescribeForm,
    ExcludeForm,
    GroupingForm,
    LiftForm,
    MoveForm,
    QuarantineForm,
)
from cases.views import case_frame, shared
from detection import detector_health, detector_verbs, measures, queries, registry, standing
from detection.grouping import grouping_of
from detection.models import Canary, Detector, ExcludedValue, FindingBatch, Lifecycle, Quarantine, VersionRecall
from people.models import DetectorKey
from people.policy import requires
from people.rights import may
from spine.errors import Refused

BADGES = {Lifecycle.DRAFT: "queued", Lifecycle.MONITOR: "running", Lifecycle.ACTIVE: "done", Lifecycle.RETIRED: ""}
DAYS = timedelta(days=7)
SHOWN = 500
Bound = dict[str, forms.Form]


@requires("detectors.read")
@require_safe
def detector_list(request: HttpRequest) -> HttpResponse:
    """Every detector, where it stands, and whether it is heard of."""
    found = list(queries.detectors().order_by("name"))
    now = timezone.now()
    canaries: dict[UUID, list[bool]] = {}
    for one in detector_health.canaries_of(found):
        canaries.setdefault(one.canary.detector_id, []).append(one.missing)
    context = {
        "section": "detectors",
        "page_title": "Detectors",
        "detectors": [
            {
                "detector": one,
                "badge": BADGES[Lifecycle(one.lifecycle)],
                "silent": detector_health.silent_since(one, now),
                "canaries": len(canaries.get(one.pk, [])),
                "missing": sum(canaries.get(one.pk, [])),
            }
            for one in found
        ],
        "meanings": [(Lifecycle(name).label, text) for name, text in detector_verbs.MEANINGS.items()],
        "writes": may(request.user, "detectors.write"),
    }
    return render(request, "detectors/list.html", context)


@requires("detectors.read")
@require_safe
def detector(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One detector."""
    return _page(request, get_object_or_404(Detector, pk=pk))


@requires("detectors.read", "detectors.write")
def describe(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say who answers for it and what is expected of it."""
    return _posted(
        request,
        pk,
        "describe_form",
        DescribeForm,
        lambda found, form, actor: detector_verbs.describe_detector(found, actor=actor, **form.given()),
        "The description is saved.",
    )


@requires("detectors.read", "detectors.write")
def move(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Move it on in its lifecycle."""
    return _posted(
        request,
        pk,
        "move_form",
        MoveForm,
        lambda found, form, actor: detector_verbs.move_detector(found, actor=actor, **form.cleaned_data),
        "The detector is moved.",
    )


@requires("detectors.read", "detectors.write")
def group(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say how its findings are joined into leads."""
    return _posted(
        request,
        pk,
        "grouping_form",
        GroupingForm,
        lambda found, form, actor: detector_verbs.set_grouping(
            found, actor=actor, revision=form.cleaned_data["revision"], grouping=form.given()
        ),
        "The grouping is saved.",
    )


@requires("leads.read")
def excluded(request: HttpRequest) -> HttpResponse:
    """The values that join no accounts, and a form for another."""
    writes = may(request.user, "leads.write")
    if request.method == "POST" and not writes:
        raise PermissionDenied
    form = ExcludeForm(request.POST if request.method == "POST" else None, auto_id="exclude_%s")
    if form.is_bound and form.is_valid():
        try:
            detector_verbs.exclude_value(actor=shared.person(request).principal, **form.cleaned_data)
        except Refused as refusal:
            case_frame.refuse(form, refusal)
        else:
            messages.success(request, "The value joins no accounts any more.")
            return redirect("excluded")
    context = {
        "section": "detectors",
        "page_title": "Values that join nobody",
        "crumbs": [("Detectors", reverse("detectors")), ("Values that join nobody", "")],
        "values": ExcludedValue.objects.filter(removed_at=None).order_by("type", "value")[:SHOWN],
        "form": form if writes else None,
    }
    return render(request, "detectors/excluded.html", context, status=422 if form.is_bound else 200)


@requires("leads.read", "leads.write")
def readmit(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let a value join accounts again."""
    if request.method == "POST":
        found = get_object_or_404(ExcludedValue, pk=pk)
        detector_verbs.readmit_value(found, actor=shared.person(request).principal)
        messages.success(request, "The value joins accounts again.")
    return redirect("excluded")


@requires("detectors.read", "detectors.write")
def plant(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Plant a canary."""
    return _posted(
        request,
        pk,
        "canary_form",
        lambda _, data: CanaryForm(data, auto_id="canary_%s"),
        lambda found, form, actor: detector_verbs.plant_canary(found, actor=actor, **form.cleaned_data),
        "The canary is planted.",
    )


@requires("detectors.read", "detectors.write")
def remove(request: HttpRequest, pk: UUID, canary: UUID) -> HttpResponse:
    """Expect a canary no more."""
    if request.method == "POST":
        found = get_object_or_404(Canary.objects.select_related("detector"), pk=canary, detector=pk)
        detector_verbs.remove_canary(found, actor=shared.person(request).principal)
        messages.success(request, "The canary is removed.")
    return redirect("detector", pk)


@requires("detectors.read", "detectors.write")
def quarantine(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Set aside what a key sent."""

    def verb(found: Detector, form: Any, actor: str) -> Quarantine:
        given = dict(form.cleaned_data)
        key = detector_verbs.key_named(found, UUID(given.pop("key")))
        return detector_verbs.quarantine(key, actor=actor, **given)

    return _posted(request, pk, "quarantine_form", QuarantineForm, verb, "The findings are set aside.")


@requires("detectors.read", "detectors.write")
def lift(request: HttpRequest, pk: UUID, found: UUID) -> HttpResponse:
    """Let findings count again."""
    one = get_object_or_404(Quarantine.objects.select_related("detector"), pk=found, detector=pk)
    return _posted(
        request,
        pk,
        f"lift_{found}",
        lambda _, data: LiftForm(data, auto_id=f"lift_{found}_%s"),
        lambda _, form, actor: detector_verbs.lift_quarantine(one, actor=actor, **form.cleaned_data),
        "The findings count again.",
    )


def _posted(
    request: HttpRequest,
    pk: UUID,
    name: str,
    make: Callable[[Detector, Any], Any],
    verb: Callable[[Detector, Any, str], Any],
    said: str,
) -> HttpResponse:
    """One form of the page: bound, given to its verb, and back to the page; refused, the page with the form open."""
    if request.method != "POST":
        return redirect("detector", pk)
    found = get_object_or_404(Detector, pk=pk)
    form = make(found, request.POST)
    if not form.is_valid():
        return _page(request, found, {name: form}, status=422)
    try:
        verb(found, form, shared.person(request).principal)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, {name: form}, refusal=refusal)
    messages.success(request, said)
    return redirect("detector", pk)


def _page(
    request: HttpRequest,
    found: Detector,
    bound: Bound | None = None,
    *,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    found = queries.detectors().get(pk=found.pk)
    writes = may(request.user, "detectors.write")
    bound = bound or {}
    keys = {key.pk: key for key in DetectorKey.objects.filter(detector=found.name)}
    context = {
        "section": "detectors",
        "page_title": found.title or found.name,
        "crumbs": [("Detectors", reverse("detectors")), (found.name, "")],
        "detector": found,
        "badge": BADGES[Lifecycle(found.lifecycle)],
        "meaning": detector_verbs.MEANINGS[found.lifecycle],
        "silent": detector_health.silent_since(found, timezone.now()),
        "canaries": detector_health.canaries_of([found]),
        "identify": writes or may(request.user, "accounts.identify"),
        "week": FindingBatch.objects.filter(detector=found, received_at__gte=timezone.now() - DAYS),
        "stated": registry.statement_of(found),
        "versions": _versions(found),
        "grouping": grouping_of(found),
        "feeds": list(found.feeds.order_by("name")),
        "keys": [key for key in keys.values() if key.revoked_at is None] if writes else [],
        "quarantines": [_quarantine(one, keys, bound) for one in _quarantines(found)],
        "writes": writes,
        "refusal": refusal,
        **(_forms(found, keys, bound) if writes else {}),
    }
    context["week"] = sum(context["week"].values_list("count", flat=True))
    return render(request, "detectors/detector.html", context, status=shared.status_of(refusal) if refusal else status)


def _versions(found: Detector) -> list[dict[str, Any]]:
    """The versions, newest first, with what verdicts say of each and whether it is recalled."""
    measured = precision.of_versions(found)
    recalled = set(
        VersionRecall.objects.filter(detector_version__detector=found, reinstated=None).values_list(
            "detector_version", flat=True
        )
    )
    rows = sorted(found.versions.all(), key=lambda one: one.first_seen_at, reverse=True)
    return [
        {
            "version": one,
            "precision": precision.in_words(measured.get(one.pk)),
            "false_positives": measures.in_words(measures.newest(one)),
            "recalled": one.pk in recalled,
        }
        for one in rows
    ]


def _quarantines(found: Detector) -> QuerySet[Any]:
    quarantines = Quarantine.objects.filter(detector=found).select_related("lifted")
    return standing.counted(quarantines).order_by("-at", "-id")


def _quarantine(one: Any, keys: dict[UUID, DetectorKey], bound: Bound) -> dict[str, Any]:
    lifted = getattr(one, "lifted", None)
    key = keys.get(one.key_id)
    form = bound.get(f"lift_{one.pk}") or LiftForm(auto_id=f"lift_{one.pk}_%s")
    return {
        "quarantine": one,
        "prefix": key.prefix if key else "",
        "findings": one.covered,
        "lifted": lifted,
        "form": None if lifted else form,
    }


def _forms(found: Detector, keys: dict[UUID, DetectorKey], bound: Bound) -> dict[str, Any]:
    made: dict[str, Any] = {
        "describe_form": DescribeForm(found),
        "move_form": MoveForm(found),
        "grouping_form": None if found.built_in else GroupingForm(found),
        "canary_form": None if found.built_in and not found.versions.all() else CanaryForm(auto_id="canary_%s"),
        "quarantine_form": QuarantineForm(found) if keys else None,
    }
    return made | {name: form for name, form in bound.items() if name in made}
