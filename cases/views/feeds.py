"""Feeds: how they stand, what each pull brought, and for administrators setting up, trying, changing, pausing."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases.forms_feeds import BackfillForm, FeedForm, RevisionForm
from cases.views import case_frame, shared
from cases.views.jobs import progress
from detection import feed_health, feed_verbs, trying
from detection.feeds import FEEDS
from detection.models import Feed, FeedPull
from people.policy import requires
from people.rights import may
from spine.errors import Refused
from spine.models import Job

SHOWN = 50
BADGES = {"well": "done", "failing": "warn", "stalled": "failed", "running": "running", "new": "queued", "paused": ""}
PULL_BADGES = {"done": "done", "failed": "failed", "running": "running", "stopped": "warn"}


@requires("detectors.read")
@require_safe
def feed_list(request: HttpRequest) -> HttpResponse:
    """Every feed and how it stands."""
    running = set(feed_health.unfinished("feed.pull").values_list("key", flat=True))
    feeds = feed_health.feeds().order_by("name")
    context = {
        "section": "feeds",
        "page_title": "Feeds",
        "feeds": [_shown(feed, running=str(feed.pk) in running) for feed in feeds],
        "writes": may(request.user, "detectors.write"),
    }
    return render(request, "feeds/list.html", context)


@requires("detectors.write")
def new_feed(request: HttpRequest) -> HttpResponse:
    """Choose a kind, fill in its form, try it, save it."""
    kind = request.POST.get("kind", "") if request.method == "POST" else request.GET.get("kind", "")
    if kind not in FEEDS:
        return _kinds(request, status=422 if request.method == "POST" else 200)
    if request.method != "POST":
        return _form_page(request, FeedForm(kind))
    form = FeedForm(kind, request.POST)
    return _tried_or_saved(request, form)


@requires("detectors.write")
def edit_feed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The same for a feed that is there."""
    feed = get_object_or_404(Feed.objects.select_related("detector"), pk=pk)
    if request.method != "POST":
        return _form_page(request, FeedForm(feed.kind, feed=feed))
    return _tried_or_saved(request, FeedForm(feed.kind, request.POST, feed=feed))


@requires("detectors.read")
@require_safe
def feed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One feed with its pulls."""
    return _feed_page(request, get_object_or_404(Feed.objects.select_related("detector"), pk=pk))


@requires("detectors.read", "detectors.write")
def pull_feed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pull now; the page shows how far it is."""
    if request.method == "POST":
        found = get_object_or_404(Feed, pk=pk)
        try:
            feed_verbs.request_pull(found, actor=shared.person(request).principal)
        except Refused as refusal:
            return _feed_page(request, found, refusal=refusal)
        messages.success(request, "The pull is asked for.")
    return redirect("feed", pk)


@requires("detectors.read", "detectors.write")
def pause_feed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pause a feed, or resume one that is paused."""
    if request.method != "POST":
        return redirect("feed", pk)
    found, form = get_object_or_404(Feed, pk=pk), RevisionForm(request.POST)
    if not form.is_valid():
        return _feed_page(request, found, status=422)
    verb = feed_verbs.resume_feed if request.POST.get("do") == "resume" else feed_verbs.pause_feed
    try:
        changed = verb(found, actor=shared.person(request).principal, **form.cleaned_data)
    except Refused as refusal:
        return _feed_page(request, found, refusal=refusal)
    messages.success(request, "The feed is paused." if changed.paused else "The feed is resumed.")
    return redirect("feed", pk)


@requires("detectors.read", "detectors.write")
def backfill_feed(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask for a window of the past."""
    if request.method != "POST":
        return redirect("feed", pk)
    found, form = get_object_or_404(Feed, pk=pk), BackfillForm(request.POST, auto_id="backfill_%s")
    if not form.is_valid():
        return _feed_page(request, found, form, status=422)
    try:
        feed_verbs.request_backfill(found, actor=shared.person(request).principal, **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _feed_page(request, found, form, refusal=refusal)
    messages.success(request, "The past is asked for.")
    return redirect("feed", pk)


def _tried_or_saved(request: HttpRequest, form: FeedForm) -> HttpResponse:
    if not form.is_valid():
        return _form_page(request, form, status=422)
    try:
        if request.POST.get("do") == "try":
            return _form_page(request, form, trial=_trial(form))
        saved = _saved(request, form)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _form_page(request, form, refusal=refusal, status=shared.status_of(refusal))
    messages.success(request, "The feed is saved; it is pulled within a minute.")
    return redirect("feed", saved.pk)


def _trial(form: FeedForm) -> trying.Trial:
    detector = form.feed.detector.name if form.feed else form.cleaned_data["detector"]
    return trying.try_feed(
        kind=form.kind,
        detector=detector,
        settings=form.settings(),
        mapping=form.mapping(),
        secret=form.secret(),
        feed=form.feed,
    )


def _saved(request: HttpRequest, form: FeedForm) -> Feed:
    actor, given = shared.person(request).principal, form.cleaned_data
    what: dict[str, Any] = {"settings": form.settings(), "mapping": form.mapping(), "secret": form.secret()}
    what["schedule_minutes"] = given["schedule_minutes"]
    if form.feed is not None:
        return feed_verbs.change_feed(form.feed, actor=actor, revision=given["revision"], **what)
    return feed_verbs.create_feed(actor=actor, name=given["name"], detector=given["detector"], kind=form.kind, **what)


def _kinds(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    context = {
        "section": "feeds",
        "page_title": "Set up a feed",
        "crumbs": [("Feeds", reverse("feeds")), ("Set up a feed", "")],
        "kinds": list(FEEDS.values()),
    }
    return render(request, "feeds/kinds.html", context, status=status)


def _form_page(
    request: HttpRequest,
    form: FeedForm,
    *,
    trial: trying.Trial | None = None,
    refusal: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    kind, changed = FEEDS[form.kind], form.feed
    title = f"Change {changed.name}" if changed else f"Set up a feed: {kind.title}"
    address = reverse("edit_feed", args=[changed.pk]) if changed else reverse("new_feed")
    crumbs = [("Feeds", reverse("feeds")), *([(changed.name, reverse("feed", args=[changed.pk]))] if changed else [])]
    context = {
        "section": "feeds",
        "page_title": title,
        "crumbs": [*crumbs, ("Change", "") if changed else ("Set up a feed", "")],
        "form": form,
        "kind": kind,
        "address": address,
        "trial": trial,
        "refusal": refusal,
    }
    return render(request, "feeds/form.html", context, status=status)


def _feed_page(
    request: HttpRequest,
    found: Feed,
    backfill: BackfillForm | None = None,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    found = feed_health.feeds().get(pk=found.pk)
    jobs = [*feed_health.unfinished("feed.pull"), *feed_health.unfinished("feed.backfill")]
    own = [job for job in jobs if job.key == str(found.pk)]
    writes = may(request.user, "detectors.write")
    context = {
        "section": "feeds",
        "page_title": found.name,
        "crumbs": [("Feeds", reverse("feeds")), (found.name, "")],
        **_shown(found, running=any(job.kind == "feed.pull" for job in own)),
        "kind": FEEDS[found.kind],
        "settings": [(name, _plain(value)) for name, value in found.settings.items()],
        "mapping": json.dumps(found.mapping, indent=2, ensure_ascii=False),
        "jobs": [{"job": job, **progress(job)} for job in own],
        "pulls": [_pull(pull) for pull in found.pulls.order_by("-id")[:SHOWN]],
        "shown": SHOWN,
        "writes": writes,
        "revision_form": RevisionForm(initial={"revision": found.revision}) if writes else None,
        "backfill_form": _backfill(found, backfill) if writes else None,
        "refusal": refusal,
    }
    return render(request, "feeds/feed.html", context, status=shared.status_of(refusal) if refusal else status)


def _backfill(found: Feed, bound: BackfillForm | None) -> forms.Form | None:
    """The form for a window of the past, where the feed can be asked for one."""
    try:
        usable, _ = feed_verbs.understood(found.kind, found.settings, found.mapping)
    except Refused:
        return bound
    return bound or (None if FEEDS[found.kind].windowed(usable) else BackfillForm(auto_id="backfill_%s"))


def _shown(feed: Feed, *, running: bool) -> dict[str, Any]:
    health = feed_health.health(feed, running=running)
    return {
        "feed": feed,
        "health": health,
        "badge": BADGES[health.state],
        "lag": _lasting(health.lag) if health.lag is not None else "",
    }


def _pull(pull: FeedPull) -> dict[str, Any]:
    job = None
    if pull.state == FeedPull.State.RUNNING:
        job = Job.objects.filter(pk=pull.job_id).first()
    ended = job is not None and job.is_finished
    words = f"ended without a word: {job.error}" if job and ended else pull.error
    return {"pull": pull, "badge": "failed" if ended else PULL_BADGES[pull.state], "words": words}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _lasting(span: timedelta) -> str:
    """A span of time in its largest unit."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
