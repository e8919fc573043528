"""Every address of the product, in one visible table."""

from django.urls import URLPattern, URLResolver, include, path

from config import health, metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/v1/", include("config.api_urls")),
    path("", include("cases.urls")),
]
handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"
