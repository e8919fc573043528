"""The addresses of the counsel track, under /api/v1/."""

from django.urls import URLPattern, path

from cases.api import counsel

urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/counsel/", counsel.Track.as_view(), name="counsel"),
    path("cases/<str:ref>/counsel/notes/", counsel.Notes.as_view(), name="counsel-notes"),
    path(
        "cases/<str:ref>/counsel/notes/<uuid:counsel_note_id>/withdraw/",
        counsel.WithdrawCounselNote.as_view(),
        name="counsel-withdraw",
    ),
    path("cases/<str:ref>/counsel/members/", counsel.Members.as_view(), name="counsel-members"),
    path(
        "cases/<str:ref>/counsel/members/<uuid:member_id>/end/", counsel.EndMember.as_view(), name="counsel-end-member"
    ),
    path("cases/<str:ref>/counsel/log/", counsel.TrackLog.as_view(), name="counsel-log"),
    path("cases/<str:ref>/counsel/exports/", counsel.Exports.as_view(), name="counsel-exports"),
    path("cases/<str:ref>/counsel/export/", counsel.MakeExport.as_view(), name="counsel-export"),
]
