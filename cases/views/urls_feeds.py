"""The addresses of feeds."""

from django.urls import URLPattern, path

from cases.views import feeds

urlpatterns: list[URLPattern] = [
    path("feeds/", feeds.feed_list, name="feeds"),
    path("feeds/new/", feeds.new_feed, name="new_feed"),
    path("feeds/<uuid:pk>/", feeds.feed, name="feed"),
    path("feeds/<uuid:pk>/edit/", feeds.edit_feed, name="edit_feed"),
    path("feeds/<uuid:pk>/pull/", feeds.pull_feed, name="pull_feed"),
    path("feeds/<uuid:pk>/pause/", feeds.pause_feed, name="pause_feed"),
    path("feeds/<uuid:pk>/backfill/", feeds.backfill_feed, name="backfill_feed"),
]
