"""Verbs on webhooks, for administrators: one log entry each, and none says a secret or a whole address."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from cases import webhook_events as events
from cases import webhook_sending as sending
from cases.actions import base
from cases.models import Webhook, WebhookDelivery
from cases.models.webhooks import DeliveryState
from people.models import User
from spine import conditions, log, sealing, standard_webhooks
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.outgoing import NotAllowed

RIGHT = "webhooks.write"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", flags=re.ASCII)
LONGEST_OVERLAP = 7 * 24
OVERLAP = 24


@transaction.atomic
def create_webhook(*, actor: User, name: str, url: str, types: Sequence[str]) -> tuple[Webhook, str]:
    """Set up a webhook; gives it with its secret, which is kept sealed and given this once.

    Side effects: the webhook; one log entry.
    """
    base.require(actor, RIGHT)
    if not NAME.fullmatch(name):
        words = "letters, digits, space, dot, dash, underscore"
        raise Refused(f"A webhook's name has 1 to 60 characters: {words}.", field="name")
    secret = standard_webhooks.fresh_secret()
    made = Webhook(name=name, url=url, types=_types(types), secret=_sealed(secret))
    origin = _origin(url)
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        raise Refused(f"There is a webhook {name} already.", field="name") from None
    data = {"name": name, "to": origin, "types": made.types}
    log.record(actor=actor.principal, action="webhook.created", about=made, data=data)
    return made, secret


@transaction.atomic
def change_webhook(webhook: Webhook, *, actor: User, revision: int, changes: Mapping[str, Any]) -> Webhook:
    """Change address or types; `revision` is the one its author saw. What waits goes to the new address.

    Side effects: the fields; failures are counted anew; one log entry.
    """
    held = _held(webhook, actor, revision)
    given = {name: changes[name] for name in ("url", "types") if name in changes}
    if "types" in given:
        given["types"] = _types(given["types"])
    new = {name: value for name, value in given.items() if value != getattr(held, name)}
    if not new:
        raise Refused("Nothing was changed: the values are what they were.")
    data: dict[str, Any] = {"name": held.name, "fields": " and ".join(sorted(new))}
    if "url" in new:
        data |= {"from": _origin(held.url, check=False), "to": _origin(new["url"])}
        new |= {"failures": 0, "failing_since": None, "not_before": None, "last_error": ""}
    if "types" in new:
        data["types"] = new["types"]
    _update(held, **new)
    log.record(actor=actor.principal, action="webhook.changed", about=held, data=data)
    return Webhook.objects.get(pk=held.pk)


@transaction.atomic
def pause_webhook(webhook: Webhook, *, actor: User, revision: int) -> Webhook:
    """Send nothing until it is resumed. What waits goes on waiting, what happens meanwhile is not told later.

    Side effects: one log entry.
    """
    held = _held(webhook, actor, revision)
    if held.paused:
        raise Refused(f"The webhook {held.name} is paused already.")
    _update(held, paused=True)
    conditions.settle(sending.condition_of(held))
    log.record(actor=actor.principal, action="webhook.paused", about=held, data={"name": held.name})
    return Webhook.objects.get(pk=held.pk)


@transaction.atomic
def resume_webhook(webhook: Webhook, *, actor: User, revision: int) -> Webhook:
    """Send again, after a pause or after it was disabled; what waits is sent at once.

    Side effects: failures are counted anew; a job; one log entry.
    """
    held = _held(webhook, actor, revision)
    if held.is_enabled:
        raise Refused(f"The webhook {held.name} is neither paused nor disabled.")
    fresh = {"failures": 0, "failing_since": None, "not_before": None, "last_error": ""}
    _update(held, paused=False, disabled_why="", **fresh)
    waiting = WebhookDelivery.objects.filter(webhook=held, state=DeliveryState.WAITING)
    waiting.update(next_at=Now())
    conditions.settle(sending.condition_of(held))
    log.record(actor=actor.principal, action="webhook.resumed", about=held, data={"name": held.name})
    events.ask_to_send(held)
    return Webhook.objects.get(pk=held.pk)


@transaction.atomic
def rotate_secret(webhook: Webhook, *, actor: User, revision: int, hours: int = OVERLAP) -> tuple[Webhook, str]:
    """A new secret, given this once; messages carry a signature of the old one too for so many hours, or none.

    Side effects: the secrets; one log entry. An old secret that still signed is forgotten at once.
    """
    held = _held(webhook, actor, revision)
    if not 0 <= hours <= LONGEST_OVERLAP:
        raise Refused(f"The old secret signs for 0 to {LONGEST_OVERLAP} hours more.", field="hours")
    secret = standard_webhooks.fresh_secret()
    old = {"old_secret": held.secret, "old_until": timezone.now() + timedelta(hours=hours)}
    _update(held, secret=_sealed(secret), **(old if hours else {"old_secret": "", "old_until": None}))
    data = {"name": held.name, "hours": hours}
    log.record(actor=actor.principal, action="webhook.secret_made", about=held, data=data)
    return Webhook.objects.get(pk=held.pk), secret


@transaction.atomic
def remove_webhook(webhook: Webhook, *, actor: User, revision: int) -> None:
    """Forget a webhook, its secrets and its deliveries. Side effects: one log entry."""
    held = _held(webhook, actor, revision)
    log.record(actor=actor.principal, action="webhook.removed", about=held, data={"name": held.name})
    conditions.settle(sending.condition_of(held))
    held.delete()


@transaction.atomic
def test_webhook(webhook: Webhook, *, actor: User) -> WebhookDelivery:
    """Send a message of the type webhook.test to this one alone. Side effects: the delivery, a job; one log entry."""
    held = _ready(webhook, actor)
    data = {"webhook": str(held.pk)}
    made = events.deliver([held], events.TEST, key=f"test:{new_id()}", at=timezone.now(), data=data)
    log.record(actor=actor.principal, action="webhook.tested", about=held, data={"name": held.name})
    return made[0]


@transaction.atomic
def send_again(delivery: WebhookDelivery, *, actor: User) -> WebhookDelivery:
    """Send a delivery once more, from the first try on and under the same message id.

    Side effects: it waits and is due; a job; one log entry. What may no longer be told of is dropped by the job.
    """
    held = _ready(delivery.webhook, actor)
    again = {"state": DeliveryState.WAITING, "attempts": 0, "next_at": Now(), "ended_at": None}
    if not WebhookDelivery.objects.filter(pk=delivery.pk).update(**again):
        raise Refused("There is no such delivery any more.")
    data = {"name": held.name, "type": delivery.type, "delivery": str(delivery.pk)}
    log.record(actor=actor.principal, action="webhook.sent_again", about=held, data=data)
    events.ask_to_send(held)
    return WebhookDelivery.objects.get(pk=delivery.pk)


def _held(webhook: Webhook, actor: User, revision: int) -> Webhook:
    base.require(actor, RIGHT)
    held = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if held.revision != revision:
        raise Conflict(f"The webhook {held.name} was changed meanwhile. Look again before you decide.")
    return held


def _ready(webhook: Webhook, actor: User) -> Webhook:
    """The webhook, enabled, and no longer resting after a failure."""
    base.require(actor, RIGHT)
    held = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if not held.is_enabled:
        raise Refused(f"The webhook {held.name} is {'disabled' if held.disabled_why else 'paused'}: resume it first.")
    Webhook.objects.filter(pk=held.pk).update(not_before=None)
    return held


def _update(held: Webhook, **fields: Any) -> None:
    Webhook.objects.filter(pk=held.pk).update(**fields, revision=held.revision + 1)


def _types(types: Sequence[str]) -> list[str]:
    """The chosen types in the order of the table."""
    if not types:
        raise Refused("Choose at least one type of event.", field="types")
    for one in types:
        base.one_of(one, events.CHOICES, field="types", label="The type of event")
    return [name for name in events.CHOICES if name in types]


def _origin(url: str, *, check: bool = True) -> str:
    """Scheme, host and port, all that the log says: the rest may be a secret. Raises Refused when it is not allowed."""
    try:
        return sending.outgoing().place(url).origin
    except NotAllowed as refused:
        if check:
            raise Refused(str(refused), field="url") from None
        return "an address that is not allowed"


def _sealed(secret: str) -> str:
    return sealing.seal(secret, purpose=sending.PURPOSE)
