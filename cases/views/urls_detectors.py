"""The addresses of detectors."""

from django.urls import URLPattern, path

from cases.views import detectors, recalls

urlpatterns: list[URLPattern] = [
    path("detectors/", detectors.detector_list, name="detectors"),
    path("detectors/<uuid:pk>/", detectors.detector, name="detector"),
    path("detectors/<uuid:pk>/versions/<uuid:version>/", recalls.version, name="detector_version"),
    path("detectors/<uuid:pk>/versions/<uuid:version>/recall/", recalls.recall, name="recall_version"),
    path("detectors/<uuid:pk>/versions/<uuid:version>/reinstate/", recalls.reinstate, name="reinstate_version"),
    path("cases/<str:ref>/recalls/<uuid:pk>/answer/", recalls.answer, name="answer_recall"),
    path("detectors/excluded/", detectors.excluded, name="excluded"),
    path("detectors/excluded/<uuid:pk>/readmit/", detectors.readmit, name="readmit_value"),
    path("detectors/<uuid:pk>/grouping/", detectors.group, name="group_detector"),
    path("detectors/<uuid:pk>/describe/", detectors.describe, name="describe_detector"),
    path("detectors/<uuid:pk>/move/", detectors.move, name="move_detector"),
    path("detectors/<uuid:pk>/canaries/", detectors.plant, name="plant_canary"),
    path("detectors/<uuid:pk>/canaries/<uuid:canary>/remove/", detectors.remove, name="remove_canary"),
    path("detectors/<uuid:pk>/quarantines/", detectors.quarantine, name="quarantine_key"),
    path("detectors/<uuid:pk>/quarantines/<uuid:found>/lift/", detectors.lift, name="lift_quarantine"),
]
