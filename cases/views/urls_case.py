"""The addresses of case and dossier pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
