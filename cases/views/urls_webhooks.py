"""The addresses of webhooks."""

from django.urls import URLPattern, path

from cases.views import webhooks

urlpatterns: list[URLPattern] = [
    path("webhooks/", webhooks.webhook_list, name="webhooks"),
    path("webhooks/new/", webhooks.new_webhook, name="new_webhook"),
    path("webhooks/<uuid:pk>/", webhooks.webhook, name="webhook"),
    path("webhooks/<uuid:pk>/edit/", webhooks.edit_webhook, name="edit_webhook"),
    path("webhooks/<uuid:pk>/pause/", webhooks.pause_webhook, name="pause_webhook"),
    path("webhooks/<uuid:pk>/secret/", webhooks.make_secret, name="make_webhook_secret"),
    path("webhooks/<uuid:pk>/test/", webhooks.test_webhook, name="test_webhook"),
    path("webhooks/<uuid:pk>/remove/", webhooks.remove_webhook, name="remove_webhook"),
    path("webhooks/<uuid:pk>/deliveries/<uuid:delivery>/send-again/", webhooks.send_again, name="send_delivery_again"),
]
