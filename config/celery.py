"""The Celery application; everything about it stands in settings."""

import logging.config
import os
import time
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_success,
    worker_init,
    worker_ready,
    worker_shutdown,
)

logger = logging.getLogger(__name__)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("retort")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["spine", "detection", "cases"])


@celeryd_init.connect
@beat_init.connect
@setup_logging.connect
def log_as_the_web_does(**_: Any) -> None:
    """Workers and beat write their lines in the same form; Celery's own set-up, which knows no escapes, stays away."""
    from django.conf import settings

    logging.captureWarnings(True)
    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def refuse_unsafe_database(**_: Any) -> None:
    """A worker does not start on a database that could lose what it acknowledged."""
    from spine import startup

    startup.collect_seldom()
    startup.refuse_unsafe_database()


# A worker shows itself in the database (spine.presence) while its own loop turns and the broker is there: no thread
# apart that would go on when these hang. Its connection is closed each time, so that no child inherits it.

_shown_at = 0.0
_facts: dict[str, Any] = {}


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """The worker takes jobs from now on."""
    from django.conf import settings

    from spine import presence

    _facts.update(slots=sender.pool.num_processes, version=settings.VERSION)
    _tell(lambda: presence.begin(sender.hostname, **_facts))


@heartbeat_sent.connect
def renew(sender: Any, **_: Any) -> None:
    """Celery's own sign of life, every two seconds; ours is seldomer."""
    from spine import presence

    name = sender.eventer.hostname
    if _facts and time.monotonic() - _shown_at >= presence.period():
        _tell(lambda: presence.renew(name) or presence.begin(name, **_facts))


@worker_shutdown.connect
def leave(sender: Any, **_: Any) -> None:
    """The worker ends in order."""
    from spine import presence

    _tell(lambda: presence.leave(sender.hostname))


@task_success.connect
def ran(sender: Any, **_: Any) -> None:
    """Scheduled work was done: beat, the broker, this worker and the database were all there."""
    from django.conf import settings

    from spine import presence

    if sender.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}:
        presence.ran(sender.name)


def _tell(say: Callable[[], object]) -> None:
    global _shown_at
    from django.db import Error, connection

    _shown_at = time.monotonic()
    try:
        say()
    except Error as error:
        logger.warning("the database does not take this worker's sign of life: %s", type(error).__name__)
    finally:
        connection.close()
