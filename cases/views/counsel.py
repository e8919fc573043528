"""The counsel track of a case: notes, members, log, exports. Who is no member meets the 404 of a missing page.

Every page shown is an entry in the track's own log, once a view.
"""

from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import counsel, paging
from cases.actions import counsel as verbs
from cases.actions.base import require
from cases.api.shared import attachment
from cases.counsel import Door
from cases.counsel_export import name
from cases.forms_counsel import CounselExportForm, CounselMemberForm, CounselNoteForm, EndMemberForm, OpenTrackForm
from cases.models import CounselNote, CounselTrack
from cases.views import case_frame, shared
from cases.views.log import entry_rows
from people.policy import requires
from people.reauth import recently_proven
from spine.errors import Refused

TABS = {
    "counsel": "Notes",
    "counsel_members": "Members",
    "counsel_log": "Log",
    "counsel_exports": "Exports",
}
COPIED = ("topic", "text", "direction", "exhibits")
View = Callable[..., HttpResponseBase]


def posted(view: View) -> View:
    """For views that only take a post: a member who comes otherwise is led to the notes, anybody else finds nothing."""

    @wraps(view)
    def led(request: HttpRequest, ref: str, **given: Any) -> HttpResponseBase:
        if request.method == "POST":
            return view(request, ref, **given)
        counsel.door_for(request.user, ref)
        return redirect("counsel", ref)

    return led


@requires("cases.read", hidden=True)
@shared.refused_page
def notes(request: HttpRequest, ref: str) -> HttpResponse:
    """The notes; a post adds one, or corrects one."""
    if request.method == "POST":
        return _write(request, ref)
    door = counsel.door_for(request.user, ref)
    if door.track is None:
        return _page(request, door, "counsel", {"open_form": OpenTrackForm(auto_id="open_%s")})
    return _notes(request, door, door.track, _note_form(request, door.track))


@requires("cases.read", hidden=True)
@posted
def open_track(request: HttpRequest, ref: str) -> HttpResponse:
    """Open the track."""
    door = counsel.door_for(request.user, ref, write=True)
    form = OpenTrackForm(request.POST, auto_id="open_%s")
    if not form.is_valid():
        return _page(request, door, "counsel", {"open_form": form}, status=422)
    try:
        verbs.open_track(door.case, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        now = counsel.door_for(request.user, ref)
        shown = {} if now.track else {"open_form": form}
        return _page(request, now, "counsel", shown, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "The counsel track is open. Only its members know of it.")
    return redirect("counsel", ref)


@requires("cases.read", hidden=True)
@posted
def withdraw_note(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """Take a note back."""
    _, track = counsel.track_for(request.user, ref, write=True)
    try:
        verbs.withdraw_note(counsel.note_of(track, pk), actor=shared.person(request))
    except Refused as refusal:
        door = counsel.door_for(request.user, ref)
        return _notes(request, door, track, CounselNoteForm(auto_id="note_%s"), refusal=refusal)
    messages.success(request, "Taken back; it stays in the history of the track.")
    return redirect("counsel", ref)


@requires("cases.read", hidden=True)
@shared.refused_page
def members(request: HttpRequest, ref: str) -> HttpResponse:
    """Who can read the track and why; a post lets somebody in."""
    if request.method != "POST":
        counsel.track_for(request.user, ref)
        return _members(request, counsel.door_for(request.user, ref), CounselMemberForm(auto_id="member_%s"))
    door, track = _counsel_only(request, ref)
    form = CounselMemberForm(request.POST, auto_id="member_%s")
    if not form.is_valid():
        return _members(request, door, form, status=422)
    try:
        verbs.add_member(track, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _members(request, door, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, f"{form.cleaned_data['person']} is a member now.")
    return redirect("counsel_members", ref)


@requires("cases.read", hidden=True)
@posted
def end_member(request: HttpRequest, ref: str, pk: UUID) -> HttpResponse:
    """End a membership."""
    door, track = _counsel_only(request, ref)
    member = counsel.member_of(track, pk)
    form = EndMemberForm(request.POST, auto_id=f"end_{pk}_%s")
    refusal = None
    if form.is_valid():
        try:
            verbs.end_member(member, actor=shared.person(request), **form.cleaned_data)
        except Refused as told:
            refusal = told
            case_frame.refuse(form, told)
        else:
            messages.success(request, f"{member.user} is no member any more.")
            return redirect("counsel_members", ref)
    status = shared.status_of(refusal) if refusal else 422
    fresh = CounselMemberForm(auto_id="member_%s")
    return _members(request, door, fresh, status=status, refusal=refusal, ending={pk: form})


@requires("cases.read", hidden=True)
@require_safe
@shared.refused_page
def log(request: HttpRequest, ref: str) -> HttpResponse:
    """Who read, wrote, let in and exported; nobody else sees these entries anywhere."""
    _, track = counsel.track_for(request.user, ref)
    door = counsel.door_for(request.user, ref)
    rows = counsel.entries(track)
    page = paging.page(rows, ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    context = {
        "entries": entry_rows(page.rows),
        "pages": shared.pages(request, page, "entries", total=rows.count()),
    }
    return _page(request, door, "counsel_log", context)


@requires("cases.read", hidden=True)
@shared.refused_page
def exports(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The distribution log; a post makes an export and gives it out, to a member who confirms who they are."""
    write = request.method == "POST"
    _, track = counsel.track_for(request.user, ref, write=write)
    door = counsel.door_for(request.user, ref)
    if write:
        return _export(request, door, track)
    return _exports(request, door, track, CounselExportForm(auto_id="export_%s"))


@recently_proven
def _export(request: HttpRequest, door: Door, track: CounselTrack) -> HttpResponseBase:
    """Asked for behind the track's door only: who is no member is not asked, or the question would tell of a track."""
    form = CounselExportForm(request.POST, auto_id="export_%s")
    if not form.is_valid():
        return _exports(request, door, track, form, status=422)
    try:
        row, content = verbs.export(track, actor=shared.person(request), **form.cleaned_data)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _exports(request, door, track, form, status=shared.status_of(refusal), refusal=refusal)
    return attachment(BytesIO(content), name=f"{name(row)}.zip", media_type="application/zip", size=len(content))


def _counsel_only(request: HttpRequest, ref: str) -> tuple[Door, CounselTrack]:
    """Only counsel decides who is let in; other members are told so by the verb, which asks for the right."""
    _, track = counsel.track_for(request.user, ref)
    require(shared.person(request), "counsel.track")
    return counsel.door_for(request.user, ref), track


def _write(request: HttpRequest, ref: str) -> HttpResponse:
    _, track = counsel.track_for(request.user, ref, write=True)
    door = counsel.door_for(request.user, ref)
    form = CounselNoteForm(request.POST, auto_id="note_%s")
    if not form.is_valid():
        return _notes(request, door, track, form, status=422)
    given = dict(form.cleaned_data)
    supersedes = given.pop("supersedes")
    try:
        corrected = counsel.note_of(track, supersedes) if supersedes else None
        verbs.add_note(track, actor=shared.person(request), supersedes=corrected, **given)
    except Refused as refusal:
        case_frame.refuse(form, refusal)
        return _notes(request, door, track, form, status=shared.status_of(refusal), refusal=refusal)
    messages.success(request, "Corrected; the earlier note stays in the history." if supersedes else "Written.")
    return redirect("counsel", ref)


def _note_form(request: HttpRequest, track: CounselTrack) -> CounselNoteForm:
    """An empty form, or one filled with the note that is to be corrected."""
    wanted = case_frame.some_id(request.GET.get("correct"))
    note = counsel.notes(track).filter(pk=wanted).first() if wanted else None
    if note is None:
        return CounselNoteForm(auto_id="note_%s")
    initial = {field: getattr(note, field) for field in COPIED} | {"supersedes": note.pk}
    return CounselNoteForm(auto_id="note_%s", initial=initial)


def _notes(
    request: HttpRequest,
    door: Door,
    track: CounselTrack,
    form: CounselNoteForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    rows = counsel.notes(track)
    page = paging.page(rows, ("-at", "-id"), cursor=request.GET.get("cursor", ""))
    context = {
        "notes": _note_rows(door, track, page.rows),
        "pages": shared.pages(request, page, "notes", total=rows.count()),
        "note_form": form if door.writes else None,
        "correcting": bool(form["supersedes"].value()),
    }
    code = shared.status_of(refusal) if refusal else status
    return _page(request, door, "counsel", context, status=code, refusal=refusal)


def _note_rows(door: Door, track: CounselTrack, shown: list[CounselNote]) -> list[dict[str, Any]]:
    older = counsel.earlier(track, shown)
    items = counsel.exhibits(door.case, {number for note in shown for number in note.exhibits})
    at = reverse("case_evidence", args=[door.case.ref])
    return [
        {
            "note": note,
            "earlier": older[note.pk],
            "exhibits": [
                {"label": f"{items[number].exhibit}: {items[number].title}", "address": f"{at}#exhibit-{number}"}
                for number in note.exhibits
                if number in items
            ],
        }
        for note in shown
    ]


def _members(
    request: HttpRequest,
    door: Door,
    form: CounselMemberForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    ending: dict[UUID, forms.Form] | None = None,
) -> HttpResponse:
    rows: list[dict[str, Any]] = []
    for member in counsel.members(door.case, door.track):
        offered = door.counsel and member.row is not None
        pk = member.row.pk if member.row else None
        end_form = (ending or {}).get(pk) if pk else None
        rows.append(
            {
                "member": member,
                "end_form": (end_form or EndMemberForm(auto_id=f"end_{pk}_%s")) if offered else None,
            }
        )
    context = {"members": rows, "member_form": form if door.counsel else None}
    return _page(request, door, "counsel_members", context, status=status, refusal=refusal)


def _exports(
    request: HttpRequest,
    door: Door,
    track: CounselTrack,
    form: CounselExportForm,
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    context = {"exports": counsel.exports(track), "export_form": form if door.writes else None}
    return _page(request, door, "counsel_exports", context, status=status, refusal=refusal)


def _page(
    request: HttpRequest,
    door: Door,
    tab: str,
    context: dict[str, Any],
    *,
    status: int = 200,
    refusal: Refused | None = None,
) -> HttpResponse:
    """Render a page of the track; every view of it is an entry in the track's log."""
    if door.track is not None:
        verbs.record_read(door.track, actor=shared.person(request), page=TABS[tab].lower())
    case = door.case
    frame = {
        "section": "cases",
        "page_title": f"{case.ref} Counsel {TABS[tab].lower()}",
        "crumbs": [("Cases", reverse("cases")), (case.ref, reverse("case", args=[case.ref])), ("Counsel track", "")],
        "case": case,
        "track": door.track,
        "marking": door.marking,
        "tabs": [
            {"label": label, "address": reverse(view, args=[case.ref]), "count": None, "current": view == tab}
            for view, label in TABS.items()
        ],
        "refusal": refusal,
    }
    return render(request, f"counsel/{tab}.html", {**frame, **context}, status=status)
