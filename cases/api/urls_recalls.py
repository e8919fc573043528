"""The addresses of recalls."""

from django.urls import URLPattern, path

from cases.api import recalls

VERSION = "detectors/<uuid:detector_id>/versions/<uuid:detector_version_id>/"
urlpatterns: list[URLPattern] = [
    path(VERSION, recalls.OneVersion.as_view(), name="detector-version"),
    path(f"{VERSION}leaning/", recalls.Leaning.as_view(), name="leaning-on-version"),
    path(f"{VERSION}recall/", recalls.RecallVersion.as_view(), name="recall-version"),
    path(f"{VERSION}reinstate/", recalls.ReinstateVersion.as_view(), name="reinstate-version"),
    path("cases/<str:ref>/recalls/", recalls.Recalls.as_view(), name="case-recalls"),
    path("cases/<str:ref>/recalls/<uuid:flag_id>/answer/", recalls.AnswerRecall.as_view(), name="answer-recall"),
]
