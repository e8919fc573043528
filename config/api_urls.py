"""Everything under /api/v1/: detection, judging, the API's description, and a problem document for the rest."""

from django.urls import include, path, re_path

from config import openapi

urlpatterns = [
    path("schema/", openapi.Schema.as_view(), name="api_schema"),
    path("docs/", openapi.docs, name="api_docs"),
    path("", include("people.api.urls")),
    path("", include("detection.api.urls")),
    path("", include("cases.api.urls")),
    re_path(r"", openapi.Nowhere.as_view(), name="api_nowhere"),
]
