"""The keys of detectors: which there are, until when, from where; make one, replace one, revoke one."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from cases.views.shared import person
from detection import registry
from people import actions as verbs
from people import key_health
from people.forms import DetectorKeyForm, LimitsForm, ReplaceKeyForm
from people.models import DetectorKey
from people.policy import requires
from people.reauth import recently_proven
from people.views.shared import refuse, shown_once
from spine.errors import Refused

SHOWN = 500


@requires("detectors.write")
@recently_proven
@never_cache
def detector_keys(request: HttpRequest) -> HttpResponse:
    """The list, and a form for a new one."""
    form = DetectorKeyForm(request.POST if request.method == "POST" else None, auto_id="key_%s")
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                value = _create(request, form)
            except Refused as refusal:
                status = refuse(form, refusal, {"name": "detector"})
            else:
                detector = form.cleaned_data["detector"]
                return _shown(request, detector, value, "It may send this detector's findings, nothing else.")
    keys = DetectorKey.objects.filter(revoked_at=None).order_by("detector", "-created_at")[:SHOWN]
    context = {
        "section": "people",
        "page_title": "Detector keys",
        "crumbs": [("People", reverse("people")), ("Detector keys", "")],
        "keys": key_health.with_successors(keys),
        "form": form,
    }
    return render(request, "people/detector_keys.html", context, status=status)


def _create(request: HttpRequest, form: DetectorKeyForm) -> str:
    given = form.cleaned_data
    _, value = registry.create_detector(
        actor=person(request).principal,
        name=given["detector"],
        key_name=given["name"],
        days=given["expires_in_days"],
        networks=given["networks"].split(),
        limits=form.limits,
    )
    return value


def _shown(request: HttpRequest, detector: str, value: str, about: str) -> HttpResponse:
    return shown_once(
        request,
        title=f"New key of {detector}",
        lede=f"Copy it now: it is shown this once and kept nowhere. {about}",
        label="Detector key",
        secrets=[value],
        back=("the detector keys", reverse("detector_keys")),
    )


@requires("detectors.write")
@recently_proven
@never_cache
def limit_detector_key(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What a key may send in a time: a form with what is set now."""
    key = DetectorKey.objects.filter(pk=pk, revoked_at=None).first()
    if key is None:
        raise Http404("There is no such key.")
    form = LimitsForm(request.POST if request.method == "POST" else None, initial=key.limits, auto_id="limit_%s")
    if form.is_bound and form.is_valid():
        verbs.limit_detector_key(key, actor=person(request).principal, limits=form.limits)
        messages.success(request, f"The limits of a key of {key.detector} are set.")
        return redirect("detector_keys")
    context = {
        "section": "people",
        "page_title": f"Limits of a key of {key.detector}",
        "crumbs": [("People", reverse("people")), ("Detector keys", reverse("detector_keys")), ("Limits", "")],
        "key": key,
        "form": form,
    }
    return render(request, "people/detector_key_limits.html", context, status=422 if form.is_bound else 200)


@requires("detectors.write")
@recently_proven
@never_cache
def replace_detector_key(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A key that takes the place of another; what opens is in the answer, this once."""
    key = DetectorKey.objects.filter(pk=pk, revoked_at=None).first()
    if key is None:
        raise Http404("There is no such key.")
    form = ReplaceKeyForm(
        request.POST if request.method == "POST" else None, initial={"name": key.name}, auto_id="replace_%s"
    )
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            given = form.cleaned_data
            try:
                _, value = verbs.replace_detector_key(
                    key,
                    actor=person(request).principal,
                    name=given["name"],
                    days=given["expires_in_days"],
                    overlap=given["overlap_days"],
                )
            except Refused as refusal:
                status = refuse(form, refusal)
            else:
                return _shown(request, key.detector, value, _until_when(key))
    context = {
        "section": "people",
        "page_title": f"Replace a key of {key.detector}",
        "crumbs": [("People", reverse("people")), ("Detector keys", reverse("detector_keys")), ("Replace", "")],
        "key": key,
        "form": form,
    }
    return render(request, "people/detector_key_replace.html", context, status=status)


def _until_when(old: DetectorKey) -> str:
    old.refresh_from_db()
    if old.is_usable:
        return f"The old one, rt_det_{old.prefix}_…, works until {old.expires_at:%-d %b %Y %H:%M} UTC."
    return f"The old one, rt_det_{old.prefix}_…, has ended."


@requires("detectors.write")
def revoke_detector_key(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Revoke a detector's key."""
    if request.method == "POST":
        key = DetectorKey.objects.filter(pk=pk).first()
        if key is None:
            raise Http404("There is no such key.")
        verbs.revoke_detector_key(key, actor=person(request).principal)
        messages.success(request, "The key is revoked.")
    return redirect("detector_keys")
