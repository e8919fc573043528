"""Follow-ups that must happen once after a commit: written with the act, handled in a transaction of their own."""

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from spine import tracing
from spine.models import Outbox
from spine.principal import acting_as

logger = logging.getLogger(__name__)
FORGOTTEN_AT_ONCE = 5_000


def put(topic: str, payload: dict[str, Any]) -> Outbox:
    """Leave a message in the caller's transaction; it is handled soon after the commit, once."""
    if topic not in settings.OUTBOX_HANDLERS:
        raise LookupError(f"no handler for the topic {topic!r} in OUTBOX_HANDLERS")
    message = Outbox.objects.create(topic=topic, payload=payload, request_id=tracing.current().request)
    transaction.on_commit(_nudge)
    return message


def _nudge() -> None:
    from spine.tasks import nudge, relay

    nudge(relay)


def relay_all(limit: int = 100) -> int:
    """Handle waiting messages, oldest first; returns how many. One whose handler fails stays, with the error."""
    handled = 0
    tried: list[Any] = []
    while handled + len(tried) < limit:
        outcome = _relay_one(tried)
        if outcome is None:
            break
        handled += outcome
    return handled


def tidy() -> int:
    """Forget messages that were handled so many days ago (RETORT_OUTBOX_DAYS), a part at a time; gives how many.

    What waits or failed is never forgotten, however old it is.
    """
    forgotten = 0
    with acting_as("system:outbox"):
        old = Outbox.objects.filter(handled_at__lt=Now() - timedelta(days=settings.OUTBOX_DAYS))
        while count := Outbox.objects.filter(
            id__in=list(old.values_list("id", flat=True)[:FORGOTTEN_AT_ONCE])
        ).delete()[0]:
            forgotten += count
    return forgotten


def _relay_one(tried: list[Any]) -> int | None:
    message: Outbox | None = None
    with acting_as("system:outbox"):
        try:
            with transaction.atomic():
                waiting = Outbox.objects.filter(handled_at=None).exclude(id__in=tried).order_by("created_at")
                message = waiting.select_for_update(skip_locked=True).first()
                if message is None:
                    return None
                with tracing.within(request=message.request_id):
                    import_string(settings.OUTBOX_HANDLERS[message.topic])(message.payload)
                Outbox.objects.filter(id=message.id).update(handled_at=timezone.now(), error="")
            with tracing.within(request=message.request_id):
                logger.info("follow-up %s: done", message.topic)
            return 1
        except Exception as error:
            if message is None:  # no message was met: the database itself did not answer
                raise
            with tracing.within(request=message.request_id):
                logger.exception("follow-up %s failed and is tried again", message.topic)
            tried.append(message.id)
            Outbox.objects.filter(id=message.id).update(
                attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:2000]
            )
            return 0
