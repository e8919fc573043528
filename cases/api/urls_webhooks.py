"""The addresses of webhooks, under /api/v1/."""

from django.urls import URLPattern, path

from cases.api import webhooks

urlpatterns: list[URLPattern] = [
    path("webhooks/", webhooks.Webhooks.as_view(), name="webhooks"),
    path("webhooks/types/", webhooks.WebhookTypes.as_view(), name="webhook-types"),
    path("webhooks/<uuid:webhook_id>/", webhooks.OneWebhook.as_view(), name="webhook"),
    path("webhooks/<uuid:webhook_id>/remove/", webhooks.RemoveWebhook.as_view(), name="webhook-remove"),
    path("webhooks/<uuid:webhook_id>/secret/", webhooks.MakeSecret.as_view(), name="webhook-secret"),
    path("webhooks/<uuid:webhook_id>/test/", webhooks.TestWebhook.as_view(), name="webhook-test"),
    path("webhooks/<uuid:webhook_id>/deliveries/", webhooks.Deliveries.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/send-again/",
        webhooks.SendAgain.as_view(),
        name="webhook-send-again",
    ),
]
