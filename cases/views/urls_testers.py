"""The addresses of the list of sanctioned testers."""

from django.urls import URLPattern, path

from cases.views import testers

urlpatterns: list[URLPattern] = [
    path("sanctioned-testers/", testers.tests, name="testers"),
    path("sanctioned-testers/look-up/", testers.look_up, name="testers_look_up"),
    path("sanctioned-testers/<uuid:pk>/end/", testers.end_test, name="end_test"),
]
