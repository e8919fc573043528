"""Webhooks as the tests set them up, and how they look at what a receiver was sent."""

import json
from typing import Any

from cases.actions import webhooks as verbs
from cases.models import Webhook, WebhookDelivery
from cases.webhook_events import CHOICES
from people.models import User
from spine import jobs, outbox
from spine.allowlist import parse
from spine.models import Job, JobState
from tests.lying_server import Lying

NOWHERE = "https://hooks.example.com"


def allow_too(settings: Any, url: str) -> None:
    """Let this place be reached beside those that may be already."""
    settings.OUTGOING_ALLOWED = [*settings.OUTGOING_ALLOWED, parse(url)]


def make_webhook(admin: User, url: str, name: str = "Ticketing", types: list[str] | None = None) -> tuple[Webhook, str]:
    """A webhook of every type, with its secret."""
    return verbs.create_webhook(actor=admin, name=name, url=url, types=types or CHOICES)


def make_delivery(settings: Any, admin: User) -> WebhookDelivery:
    """A delivery that waits, to a place nobody is at."""
    allow_too(settings, NOWHERE)
    webhook, _ = make_webhook(admin, f"{NOWHERE}/retort", types=["lead.raised"])
    return verbs.test_webhook(webhook, actor=admin)


def relay() -> None:
    """Handle what waits in the outbox, all of it, as the worker would."""
    while outbox.relay_all():
        pass


def send_all() -> None:
    """Relay, then do every job of sending that waits."""
    relay()
    while job := Job.objects.filter(kind="webhook.send", state=JobState.QUEUED).first():
        jobs.run(job.pk)


def hurry() -> None:
    """Let every pause be over."""
    from django.utils import timezone

    WebhookDelivery.objects.filter(state="waiting").update(next_at=timezone.now())
    Webhook.objects.update(not_before=None)


def received(server: Lying) -> list[dict[str, Any]]:
    """The messages a receiver has had, with their content read."""
    found = [one for one in server.asked() if one["path"].startswith("/hook")]
    return [{**one, "content": json.loads(one["body"])} for one in found]
