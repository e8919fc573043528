"""The addresses of runs."""

from django.urls import URLPattern, path

from cases.views import runs, versions

urlpatterns: list[URLPattern] = [
    path("sources/<uuid:pk>/runs/", runs.source_runs, name="source_runs"),
    path("sources/<uuid:pk>/runs/start/", runs.start_run, name="start_run"),
    path("sources/<uuid:pk>/runs/schedule/", runs.set_run_schedule, name="set_run_schedule"),
    path("sources/<uuid:pk>/measure/", runs.measure, name="measure_source"),
    path("cases/<str:ref>/newer/<uuid:pk>/answer/", versions.answer_newer, name="answer_newer"),
    path("runs/<uuid:pk>/", runs.run, name="run"),
    path("runs/<uuid:pk>/changes/", runs.run_changes, name="run_changes"),
    path("runs/<uuid:pk>/changes/download/", runs.download_run_changes, name="download_run_changes"),
    path("runs/<uuid:pk>/clusters/download/", runs.download_run_clusters, name="download_run_clusters"),
]
