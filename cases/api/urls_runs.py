"""The addresses of what changed between runs, and of their clusters."""

from django.urls import URLPattern, path

from cases.api import runs, versions

urlpatterns: list[URLPattern] = [
    path("runs/<uuid:run_id>/changes/", runs.RunChanges.as_view(), name="run-changes"),
    path("runs/<uuid:run_id>/changes/accounts/", runs.DownloadRunChanges.as_view(), name="run-changes-accounts"),
    path("runs/<uuid:run_id>/clusters/download/", runs.DownloadRunClusters.as_view(), name="run-clusters-download"),
    path("cases/<str:ref>/newer-versions/", versions.NewerVersions.as_view(), name="newer-versions"),
    path(
        "cases/<str:ref>/newer-versions/<uuid:newer_id>/answer/",
        versions.AnswerVersion.as_view(),
        name="answer-newer-version",
    ),
]
