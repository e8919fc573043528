"""One's notices, and what one wants to be told and how."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from cases import notices
from cases.forms_notices import NoticeSettingsForm
from cases.views import shared
from people.mail import address_of
from people.policy import signed_in
from people.views.shared import refuse
from spine.errors import Refused

SHOWN = 100
KEPT_IN_SIGHT = timedelta(days=30)


@signed_in
@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    """What one has not seen, then what one saw within the last days."""
    person = shared.person(request)
    mine = notices.of(person)
    unseen = list(mine.filter(seen_at=None)[:SHOWN])
    context = {
        "page_title": "Notices",
        "crumbs": [("You", reverse("me")), ("Notices", "")],
        "unseen": unseen,
        "seen": list(mine.filter(seen_at__gt=timezone.now() - KEPT_IN_SIGHT)[:SHOWN]),
        "shown": SHOWN,
    }
    return render(request, "cases/notices.html", context)


@signed_in
def see_all(request: HttpRequest) -> HttpResponse:
    """Say that one has seen all of them, but those that stand on every page: each of these is said by itself."""
    if request.method == "POST":
        count = notices.see_all(shared.person(request))
        messages.success(request, f"{count:,} notice{'' if count == 1 else 's'} marked as seen.")
    return redirect("notices")


@signed_in
def settings(request: HttpRequest) -> HttpResponse:
    """What one is told and how. Mails lead here, for who wants fewer of them."""
    person = shared.person(request)
    held = notices.settings_of(person)
    form = NoticeSettingsForm(request.POST if request.method == "POST" else None, held=held)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                notices.choose(person, ways=form.ways, digest_hour=form.cleaned_data["digest_hour"])
            except Refused as refusal:
                status = refuse(form, refusal)
            else:
                messages.success(request, "Kept.")
                return redirect("notice_settings")
    context = {
        "page_title": "What you are told",
        "crumbs": [("You", reverse("me")), ("Notices", reverse("notices")), ("What you are told", "")],
        "form": form,
        "mail_address": address_of(person),
    }
    return render(request, "cases/notice_settings.html", context, status=status)
