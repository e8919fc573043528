"""The Celery application; everything about it stands in settings."""

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("retort")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["spine", "detection", "cases"])


@setup_logging.connect
def log_as_the_web_does(**_: Any) -> None:
    """Workers and beat write their lines in the same form; Celery's own set-up, which knows no escapes, stays away."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def refuse_unsafe_database(**_: Any) -> None:
    """A worker does not start on a database that could lose what it acknowledged."""
    from spine import startup

    startup.collect_seldom()
    startup.refuse_unsafe_database()
