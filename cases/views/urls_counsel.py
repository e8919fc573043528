"""The addresses of the counsel track."""

from django.urls import URLPattern, path

from cases.views import counsel

urlpatterns: list[URLPattern] = [
    path("cases/<str:ref>/counsel/", counsel.notes, name="counsel"),
    path("cases/<str:ref>/counsel/open/", counsel.open_track, name="counsel_open"),
    path("cases/<str:ref>/counsel/notes/<uuid:pk>/withdraw/", counsel.withdraw_note, name="counsel_withdraw"),
    path("cases/<str:ref>/counsel/members/", counsel.members, name="counsel_members"),
    path("cases/<str:ref>/counsel/members/<uuid:pk>/end/", counsel.end_member, name="counsel_end_member"),
    path("cases/<str:ref>/counsel/log/", counsel.log, name="counsel_log"),
    path("cases/<str:ref>/counsel/exports/", counsel.exports, name="counsel_exports"),
]
