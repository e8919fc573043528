"""The addresses of the list of sanctioned testers, under /api/v1/."""

from django.urls import URLPattern, path

from cases.api import testers

urlpatterns: list[URLPattern] = [
    path("sanctioned-testers/", testers.Testers.as_view(), name="testers"),
    path("sanctioned-testers/lookup/", testers.LookUpTesters.as_view(), name="testers-lookup"),
    path("sanctioned-testers/<uuid:test_id>/end/", testers.EndTest.as_view(), name="testers-end"),
]
