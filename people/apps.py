"""The app, and what it does when Django's own sign-in has happened."""

from typing import Any

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """People, their keys and how they sign in."""

    name = "people"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        user_logged_in.connect(_begin, dispatch_uid="people.sessions.begin")


def _begin(sender: Any, request: Any, **kwargs: Any) -> None:
    """Whatever way Django let somebody in, the session has a beginning."""
    from people import sessions

    sessions.begin(request)
