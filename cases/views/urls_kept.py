"""The addresses of what is kept: sources, holds."""

from django.urls import URLPattern, path

from cases.views import holds, sources

urlpatterns: list[URLPattern] = [
    path("sources/", sources.source_list, name="sources"),
    path("sources/<uuid:pk>/retention/", sources.set_source_retention, name="set_source_retention"),
    path("holds/", holds.hold_list, name="holds"),
    path("holds/<uuid:pk>/", holds.hold, name="hold"),
    path("holds/<uuid:pk>/custodians/", holds.add_custodian, name="add_custodian"),
    path("holds/<uuid:pk>/ask-release/", holds.ask_hold_release, name="ask_hold_release"),
    path("holds/<uuid:pk>/release/", holds.release_hold, name="release_hold"),
    path("custodians/<uuid:pk>/acknowledge/", holds.acknowledge_hold, name="acknowledge_hold"),
    path("custodians/<uuid:pk>/acknowledge-for/", holds.acknowledge_hold_for, name="acknowledge_hold_for"),
    path("custodians/<uuid:pk>/remind/", holds.remind_custodian, name="remind_custodian"),
]
