"""The Timeline tab: three lanes by day, entries added, corrected and taken back by hand."""

from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from cases import actions, charts, timeline
from cases.access import case_for, note_for
from cases.forms import NoteForm
from cases.models import Case, TimelineNote
from cases.views import case_frame, shared
from cases.vocabulary import Lane
from people.policy import requires
from spine.errors import Refused

# Where the record behind an entry stands.
ADDRESSES = {"activity": "case_accounts", "findings": "case_findings", "decision": "case_log"}
COPIED = ("lane", "starts_at", "ends_at", "text", "source", "confidence")


@requires("cases.read", "cases.write", hidden=True)
@shared.chart_page
def timeline_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """The entries; a post adds one, or corrects one."""
    if request.method == "POST":
        return _add(request, ref)
    case = case_for(request.user, ref)
    return _page(request, case, _form(request, case))


@requires("cases.read", "cases.write", hidden=True)
@case_frame.posted("case_timeline")
@shared.chart_page
def withdraw_timeline_note(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Take an entry back."""
    note = note_for(request.user, ref, pk, write=True)
    try:
        actions.withdraw_timeline_note(note, actor=shared.person(request), reason=request.POST.get("reason", ""))
    except Refused as refusal:
        found = case_for(request.user, ref)
        return _page(request, found, _form(request, found), status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Taken back; it stays in the log.")
    return redirect("case_timeline", ref)


def _add(request: HttpRequest, ref: str) -> HttpResponse:
    found = case_for(request.user, ref, write=True)
    form = NoteForm(request.POST, auto_id="note_%s")
    if not form.is_valid():
        return _page(request, found, form, status=422)
    given = dict(form.cleaned_data)
    supersedes = given.pop("supersedes")
    try:
        corrected = note_for(request.user, ref, supersedes, write=True) if supersedes else None
        actions.add_timeline_note(found, actor=shared.person(request), supersedes=corrected, **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _page(request, found, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Corrected; the earlier entry stays in the log." if supersedes else "Added.")
    return HttpResponseRedirect(reverse("case_timeline", args=[ref]))


def _form(request: HttpRequest, case: Case) -> NoteForm:
    """An empty form, or one filled with the entry that is to be corrected."""
    wanted = case_frame.some_id(request.GET.get("correct"))
    note = TimelineNote.objects.filter(case=case, pk=wanted, withdrawn=False).first() if wanted else None
    if note is None:
        return NoteForm(auto_id="note_%s", initial={"lane": Lane.ACCOUNTS.value})
    initial = {name: getattr(note, name) for name in COPIED} | {"supersedes": note.pk}
    return NoteForm(auto_id="note_%s", initial=initial)


def _page(
    request: HttpRequest, case: Case, form: NoteForm, *, status: int = 200, refusal: Refused | None = None
) -> HttpResponse:
    counts = timeline.counts(case)
    lane = request.GET.get("lane", "")
    lane = lane if lane in Lane.values else ""
    page = timeline.page(case, lane=lane, cursor=request.GET.get("cursor", ""))
    writable = case_frame.writable(request, case)
    context = {
        **case_frame.context(request, case, "case_timeline", refusal=refusal),
        "chart": charts.volume_chart(case),
        "chips": shared.chips(
            request, "lane", [("", "all lanes"), *Lane.choices], {**counts, "": sum(counts.values())}, lane
        ),
        "days": _days(case, page.entries, writable),
        "pages": _pages(request, page, counts.get(lane, sum(counts.values()))),
        "note_form": form if writable else None,
        "correcting": bool(form["supersedes"].value()),
    }
    return render(request, "cases/case_timeline.html", context, status=status)


def _days(case: Case, entries: list[timeline.Entry], writable: bool) -> list[dict[str, Any]]:
    return [
        {"day": day, "entries": [_row(case, entry, writable) for entry in found]}
        for day, found in groupby(entries, key=lambda entry: entry.at.date())
    ]


def _row(case: Case, entry: timeline.Entry, writable: bool) -> dict[str, Any]:
    name = ADDRESSES.get(entry.kind)
    return {
        "at": entry.at,
        "until": entry.until,
        "lane": entry.lane,
        "ruled": entry.ruled,
        "text": entry.text,
        "source": entry.source,
        "confidence": entry.confidence,
        "accounts": entry.accounts,
        "address": reverse(name, args=[case.ref]) if name else "",
        "note": entry.item_id if entry.kind == "note" else None,
        "may_withdraw": writable and entry.kind == "note",
    }


def _pages(request: HttpRequest, page: timeline.Page, total: int) -> dict[str, Any]:
    at, size = shared.whole(request.GET.get("at")), len(page.entries)
    before = max(0, at - timeline.PAGE)
    return {
        "first": at + 1,
        "last": at + size if size else 0,
        "total": total,
        "previous_url": shared.address(request, cursor=page.previous, at=before or "") if page.previous else "",
        "next_url": shared.address(request, cursor=page.next, at=at + size) if page.next else "",
        "noun": "entries",
    }
